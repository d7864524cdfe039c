"""One speaker's sound, at the rate of a recording."""

from __future__ import annotations

from typing import NamedTuple

from pipeline import AudioFrame, Speaker
from processors.audio.pcm import Samples, count_of, mix, nanoseconds_of
from processors.audio.resampling.stream import SoxrStream

HQ_FROM = 8000
"""Hz."""
JITTER = 5_000_000
"""Nanoseconds by which the times of frames may waver without a hole in the sound."""


class Piece(NamedTuple):
    """Mono sound of one turn that begins at a position, in samples."""

    start: int
    samples: Samples
    turn: int

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


class Track:
    """Frames that follow one another become pieces of sound, as they come.

    They are resampled in high quality, which holds back at most 0.18 s; below 8 kHz, where that
    would be 0.34 s, in a lower one. n samples become exactly n * rate / their rate, rounded to the
    nearest.

    rate: of the pieces, in Hz. first: the frame that it begins with, which is still to be taken.
    """

    def __init__(self, rate: int, first: AudioFrame) -> None:
        self._first = first
        self._start = count_of(first.pts, rate)
        self._count = self._given = 0
        quality = "HQ" if first.rate >= HQ_FROM else "LQ"
        self._stream = None if first.rate == rate else SoxrStream(first.rate, rate, 1, quality)

    @property
    def speaker(self) -> Speaker:
        return self._first.speaker

    @property
    def end(self) -> int:
        """Media time at which the sound ends so far, in nanoseconds."""
        return self._first.pts + nanoseconds_of(self._count, self._first.rate)

    def distance(self, frame: AudioFrame) -> int | None:
        """Nanoseconds by which a frame misses the end of this track; None if it is of another."""
        first = self._first
        same = (frame.rate, frame.speaker, frame.turn) == (first.rate, first.speaker, first.turn)
        distance = abs(frame.pts - self.end)
        return distance if same and distance <= JITTER else None

    def take(self, frame: AudioFrame) -> Piece:
        """What a frame completes."""
        self._count += len(frame.samples)
        samples = mix(frame.samples, 1)
        return self._piece(samples if self._stream is None else self._stream.push(samples))

    def finish(self) -> Piece:
        """What is held back; no frame may follow."""
        return self._piece(
            self._first.samples[:0, :1] if self._stream is None else self._stream.finish()
        )

    def _piece(self, samples: Samples) -> Piece:
        start = self._start + self._given
        self._given += len(samples)
        return Piece(start, samples[:, 0], self._first.turn)
