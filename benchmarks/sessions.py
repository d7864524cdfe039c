"""Sessions in real time in one process: the most that are on time, what each costs, and shedding.

A session is a source that sends 20 ms of 48 kHz sound every 20 ms, a streaming resampler to 16 kHz,
five processors that pass it on, and a sink that appends it; the sessions are spread evenly over the
20 ms. In ours all of it runs in one task, as plain processors do by default. A frame is late by the
time from when it was due at the source until it, resampled, is in the sink. Measured on one core:
the most sessions with a p99 lateness under 20 ms, found to a tenth by bisection, the subjects in
turn; processor time per frame; memory per session without the resampler, after a second of sound.
The bare loop is a task per session that sleeps, resamples and appends. Ours, the bare loop and lean
pipecat use one and the same resampler, and what came out of it is compared; pipecat as it ships
uses its own. What is there when the last session begins is spared from garbage collection, in all
of them. In the last rows half as many sessions again are on as can be on time, for their p50 and
p99; our resampler has an inbox there that holds 100 ms and sheds what is older. Not measured: sound
devices and networks, and what the processors of a real session would do.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from statistics import quantiles
from time import perf_counter_ns, process_time

import anyio
import numpy as np

from benchmarks.harness import machine
from benchmarks.harness.results import Row, Section, Spread
from benchmarks.harness.rounds import Rounds, Subject, bound, compare
from benchmarks.parts import Measured, Pass
from pipeline import AudioFrame, Graph, InboxSettings, Processor, Run, Sink, Source
from processors.audio.resampler import Resampler
from processors.audio.resampling.stream import open_stream

RATE, TO = 48_000, 16_000
FRAME_S, FRAME_NS = 0.02, 20_000_000
SOUND = (8000 * np.sin(np.arange(RATE) ** 1.4 / 300)).astype(np.int16).reshape(50, -1, 1)
"""A second, in frames."""
LIMIT_MS = 20.0
PASSES = 5
SEARCHES = 3
"""Rounds of the search are long: there are no more."""
ALIKE, CROWD = 40, 200
"""Sessions at which processor time is compared: with all peers, and of ours with the floor."""
OURS, BARE = "ours", "bare loop (floor)"
LEAN, SHIPPED = "pipecat, lean, our resampler", "pipecat, as it ships"
SHEDDING = "ours, half as many again as can be, shedding"
FALLING = "pipecat, lean, half as many again as can be"


class Load:
    """The clock of all sessions, and what has come out of them."""

    def __init__(self, sessions: int, seconds: float) -> None:
        self.sessions, self.frames = sessions, round(seconds / FRAME_S)
        self.lateness: list[int] = []
        self.sound: list[bytes] = []
        self.samples = 0
        self._ready = 0
        self._began, self._cpu = 0, 0.0
        self.started = asyncio.Event()

    def ready(self) -> None:
        """A session is there; the last one starts the clock.

        What is there by then is not looked through for garbage any more, as in `pipeline serve`.
        """
        self._ready += 1
        if self._ready == self.sessions:
            gc.freeze()
            self._began, self._cpu = perf_counter_ns() + FRAME_NS, process_time()
            self.started.set()

    async def running(self, seconds: float) -> None:
        """Until all sessions have been on for so long."""
        await self.started.wait()
        await asyncio.sleep(seconds)

    async def drained(self) -> None:
        """Until nothing more arrives: what was late at the end is there."""
        count = -1
        while count < len(self.lateness):
            count = len(self.lateness)
            await asyncio.sleep(0.1)

    async def until_due(self, session: int, number: int) -> int:
        """Sleep until a frame is due; when that was."""
        due = self._began + FRAME_NS * number + FRAME_NS * session // self.sessions
        wait = due - perf_counter_ns()
        if wait > 0:
            await asyncio.sleep(wait / 1e9)
        return due

    def arrived(self, session: int, due: int, sound: bytes) -> None:
        """Sound has come to the end of a session."""
        self.lateness.append(perf_counter_ns() - due)
        self.samples += len(sound) // 2
        if session == 0:
            self.sound.append(sound)

    def figures(self) -> dict[str, float]:
        """Lateness in milliseconds, processor time in microseconds per frame."""
        cpu = (process_time() - self._cpu) / (self.sessions * self.frames) * 1e6
        points = quantiles(self.lateness, n=100)
        return {"p50": points[49] / 1e6, "p99": points[98] / 1e6, "cpu a frame": cpu}

    def work(self) -> dict[str, str]:
        """The sound of one session, but for the end, which a filter may still hold."""
        sound = b"".join(self.sound)[: 2 * (TO // 50) * (self.frames - 3)]
        return {"sound": hashlib.sha256(sound).hexdigest()[:12]}

    def check(self, dropped: int = 0) -> None:
        """All sound has come out, but for what filters hold."""
        short = TO // 50 * (self.sessions * self.frames - dropped) - self.samples
        if not 0 <= short <= 1000 * self.sessions:
            raise AssertionError(f"{short} samples are missing of {self.sessions} sessions")


class Microphone(Source):
    """A session's sound, when it is due."""

    def __init__(self, load: Load, session: int) -> None:
        self.load, self.session = load, session

    async def frames(self) -> AsyncIterator[AudioFrame]:
        self.load.ready()
        await self.load.started.wait()
        for number in range(self.load.frames):
            due = await self.load.until_due(self.session, number)
            yield AudioFrame(SOUND[number % 50], RATE, pts=number * FRAME_NS, born=due)


