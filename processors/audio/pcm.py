"""Arithmetic on int16 PCM of shape (n, channels)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from msgspec import Meta

from pipeline import SECOND
from processors.arrays import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Samples: TypeAlias = "NDArray[np.int16]"
LOWEST_RATE, HIGHEST_RATE, MOST_CHANNELS = 4000, 384_000, 32
Rate = Annotated[int, Meta(ge=LOWEST_RATE, le=HIGHEST_RATE)]
"""Samples of a channel in a second."""
Channels = Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]

SMALLEST, LARGEST = -32768, 32767
AUDIBLE = 100
"""Samples beyond this, about -50 dBFS, can be heard."""


def is_workable(rate: int, channels: int) -> bool:
    """Whether sound of this format can be worked on, whatever a file says of itself."""
    return LOWEST_RATE <= rate <= HIGHEST_RATE and 1 <= channels <= MOST_CHANNELS


def mix(samples: Samples, channels: int) -> Samples:
    """The same sound with another number of channels: averaged to mono, or mono repeated.

    Raises ValueError where neither applies.
    """
    have = samples.shape[1]
    if have == channels:
        return samples
    if channels == 1:
        mono: Samples = np.rint(samples.mean(axis=1, keepdims=True)).astype(np.int16)
        return mono
    if have == 1:
        return np.repeat(samples, channels, axis=1)
    raise ValueError(f"cannot turn {have} channels into {channels}")


def from_float(samples: NDArray[np.float32]) -> Samples:
    """Floats in -1..1 as int16; what is outside is clipped, never wrapped; NaN is silence."""
    with np.errstate(over="ignore", invalid="ignore"):  # too large for a float is loud, too
        scaled = samples * np.float32(32768)
    scaled[np.isnan(scaled)] = 0  # `np.nan_to_num` takes five times as long for a chunk
    return to_int16(scaled)


def to_int16(samples: NDArray[np.floating]) -> Samples:
    """Floats on the scale of int16 as int16: rounded, and clipped, never wrapped."""
    rounded = np.rint(samples)
    np.minimum(rounded, LARGEST, out=rounded)  # `np.clip` takes three times as long for a chunk
    np.maximum(rounded, SMALLEST, out=rounded)
    clipped: Samples = rounded.astype(np.int16)
    return clipped


def first_audible(samples: Samples) -> int | None:
    """The number of the first sample that can be heard; None if there is none."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)).max(axis=1) > AUDIBLE)
    return int(loud[0]) if len(loud) else None


def silence(count: int, channels: int = 1) -> Samples:
    """`count` samples of silence."""
    return np.zeros((count, channels), np.int16)


def count_of(nanoseconds: int, rate: int) -> int:
    """The number of samples nearest to a length of time."""
    return (nanoseconds * rate + SECOND // 2) // SECOND


def nanoseconds_of(count: int, rate: int) -> int:
    """The length of `count` samples, rounded down."""
    return count * SECOND // rate
