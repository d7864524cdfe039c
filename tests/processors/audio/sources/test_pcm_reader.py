"""Tests of samples out of bytes."""

import io
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipeline import SettingError
from processors.audio.codecs import Encoding, decode
from processors.audio.sources.pcm_reader import (
    Layout,
    NotSound,
    PcmReader,
    layout_of,
    read_blocks,
    read_header,
)

SUBTYPES: dict[Encoding, str] = {
    "s16le": "PCM_16",
    "f32le": "FLOAT",
    "mulaw": "ULAW",
    "alaw": "ALAW",
}


def a_wav(count: int, encoding: Encoding, rate: int, channels: int, kind: str = "WAV") -> bytes:
    samples = np.random.default_rng(count).integers(-32768, 32767, (count, channels), np.int16)
    file = io.BytesIO()
    scaled = samples / 32768 if encoding == "f32le" else samples  # libsndfile does not
    soundfile.write(file, scaled, rate, SUBTYPES[encoding], format=kind)
    return file.getvalue()


def samples_of(data: bytes, encoding: Encoding) -> np.ndarray:
    """As libsndfile reads them."""
    if encoding == "f32le":
        floats, _ = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
        return np.rint(floats * 32768).astype(np.int16)
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    return samples


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(borders)]


async def stream(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def read_all(reader: PcmReader, pieces: Sequence[bytes], size: int) -> list[np.ndarray]:
    blocks = []
    for piece in pieces:
        reader.feed(piece)
        while (block := reader.take(size)) is not None:
            blocks.append(block)
    return [*blocks, reader.rest()]


@given(
    st.integers(0, 300),
    st.sampled_from(list(SUBTYPES)),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["WAV", "WAVEX"]),
    st.lists(st.integers(0, 2000), max_size=8),
    st.binary(max_size=20),
)
def test_a_wav_in_any_pieces_gives_its_samples(
    count: int, encoding: Encoding, channels: int, kind: str, cuts: list[int], after: bytes
) -> None:
    data = a_wav(count, encoding, 8000, channels, kind)
    reader = PcmReader()
    blocks = read_all(reader, in_pieces(data + (after if count else b""), cuts), 32)
    assert reader.layout == Layout(encoding, 8000, channels)
    assert all(len(block) == 32 for block in blocks[:-1])
    assert np.array_equal(np.concatenate(blocks), samples_of(data, encoding))


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_samples_without_a_header_come_whole(data: bytes, cuts: list[int]) -> None:
    layout = Layout("s16le", 16_000, 2)
    blocks = read_all(PcmReader(layout), in_pieces(data, cuts), 7)
    whole = data[: len(data) // 4 * 4]
    assert np.array_equal(np.concatenate(blocks), decode(whole, "s16le", 2))


@given(st.binary(max_size=100), st.lists(st.integers(0, 100), max_size=4))
def test_any_bytes_are_sound_or_refused(data: bytes, cuts: list[int]) -> None:
    for begin in (b"", b"RIFF", b"RIFF\xff\xff\xff\xffWAVE", b"RIFF\0\0\0\0WAVEfmt "):
        reader = PcmReader()
        try:
            blocks = read_all(reader, in_pieces(begin + data, cuts), 10)
        except NotSound:
            continue
        assert reader.layout is not None or not begin + data
        assert all(block.dtype == np.int16 for block in blocks)


@pytest.mark.parametrize("untold", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_length_that_the_writer_did_not_know_goes_to_the_end(untold: int) -> None:
    data = bytearray(a_wav(100, "s16le", 16_000, 1))
    place = data.index(b"data") + 4
    data[place : place + 4] = untold.to_bytes(4, "little")
    [block] = read_all(PcmReader(), [bytes(data) + b"\1\0"], 1000)
    assert len(block) == 101


def test_what_follows_the_sound_is_not_kept() -> None:
    reader = PcmReader()
    reader.feed(a_wav(10, "s16le", 16_000, 1))
    for _ in range(3):
        reader.feed(bytes(100_000))
    assert len(reader._bytes) == 20
    assert len(reader.rest()) == 10


def fmt(tag: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16) -> bytes:
    fields = (tag, 2), (channels, 2), (rate, 4), (0, 4), (0, 2), (bits, 2)
    return (
        b"fmt " + (16).to_bytes(4, "little") + b"".join(n.to_bytes(s, "little") for n, s in fields)
    )


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        (b"data\0\0\0\0", "does not say how the sound is encoded"),
        (fmt(bits=24), "24 bits and format 1; what can be read is 16-bit integers, 32-bit"),
        (fmt(tag=2, bits=4), "4 bits and format 2"),
        (fmt(channels=0), "0 channels at 8000 Hz"),
        (fmt(rate=0), "1 channels at 0 Hz"),
        (fmt(rate=3999), "1 channels at 3999 Hz"),
        (fmt(rate=10**9), "1 channels at 1000000000 Hz"),
        (b"fmt \2\0\0\0\1\0", "too short"),
        (b"LIST\xff\xff\xff\0", "does not end"),
    ],
)
def test_headers_that_make_no_sense_are_refused(chunks: bytes, message: str) -> None:
    with pytest.raises(NotSound, match=message):
        read_header(b"RIFF\0\0\0\0WAVE" + chunks)


