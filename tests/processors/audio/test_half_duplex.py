"""Tests of the microphone that is closed while the loudspeaker plays."""

from collections.abc import AsyncIterator

import anyio
import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    Duplex,
    Graph,
    Inbox,
    Outbox,
    Playback,
    Run,
    Source,
    Speaker,
    TurnEnded,
)
from pipeline.testing import Collect, feed
from processors.audio.devices.output import Unheard
from processors.audio.half_duplex import HalfDuplex
from processors.audio.speaker import LoudSpeaker

RATE = 16_000
MS = 1_000_000


def frame(at_ms: int) -> AudioFrame:
    """20 ms of the user."""
    return AudioFrame(np.full((320, 1), 1000, np.int16), RATE, pts=at_ms * MS)


def report(at_ms: int, *, playing: bool) -> Playback:
    return Playback(0, playing, pts=at_ms * MS, turn=1)


async def open_at(half_duplex: HalfDuplex, frames: list[AudioFrame | Playback]) -> list[int]:
    """The milliseconds at which something was let through."""
    given = await feed(half_duplex, frames)
    return [
        f.pts // MS
        for f in given
        if isinstance(f, AudioFrame) and np.array_equal(f.samples, frame(0).samples)
    ]


async def test_without_a_loudspeaker_it_is_open() -> None:
    assert await open_at(HalfDuplex(), [frame(t) for t in (0, 20, 40)]) == [0, 20, 40]


async def test_it_is_closed_while_something_plays_and_for_the_tail() -> None:
    steps = [
        frame(80),
        frame(100),
        report(110, playing=True),
        frame(120),
        report(210, playing=True),
        *map(frame, range(220, 400, 20)),
        report(400, playing=False),
        *map(frame, range(400, 640, 20)),
    ]
    assert await open_at(HalfDuplex(tail_ms=200), steps) == [80, 100, 600, 620]


async def test_what_began_before_the_loudspeaker_did_is_not_let_through() -> None:
    assert await open_at(HalfDuplex(), [report(110, playing=True), frame(80), frame(100)]) == [80]


async def test_a_speaker_that_has_gone_does_not_keep_it_closed() -> None:
    steps = [report(100, playing=True), *map(frame, range(200, 1600, 100))]
    assert (await open_at(HalfDuplex(), steps))[0] == 1300


async def test_silence_in_its_place_keeps_the_times() -> None:
    given = await feed(HalfDuplex(), [report(0, playing=True), frame(10)])
    [silent] = given
    assert isinstance(silent, AudioFrame)
    assert silent.pts == 10 * MS
    assert silent.samples.shape == (320, 1)
    assert not silent.samples.any()


async def test_nothing_in_its_place_is_counted() -> None:
    graph = Graph(
        {
            "given": Given([report(0, playing=True), frame(10), frame(30)]),
            "gate": HalfDuplex(closed="drop"),
            "out": Collect(),
        },
        ["given -> gate -> out"],
    )
    done = await Run(graph).execute()
    assert done.drops == {("gate", "the loudspeaker plays"): 2}


class Given(Source):
    def __init__(self, frames: list[AudioFrame | Playback]) -> None:
        self._given = frames

    async def frames(self) -> AsyncIterator[AudioFrame | Playback]:
        for given in self._given:
            yield given


class Microphone(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        for number in range(150):
            await anyio.sleep(max(0, (number + 1) * 0.02 - self.context.now() / SECOND))
            yield frame(number * 20)


class Model(Duplex):
    """Hears for three seconds, and speaks from the first to the second of them."""

    def __init__(self) -> None:
        self.heard: list[AudioFrame] = []

    async def run(self, inbox: Inbox[AudioFrame], outbox: Outbox[AudioFrame | TurnEnded]) -> None:
        async for heard in inbox:
            self.heard.append(heard)
            if heard.pts == SECOND:
                sound = np.full((24_000, 1), 8000, np.int16)
                await outbox.send(AudioFrame(sound, 24_000, Speaker.MODEL, pts=SECOND, turn=1))
                await outbox.send(TurnEnded(turn=1))


async def test_a_speaker_that_was_forgotten_is_missed(caplog: pytest.LogCaptureFixture) -> None:
    graph = Graph(
        {"mic": Microphone(), "half": HalfDuplex(), "out": Collect()}, ["mic -> half -> out"]
    )
    await Run(graph).execute()
    assert "it never closes: no speaker is wired to it" in caplog.text


@pytest.mark.parametrize("closed", ["silence", "drop"])
async def test_in_a_circle_with_a_speaker_the_model_does_not_hear_itself(
    closed: str, caplog: pytest.LogCaptureFixture
) -> None:
    model, speaker = Model(), LoudSpeaker()
    blocks: list[np.ndarray] = []
    speaker.output = Unheard(24_000, 1, hear=blocks.append)
    half_duplex = HalfDuplex(tail_ms=100, closed=closed)
    graph = Graph(
        {"mic": Microphone(), "half": half_duplex, "model": model, "speaker": speaker},
        ["mic -> half -> model -> speaker -> half"],
    )
    assert graph.check() == []
    done = await Run(graph).execute()
    assert done.completed
    assert not caplog.text
    silent = np.concatenate([np.zeros((480, 1), np.int16), *blocks])
    sounding = np.flatnonzero(silent) / 24_000
    heard = [f.pts / SECOND for f in model.heard if f.samples.any()]
    begin, end = sounding[0], sounding[-1]
    assert (begin, end) == (pytest.approx(1.03, abs=0.03), pytest.approx(2.05, abs=0.03))
    before, after = [t for t in heard if t < 1.5], [t for t in heard if t > 1.5]
    assert max(before) + 0.02 <= begin + 0.02
    assert min(after) == pytest.approx(end + 0.1, abs=0.05)
    assert len(model.heard) == (150 if closed == "silence" else len(heard))
