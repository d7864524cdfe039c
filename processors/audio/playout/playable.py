"""From frames of any format to the sound that a device plays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline import AudioFrame
from processors.audio.pcm import Samples, mix
from processors.audio.playout.buffer import JOINT
from processors.audio.resampler import Resampler
from processors.audio.resampling.drift import DriftCorrector


class Piece(NamedTuple):
    """Sound at the device's rate, of shape (n, channels): that of media time `pts` to
    `pts + span` (nanoseconds) of a turn."""

    samples: Samples
    turn: int
    pts: int
    span: int


class Playable:
    """Resamples frames to the rate and the channels of a device; of more channels it plays the
    average.

    What belongs to no turn comes live, from a clock of its own: it is played a little faster or
    slower, so that `target` seconds wait to be played when more comes.
    """

    def __init__(self, rate: int, channels: int, target: float) -> None:
        self._channels = channels
        self._resampler = Resampler(rate, channels)
        self._drift = DriftCorrector(rate, channels, target)
        self._last: AudioFrame | None = None

    def process(self, frame: AudioFrame, level: float) -> Iterator[Piece]:
        """What can be played with this frame. level: seconds that wait to be played."""
        if frame.channels not in (1, self._channels):
            frame = frame.replace(samples=mix(frame.samples, 1))
        last, self._last = self._last, frame
        if last is not None and (last.turn != frame.turn or abs(frame.pts - last.end) > JOINT):
            yield from self._end(last)
        yield from self._pieces(self._resampler.process(frame), level)

    def flush(self) -> Iterator[Piece]:
        """What is still held back."""
        last, self._last = self._last, None
        if last is not None:
            yield from self._end(last)

    def forget(self, turn: int) -> None:
        """Nothing more of this turn is wanted."""
        self._resampler.interrupted(turn)
        if self._last is not None and self._last.turn == turn:
            self._last = None

    def _end(self, last: AudioFrame) -> Iterator[Piece]:
        yield from self._pieces(self._resampler.flush(), self._drift.target)
        rest = self._drift.flush()
        if len(rest):
            yield Piece(rest, last.turn, last.end, 0)

    def _pieces(self, frames: Iterable[AudioFrame], level: float) -> Iterator[Piece]:
        for frame in frames:
            live = not frame.turn
            samples = self._drift.process(frame.samples, level) if live else frame.samples
            yield Piece(samples, frame.turn, frame.pts, frame.duration)
