"""Sound that lies about itself: as much of it as there is, or one sentence."""

import os
import struct
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import Graph, PipelineError, ProcessorFailure, Run, SettingError
from pipeline.testing import Collect
from processors.audio.source import AudioSource
from processors.audio.sources.pcm_reader import LONGEST_HEADER, NotSound, PcmReader
from processors.audio.stream_source import StreamSource

MIB = 2**20
SOUND = np.arange(800, dtype="<i2").tobytes()
ENDLESS = b"junk\0\0\0\0" * (LONGEST_HEADER // 8)
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def wav(
    *,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    tag: int = PCM,
    data: bytes = SOUND,
    claims: int | None = None,
    before: bytes = b"",
    align: int | None = None,
    fmt_size: int = 16,
) -> bytes:
    align = channels * bits // 8 if align is None else align
    align, speed = align & 0xFFFF, rate * align & 0xFFFFFFFF
    fmt = struct.pack("<HHIIHH", tag, channels, rate, speed, align, bits)
    size = len(data) if claims is None else claims
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", fmt_size) + fmt
    body += b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(0xFFFFFFFF, len(body) + max(0, size))) + body


FLOATS = struct.pack("<5f", float("nan"), float("inf"), -1e38, 0.5, -1)
READ: dict[str, tuple[bytes, int]] = {
    "as it should be": (wav(), 800),
    "claims 4 GiB": (wav(claims=0xFFFFFFF0), 800),
    "claims 2 GiB": (wav(claims=0x7FFEFFFF), 800),
    "an odd byte": (wav(data=SOUND + b"\7"), 800),
    "no sound": (wav(data=b""), 0),
    "no alignment": (wav(align=0), 800),
    "floats that are none": (wav(tag=FLOAT, bits=32, data=FLOATS), 5),
}
REFUSED: dict[str, bytes] = {
    "no rate": wav(rate=0),
    "a rate of 4 GHz": wav(rate=0xFFFFFFFF),
    "a rate of 1 GHz": wav(rate=10**9),
    "no channels": wav(channels=0),
    "1,000 channels": wav(channels=1000, data=SOUND * 10),
    "65,535 channels": wav(channels=0xFFFF),
    "no bits": wav(bits=0),
    "65,535 bits": wav(bits=0xFFFF),
    "no format": wav(tag=0),
    "MP3 within": wav(tag=0x55),
    "more to come": wav(tag=EXTENSIBLE),
    "an empty header": wav(fmt_size=0),
    "a header of 4 GiB": wav(fmt_size=0xFFFFFFFF),
    "a chunk of 4 GiB": wav(before=b"LIST\xff\xff\xff\xff"),
    "text": b"Bad gateway\n" * 100,
    "half a RIFF": b"RI",
    "half a header": wav()[:30],
    "FLAC": b"fLaC" + b"\xff" * 500,
    "AIFF": b"FORM\xff\xff\xff\xffAIFFCOMM" + b"\xff" * 100,
}
no_fixture = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {}


async def samples_of(source: AudioSource | StreamSource) -> int:
    output = Collect()
    with anyio.fail_after(20):
        await Run(Graph({"in": source, "out": output}, ["in -> out"])).execute()
    return sum(len(frame.samples) for frame in output.frames)


async def samples_in(path: Path) -> int:
    source = AudioSource(str(path), realtime=False)
    source.check()
    return await samples_of(source)


@pytest.mark.parametrize("name", READ)
async def test_a_file_gives_what_is_in_it(name: str, tmp_path: Path) -> None:
    data, count = READ[name]
    (tmp_path / "x.wav").write_bytes(data)
    tracemalloc.start()
    try:
        assert await samples_in(tmp_path / "x.wav") == count
        assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", REFUSED)
async def test_a_file_that_makes_no_sense_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(REFUSED[name])
    with pytest.raises(SettingError, match=r"cannot read .*x\.wav as sound: \S"):
        await samples_in(tmp_path / "x.wav")


