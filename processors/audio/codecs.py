"""PCM as bytes: the encodings in which sound without a header is sent and stored.

    s16le  16-bit integers, little-endian
    f32le  32-bit floats in -1..1, little-endian; what is outside is clipped, never wrapped
    mulaw  8 bits, ITU-T G.711 µ-law: telephony in North America and Japan
    alaw   8 bits, ITU-T G.711 A-law: telephony elsewhere

Channels are interleaved.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from processors.arrays import np
from processors.audio.pcm import Samples, from_float

if TYPE_CHECKING:
    from numpy.typing import NDArray

Encoding = Literal["s16le", "f32le", "mulaw", "alaw"]
Codes: TypeAlias = "NDArray[np.uint8]"

WIDTH: dict[Encoding, int] = {"s16le": 2, "f32le": 4, "mulaw": 1, "alaw": 1}
"""Bytes of one sample of one channel."""

MULAW_BIAS = 132
MULAW_LARGEST = 32_635
"""Louder samples share the last step: with the bias they would need a ninth segment."""
ALAW_TOGGLED = 0x55
"""The even bits are sent inverted (G.711, 2.2)."""
SIGN = 0x80


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """Samples, int16 of shape (n, channels), as bytes."""
    if encoding == "s16le":
        return samples.astype("<i2", copy=False).tobytes()
    if encoding == "f32le":
        return (samples.astype("<f4") / np.float32(32768)).tobytes()
    return _encoder(encoding)[np.ascontiguousarray(samples).view(np.uint16)].tobytes()


def decode(data: bytes, encoding: Encoding, channels: int = 1) -> Samples:
    """Bytes as samples, int16 of shape (n, channels).

    Raises ValueError unless the bytes are whole samples of all channels.
    """
    size = WIDTH[encoding] * channels
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no whole number of samples of {size} bytes")
    if encoding == "s16le":
        samples: Samples = np.frombuffer(data, "<i2").astype(np.int16, copy=False)
    elif encoding == "f32le":
        samples = from_float(np.frombuffer(data, "<f4").astype(np.float32, copy=False))
    else:
        samples = _decoder(encoding)[np.frombuffer(data, np.uint8)]
    return samples.reshape(-1, channels)


@cache
def _decoder(encoding: Literal["mulaw", "alaw"]) -> Samples:
    """The value of each of the 256 codes, on the scale of int16 (G.711, tables 1a to 2b)."""
    codes = np.arange(256)
    if encoding == "mulaw":
        codes = ~codes & 0xFF  # sent inverted
        segment, step = codes >> 4 & 7, codes & 15
        magnitude = ((step << 3) + MULAW_BIAS << segment) - MULAW_BIAS
        negative = codes & SIGN != 0
    else:
        codes = codes ^ ALAW_TOGGLED
        segment, step = codes >> 4 & 7, codes & 15
        # the first two segments have steps of the same size
        magnitude = (step << 4) + 8 + (segment > 0) * 256 << np.maximum(segment - 1, 0)
        negative = codes & SIGN == 0
    return np.where(negative, -magnitude, magnitude).astype(np.int16)


@cache
def _encoder(encoding: Literal["mulaw", "alaw"]) -> Codes:
    """The code of each int16, in the order of its bits as an unsigned integer.

    The decision values of G.711 are for 14 bits (µ-law) and 13 (A-law); of finer samples the
    magnitude is cut to these.
    """
    values = np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.abs(values)
    if encoding == "mulaw":
        biased = np.minimum(magnitude, MULAW_LARGEST) + MULAW_BIAS
        segment = _highest_bit(biased) - 7
        code = SIGN * (values < 0) | segment << 4 | biased >> segment + 3 & 15
        return np.asarray(~code & 0xFF, np.uint8)
    magnitude = np.minimum(magnitude, np.iinfo(np.int16).max)
    segment = np.maximum(_highest_bit(np.maximum(magnitude, 1)) - 7, 0)
    step = magnitude >> np.maximum(segment, 1) + 3 & 15
    return np.asarray((SIGN * (values >= 0) | segment << 4 | step) ^ ALAW_TOGGLED, np.uint8)


def _highest_bit(positive: NDArray[np.int32]) -> NDArray[np.int32]:
    """The position of the highest bit that is set; exact, as int32 fits into a double."""
    return np.frexp(positive.astype(np.float64))[1].astype(np.int32) - 1
