"""The loops of the roles: fairness and order under load."""

import itertools
from collections.abc import AsyncIterator
from time import perf_counter_ns

import anyio
import pytest

from pipeline import Graph, InboxSettings, Run, Sink, Source, TextFrame
from pipeline.runtime import tasks
from pipeline.testing import Collect


class Busy(Source):
    """Never waits, and keeps the processor busy for each frame."""

    def __init__(self, frames: int) -> None:
        self.count = frames

    async def frames(self) -> AsyncIterator[TextFrame]:
        for number in range(self.count):
            spin(tasks.LONGEST_HOLD // 4)
            yield TextFrame(str(number))


class BusySink(Sink):
    async def consume(self, frame: TextFrame) -> None:
        spin(tasks.LONGEST_HOLD // 4)


def spin(nanoseconds: int) -> None:
    until = perf_counter_ns() + nanoseconds
    while perf_counter_ns() < until:
        pass


@pytest.mark.parametrize("sink", [Collect, BusySink])
async def test_others_get_their_turn_while_a_backlog_is_worked_off(sink: type[Sink]) -> None:
    """Counted in frames, not in time: between two turns of the loop lie a handful of frames."""
    turns: list[int] = []
    source, out = Busy(100), sink()
    graph = Graph(
        {"in": source, "out": out}, ["in -> out"], inboxes={"out": InboxSettings(frames=50)}
    )
    run = Run(graph)

    async def watch() -> None:
        while True:
            turns.append(run.report.frames("in", "out"))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await run.execute()
        group.cancel_scope.cancel()
    steps = [after - before for before, after in itertools.pairwise(turns)]
    assert run.report.frames("in", "out") == 100
    assert max(steps) <= 10
