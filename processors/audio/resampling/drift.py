"""Two clocks that differ a little: that of a live source, and that of the device that plays it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from processors.arrays import np
from processors.audio.pcm import Samples, silence, to_int16

if TYPE_CHECKING:
    import soxr

MOST = 0.005
"""The largest change of speed: a twelfth of a semitone, which nobody hears."""
PER_SECOND = 0.05
"""Change of speed per second of sound too much or too little: an error fades in 20 s."""
SMOOTH_S = 1.0
NO_DRIFT_S = 1.0
"""What is so far off does not come from a clock, but from a file that is read ahead."""


def speed(level: float, target: float) -> float:
    """How fast to play, 1 being as recorded, where `level` seconds wait instead of `target`.

    It is within 0.5 % of 1, and grows with `level`.
    """
    excess = level - target
    if excess > NO_DRIFT_S:
        return 1.0
    return 1.0 + max(-MOST, min(MOST, PER_SECOND * excess))


class DriftCorrector:
    """Makes live sound a little shorter or longer, so that a buffer keeps its level.

    rate, channels: of the sound. target: seconds that should wait when more comes. It takes soxr
    1.1, whose streams can change their ratio; with an older one sound is played as it comes.
    """

    def __init__(self, rate: int, channels: int, target: float) -> None:
        self.rate = rate
        self.channels = channels
        self.target = target
        self.speed = 1.0
        self._level: float | None = None
        self._stream: soxr.ResampleStream | None = None

    def process(self, samples: Samples, level: float) -> Samples:
        """The next piece of sound, of shape (n, channels), where `level` seconds wait to be played.

        It holds back 5 ms until `flush`.
        """
        if not _can_follow():
            return samples
        duration = len(samples) / self.rate
        if self._level is None:
            self._level = level
        self._level += (level - self._level) * (1 - math.exp(-duration / SMOOTH_S))
        self.speed = speed(self._level, self.target)
        if self._stream is None:
            self._open()
        return self._resample(samples, last=False)

    def flush(self) -> Samples:
        """The end of a piece of live sound; what comes next is another."""
        end = self._resample(silence(0, self.channels), last=True) if self._stream else None
        self._stream, self._level, self.speed = None, None, 1.0
        return silence(0, self.channels) if end is None else end

    def _open(self) -> None:
        import soxr

        self._stream = soxr.ResampleStream(
            self.rate * (1 + MOST), self.rate, self.channels, dtype="float32", vr=True
        )
        self._stream.set_io_ratio(self.rate * self.speed, self.rate)

    def _resample(self, samples: Samples, *, last: bool) -> Samples:
        assert self._stream is not None
        self._stream.set_io_ratio(self.rate * self.speed, self.rate, len(samples))
        return to_int16(self._stream.resample_chunk(samples.astype(np.float32), last))


def _can_follow() -> bool:
    import soxr

    return hasattr(soxr.ResampleStream, "set_io_ratio")