@pytest.mark.parametrize("piece", [1, 4096, MIB])
@pytest.mark.parametrize("name", READ)
def test_a_stream_gives_what_is_in_it(name: str, piece: int) -> None:
    data, count = READ[name]
    reader, taken = PcmReader(), 0
    for at in range(0, len(data), piece):
        reader.feed(data[at : at + piece])
        while reader.take(100) is not None:
            taken += 100
    assert taken + len(reader.rest()) == count


@pytest.mark.parametrize("name", [*REFUSED, "headers without end"])
def test_a_stream_that_makes_no_sense_is_refused(name: str) -> None:
    data = REFUSED.get(name) or wav(before=ENDLESS)
    reader = PcmReader()

    def read() -> None:
        for at in range(0, len(data), 100):
            reader.feed(data[at : at + 100])
        reader.rest()

    with pytest.raises(NotSound):
        read()


def test_a_header_without_end_costs_little_however_small_its_pieces_are() -> None:
    data, reader = iter(wav(before=ENDLESS)), PcmReader()

    def read() -> None:
        for byte in data:
            reader.feed(bytes([byte]))

    began = time.process_time()
    with pytest.raises(NotSound, match="its WAV header does not end"):
        read()
    assert time.process_time() - began < 2
    assert len(list(data)) > LONGEST_HEADER - 1000, "it gave up early"


changes = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([0, 1, 2, 127, 128, 255])), min_size=1, max_size=4
)
kinds = st.sampled_from([wav(), READ["floats that are none"][0], wav(tag=EXTENSIBLE), wav(bits=24)])


@given(good=kinds, changes=changes, length=st.integers(0, 900))
@no_fixture
def test_a_damaged_file_is_sound_or_a_sentence(
    good: bytes, changes: list[tuple[int, int]], length: int, tmp_path: Path
) -> None:
    data = bytearray(good)
    for at, value in changes:
        data[at] = value
    path = tmp_path / "x.wav"
    path.write_bytes(bytes(data[:length] if length < 60 else data))
    try:
        anyio.run(samples_in, path)
    except PipelineError as error:
        assert not isinstance(error.__cause__, MemoryError)
        assert str(error)
    reader = PcmReader()
    try:
        reader.feed(bytes(data))
        reader.rest()
    except NotSound as error:
        assert str(error)


@given(data=st.binary(max_size=400))
@no_fixture
def test_any_bytes_are_sound_where_the_rate_is_given(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.raw").write_bytes(data)
    for encoding, width in (("s16le", 2), ("f32le", 4), ("mulaw", 1), ("alaw", 1)):
        read = partial(AudioSource, str(tmp_path / "x.raw"), realtime=False, rate=8000)
        source = read(encoding=encoding)
        source.check()
        assert anyio.run(samples_of, source) == len(data) // width


PIPED = """
processors:
  sound: {use: audio_source, path: "-", realtime: false}
  file: {use: audio_sink, path: out.wav}
flow: [sound -> file]
"""


@pytest.mark.parametrize("name", ["claims 4 GiB", "a rate of 4 GHz", "text"])
def test_standard_input_gives_what_is_in_it_or_one_sentence(name: str, tmp_path: Path) -> None:
    data = READ[name][0] if name in READ else REFUSED[name]
    (tmp_path / "piped.yaml").write_text(PIPED)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "piped.yaml"],
        input=data,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        timeout=40,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    if name in READ:
        assert done.returncode == 0, done.stderr
        assert len((tmp_path / "out.wav").read_bytes()) == 44 + 1600
    else:
        assert done.returncode == 1
        assert done.stderr.count(b"failed: ") == 1


async def test_an_address_gives_what_is_in_it_or_one_sentence() -> None:
    bodies = {"/good": wav(claims=0xFFFFFFF0), "/bad": wav(before=ENDLESS)}

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            asked = await stream.receive()
            body = next(body for path, body in bodies.items() if path.encode() in asked)
            await stream.send(b"HTTP/1.0 200 OK\r\n\r\n" + body)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, answer)
        url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        assert await samples_of(StreamSource(f"{url}/good", realtime=False)) == 800
        with pytest.raises(ProcessorFailure, match="its WAV header does not end"):
            await samples_of(StreamSource(f"{url}/bad", realtime=False))
        group.cancel_scope.cancel()
