from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import anyio
import pytest
from batch_bench import job, outcome

from pipeline import PipelineError
from processors.batch.job import Job
from processors.batch.outcome import Outcome
from processors.batch.schedule import Execute, Policy, Schedule


class Lost(PipelineError):
    passing = True


@dataclass
class Seen:
    """A watcher that keeps all."""

    outcomes: list[Outcome] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def advanced(self, job: Job, share: float) -> None:
        self.shares.append(share)

    def failed_once(self, job: Job, error: str, pause_s: float) -> None:
        self.pauses.append(pause_s)

    def finished(self, job: Job, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def schedule(execute: Execute, count: int, seen: Seen, **policy: float) -> Schedule:
    jobs = [job(str(number)) for number in range(count)]
    return Schedule(jobs, execute, Policy(**policy), seen, Random(0))  # type: ignore[arg-type]


async def test_so_many_at_a_time_and_each_once() -> None:
    now, most, seen = 0, 0, Seen()

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(1)
        tell(0.5)
        now -= 1
        return outcome(job.name)

    began = anyio.current_time()
    await schedule(execute, 10, seen, at_once=3).run()
    assert most == 3
    assert sorted(each.name for each in seen.outcomes) == list("0123456789")
    assert anyio.current_time() - began == pytest.approx(4)
    assert seen.shares == [0.5] * 10


async def test_failures_that_may_pass_are_tried_again_after_growing_pauses() -> None:
    attempts, seen = 0, Seen()

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            raise Lost("the process is gone")
        if attempts == 3:
            return outcome(status="failed", error="busy", passing=True)
        return outcome()

    await schedule(execute, 1, seen, retries=3).run()
    [done] = seen.outcomes
    assert (done.status, done.attempts) == ("done", 4)
    low, high = (0.5, 1, 2), (1, 2, 4)
    assert all(a <= pause <= b for a, pause, b in zip(low, seen.pauses, high, strict=True))


async def test_retries_come_to_an_end() -> None:
    seen = Seen()

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        raise Lost("the process is gone")

    await schedule(execute, 2, seen, retries=1).run()
    assert [(o.status, o.attempts, o.error) for o in seen.outcomes] == [
        ("failed", 2, "the process is gone")
    ] * 2


async def test_what_cannot_pass_is_not_tried_again() -> None:
    seen = Seen()

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        return outcome(status="failed", error="no such file")

    await schedule(execute, 1, seen, retries=5).run()
    assert seen.outcomes[0].attempts == 1
    assert seen.pauses == []


async def test_one_that_hangs_costs_no_other() -> None:
    seen = Seen()

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        if job.name == "0":
            await anyio.sleep_forever()
        return outcome(job.name)

    await schedule(execute, 3, seen, at_once=2, retries=0, longest_s=5).run()
    assert [each.name for each in seen.outcomes] == ["1", "2", "0"]
    assert seen.outcomes[-1].error == "took longer than 5 s"


async def test_finishing_begins_nothing_more() -> None:
    seen, begun = Seen(), []

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        begun.append(job.name)
        await anyio.sleep(1)
        return outcome(job.name, "failed" if job.name == "1" else "done", passing=job.name == "1")

    running = schedule(execute, 9, seen, at_once=2)
    async with anyio.create_task_group() as group:
        group.start_soon(running.run)
        await anyio.sleep(0.5)
        running.finish()
    assert begun == ["0", "1"]
    assert [each.name for each in seen.outcomes] == ["0"]  # the other is for the next batch


async def test_finishing_ends_a_pause() -> None:
    seen = Seen()

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        raise Lost("gone")

    running = schedule(execute, 1, seen, retries=9)
    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(running.run)
        await anyio.sleep(0.1)
        running.finish()
    assert anyio.current_time() - began == pytest.approx(0.1)


async def test_cancelling_stops_at_once() -> None:
    seen = Seen()

    async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
        await anyio.sleep_forever()
        raise AssertionError

    running = schedule(execute, 2, seen)
    async with anyio.create_task_group() as group:
        group.start_soon(running.run)
        await anyio.sleep(1)
        running.cancel()
    assert seen.outcomes == []
