"""More than a processor can take: what gives, what is counted, what is said, and what it costs."""

import logging
from collections.abc import AsyncIterator

import anyio
import numpy as np
import pytest

from pipeline import SECOND, AudioFrame, Graph, InboxSettings, Report, Run, Sink, Source

MS = SECOND // 1000
FRAMES = 500
SOUND = np.zeros((320, 1), np.int16)


class Microphone(Source):
    """20 ms of sound every 20 ms, whoever listens."""

    async def frames(self) -> AsyncIterator[AudioFrame]:
        began = anyio.current_time()
        for number in range(FRAMES):
            await anyio.sleep_until(began + number * 0.02)
            yield AudioFrame(SOUND, 16_000, pts=self.context.now())


class Slow(Sink):
    """Takes 30 ms for each frame; `late` holds how old each was when its turn came."""

    def __init__(self) -> None:
        self.late: list[int] = []

    async def consume(self, frame: AudioFrame) -> None:
        self.late.append(self.context.now() - frame.pts)
        await anyio.sleep(0.03)


async def overload(settings: InboxSettings) -> tuple[Slow, Report]:
    slow = Slow()
    graph = Graph({"in": Microphone(), "out": slow}, ["in -> out"], inboxes={"out": settings})
    return slow, await Run(graph).execute()


@pytest.mark.parametrize(
    ("settings", "latest"),
    [
        (InboxSettings(frames=5, policy="drop_oldest"), 5 * 30),
        (InboxSettings(frames=5, policy="drop_newest"), 6 * 30),
        (InboxSettings(ms=100, policy="drop_oldest"), 5 * 30),
        (InboxSettings(policy="latest"), 30),
    ],
    ids=str,
)
async def test_a_live_source_is_shed_by_policy_and_never_falls_further_behind(
    settings: InboxSettings, latest: int
) -> None:
    slow, report = await overload(settings)
    assert max(slow.late) <= latest * MS
    assert max(slow.late[200:300]) <= max(slow.late[50:150])
    assert report.frames("in", "out") == FRAMES
    assert len(slow.late) + report.drops["out", "inbox full"] == FRAMES
    assert len(slow.late) == pytest.approx(FRAMES * 20 / 30, abs=6)


async def test_it_says_so_once_when_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    _, report = await overload(InboxSettings(frames=5, policy="drop_oldest"))
    [line] = caplog.records
    assert (line.name, line.levelno) == ("pipeline.out", logging.WARNING)
    assert line.getMessage() == (
        "frames come faster than it takes them: its inbox (5, drop_oldest) has begun to drop"
    )
    assert report.drops["out", "inbox full"] > 100


async def test_an_inbox_that_is_meant_to_drop_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, report = await overload(InboxSettings(policy="latest"))
    assert report.drops["out", "inbox full"] > 100
    assert not caplog.records
