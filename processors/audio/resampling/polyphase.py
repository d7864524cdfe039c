"""Resampling that holds back less than 2 ms: a short polyphase filter, for talk."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd
from typing import TYPE_CHECKING, NamedTuple

from processors.arrays import np
from processors.audio.pcm import Samples, silence, to_int16

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_WIDTH = 0.00175
"""Seconds of sound before and after an output sample that it is made from."""
REJECTION_DB = 70.0
BETA = 0.1102 * (REJECTION_DB - 8.7)
"""Of the Kaiser window (Kaiser 1974; Oppenheim and Schafer, Discrete-Time Signal Processing)."""
TRANSITION = (REJECTION_DB - 7.95) / 14.36 / (2 * HALF_WIDTH)
"""Width of the transition from the pass band to the stop band, Hz."""
COEFFICIENT_BITS = 24
"""Coefficients are multiples of 2 ** -24, so that in double precision every sum of products with
16-bit samples is exact, in whatever order it is added up."""
BLOCK = 32
"""Output samples that one product of matrices should give at least, where the ratio allows."""
MOST_COEFFICIENTS = 1_000_000
"""8 MB."""
PIECES = 25
"""Of a second; a longer chunk is worked on in such. In larger ones the library of linear algebra
would use threads, which cost more than they bring."""


class Polyphase:
    """Turns a stream at `rate` into one at `to`, both in Hz; every chunking gives the same samples.

    A linear-phase FIR filter of 3.5 ms, whose delay is compensated: output sample k belongs to the
    time k / to of the input, and comes once the input has passed it by 1.75 ms, and by one sample
    more at most. Aliases and images are 70 dB down, but for those that fall into the highest 310 Hz
    below half of the lower rate; flat to 930 Hz below that, 7.07 kHz at 16 kHz. n samples become
    n * to / rate, rounded to the nearest, halves up. int16 in and out; what exceeds it is clipped.

    Raises ValueError where `is_simple` says no.
    """

    def __init__(self, rate: int, to: int, channels: int = 1) -> None:
        if not is_simple(rate, to):
            raise ValueError(f"{rate} and {to} Hz are not in a ratio of small numbers")
        self._filter = _design(rate, to)
        self._rate = rate
        self._channels = channels
        self._taken = 0
        self._given = 0
        self._base = 1 - self._filter.reach
        """The index of the first sample kept; before the stream there is silence."""
        self._kept = np.zeros((channels, -self._base))

    def push(self, samples: Samples) -> Samples:
        """Take in (n, c) samples; returns the (m, c) that can be told by now."""
        piece = self._rate // PIECES
        if len(samples) > piece:
            pieces = range(0, len(samples), piece)
            return np.concatenate([self.push(samples[at : at + piece]) for at in pieces])
        self._taken += len(samples)
        known = self._taken - self._filter.reach
        return self._pull(samples, -(-known * self._filter.up // self._filter.down))

    def finish(self) -> Samples:
        """The end of the stream: returns what was held back. Silence follows."""
        up, down = self._filter.up, self._filter.down
        return self._pull(silence(0, self._channels), (2 * self._taken * up + down) // (2 * down))

    def _pull(self, samples: Samples, until: int) -> Samples:
        """Output samples from where the last ones ended to index `until`."""
        made = self._filter
        up, down, block, cycle = made.up, made.down, made.block, len(made.matrices)
        first, last = self._given // block, max(-(-until // block), self._given // block)
        span = made.matrices[0].shape[0]
        padding = np.zeros((self._channels, span + 1))
        signal = np.concatenate((self._kept, samples.T, padding), axis=1)
        output = np.empty((self._channels, last - first, block))
        channel_stride, stride = signal.strides
        for index in range(first, min(first + cycle, last)):
            begin = index * block * down // up + 1 - made.reach - self._base
            rows = -(-(last - index) // cycle)
            windows = np.ndarray(
                (self._channels, rows, span),
                buffer=signal,
                offset=begin * stride,
                strides=(channel_stride, cycle * block * down // up * stride, stride),
            )
            matrix = made.matrices[index % cycle]
            product = windows.copy().reshape(-1, span) @ matrix
            output[:, index - first :: cycle] = product.reshape(self._channels, rows, block)
        offset = self._given - first * block
        count = max(until - self._given, 0)
        self._given += count
        keep_from = self._given // block * block * down // up + 1 - made.reach
        self._kept = signal[:, keep_from - self._base : -span - 1]
        self._base = keep_from
        return to_int16(output.reshape(self._channels, -1).T[offset : offset + count])


def is_simple(rate: int, to: int) -> bool:
    """Whether the ratio is one of small enough numbers; that of all usual rates is."""
    return to // gcd(rate, to) * 2 * _reach(rate) <= MOST_COEFFICIENTS


class _Filter(NamedTuple):
    """An output block at a time: `matrices[b % len(matrices)]`, shape (inputs, `block`), makes
    block b of what begins `reach` - 1 samples before the input that its first output belongs to."""

    up: int
    down: int
    reach: int
    block: int
    matrices: list[NDArray[np.float64]]


def _reach(rate: int) -> int:
    return ceil(HALF_WIDTH * rate)


@lru_cache(8)
def _design(rate: int, to: int) -> _Filter:
    """`up` phases of a Kaiser-windowed sinc, each of which adds up to one."""
    divisor = gcd(rate, to)
    up, down, reach = to // divisor, rate // divisor, _reach(rate)
    positions = np.arange(1 - reach, reach + 1) - np.arange(up)[:, None] / up  # in input samples
    cutoff = min(rate, to) - TRANSITION / 2  # twice the frequency where half passes
    window = np.i0(BETA * np.sqrt(np.maximum(1 - (positions / (HALF_WIDTH * rate)) ** 2, 0)))
    taps = np.sinc(positions * cutoff / rate) * window * (np.abs(positions) < HALF_WIDTH * rate)
    scale = 2.0**COEFFICIENT_BITS
    taps = np.rint(taps / taps.sum(axis=1, keepdims=True) * scale)
    middle = np.abs(positions).argmin(axis=1)
    taps[np.arange(up), middle] += scale - taps.sum(axis=1)
    taps /= scale

    if up < BLOCK:
        block = -(-BLOCK // up) * up
    else:
        block = max(size for size in range(1, 2 * BLOCK) if up % size == 0)
    cycle = max(up // block, 1)
    span = 2 * reach + block * down // up + 1
    matrices = []
    for index in range(cycle):
        matrix = np.zeros((span, block))
        begin = index * block * down // up
        for column in range(block):
            base, phase = divmod((index * block + column) * down, up)
            matrix[base - begin : base - begin + 2 * reach, column] = taps[phase]
        matrices.append(matrix)
    return _Filter(up, down, reach, block, matrices)
