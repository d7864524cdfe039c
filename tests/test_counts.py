"""What a frame costs, in numbers that do not depend on the speed of the machine.

A guard against regressions: task switches, operations on inboxes, calls of Python functions and
memory, in fixed scenarios. What is asserted is what was measured, in both directions: a change that
makes something cheaper says so here.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import numpy as np
import pytest

import pipeline
from pipeline import (
    AudioFrame,
    Graph,
    Inbox,
    InboxSettings,
    Processor,
    Run,
    Sink,
    Source,
    Transform,
)
from pipeline import inbox as inboxes
from pipeline.runtime import tasks
from pipeline.testing import VirtualTimeLoop

FRAMEWORK = str(Path(pipeline.__file__).parent / "")
HOPS = 10
SOUND = np.zeros((320, 1), np.int16)


class Tone(Source):
    """Frames as fast as they are taken, or one every `pace` seconds."""

    def __init__(self, count: int, pace: float) -> None:
        self.count, self.pace = count, pace

    async def frames(self) -> AsyncIterator[AudioFrame]:
        for pts in range(self.count):
            if self.pace:
                await anyio.sleep(self.pace)
            yield AudioFrame(SOUND, 16_000, pts=pts)


class Pass(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame


class Count(Sink):
    def __init__(self) -> None:
        self.count = 0

    async def consume(self, frame: AudioFrame) -> None:
        self.count += 1


class PlainCount(Count):
    def consume(self, frame: AudioFrame) -> None:  # type: ignore[override]
        self.count += 1


class CountingLoop(VirtualTimeLoop):
    """Counts the steps of tasks: everything that is scheduled to run."""

    steps = 0

    def call_soon(self, *args: Any, **kwargs: Any) -> Any:
        CountingLoop.steps += 1
        return super().call_soon(*args, **kwargs)


class Cost(NamedTuple):
    """Per frame: steps of tasks, frames put into and taken out of inboxes, Python calls."""

    steps: float
    inboxes: float
    calls: float


class Scenario(NamedTuple):
    pace: float = 0
    channels: bool = False
    sinks: int = 1
    plain: bool = False


SCENARIOS = {
    "in-line, saturated": (Scenario(), Cost(0.03, 2.05, 15.3)),
    "in-line, in real time": (Scenario(pace=0.02), Cost(2, 3, 37)),
    "all in one task, in real time": (Scenario(pace=0.02, plain=True), Cost(1, 0, 22)),
    "channels, saturated": (Scenario(channels=True), Cost(0.19, 22.2, 46.7)),
    "channels, in real time": (Scenario(channels=True, pace=0.02), Cost(12, 33, 197)),
    "five sinks, in real time": (Scenario(sinks=5, pace=0.02), Cost(6, 15, 94)),
}


def graph_of(scenario: Scenario, frames: int, hops: int = HOPS) -> tuple[Graph, list[Count]]:
    passes: dict[str, Processor] = {f"pass{number}": Pass() for number in range(hops)}
    kind = PlainCount if scenario.plain else Count
    sinks = {f"sink{number}": kind() for number in range(scenario.sinks)}
    source = Tone(frames, scenario.pace)
    graph = Graph(
        {"source": source, **passes, **sinks},
        [" -> ".join(["source", *passes]), *(f"pass{hops - 1} -> {sink}" for sink in sinks)],
        inboxes=dict.fromkeys(passes, InboxSettings()) if scenario.channels else None,
    )
    return graph, list(sinks.values())


def counted(scenario: Scenario, frames: int) -> Counter[str]:
    """Everything that a run of so many frames did."""
    graph, sinks = graph_of(scenario, frames)
    counts: Counter[str] = Counter()
    operations = {Inbox.offer.__code__, Inbox.receive_nowait.__code__}

    def count(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            counts["calls"] += frame.f_code.co_filename.startswith(FRAMEWORK)
            counts["inboxes"] += frame.f_code in operations

    async def execute() -> None:
        CountingLoop.steps = 0
        sys.setprofile(count)
        try:
            await Run(graph).execute()
        finally:
            sys.setprofile(None)
        counts["steps"] = CountingLoop.steps

    anyio.run(execute, backend_options={"loop_factory": CountingLoop})
    assert [sink.count for sink in sinks] == [frames] * len(sinks)
    return counts


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_one_more_frame_costs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference between a long run and a short one, so that beginning and end cancel out."""
    for module in (tasks, inboxes):  # no turn is given up because the machine is slow
        monkeypatch.setattr(module, "perf_counter_ns", lambda: 0)
    few, many = 128, 384
    scenario, expected = SCENARIOS[name]
    before, after = counted(scenario, few), counted(scenario, many)
    cost = Cost(*((after[what] - before[what]) / (many - few) for what in Cost._fields))
    assert [*cost] == pytest.approx([*expected], rel=0.05), f"{cost._asdict()}"


