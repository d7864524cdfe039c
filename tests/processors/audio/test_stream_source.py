"""Tests of the source of sound from an address."""

import io
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from addresses import body, http_server, websocket_server
from websockets.sync.server import ServerConnection

from pipeline import AudioFormat, Graph, ProcessorFailure, Run, SettingError
from pipeline.testing import Collect
from processors.audio.codecs import decode, encode
from processors.audio.stream_source import StreamSource

SAMPLES = np.random.default_rng(0).integers(-32768, 32767, (1000, 1), np.int16)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """In real time: the servers know no other."""
    return request.param


async def hear(source: StreamSource) -> tuple[np.ndarray, list[Any]]:
    output = Collect()
    graph = Graph({"stream": source, "out": output}, ["stream -> out"])
    assert graph.check() == []
    with anyio.fail_after(10):
        await Run(graph).execute()
    return np.concatenate([frame.samples for frame in output.frames]), output.frames


async def test_a_wav_comes_over_http() -> None:
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 24_000, format="WAV")
    with http_server(body(file.getvalue())) as url:
        source = StreamSource(url, realtime=False)
        assert source.audio_out(AudioFormat()) == AudioFormat()
        samples, frames = await hear(source)
    assert np.array_equal(samples, SAMPLES)
    assert {(frame.rate, frame.channels) for frame in frames} == {(24_000, 1)}
    steps = np.diff([frame.pts for frame in frames])
    assert set(steps.tolist()) == {20_000_000}


async def test_telephone_sound_comes_over_a_websocket_in_messages_of_any_length() -> None:
    data = encode(SAMPLES, "mulaw")

    def answer(socket: ServerConnection) -> None:
        for begin in range(0, len(data), 77):
            socket.send(data[begin : begin + 77])

    with websocket_server(answer) as url:
        source = StreamSource(url, encoding="mulaw", rate=8000, realtime=False)
        assert source.audio_out(AudioFormat()) == AudioFormat(8000, 1)
        samples, frames = await hear(source)
    assert np.array_equal(samples, decode(data, "mulaw"))
    assert [len(frame.samples) for frame in frames] == [160] * 6 + [40]


async def test_an_address_may_want_headers_and_sound_have_channels() -> None:
    stereo = SAMPLES.reshape(-1, 2)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        allowed = handler.headers["Authorization"] == "Bearer token"
        body(encode(stereo, "s16le"), 200 if allowed else 401)(handler)

    with http_server(answer) as url:
        source = StreamSource(
            url,
            rate=16_000,
            channels=2,
            headers={"Authorization": "Bearer token"},
            frame_ms=10,
            realtime=False,
        )
        samples, frames = await hear(source)
        with pytest.raises(ProcessorFailure, match="refuses: 401"):
            await hear(StreamSource(url, rate=16_000))
    assert np.array_equal(samples, stereo)
    assert [len(frame.samples) for frame in frames] == [160] * 3 + [20]


async def test_it_does_not_wait_for_ever() -> None:
    done = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        done.wait(10)

    with http_server(hang) as url:
        try:
            with pytest.raises(ProcessorFailure, match=r"nothing came from .* for 0\.05 s"):
                await hear(StreamSource(url, timeout_s=0.05))
        finally:
            done.set()


async def test_in_real_time_it_takes_as_long_as_it_sounds() -> None:
    with http_server(body(encode(SAMPLES, "s16le"))) as url:
        began = anyio.current_time()
        await hear(StreamSource(url, rate=4000))
        assert anyio.current_time() - began >= 0.249


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"<html>", 200, "failed: it does not begin with a WAV"),
        (b"", 404, "refuses: 404"),
    ],
)
async def test_what_is_wrong_with_it_ends_the_run_with_a_reason(
    data: bytes, status: int, message: str
) -> None:
    with http_server(body(data, status)) as url, pytest.raises(ProcessorFailure, match=message):
        await hear(StreamSource(url))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingError, match="must begin with"):
        StreamSource("a.wav")
    with pytest.raises(SettingError, match="needs a `rate`"):
        StreamSource("http://localhost/", encoding="alaw")
