"""Streams that are resampled piece by piece, at the quality that is asked for."""

from __future__ import annotations

from typing import Literal, Protocol

from processors.arrays import np
from processors.audio.pcm import Samples, silence, to_int16
from processors.audio.resampling.polyphase import Polyphase, is_simple

GATHERED_S = 0.32
"""Seconds of sound that `best` hands to soxr together: a call costs as much as 10 ms of sound."""

Quality = Literal["live", "best"]


class Stream(Protocol):
    """A signal that is resampled piece by piece; int16 of shape (n, c) in and out."""

    def push(self, samples: Samples) -> Samples:
        """Take in samples; returns those that can be told by now."""

    def finish(self) -> Samples:
        """The end of the stream: returns what was held back."""


class SoxrStream:
    """A stream resampled by soxr, in which it can hold back `gathered_s` more than soxr does."""

    def __init__(
        self, rate: int, to: int, channels: int, quality: str, gathered_s: float = 0.0
    ) -> None:
        import soxr

        # With integers soxr dithers: other samples each time, and noise where there was silence.
        self._soxr = soxr.ResampleStream(rate, to, channels, dtype="float32", quality=quality)
        self._enough = gathered_s * rate
        self._gathered: list[Samples] = []
        self._count = 0
        self._nothing = silence(0, channels)

    def push(self, samples: Samples) -> Samples:
        self._gathered.append(samples)
        self._count += len(samples)
        if self._count < self._enough:
            return self._nothing
        return self._resample(last=False)

    def finish(self) -> Samples:
        return self._resample(last=True)

    def _resample(self, *, last: bool) -> Samples:
        together = np.concatenate((self._nothing, *self._gathered), axis=0, dtype=np.float32)
        self._gathered, self._count = [], 0
        return to_int16(self._soxr.resample_chunk(together, last))


def open_stream(rate: int, to: int, channels: int, quality: Quality) -> Stream:
    """A new stream from `rate` to `to`, in Hz."""
    if quality == "best":
        return SoxrStream(rate, to, channels, "VHQ", GATHERED_S)
    if is_simple(rate, to):
        return Polyphase(rate, to, channels)
    return SoxrStream(rate, to, channels, "LQ")
