"""What is measured of a run while it goes on, in virtual time."""

from collections.abc import AsyncIterator

import anyio
import pytest

from pipeline import Graph, Inbox, InboxSettings, Run, Sink, Source, TextFrame
from pipeline.observing.sampling import Sample, Sampler


class Ticks(Source):
    """Ten a second, twenty in all."""

    def __init__(self) -> None:
        self.given = 0

    def progress(self) -> float | None:
        return self.given / 20

    async def frames(self) -> AsyncIterator[TextFrame]:
        for _ in range(20):
            await anyio.sleep(0.1)
            self.given += 1
            yield TextFrame("tick")


class Slow(Sink):
    """One a second."""

    async def consume(self, frame: TextFrame) -> None:
        await anyio.sleep(1)


class Silent(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        await anyio.sleep(2)
        yield TextFrame("late")


async def sample(graph: Graph, *moments: float) -> list[Sample]:
    run, samples = Run(graph), []
    sampler = Sampler(run)
    async with anyio.create_task_group() as group:
        samples.append(sampler.take())  # before it has begun
        group.start_soon(run.execute)
        begun = anyio.current_time()
        for moment in moments:
            await anyio.sleep_until(begun + moment)
            samples.append(sampler.take())
        run.cancel()
    return samples


async def test_rates_and_what_waits() -> None:
    graph = Graph(
        {"ticks": Ticks(), "slow": Slow()},
        ["ticks -> slow"],
        inboxes={"slow": InboxSettings(frames=20)},
    )
    before, first, second, last = await sample(graph, 1.05, 2.05, 9.0)
    assert [node.waiting for node in before.nodes] == [None, None]
    assert [round(node.rate) for node in first.nodes] == [10, 10]
    assert first.nodes[0].waiting is None
    assert (first.nodes[1].waiting, first.nodes[1].fill) == (9, 9 / 20)
    assert (first.progress, second.progress) == (0.5, 1.0)
    assert first.left is not None
    assert round(first.left, 1) == 1.1
    assert (before.left, second.left) == (None, 0)
    assert (first.nodes[0].progress, first.nodes[0].left) == (first.progress, first.left)
    assert (first.nodes[1].progress, first.nodes[1].left) == (None, None)
    assert last.nodes[1].rate < 5
    assert [node.kind for node in first.nodes] == ["Ticks", "Slow"]


async def test_progress_is_known_only_if_every_source_knows_it() -> None:
    graph = Graph(
        {"ticks": Ticks(), "silent": Silent(), "slow": Slow()}, ["ticks -> slow", "silent -> slow"]
    )
    for found in await sample(graph, 1.05):
        assert (found.progress, found.left) == (None, None)
    assert {node.name: node.progress for node in found.nodes} == {
        "ticks": 0.5,
        "silent": None,
        "slow": None,
    }


class Patient(Ticks):
    """Waits for five seconds first."""

    async def frames(self) -> AsyncIterator[TextFrame]:
        await anyio.sleep(5)
        async for frame in super().frames():
            yield frame


async def test_time_before_a_source_gives_something_does_not_count() -> None:
    graph = Graph(
        {"ticks": Patient(), "slow": Slow()},
        ["ticks -> slow"],
        inboxes={"slow": InboxSettings(frames=20)},
    )
    _, waiting, moving = await sample(graph, 5.0, 6.05)
    assert (waiting.progress, waiting.left) == (0, None)
    assert moving.left == pytest.approx(1.05)


async def test_what_is_dropped_is_counted_by_node() -> None:
    graph = Graph({"ticks": Ticks(), "slow": Slow()}, ["ticks -> slow"])
    run = Run(graph)
    run.report.drops["slow", "one"] = 2
    run.report.drops["slow", "two"] = 3
    assert [node.dropped for node in Sampler(run).take().nodes] == [0, 5]


def test_how_full_an_inbox_is_goes_by_what_its_bound_is_in() -> None:
    inbox = Inbox[TextFrame](InboxSettings(frames=4), set(), lambda reason, frames: None)
    inbox.offer(TextFrame("a"))
    assert (inbox.depth, inbox.fill) == (1, 0.25)
    latest = Inbox[TextFrame](InboxSettings(policy="latest"), set(), lambda reason, frames: None)
    latest.offer(TextFrame("a"))
    assert latest.fill == 1.0
