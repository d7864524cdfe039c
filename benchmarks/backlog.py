"""The longest hold of the event loop while 20,000 frames go through ten processors at once.

Measured: the longest time between two turns of a task that does nothing but give way, in processor
time of the thread, so that other processes do not count; in a process with other sessions, all of
them stand still for so long. With channels every inbox takes 64 frames, or 16,384, the most there
is. In pipecat, whose queues have no bound, all frames are queued first, and that time is left out.
Not measured: frames whose work takes long by itself; nobody can give way within that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import thread_time

from benchmarks import parts
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound, compare
from benchmarks.parts import Count, Tone
from pipeline import InboxSettings, Run

LENGTH = 10
COLUMN = "longest hold"
SUBJECTS = {
    "in-line": {},
    "a channel at every hop": {"inbox": 64},
    "the largest channels at every hop": {"inbox": 16_384},
}


class LoopWatch:
    """How long the event loop was held at most, in seconds of processor time."""

    longest = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        last = thread_time()
        while True:
            await asyncio.sleep(0)
            now = thread_time()
            self.longest, last = max(self.longest, now - last), now


@asynccontextmanager
async def watching() -> AsyncIterator[LoopWatch]:
    """A watch over the loop."""
    watch = LoopWatch()
    task = asyncio.create_task(watch.run())
    try:
        yield watch
        await asyncio.sleep(0)  # a hold that has just ended counts
    finally:
        task.cancel()


def graph(frames: int, inbox: int | None = None) -> tuple[dict[str, float], dict[str, int]]:
    """Through our graph."""
    sink = Count()
    settings = InboxSettings(frames=inbox) if inbox else None
    built = parts.chain(Tone(frames), sink, LENGTH, channels=inbox is not None, inbox=settings)

    async def timed() -> float:
        async with watching() as watch:
            await Run(built).execute()
        return watch.longest

    longest = asyncio.run(timed())
    return {COLUMN: longest * 1000}, {"frames": sink.count}


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    frames = {"frames": rounds.size(20_000, 5_000)}
    subjects = {
        name: Subject("benchmarks.backlog:graph", frames | settings)
        for name, settings in SUBJECTS.items()
    }
    peer = "benchmarks.peers.pipecat.chain:backlog"
    for route in ("system", "data"):
        settings = frames | {"route": route}
        name = f"pipecat, lean, {route} route"
        subjects[name] = Subject(peer, settings, needs="pipecat", ours=False)
    section.units = {COLUMN: "ms of cpu"}
    rounds.alternate(subjects, section)
    for name in SUBJECTS:
        bound(section, COLUMN, name, at_most=5)
    compare(section, COLUMN, "a channel at every hop", "pipecat, lean, system route")
