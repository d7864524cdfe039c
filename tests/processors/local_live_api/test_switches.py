"""The switches: what they take, and that each is explained."""

from typing import Any

import msgspec
import pytest

from processors.local_live_api.switches import Switches


def test_every_switch_is_explained() -> None:
    text = Switches.__doc__ or ""
    for name in Switches.__struct_fields__:
        assert f"{name}: " in text or f"{name}, " in text, name


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"frames": "jsonl"}, "Invalid enum value 'jsonl'"),
        ({"pace": 0}, "> 0.0"),
        ({"chunk_ms": 10}, ">= 20"),
        ({"chunk_ms": 1001}, "<= 1000"),
        ({"sessions": 0}, ">= 1"),
        ({"context_tokens": 0}, ">= 1"),
        ({"time_scale": -1}, "> 0.0"),
        ({"latency_ms": -1}, ">= 0"),
        ({"sesions": 5}, "unknown field `sesions`"),
    ],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any], what: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(values, Switches)
    assert what in str(raised.value)


def test_a_handle_is_good_for_what_the_backend_says_unless_told() -> None:
    assert Switches().handle_s is None
    assert msgspec.convert({"handle_s": 600}, Switches).handle_s == 600
