"""Tests of the microphone, with a stand-in for PortAudio; `test_sound_server` has the real one."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import anyio
import numpy as np
import pytest
from portaudio import Flags, PortAudioError, a_device

from pipeline import (
    AudioFormat,
    AudioFrame,
    Graph,
    InboxSettings,
    ProcessorFailure,
    Report,
    Run,
    Sink,
)
from pipeline.testing import Collect
from processors.audio.microphone import Microphone

HEADSET = a_device("USB Headset", 2, 2)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """In real time: the thread that calls back knows no other."""
    return request.param


class Ears(Sink):
    """Hears so many frames, then ends the run."""

    def __init__(self, enough: int) -> None:
        self.frames: list[AudioFrame] = []
        self.enough = enough

    async def consume(self, frame: AudioFrame) -> None:
        self.frames.append(frame)
        if len(self.frames) == self.enough:
            self.run.finish()


async def hear(source: Microphone, enough: int) -> tuple[list[AudioFrame], Report]:
    ears = Ears(enough)
    ears.run = run = Run(Graph({"microphone": source, "ears": ears}, ["microphone -> ears"]))
    with anyio.fail_after(10):
        report = await run.execute()
    return ears.frames, report


def block(value: int, rate: int = 48_000, channels: int = 1) -> bytes:
    return np.full(rate // 50 * channels, value, np.int16).tobytes()


def in_time(*blocks: Any) -> Iterator[Any]:
    """One block each 20 ms, and then silence without end."""
    for given in blocks:
        time.sleep(0.02)
        yield given
    while True:
        time.sleep(0.02)
        yield block(0)


async def test_sound_comes_as_it_is_heard(present: Any) -> None:
    stand_in = present(HEADSET, blocks=in_time(*(block(n) for n in range(1, 20))))
    frames, report = await hear(Microphone(), 10)
    assert report.completed
    assert report.drops == {}
    values = [int(frame.samples[0, 0]) for frame in frames]
    assert values == list(range(values[0], values[0] + 10))
    assert all((frame.samples == frame.samples[0, 0]).all() for frame in frames)
    assert {(frame.rate, frame.samples.shape) for frame in frames} == {(48_000, (960, 1))}
    steps = np.diff([frame.pts for frame in frames])
    assert np.all(np.abs(steps - 20_000_000) <= 20_001)
    assert 0 <= frames[0].pts <= 2e9
    [stream] = stand_in.streams
    assert stream.closed


async def test_rate_channels_and_length_are_as_asked_for(present: Any) -> None:
    data = np.arange(2 * 441, dtype=np.int16).tobytes()
    stand_in = present(HEADSET, blocks=(data for _ in iter(int, 1)))
    source = Microphone(device="usb", rate=44_100, channels=2, block_ms=10)
    assert source.audio_out(AudioFormat()) == AudioFormat(44_100, 2)
    frames, _ = await hear(source, 1)
    assert frames[0].samples[:2].tolist() == [[0, 1], [2, 3]]
    assert frames[0].duration == 10_000_000
    asked = stand_in.streams[0].settings
    assert (asked["device"], asked["samplerate"], asked["channels"]) == (0, 44_100, 2)


async def test_what_the_device_lost_is_counted_and_said_once(
    present: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken = (block(1), Flags("input_overflow"))
    present(HEADSET, blocks=in_time(block(0), broken, block(0), broken, block(2)))
    with caplog.at_level(logging.WARNING):
        _, report = await hear(Microphone(), 10)
    assert sum(report.drops.values()) == 2
    assert [key for key in report.drops if "device overrun" in str(key)]
    assert caplog.text.count("sound was lost before it could be fetched") == 1


async def test_a_device_never_waits_for_the_graph(present: Any) -> None:
    class Busy(Sink):
        async def consume(self, frame: AudioFrame) -> None:
            await anyio.to_thread.run_sync(stand_in.streams[0].exhausted.wait, 5)
            run.finish()

    stand_in = present(HEADSET, blocks=[*([block(0)] * 300), b""])
    run = Run(
        Graph(
            {"microphone": Microphone(), "busy": Busy()},
            ["microphone -> busy"],
            inboxes={"busy": InboxSettings(frames=1)},
        )
    )
    with anyio.fail_after(10):
        report = await run.execute()
    assert report.completed
    assert sum(report.drops.values()) >= 150  # of 300 blocks, 100 are kept


async def test_a_device_that_goes_away_ends_the_run_with_a_reason(present: Any) -> None:
    present(HEADSET, blocks=[block(1)] * 3)
    with pytest.raises(ProcessorFailure) as caught:
        await hear(Microphone(), 100)
    assert str(caught.value) == (
        'processor "microphone" failed: input device 0 "USB Headset" gives no more sound: '
        "has it been unplugged?"
    )


async def test_a_device_that_cannot_be_opened_says_why(present: Any) -> None:
    present(HEADSET, refuses=PortAudioError("Error opening", -9985))
    with pytest.raises(ProcessorFailure, match="is not available; close the program that uses it"):
        await hear(Microphone(), 1)


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"device": "webcam"}, 'there is no input device "webcam"', 'there are: 0 "USB Headset"'),
        ({"rate": 16_000}, "cannot do 16000 Hz", "put a resampler behind it"),
        ({"channels": 4}, "has no 4 channels but stereo", "at most `channels: 2`"),
    ],
)
def test_what_the_device_cannot_do_is_found_before_anything_runs(
    present: Any, settings: Any, message: str, hint: str
) -> None:
    present(HEADSET)
    graph = Graph({"microphone": Microphone(**settings), "out": Collect()}, ["microphone -> out"])
    (finding,) = graph.check()
    assert finding.code == "environment"
    assert message in finding.message
    assert hint in finding.hint


def test_a_machine_without_devices_says_so(present: Any) -> None:
    present()
    graph = Graph({"microphone": Microphone(), "out": Collect()}, ["microphone -> out"])
    (finding,) = graph.check()
    assert finding.message == '"microphone": this machine has no input device for sound'
    assert graph.check(offline=True) == []


async def test_what_it_hears_after_its_end_is_not_lost_but_unwanted(
    present: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Ears):
        async def consume(self, frame: AudioFrame) -> None:
            await super().consume(frame)
            if len(self.frames) == self.enough:
                await anyio.sleep(0.5)

    monkeypatch.setattr("processors.audio.microphone.BUFFER_MS", 200)
    present(HEADSET, blocks=in_time())
    ears = Slow(3)
    ears.run = run = Run(Graph({"microphone": Microphone(), "ears": ears}, ["microphone -> ears"]))
    report = await run.execute()
    assert report.drops == {}
    assert caplog.messages == []
