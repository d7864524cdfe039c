"""Gains that move smoothly, so that nothing clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.arrays import np
from processors.audio.pcm import Samples, to_int16

if TYPE_CHECKING:
    from numpy.typing import NDArray

FADE_MS = 5
"""Long enough to be no click, short enough to be no delay."""


def rise(position: int, count: int, length: int) -> NDArray[np.float64]:
    """From 0 to 1 along half a period of a cosine of `length` samples: `count` from `position`."""
    return 0.5 - 0.5 * np.cos(np.pi * (np.arange(position, position + count) + 0.5) / length)


class Fade:
    """Multiplies sound by a gain that goes to where it is told along half a cosine.

    gain: where it begins. Samples at a steady gain of 1 pass as they are, bit by bit.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.target = gain
        self.left = 0
        """Samples until the target is reached."""
        self._from = gain
        self._length = 0

    @property
    def gain(self) -> float:
        """The gain of the next sample."""
        return float(self._gains(1)[0])

    def to(self, gain: float, samples: int) -> None:
        """Go to `gain` from wherever it is, within this number of samples."""
        self._from = self.gain
        self.target, self._length, self.left = gain, samples, samples

    def apply(self, samples: Samples) -> Samples:
        """The sound of shape (n, channels) at this gain; moves on by n samples."""
        count = len(samples)
        if not self.left and self.target == 1:
            return samples
        gains = self._gains(count)
        self.left = max(0, self.left - count)
        return to_int16((samples * gains[:, None]).astype(np.float32))

    def _gains(self, count: int) -> NDArray[np.float64]:
        """Those of the next `count` samples."""
        gains = np.full(count, self.target)
        moving = min(count, self.left)
        if moving:
            way = rise(self._length - self.left, moving, self._length)
            gains[:moving] = self._from + (self.target - self._from) * way
        return gains
