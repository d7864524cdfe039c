"""What of a function's answer counts as its output."""

from typing import Any

import pytest

from processors.local_live_api.history import Answered


@pytest.mark.parametrize(
    ("response", "output"),
    [
        ({"output": 5, "error": "x"}, 5),
        ({"output": None}, None),
        ({"error": "no such city"}, "no such city"),
        ({"sky": "clear", "high": 21}, {"sky": "clear", "high": 21}),
        ({}, {}),
    ],
)
def test_the_output_of_a_function(response: dict[str, Any], output: Any) -> None:
    assert Answered("1", "f", response).output == output
