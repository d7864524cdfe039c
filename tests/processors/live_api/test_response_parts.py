"""Tests of the parts of a wait."""

import numpy as np

from pipeline import AudioFrame, Frame, Speaker, SpeechEnded, TextFrame, ToolCall, TurnStarted
from processors.live_api.response_parts import ResponseParts


def sound(turn: int) -> AudioFrame:
    return AudioFrame(np.ones((10, 1), np.int16), 24_000, Speaker.MODEL, turn=turn)


def measured(*steps: tuple[int, Frame]) -> list[tuple[str, int]]:
    """What is measured of frames that come at these times."""
    parts = ResponseParts()
    found = []
    for now, frame in steps:
        parts.heard(frame, now)
        found += parts.saw(frame, now)
    return found


def test_the_parts_follow_each_other() -> None:
    assert measured(
        (1300, SpeechEnded(pts=1000)),
        (1700, TurnStarted(asked=1000, turn=1)),
        (1710, ToolCall("1", "f", {}, turn=1)),
        (1900, sound(1)),
        (1940, sound(1)),
    ) == [
        ("response.detection", 300),
        ("response.service", 400),
        ("response.first_sound", 200),
    ]


def test_a_turn_that_answers_something_else_has_none() -> None:
    assert measured((0, TurnStarted(turn=1)), (5, sound(1))) == []
    assert (
        measured((9, SpeechEnded(pts=5)), (10, TurnStarted(asked=4, turn=1)), (11, sound(1))) == []
    )


def test_an_answer_without_sound_has_none_for_it() -> None:
    found = measured(
        (1300, SpeechEnded(pts=1000)),
        (1700, TurnStarted(asked=1000, turn=1)),
        (1800, TextFrame("yes", Speaker.MODEL, turn=1)),
        (5000, TurnStarted(turn=2)),
        (5100, sound(2)),
    )
    assert [name for name, _ in found] == ["response.detection", "response.service"]


def test_speech_with_a_pause_in_it_ends_when_it_has_ended() -> None:
    assert measured(
        (1300, SpeechEnded(pts=1000)),
        (2300, SpeechEnded(pts=2000)),
        (2500, TurnStarted(asked=2000, turn=1)),
    ) == [("response.detection", 300), ("response.service", 200)]