class Listener(Sink):
    """The end of a session."""

    def __init__(self, load: Load, session: int) -> None:
        self.load, self.session = load, session

    def consume(self, frame: AudioFrame) -> None:
        self.load.arrived(self.session, frame.born, frame.samples.tobytes())


def session_graph(load: Load, session: int, *, resample: bool, shed_ms: int | None) -> Graph:
    """One session; without the resampler, something that passes in its place."""
    middle: dict[str, Processor] = {f"pass{number}": Pass() for number in range(PASSES)}
    processors = {
        "microphone": Microphone(load, session),
        "to_16k": Resampler(TO) if resample else Pass(),
        **middle,
        "listener": Listener(load, session),
    }
    shedding = {"to_16k": InboxSettings(ms=shed_ms, policy="drop_oldest")} if shed_ms else None
    return Graph(processors, [" -> ".join(processors)], inboxes=shedding)


def graphs(sessions: int, seconds: float, shed_ms: int | None = None) -> Measured:
    """Our graphs."""
    dropped = 0

    async def execute(load: Load, session: int) -> None:
        nonlocal dropped
        report = await Run(session_graph(load, session, resample=True, shed_ms=shed_ms)).execute()
        dropped += sum(report.drops.values())

    async def timed() -> Measured:
        load = Load(sessions, seconds)
        async with anyio.create_task_group() as group:
            for session in range(sessions):
                group.start_soon(execute, load, session)
        figures = load.figures()
        load.check(dropped)
        shed = 100 * dropped / (sessions * load.frames)
        return figures | {"shed": shed}, {} if shed_ms else load.work()

    return asyncio.run(timed())


def bare(sessions: int, seconds: float) -> Measured:
    """The floor: a task per session that sleeps, resamples and appends."""

    async def session(load: Load, number: int) -> None:
        stream = open_stream(RATE, TO, 1, "live")
        load.ready()
        await load.started.wait()
        for frame in range(load.frames):
            due = await load.until_due(number, frame)
            load.arrived(number, due, stream.push(SOUND[frame % 50]).tobytes())

    async def timed() -> Measured:
        load = Load(sessions, seconds)
        async with anyio.create_task_group() as group:
            for number in range(sessions):
                group.start_soon(session, load, number)
        load.check()
        return load.figures(), load.work()

    return asyncio.run(timed())


def memory(sessions: int) -> dict[str, float]:
    """Of a session of ours without the resampler, after a second of sound."""

    async def held(count: int) -> float:
        load = Load(count, 1.2)
        before = machine.resident_mib()
        async with anyio.create_task_group() as group:
            for session in range(count):
                graph = session_graph(load, session, resample=False, shed_ms=None)
                group.start_soon(Run(graph).execute)
            await load.running(1.0)
            return machine.resident_mib() - before

    async def timed() -> float:
        await held(1)  # what the first one imports is none of the others'
        return await held(sessions)

    return {"memory": asyncio.run(timed()) * 1024 / sessions}


