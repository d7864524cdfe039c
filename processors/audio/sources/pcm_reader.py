"""Samples out of a stream of bytes, whose borders mean nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from pipeline import PipelineError, SettingError
from processors.audio.codecs import WIDTH, Encoding, decode
from processors.audio.pcm import Samples, is_workable, silence

LONGEST_HEADER = 64 * 1024
MOST_CHUNKS = 100
"""In front of the sound; a header is read again whenever more of it has come."""
EXTENSIBLE = 0xFFFE
ENCODINGS: dict[tuple[int, int], Encoding] = {
    (1, 16): "s16le",
    (3, 32): "f32le",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
"""By format tag and bits of a sample, as a WAV header has them (RFC 2361; Microsoft's mmreg.h)."""
UNTOLD = 0x7FFF_0000
"""A length of so much or more, or of 0, is what a writer puts that does not know it yet."""


class NotSound(PipelineError):
    """The bytes are no sound, or none of a kind that can be read from a stream."""


class Layout(NamedTuple):
    """What bytes stand for."""

    encoding: Encoding
    rate: int
    channels: int

    @property
    def size(self) -> int:
        """Bytes of one sample of all channels."""
        return WIDTH[self.encoding] * self.channels


class PcmReader:
    """Takes bytes in pieces of any length and gives samples.

    layout: what they are; None where a WAV header in front of them says so, and until it has.
    """

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout
        self._bytes = bytearray()
        self._left: int | None = None

    def feed(self, data: bytes) -> None:
        """Take in bytes. Raises NotSound where they should begin with a WAV header and do not."""
        self._bytes += data
        if self.layout is None:
            self._read_header()
        if self._left is not None:
            del self._bytes[self._left :]  # what follows the sound in a WAV is none

    def take(self, count: int) -> Samples | None:
        """The next `count` samples, shape (count, channels); None until they are there."""
        if self.layout is None or len(self._bytes) // self.layout.size < count:
            return None
        size = count * self.layout.size
        data = bytes(self._bytes[:size])
        del self._bytes[:size]
        if self._left is not None:
            self._left -= size
        return decode(data, self.layout.encoding, self.layout.channels)

    def rest(self) -> Samples:
        """All samples that are left; a part of a sample at the very end is none.

        Raises NotSound if the bytes ended within their header.
        """
        if self.layout is None:
            if self._bytes:
                raise NotSound("it ends within its WAV header")
            return silence(0)
        samples = self.take(len(self._bytes) // self.layout.size)
        assert samples is not None
        return samples

    def _read_header(self) -> None:
        header = read_header(self._bytes)
        if header is not None:
            self.layout, begin, self._left = header
            del self._bytes[:begin]


def layout_of(
    encoding: Encoding | None, rate: int | None, channels: int | None, *, assumed: Encoding | None
) -> Layout | None:
    """The layout of samples without a header, from settings; None if a header tells it.

    assumed: the encoding if none is given; None where nothing but `encoding` tells that there is no
    header. Raises SettingError for settings that do not go together.
    """
    given = encoding or (assumed if rate else None)
    if given and rate:
        return Layout(given, rate, channels or 1)
    if encoding:
        raise SettingError(f"`encoding: {encoding}` needs a `rate`", setting="encoding")
    if rate:
        raise SettingError(
            "`rate` is for sound without a header",
            setting="rate",
            hint="give `encoding` too if it has none; to change the rate, put a resampler behind",
        )
    if channels:
        raise SettingError("`channels` is for sound without a header", setting="channels")
    return None


async def read_blocks(
    chunks: AsyncIterator[bytes], reader: PcmReader, frame_ms: int
) -> AsyncGenerator[tuple[Samples, int]]:
    """Samples of `frame_ms` each, the last ones fewer, with their rate, as soon as they are there.

    Raises NotSound where the bytes should begin with a WAV header and do not.
    """
    async for chunk in chunks:
        reader.feed(chunk)
        if reader.layout is None:
            continue
        size = max(1, reader.layout.rate * frame_ms // 1000)
        while (samples := reader.take(size)) is not None:
            yield samples, reader.layout.rate
    rest = reader.rest()
    if len(rest) and reader.layout is not None:
        yield rest, reader.layout.rate


def read_header(data: bytes | bytearray) -> tuple[Layout, int, int | None] | None:
    """What a WAV header says: the layout, where the sound begins, and its bytes, if it knows.

    None while there is too little of it. Raises NotSound if it is none, or says what cannot be.
    """
    if data[:4] != b"RIFF"[: len(data)] or data[8:12] != b"WAVE"[: max(0, len(data) - 8)]:
        raise NotSound(
            "it does not begin with a WAV header; of samples without one, give the `rate`"
        )
    layout: Layout | None = None
    position, chunks = 12, 0
    while len(data) >= position + 8:
        name, size = bytes(data[position : position + 4]), _number(data, position + 4, 4)
        position += 8
        if name == b"data":
            if layout is None:
                raise NotSound("its WAV header does not say how the sound is encoded")
            return layout, position, size if 0 < size < UNTOLD else None
        chunks += 1
        if position + size > LONGEST_HEADER or chunks > MOST_CHUNKS:
            raise NotSound("its WAV header does not end")
        if name == b"fmt " and len(data) >= position + size:
            layout = _layout(bytes(data[position : position + size]))
        position += size + size % 2  # chunks begin at even places
    return None


def _layout(chunk: bytes) -> Layout:
    if len(chunk) < 16:
        raise NotSound("its WAV header is too short")
    tag, channels, rate = _number(chunk, 0, 2), _number(chunk, 2, 2), _number(chunk, 4, 4)
    bits = _number(chunk, 14, 2)
    if tag == EXTENSIBLE and len(chunk) >= 26:
        tag = _number(chunk, 24, 2)
    encoding = ENCODINGS.get((tag, bits))
    if encoding is None:
        known = "16-bit integers, 32-bit floats, µ-law and A-law"
        raise NotSound(f"its sound is of {bits} bits and format {tag}; what can be read is {known}")
    if not is_workable(rate, channels):
        raise NotSound(f"its WAV header says {channels} channels at {rate} Hz")
    return Layout(encoding, rate, channels)


def _number(data: bytes | bytearray, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], "little")
