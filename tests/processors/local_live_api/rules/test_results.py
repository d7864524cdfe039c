"""Results in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.history import Answered, Called
from processors.local_live_api.rules.results import MOST_ITEMS, in_words, report, topic


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sunny", "sunny"),
        (21.5, "21.5"),
        (True, "yes"),
        (None, "nothing"),
        ([], "nothing"),
        ([1, 2, 3], "1, 2 and 3"),
        ({"sky": "sunny", "highTemperature": 26}, "sky sunny and high temperature 26"),
        ({"days": [{"low": 1}, {"low": 2}]}, "days low 1, low 2"),
        (list(range(MOST_ITEMS + 5)), f"{', '.join(map(str, range(MOST_ITEMS)))} and 5 more"),
    ],
)
def test_values(value: Any, expected: str) -> None:
    assert in_words(value) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"output": "sunny"}, "The weather for Rome: sunny."),
        ({"result": "sunny"}, "The weather for Rome: sunny."),
        ({"sky": "sunny"}, "The weather for Rome: sky sunny."),
        ({"output": 0}, "The weather for Rome: 0."),
        ({"output": "ok"}, "Done: the weather for Rome."),
        ({"status": "success"}, "Done: the weather for Rome."),
        ({}, "Done: the weather for Rome."),
        ({"output": None}, "Done: the weather for Rome."),
        ({"error": "no such city."}, "I am sorry, the weather for Rome failed: no such city."),
        ({"output": {"error": 404}}, "I am sorry, the weather for Rome failed: 404."),
    ],
)
def test_answers(response: dict[str, Any], expected: str) -> None:
    call = Called("1", "get_weather", {"city": "Rome"})
    assert report([(call, Answered("1", "get_weather", response))]) == expected


def test_several_answers_are_one_sentence() -> None:
    answers = [(None, Answered("1", name, {"output": "on"})) for name in ("radio", "set_light")]
    assert report(answers) == "Radio: on; set light: on."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get_current_weather", "the current weather"),
        ("turnOnTheLights", "turn on the lights"),
        ("get", "get"),
        ("__", "__"),
    ],
)
def test_topics(name: str, expected: str) -> None:
    assert topic(name) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_value_has_words(value: Any) -> None:
    text = report([(None, Answered("1", "f", {"output": value}))])
    assert text.endswith(".")
    assert "\n" not in text
