"""Many conversations for long: nothing grows.

They talk with the local Live API in virtual time, all in one process: typed and spoken turns, calls
of functions, barge-ins, connections that are cut or have lived their time. What the process holds
is counted at the end of each third of the time; what has grown from the second to the third is a
leak. `SOAK=100x60` is the full size: so many conversations, so many minutes.
"""

import asyncio
import gc
import os
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import anyio
import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    Gap,
    Graph,
    Run,
    SessionEvent,
    Sink,
    Source,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    ToolCall,
    TurnEnded,
    TurnStarted,
)
from pipeline.testing import VirtualTimeLoop
from processors.live_api.settings import (
    Compression,
    Limit,
    Reconnect,
    ResumptionSettings,
    ServiceVad,
)
from processors.live_api.transport import LiveApi
from processors.local_live_api import memory
from processors.local_live_api.fault_kinds import Cut
from processors.local_live_api.faults import Faults
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.switches import Switches
from processors.tools.dispatcher import ToolDispatcher

CONVERSATIONS, MINUTES = map(int, os.environ.get("SOAK", "6x3").split("x"))
FULL = "SOAK" in os.environ
RATE = 16_000
CHUNK_S = 0.1
SWITCHES = Switches(
    sessions=1000,
    update_every=2,
    connection_s=50,
    go_away_s=10,
    context_tokens=1_000,
    overflow="truncate",
)
"""Connections end often, and what a session remembers, which is its context and what handles stand
for, has reached its bounds before a third of the time is over."""
CUTS = Faults([Cut(chance=0.001)], seed=1)
SLACK = {
    "objects": 500,
    "resident": 4 * 2**20,
    "tasks": 6,
    "files": 2,
    "threads": 1,
}
"""Some connection is just being opened, some answer just being spoken."""
TYPED = ["What is the weather in Lisbon?", "Tell me about the sea.", "Is the weather fine in Rome?"]
SOUND = np.random.default_rng(1).integers(-3000, 3000, (round(CHUNK_S * RATE), 1)).astype(np.int16)


async def get_weather(city: str) -> str:
    """Tells the weather in a city."""
    await anyio.sleep(0.3)
    return f"sunny in {city}"


@dataclass
class Counts:
    """What happened in all conversations, and how long answers took, by the third of the time."""

    events: Counter[str] = field(default_factory=Counter)
    latency: list[list[float]] = field(default_factory=lambda: [[], [], []])


class Speaker(Sink):
    """Plays in real time, as a loudspeaker does, and notes when an answer begins."""

    plays_media = True

    def __init__(self, user: "User", counts: Counts) -> None:
        self._user = user
        self._counts = counts

    async def consume(
        self, frame: AudioFrame | TurnStarted | TurnEnded | SessionEvent | Gap | ToolCall
    ) -> None:
        events = self._counts.events
        match frame:
            case AudioFrame():
                self._user.heard(self._counts)
                await anyio.sleep(frame.duration / SECOND)
            case TurnEnded(interrupted=True):
                events["barge-in"] += 1
            case SessionEvent():
                events[frame.kind] += 1
            case _:
                events[type(frame).__name__] += 1


class User(Source):
    """Speaks or types, waits for the answer or cuts it short, and begins again."""

    def __init__(self, seed: int, seconds: float) -> None:
        self._random = Random(seed)
        self._seconds = seconds
        self._asked: float | None = None
        self._began = 0.0

    def heard(self, counts: Counts) -> None:
        """An answer is heard; the first of it counts."""
        if self._asked is not None:
            now = anyio.current_time()
            third = min(2, int(3 * (now - self._began) / self._seconds))
            counts.latency[third].append(now - self._asked)
            self._asked = None

    async def frames(self) -> AsyncIterator[AudioFrame | TextFrame | SpeechStarted | SpeechEnded]:
        chance = self._random
        self._began = anyio.current_time()
        await anyio.sleep(chance.uniform(0, 5))
        while anyio.current_time() < self._began + self._seconds:
            if chance.random() < 0.4:
                yield TextFrame(chance.choice(TYPED))
            else:
                yield SpeechStarted(pts=self.context.now())
                for _ in range(chance.randint(5, 25)):
                    yield AudioFrame(SOUND, RATE, pts=self.context.now())
                    await anyio.sleep(CHUNK_S)
                yield SpeechEnded(pts=self.context.now())
            self._asked = anyio.current_time()
            await anyio.sleep(chance.choice([1.0, 2.5, 6.0, 9.0]))


