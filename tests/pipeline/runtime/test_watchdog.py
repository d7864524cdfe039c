"""Who holds the event loop is found while he holds it. In real time, since loops really hang."""

import asyncio
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from pipeline import (
    Duplex,
    Graph,
    Inbox,
    Observer,
    Outbox,
    Report,
    Run,
    Source,
    TextFrame,
    Transform,
    Watchdog,
)
from pipeline.runtime import watchdog
from pipeline.runtime.blame import Work, work_of
from pipeline.runtime.watchdog import main_work
from pipeline.testing import Collect, Given

LIMIT = 0.04
HELD = r'"{}" held the event loop for \d+\.\d\d s, at test_watchdog\.py:\d+ in {}: nothing else'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Ticks(Source):
    """So many, one every 10 ms."""

    def __init__(self, count: int = 1) -> None:
        self.count = count

    async def frames(self) -> AsyncIterator[TextFrame]:
        for number in range(self.count):
            yield TextFrame(str(number))
            await anyio.sleep(0.01)


class Looks:
    """Counts how often it is looked at what the loop is at: then a hold can last until enough has
    been seen of it, however busy the machine is."""

    count = 0

    def work_of(self, thread: int) -> Work:
        self.count += 1
        return work_of(thread)


looks = Looks()


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "work_of", looks.work_of)


class Sleeps(Transform):
    """Holds the loop until it was looked at so often: four times are as long as it may."""

    def __init__(self, times: int = 12) -> None:
        self.times = times

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        wanted = looks.count + self.times
        while looks.count < wanted:
            time.sleep(0.001)
        yield frame


class Matches(Transform):
    """Is in a call that lets no other thread run, for twice as long as it may."""

    def __init__(self) -> None:
        took, self.length = 0.0, 14
        while took < 2 * LIMIT:
            self.length += 1
            began = time.process_time()
            re.match("(a+)+b", "a" * self.length)
            took = time.process_time() - began

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        re.match("(a+)+b", "a" * self.length)
        yield frame


class MatchesAndSleeps(Matches):
    """Goes on after such a call."""

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield from super().process(frame)
        wanted = looks.count + 8
        while looks.count < wanted:
            time.sleep(0.001)


class Yields(Transform):
    """Is seen between two frames."""

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        wanted = looks.count + 8
        for _ in range(50_000):  # of more than 100,000 it would be said that they never end
            yield frame
        while looks.count < wanted:
            time.sleep(0.001)


class Calls(Duplex):
    """Has a function called in a task of its own, as a tool dispatcher."""

    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
        async for frame in inbox:
            async with anyio.create_task_group() as group:
                group.start_soon(self._call)
            await outbox.send(frame)

    async def _call(self) -> None:
        await lookup()


async def lookup() -> None:
    await checkpoint()
    wanted = looks.count + 8
    while looks.count < wanted:
        time.sleep(0.001)  # noqa: ASYNC251 this is what is tested


class Diary(Observer):
    def __init__(self) -> None:
        self.holds: list[tuple[str, str]] = []

    def held(self, node: str, where: str, nanoseconds: int) -> None:
        assert nanoseconds >= LIMIT * 1e9
        self.holds.append((node, where.partition(" in ")[2]))


def graph(processor: Any, frames: int = 1) -> Graph:
    return Graph(
        {"ticks": Ticks(frames), "slow": processor, "out": Collect()}, ["ticks -> slow -> out"]
    )


