"""Tests of what plays: PortAudio's streams, by a stand-in, and nothing at all."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import anyio
import numpy as np
import pytest
from portaudio import Flags, StandIn, a_device

from pipeline import SECOND, PipelineError, SettingError
from processors.audio.devices import output
from processors.audio.devices.output import Loudspeaker, Unheard
from processors.audio.devices.portaudio import find_device, load_sounddevice

RATE = 48_000
BLOCK = RATE // 100


class Speakers(StandIn):
    """Keeps what is played. latency: what the stream says, where the times do not."""

    latency = 0.0
    delay: float | None = None

    def __init__(self, *devices: Any, **settings: Any) -> None:
        super().__init__(*devices, **settings)
        self.played: list[np.ndarray] = []
        self.done = threading.Event()
        self.ended = threading.Event()

    def RawOutputStream(self, **settings: Any) -> Any:  # noqa: N802
        callback, finished = settings.pop("callback"), settings.pop("finished_callback")

        def end() -> None:
            finished()
            self.ended.set()

        def call(data: Any, count: int, times: Any, status: Any) -> None:
            if self.delay is not None:
                times = SimpleNamespace(currentTime=0.0, outputBufferDacTime=self.delay)
            callback(data, count, times, status)
            self.played.append(np.frombuffer(data, np.int16).copy())

        stream = self.RawInputStream(**settings, callback=call, finished_callback=end)
        stream.latency = self.latency
        return stream


def use(monkeypatch: pytest.MonkeyPatch, speakers: Speakers) -> Loudspeaker:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", speakers)
    return Loudspeaker(find_device(None, "output"), RATE, 2)


def blocks(speakers: Speakers, *kinds: bytes | tuple[bytes, Flags]) -> Iterator[Any]:
    yield from kinds
    speakers.done.set()


SILENCE = b"\x55" * (BLOCK * 4)


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


async def wait_for(done: threading.Event) -> None:
    assert await anyio.to_thread.run_sync(done.wait, 5)


async def test_a_device_gets_its_blocks_and_the_time_at_which_they_are_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speakers = Speakers(a_device("Speakers", inputs=0, outputs=2))
    speakers.blocks = blocks(speakers, SILENCE, SILENCE)
    loudspeaker = use(monkeypatch, speakers)
    times: list[int] = []

    def pull(count: int, at: int) -> np.ndarray:
        times.append(at - perf_counter_ns())
        return np.full((count, 2), len(times), np.int16)

    async with loudspeaker.playing(pull):
        await wait_for(speakers.done)
    assert speakers.streams[0].settings["latency"] == "low"
    assert speakers.streams[0].settings["blocksize"] == BLOCK
    assert speakers.streams[0].settings["samplerate"] == RATE
    assert [block.tolist() for block in speakers.played] == [[1] * 960, [2] * 960]
    assert np.array(times) / SECOND == pytest.approx([0.03, 0.03], abs=0.02)
    assert speakers.streams[0].closed
    assert loudspeaker.underflows == 0


@pytest.mark.parametrize("delay", [0.0, -3.0, 1e9])
async def test_a_device_that_does_not_know_its_delay_is_taken_at_its_word_about_its_latency(
    monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    speakers = Speakers(a_device("Speakers", inputs=0, outputs=2))
    speakers.delay, speakers.latency = delay, 0.5
    ready = threading.Event()

    def given() -> Iterator[bytes]:
        ready.wait(5)
        yield from blocks(speakers, SILENCE)

    speakers.blocks = given()
    loudspeaker = use(monkeypatch, speakers)
    times: list[int] = []

    def pull(count: int, at: int) -> np.ndarray:
        times.append(at - perf_counter_ns())
        return np.zeros((count, 2), np.int16)

    async with loudspeaker.playing(pull):
        ready.set()
        await wait_for(speakers.done)
    assert times[0] / SECOND == pytest.approx(0.5, abs=0.1)


async def test_what_came_too_late_for_the_device_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speakers = Speakers(a_device("Speakers", inputs=0, outputs=2))
    late = (SILENCE, Flags("output_underflow"))
    speakers.blocks = blocks(speakers, SILENCE, late, late)
    loudspeaker = use(monkeypatch, speakers)
    async with loudspeaker.playing(lambda count, at: np.zeros((count, 2), np.int16)):
        await wait_for(speakers.done)
    assert loudspeaker.underflows == 2


async def test_what_fails_in_the_devices_thread_is_raised_where_somebody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speakers = Speakers(a_device("Speakers", inputs=0, outputs=2))
    speakers.blocks = blocks(speakers, SILENCE)

    def pull(count: int, at: int) -> np.ndarray:
        raise ValueError("no sound")

    loudspeaker = use(monkeypatch, speakers)
    async with loudspeaker.playing(pull):
        await wait_for(speakers.done)
        with pytest.raises(ValueError, match="no sound"):
            loudspeaker.check()
    assert not speakers.played[0].any()


async def test_a_device_that_stops_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    speakers = Speakers(a_device("Speakers", inputs=0, outputs=2))
    loudspeaker = use(monkeypatch, speakers)
    async with loudspeaker.playing(lambda count, at: np.zeros((count, 2), np.int16)):
        await wait_for(speakers.ended)
        with pytest.raises(PipelineError, match="has stopped playing: was it disconnected"):
            loudspeaker.check()


@pytest.fixture
async def stuck(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loudspeaker]:
    """A loudspeaker that plays, but has never asked for sound."""
    speakers = Speakers(a_device("Speakers", inputs=0, outputs=2))
    speakers.blocks = [b""]
    loudspeaker = use(monkeypatch, speakers)
    async with loudspeaker.playing(lambda count, at: np.zeros((count, 2), np.int16)):
        loudspeaker.check()
        yield loudspeaker


async def test_a_device_that_takes_nothing_any_more_has_gone(
    monkeypatch: pytest.MonkeyPatch, stuck: Loudspeaker
) -> None:
    now = [perf_counter_ns()]
    monkeypatch.setattr(output, "perf_counter_ns", lambda: now[0])
    for _ in range(2):
        now[0] += SECOND
        stuck.check()
    now[0] += 2 * SECOND
    with pytest.raises(PipelineError, match="has stopped playing: was it disconnected"):
        stuck.check()


async def test_after_a_sleep_of_the_machine_it_has_time_to_go_on(
    monkeypatch: pytest.MonkeyPatch, stuck: Loudspeaker
) -> None:
    later = perf_counter_ns() + 600 * SECOND
    monkeypatch.setattr(output, "perf_counter_ns", lambda: later)
    stuck.check()


async def test_a_real_device_plays_in_real_time() -> None:
    try:
        device = find_device(None, "output")
        load_sounddevice()
    except SettingError as error:
        pytest.skip(str(error))
    loudspeaker = Loudspeaker(device, device.rate, 1)
    times: list[int] = []

    def pull(count: int, at: int) -> np.ndarray:
        times.append(at)
        return np.zeros((count, 1), np.int16)

    with suppress(SettingError):
        async with loudspeaker.playing(pull):
            await anyio.sleep(0.5)
            loudspeaker.check()
    assert len(times) >= 30
    assert times == sorted(times)
    assert (times[-1] - times[0]) / SECOND == pytest.approx(len(times) / 100, rel=0.3)


class TestUnheard:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> Any:
        from pipeline.testing import VirtualTimeLoop

        if request.param == "trio":
            from trio.testing import MockClock

            return "trio", {"clock": MockClock(autojump_threshold=0)}
        return "asyncio", {"loop_factory": VirtualTimeLoop}

    async def test_nothing_plays_at_the_pace_of_the_clock(self) -> None:
        heard: list[np.ndarray] = []
        times: list[int] = []

        def pull(count: int, at: int) -> np.ndarray:
            times.append(at)
            return np.full((count, 1), len(times), np.int16)

        unheard = Unheard(8000, 1, latency=30_000_000, hear=heard.append)
        begin = unheard.now()
        async with unheard.playing(pull):
            await anyio.sleep(1.001)
            unheard.check()
        assert len(times) == 101
        expected = begin + 30_000_000 + np.arange(101) * 10_000_000
        assert np.abs(np.array(times) - expected).max() < 10
        assert [block.shape for block in heard] == [(80, 1)] * 101
