"""Tests of how long the user waits."""

import numpy as np

from pipeline import AudioFrame, TurnStarted
from processors.audio.playout.buffer import Stretch
from processors.audio.playout.response_time import ResponseTime

MS = 1_000_000


def sound(value: int, pts: int, turn: int = 1) -> AudioFrame:
    """20 ms."""
    return AudioFrame(np.full((160, 1), value, np.int16), 8000, pts=pts * MS, turn=turn)


def stretch(at: int, pts: int, turn: int = 1) -> Stretch:
    """20 ms."""
    return Stretch(turn, at * MS, (at + 20) * MS, pts * MS, (pts + 20) * MS)


def test_it_is_that_of_the_first_sample_that_can_be_heard() -> None:
    time = ResponseTime()
    time.turn_started(TurnStarted(300 * MS, turn=1))
    time.came(sound(50, 1000), 900 * MS)
    samples = np.zeros((160, 1), np.int16)
    samples[80:] = 5000
    time.came(AudioFrame(samples, 8000, pts=1020 * MS, turn=1), 950 * MS)
    assert list(time.played(stretch(5000, 1000), -4000 * MS)) == []
    assert list(time.played(stretch(5020, 1020), -4000 * MS)) == [
        ("response", 1030 * MS - 300 * MS),
        ("response.playout", 1030 * MS - 900 * MS),
    ]
    assert list(time.played(stretch(5040, 1040), -4000 * MS)) == []


def test_what_nobody_asked_for_is_not_measured() -> None:
    time = ResponseTime()
    time.turn_started(TurnStarted(turn=1))
    time.came(sound(5000, 0), 0)
    assert list(time.played(stretch(0, 0), 0)) == []


def test_a_turn_that_is_never_heard_leaves_nothing_behind() -> None:
    time = ResponseTime()
    time.turn_started(TurnStarted(100 * MS, turn=1))
    time.came(sound(5000, 200), 200 * MS)
    time.turn_started(TurnStarted(500 * MS, turn=2))
    assert list(time.played(stretch(300, 200), 0)) == []
    time.came(sound(5000, 600, turn=2), 600 * MS)
    assert [value for _, value in time.played(stretch(700, 600, turn=2), 0)] == [200 * MS, 100 * MS]