def watchdogs() -> int:
    return sum(thread.name == "watchdog" for thread in threading.enumerate())


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("processor", "method"),
    [(Sleeps, "process"), (Matches, "process"), (Yields, "process"), (Calls, "lookup")],
)
async def test_a_processor_that_holds_the_loop_is_named_with_its_line(
    processor: Any, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    diary = Diary()
    run = Run(graph(processor()), observers=[Watchdog(LIMIT), diary])
    report = await run.execute()
    message = next(message for message in caplog.messages if '"slow"' in message)
    assert re.match(HELD.format("slow", method), message)
    assert "await anyio.to_thread.run_sync" in message
    longest = max(report.holds, key=lambda name: max(report.holds[name]))
    assert longest == "slow"  # on a machine that is busy, others may be slow as well
    assert max(report.holds["slow"]) / 1e9 >= LIMIT
    assert ("slow", method) in diary.holds
    assert not watchdogs()


async def test_it_is_said_the_first_time_and_the_tenth_and_counted_every_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = Run(graph(Sleeps(8), 11), observers=[Watchdog(LIMIT)])
    report = await run.execute()
    assert len(report.holds["slow"]) == 11
    assert len(caplog.messages) == 2
    assert '"slow" has held the event loop 10 times, for up to 0.' in caplog.messages[1]


async def test_a_call_that_lets_no_other_thread_run_is_told_with_what_follows_it() -> None:
    run = Run(graph(MatchesAndSleeps()), observers=[Watchdog(LIMIT)])
    report = await run.execute()
    assert len(report.holds["slow"]) == 1


async def test_what_gives_way_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    report = await Run(graph(Sleeps(0), 10), observers=[Watchdog(0.15)]).execute()
    assert not report.holds
    assert not caplog.messages


async def test_what_still_holds_it_is_told_by_the_thread(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.runtime.watchdog.CRY_S", 2 * LIMIT)
    await Run(graph(Sleeps(16)), observers=[Watchdog(LIMIT)]).execute()
    first, last = caplog.records
    assert first.threadName == "watchdog"
    assert 'slow" has been holding the event loop for' in first.getMessage()
    assert last.threadName == "MainThread"


async def test_what_is_no_processor_is_told_with_its_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Watchdog(LIMIT).watching():
        await lookup()
    [record] = caplog.records
    assert record.name == "pipeline"
    assert "outside of processors, at test_watchdog.py:" in record.getMessage()


async def test_many_runs_share_a_thread_which_ends_with_the_last_and_each_counts_its_own() -> None:
    watchdog = Watchdog(LIMIT)
    runs = [Run(graph(Sleeps(0), 30), observers=[watchdog]) for _ in range(20)]
    slow = Run(graph(Sleeps()), observers=[Watchdog(LIMIT)])
    async with anyio.create_task_group() as group:
        for run in (*runs, slow):
            group.start_soon(run.execute)
        await anyio.wait_all_tasks_blocked()
        assert watchdogs() == 1
    assert not watchdogs()
    assert sum(len(run.report.holds) for run in runs) == 0
    assert len(slow.report.holds["slow"]) == 1


async def test_an_idle_loop_is_not_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at twenty times, and never asked to answer."""
    asked = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *call, **_: asked.append(call))
    with Watchdog(LIMIT).watching(), anyio.move_on_after(5 * LIMIT):
        await anyio.sleep_forever()
    assert not asked


async def test_a_hold_at_the_very_end_is_told() -> None:
    processors = {"given": Given([TextFrame("")]), "slow": Sleeps(), "out": Collect()}
    run = Run(Graph(processors, ["given -> slow -> out"]), observers=[Watchdog(LIMIT)])
    report = await run.execute()
    assert len(report.holds["slow"]) == 1


async def test_one_that_is_cut_short_leaves_no_thread() -> None:
    with anyio.move_on_after(0.05):
        await Run(graph(Sleeps(0), 1000), observers=[Watchdog(LIMIT)]).execute()
    assert not watchdogs()
    with pytest.raises(ValueError, match="more than 0"):
        Watchdog(0)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGSTOP")
def test_a_process_that_stood_still_blames_nobody() -> None:
    code = f"""
import logging, sys, time, anyio
from pipeline import Watchdog
async def main():
    with Watchdog({LIMIT}).watching():
        print("ready", flush=True)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            await anyio.sleep(0)
anyio.run(main)
"""
    import os
    import signal

    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGCONT)
        said = process.stderr.read()
    assert said == ""


def test_what_took_at_least_half_of_the_time_is_to_blame() -> None:
    one, other, third = Sleeps(), Calls(), Collect()
    seen = [Work(one, "a"), Work(other, "c"), Work(one, "b"), Work(one, "b")]
    assert main_work(seen) == Work(one, "b")
    assert main_work([Work(one, ""), Work(other, ""), Work(third, "")]) is None
    assert main_work([Work(None, "d")]) == Work(None, "d")


def test_too_much_at_once_is_told_as_such(caplog: pytest.LogCaptureFixture) -> None:
    """Each gives way in time, but all of them have something to do in one turn."""

    async def work() -> None:
        await checkpoint()
        began = time.monotonic()
        while time.monotonic() - began < LIMIT:
            pass

    class Works(Transform):
        async def process(self, frame: TextFrame) -> AsyncIterator[TextFrame]:
            await work()
            yield frame

    async def main() -> Report:
        names = [f"work{number}" for number in range(8)]
        works = {name: Works() for name in names}
        processors = {"given": Given([TextFrame("")]), **works, "out": Collect()}
        run = Run(
            Graph(processors, [f"given -> {name} -> out" for name in names]),
            observers=[Watchdog(2 * LIMIT)],
        )
        return await run.execute()

    with caplog.at_level(logging.WARNING):
        report = anyio.run(main)
    assert not report.holds
    assert "in one turn, by too much to do at once" in caplog.text
