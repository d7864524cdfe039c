"""The loops of the roles: fairness under load, on a clock that only work moves."""

import itertools
from collections.abc import AsyncIterator, Iterator

import anyio
import numpy as np
import pytest
import sniffio
from anyio.lowlevel import checkpoint

from pipeline import (
    AudioFrame,
    Duplex,
    Graph,
    Inbox,
    InboxSettings,
    Interruption,
    Outbox,
    Processor,
    Run,
    Sink,
    Source,
    Speaker,
    TextFrame,
    Transform,
)
from pipeline import inbox as inboxes
from pipeline.runtime import tasks
from pipeline.testing import Collect

MS = 1_000_000
SOUND = np.zeros((320, 1), np.int16)


class Work:
    """A clock, and what one frame costs each processor in the same nanoseconds."""

    def __init__(self) -> None:
        self.clock = 0
        self.cost = 0

    def __call__(self) -> None:
        self.clock += self.cost


work = Work()


@pytest.fixture(autouse=True)
def only_work_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tasks, inboxes):
        monkeypatch.setattr(module, "perf_counter_ns", lambda: work.clock)


class Busy(Source):
    """Never waits."""

    async def frames(self) -> AsyncIterator[TextFrame]:
        for number in range(1000):
            work()
            yield TextFrame(str(number))


class Pass(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        work()
        yield frame


class AsyncPass(Transform):
    async def process(self, frame: TextFrame) -> AsyncIterator[TextFrame]:
        work()
        yield frame


class Relay(Duplex):
    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
        async for frame in inbox:
            work()
            await outbox.send(frame)


class BusySink(Sink):
    async def consume(self, frame: TextFrame) -> None:
        work()


class Reader(Duplex):
    """Only reads, and so never waits at an outbox."""

    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
        async for _ in inbox:
            work()


async def longest_hold(processors: dict[str, Processor], frames: int) -> int:
    """Nanoseconds between two turns of the event loop, while `frames` may queue at each hop.

    Trio runs the tasks of a turn in any order: what the watcher sees is then up to two turns.
    """
    names = list(processors)
    bound = InboxSettings(frames=frames)
    graph = Graph(processors, [" -> ".join(names)], inboxes=dict.fromkeys(names[1:], bound))
    run, turns = Run(graph), list[int]()

    async def watch() -> None:
        while True:
            turns.append(work.clock)
            await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await run.execute()
        group.cancel_scope.cancel()
    assert [edge.frames for edge in run.report.edges] == [1000] * (len(names) - 1)
    longest = max(after - before for before, after in itertools.pairwise(turns))
    return longest // 2 if sniffio.current_async_library() == "trio" else longest


@pytest.mark.parametrize("cost", [1_000, 20_000, 150_000])
async def test_a_backlog_at_every_hop_holds_the_event_loop_for_5_ms_at_most(cost: int) -> None:
    work.cost = cost
    passes = {f"pass{number}": Pass() for number in range(10)}
    held = await longest_hold({"in": Busy(), **passes, "out": BusySink()}, frames=500)
    assert 0 < held <= 5 * MS


@pytest.mark.parametrize("role", [Pass, AsyncPass, Relay])
async def test_no_role_works_off_its_backlog_in_one_go(role: type[Processor]) -> None:
    work.cost = 50_000
    held = await longest_hold({"in": Busy(), "role": role(), "out": BusySink()}, frames=500)
    assert held <= 1 * MS


@pytest.mark.parametrize("end", [Collect, BusySink, Reader])
async def test_neither_a_source_nor_what_ends_a_flow_keeps_the_others(end: type[Processor]) -> None:
    work.cost = 50_000
    assert await longest_hold({"in": Busy(), "out": end()}, frames=500) <= 1 * MS


class Interrupter(Duplex):
    """Works off a backlog; while it does, a second task of it hears that the user speaks."""

    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[AudioFrame | Interruption]) -> None:
        self.spoken, self.spoken_at = anyio.Event(), 0
        turn = self.context.new_turn()
        for _ in range(50):
            await outbox.send(AudioFrame(SOUND, 16_000, Speaker.MODEL, turn=turn))
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, outbox, turn)
            async for frame in inbox:
                work()
                if frame.text == "500":
                    self.spoken.set()
                    self.spoken_at = work.clock

    async def _listen(self, outbox: Outbox[Interruption], turn: int) -> None:
        await self.spoken.wait()
        await outbox.send(Interruption(turn=turn))


class Player(Sink):
    """Is busy with the first frame until it is told to fall silent."""

    silent_at = 0

    async def consume(self, frame: AudioFrame) -> None:
        assert not self.silent_at, "a stale frame"
        await anyio.sleep_forever()

    def interrupted(self, turn: int) -> None:
        self.silent_at = work.clock


@pytest.mark.parametrize("cost", [1_000, 20_000, 100_000])
async def test_a_backlog_upstream_does_not_hold_an_interruption_up(cost: int) -> None:
    """From what the user does to the silent sink: under 1 ms, behind 500 frames and all."""
    work.cost = cost
    interrupter, player = Interrupter(), Player()
    graph = Graph(
        {"in": Busy(), "model": interrupter, "out": player},
        ["in -> model -> out"],
        inboxes={"model": InboxSettings(frames=500)},
    )
    report = await Run(graph).execute()
    assert 0 <= player.silent_at - interrupter.spoken_at < 1 * MS
    assert report.drops["out", "interrupted"] == 50
