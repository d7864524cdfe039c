"""Tests of one speaker's sound at the rate of a recording."""

import numpy as np
import pytest

from pipeline import SECOND, AudioFrame
from processors.audio.pcm import nanoseconds_of
from processors.audio.recording.both_sides import TAIL
from processors.audio.recording.track import Track


@pytest.mark.parametrize("rate", [4000, 5512, 7999, 8000, 24_000, 48_000])
@pytest.mark.parametrize("to", [8000, 24_000, 48_000])
def test_it_holds_back_less_than_is_waited_for(rate: int, to: int) -> None:
    size = rate // 50
    frames = [
        AudioFrame(np.ones((size, 1), np.int16), rate, pts=nanoseconds_of(number * size, rate))
        for number in range(100)
    ]
    track, longest = Track(to, frames[0]), 0
    for frame in frames:
        assert track.distance(frame) is not None
        piece = track.take(frame)
        longest = max(longest, frame.end - nanoseconds_of(piece.end, to))
    assert longest <= 0.18 * SECOND < TAIL
    assert track.finish().end == pytest.approx(100 * size * to / rate, abs=1)