class Search:
    """Finds the largest number that passes, within a factor: steps of a half, then bisection."""

    def __init__(self, first: float, factor: float) -> None:
        self.next = max(1, round(first))
        self.passed, self.failed = 0, 0
        self._factor = factor

    @property
    def done(self) -> bool:
        """Whether what passed and what failed are near enough, or nothing passes."""
        if not self.passed or not self.failed:
            return self.failed == 1
        return self.failed <= max(self.passed * self._factor, self.passed + 1)

    def tell(self, passed: bool) -> None:
        """What became of `next`."""
        if passed:
            self.passed = self.next
        else:
            self.failed = self.next
        if self.passed and self.failed:
            self.next = round((self.passed * self.failed) ** 0.5)
        elif self.passed:
            self.next += (self.next + 1) // 2
        else:
            self.next = max(1, self.next * 2 // 3)


def subjects(ours: str, bare: str, peer: str) -> dict[str, Subject]:
    """Ours, the floor and the peers, by their functions."""
    here, there = "benchmarks.sessions", "benchmarks.peers.pipecat.sessions"
    found = {OURS: Subject(f"{here}:{ours}")}
    if bare:
        found[BARE] = Subject(f"{here}:{bare}", ours=False)
    for name, shipped in ((LEAN, False), (SHIPPED, True)):
        settings = {"shipped": shipped}
        found[name] = Subject(f"{there}:{peer}", settings, needs="pipecat", ours=False)
    return found


def given(found: Mapping[str, Subject], **settings: float) -> dict[str, Subject]:
    """The subjects with more settings."""
    return {
        name: replace(subject, settings={**subject.settings, **settings})
        for name, subject in found.items()
    }


def search(rounds: Rounds, section: Section, found: Mapping[str, Subject]) -> None:
    """The most sessions on time, of each subject in each round, side by side."""
    factor, seconds, probes, tries = rounds.size((1.1, 4.0, 10, 2), (1.3, 1.5, 3, 1))
    most: dict[str, list[float]] = {}
    for _ in range(rounds.size(min(rounds.rounds, SEARCHES), 1)):
        searches = {}
        for name, subject in found.items():
            row = section.row(name)
            if not subject.skipped and row.figures:
                cost = row.figures["cpu a frame"].median / 1e6  # less when there are many
                searches[name] = Search(FRAME_S / cost, factor)
        for _ in range(probes):
            for name, step in searches.items():
                if not step.done:
                    chosen = given({name: found[name]}, sessions=step.next, seconds=seconds)[name]
                    outcomes = (rounds.once(chosen).figures["p99"] for _ in range(tries))
                    step.tell(any(p99 < LIMIT_MS for p99 in outcomes))
        for name, step in searches.items():
            most.setdefault(name, []).append(step.passed)
    for name, numbers in most.items():
        section.row(name).figures["most"] = Spread.of(numbers)


def add(rounds: Rounds, section: Section, found: Mapping[str, Subject], names: Mapping) -> None:
    """Measure more: some figures, in columns of other names, in the rows of the subjects."""
    other = Section(section.name, "", "")
    rounds.alternate(found, other)
    for row in other.rows:
        if row.subject not in {known.subject for known in section.rows}:
            section.rows.append(Row(row.subject, skipped=row.skipped, ours=row.ours))
        known = section.row(row.subject)
        known.kept_waiting = max(known.kept_waiting, row.kept_waiting)
        for column, shown in names.items():
            if column in row.figures:
                known.figures[shown or column] = row.figures[column]


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    section.units = {
        "most": "sessions",
        "p50": f"ms, {ALIKE} sessions",
        "p99": f"ms, {ALIKE} sessions",
        "cpu a frame": f"µs, {ALIKE} sessions",
        "crowded": f"µs of cpu a frame, {CROWD} sessions",
        "memory": "KiB a session",
        "shed": "% of frames",
    }
    seconds = rounds.size(4.0, 1.5)
    found = subjects("graphs", "bare", "pipelines")
    rounds.alternate(given(found, sessions=ALIKE, seconds=seconds), section)
    crowd = {name: found[name] for name in (OURS, BARE)}
    crowd = given(crowd, sessions=CROWD, seconds=seconds)
    add(rounds, section, crowd, {"cpu a frame": "crowded"})
    memories = given(subjects("memory", "", "memory"), sessions=100)
    add(rounds, section, memories, {"memory": "memory"})
    search(rounds, section, found)
    crowds = {}
    for name, crowd, how in ((OURS, SHEDDING, {"shed_ms": 100}), (LEAN, FALLING, {})):
        most = section.row(name).figures.get("most", Spread.of([0])).median
        more = {"sessions": max(2, round(1.5 * most)), "seconds": rounds.size(6.0, 2.0)}
        crowds |= given({crowd: found[name]}, **more, **how)
    add(rounds, section, crowds, dict.fromkeys(("p50", "p99", "shed"), None))
    compare(section, "most", OURS, SHIPPED, at_least=10)
    bound(section, "most", OURS, at_least=1000)
    compare(section, "most", OURS, BARE)
    compare(section, "cpu a frame", OURS, BARE, at_most=1.5)
    compare(section, "crowded", OURS, BARE, at_most=1.5)
    compare(section, "cpu a frame", OURS, LEAN)
    compare(section, "memory", OURS, LEAN, at_most=1 / 5)
