"""Durations and numbers, as JSON in proto3 form writes them."""

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.live_api.messages import Blob, Wire, encode, format_duration, parse_duration
from processors.live_api.messages.base import LONGEST_DURATION

SECONDS = st.floats(-LONGEST_DURATION, LONGEST_DURATION)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("50s", 50.0),
        ("9.500s", 9.5),
        ("1.2s", 1.2),
        ("0s", 0.0),
        ("-0.5s", -0.5),
        ("0.000000001s", 1e-9),
        ("315576000000s", 315_576_000_000.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "s", "50", "50 s", "50S", "1.s", ".5s", "1,5s", "+1s", "1e3s", "nans", "infs"),
        *(
            "٣s",
            "1s\n",
            "1m",
            "0.0000000001s",
            "315576000001s",
            "-315576000000.1s",
            "9" * 999 + "s",
        ),
    ],
)
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (50, "50s"),
        (9.5, "9.500s"),
        (0.02, "0.020s"),
        (1.000_25, "1.000250s"),
        (1e-9, "0.000000001s"),
        (1e-10, "0s"),
        (-1e-10, "0s"),
        (-0.0, "0s"),
        (-0.5, "-0.500s"),
        (100, "100s"),
        (1000, "1000s"),
    ],
)
def test_durations_are_written_with_whole_groups_of_decimals(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(SECONDS)
@example(float(LONGEST_DURATION))
def test_a_written_duration_is_read_back(seconds: float) -> None:
    again = parse_duration(format_duration(seconds))
    assert again is not None
    assert math.isclose(again, seconds, rel_tol=1e-15, abs_tol=0.5e-9 + 1e-18)


@given(st.text(alphabet="0123456789.-s", max_size=20).map(lambda text: f"{text}s"))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    seconds = parse_duration(text)
    if seconds is not None:
        assert seconds == float(text[:-1])


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 315_576_000_001, -1e12])
def test_what_cannot_be_a_duration(seconds: float) -> None:
    with pytest.raises(ValueError, match="no duration"):
        format_duration(seconds)


def test_names_are_camel_case_and_defaults_are_left_out() -> None:
    class Thing(Wire):
        some_name: int = 0
        other_name: str = ""

    assert encode(Thing(some_name=1)) == b'{"someName":1}'
    assert encode(Blob()) == b"{}"


def test_what_has_no_form_on_the_wire_is_refused() -> None:
    class Thing(Wire):
        anything: Any = None

    with pytest.raises(TypeError, match="complex"):
        encode(Thing(anything=1j))