@dataclass
class Sample:
    """What the process holds at a moment, and what it has used up to it."""

    objects: int
    resident: int
    tasks: int
    threads: int
    files: int
    cpu_s: float

    @classmethod
    def now(cls) -> "Sample":
        gc.collect()
        return cls(
            objects=len(gc.get_objects()),
            resident=_resident(),
            tasks=len(asyncio.all_tasks()),
            threads=threading.active_count(),
            files=_files(),
            cpu_s=time.process_time(),
        )


def _resident() -> int:
    """Bytes, where the system tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _files() -> int:
    """Open file descriptors, where the system tells."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


async def converse(server: LocalLiveApi, seed: int, counts: Counts, results: Counter[str]) -> None:
    user = User(seed, MINUTES * 60)
    live = LiveApi(
        "local_vertex",
        url=server.url_of("vertex"),
        vad=ServiceVad(automatic=False),
        typed="interrupt",
        resumption=ResumptionSettings(transparent=True),
        compression=Compression(),
        limit=Limit(sessions=1000),
        reconnect=Reconnect(first_s=0.2, longest_s=1),
    )
    graph = Graph(
        {
            "user": user,
            "live": live,
            "speaker": Speaker(user, counts),
            "tools": ToolDispatcher([f"{__name__}:get_weather"]),
        },
        ["user -> live -> speaker", "live <-> tools"],
    )
    report = await Run(graph).execute()
    results["completed" if report.completed else "not completed"] += 1


@dataclass
class Soak:
    counts: Counts
    results: Counter[str]
    samples: list[Sample]


async def soak() -> Soak:
    counts, results, samples = Counts(), Counter[str](), list[Sample]()
    seconds = MINUTES * 60
    async with serve(faults=CUTS, switches=SWITCHES) as server:
        samples.append(Sample.now())
        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            for seed in range(CONVERSATIONS):
                group.start_soon(converse, server, seed, counts, results)
            for third in (1, 2, 3):
                # Just before the end: then everybody is still there.
                await anyio.sleep_until(began + seconds * third / 3 - 1)
                samples.append(Sample.now())
        await anyio.sleep(10)  # for connections to close
        samples.append(Sample.now())
    return Soak(counts, results, samples)


@pytest.fixture(scope="module")
def soaked() -> Soak:
    with pytest.MonkeyPatch.context() as patch:
        if not FULL:  # in three minutes a session would not come to this bound
            patch.setattr(memory, "SNAPSHOTS", 16)
        soaked = anyio.run(soak, backend_options={"loop_factory": VirtualTimeLoop})
    if FULL:
        print(report(soaked), file=sys.__stderr__)
    return soaked


def test_every_conversation_came_to_its_end(soaked: Soak) -> None:
    assert soaked.results == {"completed": CONVERSATIONS}
    happened = soaked.counts.events
    for what in ("TurnStarted", "TurnEnded", "barge-in", "ToolCall", "resumed", "go-away"):
        assert happened[what] >= CONVERSATIONS * MINUTES / 3, happened
    assert happened["Gap"] == 0, "something that was said is lost"
    assert happened["TurnStarted"] > 3 * CONVERSATIONS * MINUTES


@pytest.mark.parametrize("what", ["objects", "resident", "tasks", "threads", "files"])
def test_nothing_grows_from_the_second_third_to_the_last(soaked: Soak, what: str) -> None:
    begin, _, second, last, _ = (getattr(sample, what) for sample in soaked.samples)
    assert last - begin <= (second - begin) * 1.05 + SLACK.get(what, 0)


def test_nobody_waits_longer_at_the_end_for_an_answer(soaked: Soak) -> None:
    _, second, last = map(slow, soaked.counts.latency)
    assert last <= second * 1.5 + 0.1


def test_a_minute_costs_no_more_at_the_end(soaked: Soak) -> None:
    _, first, second, last, _ = (sample.cpu_s for sample in soaked.samples)
    assert last - second <= (second - first) * 1.5 + 0.5


def test_nothing_is_left_when_they_are_over(soaked: Soak) -> None:
    begin, *_, end = soaked.samples
    assert (end.tasks, end.files) == (begin.tasks, begin.files)
    assert end.threads <= begin.threads + 1, "more than the one that looks up addresses"


def slow(seconds: list[float]) -> float:
    """The latency that 95 of 100 answers do not exceed."""
    return statistics.quantiles(seconds, n=20)[-1]


def report(soaked: Soak) -> str:
    """The figures, as docs/reliability.md has them."""
    lines = [f"{CONVERSATIONS} conversations of {MINUTES} minutes: {dict(soaked.counts.events)}"]
    lines += map(str, soaked.samples)
    lines += [
        f"latency: median {statistics.median(third):.3f} s, 95 % {slow(third):.3f} s"
        for third in soaked.counts.latency
    ]
    return "\n".join(lines)