@pytest.mark.parametrize("data", [b"<html>", b"R1", b"OggS\0", b"RIFF\0\0\0\0AVI LIST"])
def test_what_is_no_wav_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(NotSound, match="does not begin with a WAV header; of samples without one"):
        PcmReader().feed(data)


def test_a_stream_that_ends_within_its_header_is_refused() -> None:
    reader = PcmReader()
    reader.feed(a_wav(10, "s16le", 16_000, 1)[:30])
    assert reader.take(1) is None
    with pytest.raises(NotSound, match="ends within its WAV header"):
        reader.rest()
    assert len(PcmReader().rest()) == 0


@pytest.mark.parametrize("frame_ms", [1, 20, 30])
async def test_blocks_come_as_soon_as_they_are_there(frame_ms: int) -> None:
    data = a_wav(1000, "mulaw", 8000, 1)
    pieces = in_pieces(data, range(0, len(data), 37))
    blocks = [block async for block in read_blocks(stream(pieces), PcmReader(), frame_ms)]
    assert {rate for _, rate in blocks} == {8000}
    assert {len(samples) for samples, _ in blocks[:-1]} == {8 * frame_ms}
    together = np.concatenate([samples for samples, _ in blocks])
    assert np.array_equal(together, samples_of(data, "mulaw"))


@pytest.mark.parametrize(
    ("settings", "layout"),
    [
        (("alaw", 8000, 2, None), Layout("alaw", 8000, 2)),
        (("alaw", 8000, None, None), Layout("alaw", 8000, 1)),
        ((None, 8000, None, "s16le"), Layout("s16le", 8000, 1)),
        ((None, None, None, "s16le"), None),
        ((None, None, None, None), None),
    ],
)
def test_settings_say_how_samples_lie(settings: Any, layout: Layout | None) -> None:
    encoding, rate, channels, assumed = settings
    assert layout_of(encoding, rate, channels, assumed=assumed) == layout


@pytest.mark.parametrize(
    ("settings", "setting", "message"),
    [
        (("alaw", None, None, None), "encoding", "`encoding: alaw` needs a `rate`"),
        ((None, 8000, None, None), "rate", "`rate` is for sound without a header"),
        ((None, None, 2, "s16le"), "channels", "`channels` is for sound without a header"),
    ],
)
def test_settings_that_do_not_go_together(settings: Any, setting: str, message: str) -> None:
    encoding, rate, channels, assumed = settings
    with pytest.raises(SettingError, match=message) as caught:
        layout_of(encoding, rate, channels, assumed=assumed)
    assert caught.value.setting == setting