def test_a_long_backlog_leaves_nothing_behind() -> None:
    """What is alive after many frames is what is alive after few."""
    alive = []
    for frames in (500, 500, 5_000):
        pipeline.run(graph_of(Scenario(channels=True), frames)[0])
        gc.collect()
        alive.append(sys.getallocatedblocks())
    assert alive[2] - alive[1] < 100


@pytest.mark.parametrize(
    ("kind", "kib"), [({"plain": True}, 35), ({}, 42), ({"channels": True}, 84)]
)
def test_what_an_idle_session_occupies(kind: dict[str, bool], kib: int) -> None:
    """A graph of seven nodes that waits, with an inbox at none of them, at the last, or at six."""
    sessions = 10

    async def session() -> None:
        await Run(graph_of(Scenario(pace=3600, **kind), 1, hops=5)[0]).execute()

    async def measure() -> float:
        async with anyio.create_task_group() as group:
            group.start_soon(session)
            await anyio.wait_all_tasks_blocked()
            gc.collect()
            tracemalloc.start()
            try:
                for _ in range(sessions):
                    group.start_soon(session)
                await anyio.wait_all_tasks_blocked()
                gc.collect()
                return tracemalloc.get_traced_memory()[0] / sessions / 1024
            finally:
                tracemalloc.stop()
                group.cancel_scope.cancel()

    assert anyio.run(measure) == pytest.approx(kib, rel=0.15)


def lines_run(work: Callable[[], object]) -> int:
    lines = 0

    def count(*_: Any) -> Any:
        nonlocal lines
        lines += 1
        return count

    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(None)
    return lines


def chain(names: list[str]) -> list[str]:
    return [" -> ".join(["source", *names, "sink"])]


def fan(names: list[str]) -> list[str]:
    return [f"source -> {name} -> sink" for name in names]


@pytest.mark.parametrize("flow", [chain, fan])
def test_building_and_checking_a_graph_grow_with_its_nodes(
    flow: Callable[[list[str]], list[str]],
) -> None:
    """Lines run for each node: a large graph takes no more of them than a small one."""

    def lines(nodes: int) -> float:
        passes = {f"pass{number}": Pass() for number in range(nodes)}
        processors = {"source": Tone(1, 0), **passes, "sink": Count()}
        return lines_run(lambda: Graph(processors, flow([*passes])).check()) / nodes

    assert lines(500) < 1.1 * lines(50)


def test_reading_a_configuration_grows_with_its_nodes(tmp_path: Path) -> None:
    file = tmp_path / "graph.yaml"

    def lines(nodes: int) -> float:
        names = [f"pass{number}" for number in range(nodes)]
        file.write_text(
            "processors:\n"
            "  source: {use: audio_source, path: question.wav}\n"
            + "".join(f"  {name}: {{use: resampler, rate: 16000}}\n" for name in names)
            + "  sink: {use: audio_sink, path: answer.wav}\n"
            "flow:\n" + "".join(f"  - {line}\n" for line in chain(names))
        )
        return lines_run(lambda: pipeline.load(file)) / nodes

    lines(10)  # imports, and fills caches
    assert lines(80) < 1.1 * lines(20)
