"""Values that do not fit, in words."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from pipeline.settings import convert

Rate = Annotated[int, msgspec.Meta(ge=4000, le=384_000)]


class Vad(msgspec.Struct):
    silence_ms: Annotated[int, msgspec.Meta(ge=1)] = 1
    words: list[str] = []


class Example:
    def __init__(
        self,
        rate: Rate | None = None,
        frame_ms: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20,
        pause_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 1.0,
        threshold: float = 0.5,
        count: int = 1,
        language: str | None = None,
        names: list[str] | None = None,
        flag: bool = False,
        vad: Vad | None = None,
        mode: Literal["a", "b"] = "a",
    ) -> None:
        pass


BOOL = "yes, no, on and off are true and false in YAML: put a word in quotation marks"


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"rate": "16k"}, "rate: expected a whole number, got '16k'", "write 16000, in Hz"),
        ({"rate": "16 kHz"}, "rate: expected a whole number, got '16 kHz'", "write 16000, in Hz"),
        ({"rate": "8000"}, "rate: expected a whole number, got '8000'", "write 8000, in Hz"),
        ({"rate": "1k"}, "rate: expected a whole number, got '1k'", ""),
        (
            {"rate": 16},
            "rate: expected a whole number >= 4000, got 16",
            "it is in Hz: did you mean 16000?",
        ),
        ({"rate": 2}, "rate: expected a whole number >= 4000, got 2", ""),
        ({"rate": [1]}, "rate: expected a whole number, got a list", ""),
        ({"count": None}, "count: expected a whole number, got nothing", ""),
        (
            {"count": "5"},
            "count: expected a whole number, got '5'",
            "write 5, without quotation marks",
        ),
        (
            {"frame_ms": 0.02},
            "frame_ms: expected a whole number, got 0.02",
            "it is in ms: did you mean 20?",
        ),
        ({"frame_ms": "20ms"}, "frame_ms: expected a whole number, got '20ms'", "write 20, in ms"),
        ({"frame_ms": "0.5s"}, "frame_ms: expected a whole number, got '0.5s'", "write 500, in ms"),
        (
            {"pause_s": 1500},
            "pause_s: expected a number <= 10.0, got 1500",
            "it is in s: did you mean 1.5?",
        ),
        ({"pause_s": "250 ms"}, "pause_s: expected a number, got '250 ms'", "write 0.25, in s"),
        ({"pause_s": "1.2.3"}, "pause_s: expected a number, got '1.2.3'", ""),
        (
            {"threshold": "60%"},
            "threshold: expected a number, got '60%'",
            "write 0.6, without quotation marks",
        ),
        ({"threshold": "loud"}, "threshold: expected a number, got 'loud'", ""),
        ({"language": False}, "language: expected text, got false", BOOL),
        ({"language": 5}, "language: expected text, got 5", ""),
        ({"count": True}, "count: expected a whole number, got true", ""),
        ({"names": "a"}, "names: expected a list, got 'a'", "write a list: [...]"),
        ({"flag": "maybe"}, "flag: expected true or false, got 'maybe'", ""),
        ({"vad": 5}, "vad: expected names with values, got 5", ""),
        (
            {"vad": {"silence_ms": 0.3, "words": 5}},
            "vad.silence_ms: expected a whole number, got 0.3",
            "it is in ms: did you mean 300?",
        ),
        (
            {"vad": {"words": "x"}},
            "vad.words: expected a list, got 'x'",
            "write a list: [...]",
        ),
    ],
)
def test_what_was_expected_and_what_was_meant(
    values: dict[str, Any], message: str, hint: str
) -> None:
    _, [problem] = convert(Example, values, Path())
    assert (problem.message, problem.hint) == (message, hint)
