"""Test signals, by the position of their samples: any chunking gives the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from processors.arrays import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_SCALE = 32767
Signal: TypeAlias = "Callable[[int, int], NDArray[np.float64]]"
"""From the number of a first sample and a count to that many samples, where 1 is full scale."""


def silence(begin: int, count: int) -> NDArray[np.float64]:
    """Nothing."""
    return np.zeros(count)


def sine(hertz: float, rate: int) -> Signal:
    """A sine with an amplitude of 1; its phase is exact after days."""

    def samples(begin: int, count: int) -> NDArray[np.float64]:
        turns = math.fmod(begin * hertz, rate) / rate + np.arange(count) * (hertz / rate)
        return np.asarray(np.sin(2 * np.pi * turns))

    return samples


def sweep(hertz: float, to_hertz: float, seconds: float, rate: int) -> Signal:
    """A sine whose frequency rises or falls exponentially in `seconds`; then it begins again.

    (A. Farina, Simultaneous measurement of impulse response and distortion with a swept-sine
    technique, 108th AES Convention, 2000)
    """
    period = max(1, round(seconds * rate))
    growth = math.log(to_hertz / hertz)

    def samples(begin: int, count: int) -> NDArray[np.float64]:
        progress = (begin + np.arange(count)) % period / period
        swept = np.expm1(progress * growth) / growth if growth else progress
        return np.asarray(np.sin(2 * np.pi * hertz * seconds * swept))

    return samples


def noise(seed: int) -> Signal:
    """White noise, uniform, with an RMS of 1; the same for the same seed.

    Samples are made in blocks of their own, so that each depends on its position only.
    """
    size = 4096

    def block(number: int) -> NDArray[np.float64]:
        return np.random.default_rng((seed, number)).uniform(-math.sqrt(3), math.sqrt(3), size)

    def samples(begin: int, count: int) -> NDArray[np.float64]:
        first, last = begin // size, (begin + max(count, 1) - 1) // size
        blocks = np.concatenate([block(number) for number in range(first, last + 1)])
        offset = begin - first * size
        return blocks[offset : offset + count]

    return samples
