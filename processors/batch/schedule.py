"""Which file runs when: so many at a time, again after failures that may pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Protocol

import anyio

from pipeline import PipelineError
from processors.batch.job import Job
from processors.batch.outcome import Outcome

FIRST_S, LONGEST_S = 1.0, 60.0
"""The pause after a first failure, and after many."""

Execute = Callable[[Job, Callable[[float], None]], Awaitable[Outcome]]
"""Runs a graph for a file and tells how far it is; raises PipelineError if the worker is lost."""


class Watcher(Protocol):
    """Is told what happens."""

    def advanced(self, job: Job, share: float) -> None:
        """A file is so far, from 0 to 1."""

    def failed_once(self, job: Job, error: str, pause_s: float) -> None:
        """It is tried again after a pause."""

    def finished(self, job: Job, outcome: Outcome) -> None:
        """There is nothing more to do about it."""


@dataclass(frozen=True)
class Policy:
    """at_once: runs at a time. retries: further attempts. longest_s: for one attempt."""

    at_once: int = 1
    retries: int = 2
    longest_s: float = 3600.0


class Schedule:
    """Runs jobs; the sessions of a graph are open in no more of them at a time than allowed."""

    def __init__(
        self,
        jobs: Iterable[Job],
        execute: Execute,
        policy: Policy,
        watcher: Watcher,
        random: Random | None = None,
    ) -> None:
        self._pending = deque(jobs)
        self._execute = execute
        self._policy = policy
        self._watcher = watcher
        self._random = random or Random()
        self._scope = anyio.CancelScope()
        self._finishing = anyio.Event()

    async def run(self) -> None:
        """Until every file is done, has failed for good, or was left out."""
        with self._scope:
            async with anyio.create_task_group() as group:
                for _ in range(min(self._policy.at_once, len(self._pending))):
                    group.start_soon(self._work)

    def finish(self) -> None:
        """Begin with no other file, and make no other attempt."""
        self._pending.clear()
        self._finishing.set()

    def cancel(self) -> None:
        """Stop at once."""
        self._scope.cancel()

    async def _work(self) -> None:
        while self._pending:
            job = self._pending.popleft()
            outcome = await self._try(job)
            if outcome is not None:
                self._watcher.finished(job, outcome)

    async def _try(self, job: Job) -> Outcome | None:
        """Up to the attempt that counts; None if it was not made any more.

        The place is kept meanwhile: what the service refused to one, it would refuse to the next.
        """
        attempt = 1
        while True:
            outcome = await self._attempt(job)
            outcome.attempts = attempt
            if not outcome.passing or attempt > self._policy.retries:
                return outcome
            longest = min(LONGEST_S, FIRST_S * 2.0 ** (attempt - 1))
            pause = longest * self._random.uniform(0.5, 1.0)
            if not self._finishing.is_set():
                self._watcher.failed_once(job, outcome.error, pause)
                with anyio.move_on_after(pause):
                    await self._finishing.wait()
            if self._finishing.is_set():
                return None
            attempt += 1

    async def _attempt(self, job: Job) -> Outcome:
        try:
            with anyio.fail_after(self._policy.longest_s):
                return await self._execute(job, lambda share: self._watcher.advanced(job, share))
        except TimeoutError:
            error: PipelineError | str = f"took longer than {self._policy.longest_s:g} s"
            passing = True
        except PipelineError as lost:
            error, passing = lost, lost.passing
        return Outcome(
            file=job.file,
            name=job.name,
            sha256="",
            recipe=job.recipe,
            status="failed",
            error=str(error),
            passing=passing,
        )
