"""A sink that takes 1 ms for each frame, and a source that never waits by itself.

Measured: how much the process grows per second once it has warmed up, and the frames that were
sent, taken and dropped, with each policy of the sink's inbox. Checked: what was sent is what was
taken and what was dropped, to the frame, and the frames come in order. Pipecat's source gives way
after each frame, since otherwise its sink gets nothing at all; what it has queued at the end is in
the table. Every frame has sound of its own. Not measured: how long the sink really takes, which is
a little more than it sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import anyio
import numpy as np

from benchmarks.harness import machine
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound
from benchmarks.parts import RATE
from pipeline import AudioFrame, Graph, InboxSettings, Run, Sink, Source

WARM_SHARE = 0.3
"""How much of the time it has to reach its size."""
POLICIES = ("block", "drop_oldest", "drop_newest", "latest")


class Flood(Source):
    """Frames, as fast as they are taken."""

    def __init__(self) -> None:
        self.sent = 0

    async def frames(self) -> AsyncIterator[AudioFrame]:
        while True:
            yield AudioFrame(np.zeros((320, 1), np.int16), RATE, pts=self.sent)
            self.sent += 1


class Slow(Sink):
    """Takes a millisecond for each frame."""

    def __init__(self) -> None:
        self.taken = 0
        self._last = -1

    async def consume(self, frame: AudioFrame) -> None:
        if frame.pts <= self._last:
            raise AssertionError(f"frame {frame.pts} came after {self._last}")
        self._last = frame.pts
        self.taken += 1
        await anyio.sleep(0.001)


class Growth(NamedTuple):
    """Memory at two moments of a run."""

    warm: float
    end: float
    seconds: float

    @property
    def per_second(self) -> float:
        """MiB."""
        return (self.end - self.warm) / self.seconds


async def watch(seconds: float) -> Growth:
    """The growth of this process over the rest of a time, after it has warmed up."""
    await asyncio.sleep(seconds * WARM_SHARE)
    warm = machine.resident_mib()
    await asyncio.sleep(seconds * (1 - WARM_SHARE))
    return Growth(warm, machine.resident_mib(), seconds * (1 - WARM_SHARE))


def graph(seconds: float, policy: str) -> dict[str, float]:
    """Our graph, for so long."""
    flood, slow = Flood(), Slow()
    settings = InboxSettings(policy=policy)
    built = Graph({"flood": flood, "slow": slow}, ["flood -> slow"], inboxes={"slow": settings})

    async def timed() -> tuple[Growth, int]:
        run = Run(built)
        async with anyio.create_task_group() as group:
            group.start_soon(run.execute)
            growth = await watch(seconds)
            run.finish()
        return growth, sum(run.report.drops.values())

    growth, dropped = asyncio.run(timed())
    sent = flood.sent + 1  # the source is ended while its last frame is out
    if slow.taken + dropped not in (flood.sent, sent):
        raise AssertionError(f"{slow.taken} taken and {dropped} dropped of {sent} sent")
    figures = {"grows": growth.per_second, "sent": slow.taken + dropped, "taken": slow.taken}
    return figures | {"dropped": dropped, "left": 0}


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    seconds = {"seconds": rounds.size(10.0, 2.0)}
    subjects = {
        policy: Subject("benchmarks.slow_sink:graph", seconds | {"policy": policy})
        for policy in POLICIES
    }
    for route in ("system", "data"):
        subjects[f"pipecat, lean, {route} route"] = Subject(
            "benchmarks.peers.pipecat.slow_sink:pipeline",
            seconds | {"route": route},
            needs="pipecat",
            ours=False,
        )
    section.units = {"grows": "MiB a second"} | dict.fromkeys(
        ("sent", "taken", "dropped", "left"), "frames"
    )
    rounds.alternate(subjects, section)
    for policy in POLICIES:
        bound(section, "grows", policy, at_most=0.1)
