"""Looking at a run from outside, without a part in it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint

from pipeline.errors import ConfigError, PipelineError, describe, innermost
from pipeline.frames import Frame
from pipeline.runtime.report import Report
from pipeline.runtime.wiring import Tap, Taps

if TYPE_CHECKING:
    from pipeline.runtime.run import Run

ENDING_SECONDS = 30.0
"""How long observers may take for what they do when a run is over."""


class Observer:
    """Sees what happens in a run: `Run(graph, observers=[...])`. Everything here may be left out.

    What goes wrong in an observer is logged once, and the run goes on.
    """

    def begin(self, run: Run) -> None:
        """The run is about to begin; nothing is checked or open yet."""

    @property
    def taps(self) -> Taps:
        """Functions that see frames of a type where they enter the graph: `tap(node, frame)`.

        They are called in the task of the processor that gives the frame, and have to be quick.
        """
        return {}

    def measured(self, node: str, what: str, nanoseconds: int, turn: int) -> None:
        """A processor has measured something, for instance `response`; `turn` 0: of no turn.

        It may come before the frame with which the turn begins.
        """

    def held(self, node: str, where: str, nanoseconds: int) -> None:
        """A processor has held the event loop, so that nothing else ran: a `Watchdog` noticed.

        where: a line of it, or of what it called, such as `gain.py:12 in process`.
        """

    async def watch(self, run: Run) -> None:
        """Runs beside the run, from before it begins; cancelled when it is over."""

    async def ended(self, report: Report, failure: PipelineError | None) -> None:
        """The run is over: done, cut short (`report.completed` is false) or failed.

        Has 30 seconds; where the run was cancelled, a part of one. Not called if it never began.
        """


class Observed:
    """A run's observers, which cannot harm it."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._complained: set[Observer] = set()
        self.context: Context
        """Context variables of the run's task, for what is logged from elsewhere."""

    @property
    def taps(self) -> list[tuple[type[Frame], Tap]]:
        """Those of all."""
        return [
            (kind, self._harmless(observer, tap))
            for observer in self._observers
            for kind, tap in observer.taps.items()
        ]

    def measured(self, node: str, what: str, nanoseconds: int, turn: int) -> None:
        """Tell them all."""
        for observer in self._observers:
            with self._forgiving(observer):
                observer.measured(node, what, nanoseconds, turn)

    def held(self, node: str, where: str, nanoseconds: int) -> None:
        """Tell them all."""
        for observer in self._observers:
            with self._forgiving(observer):
                observer.held(node, where, nanoseconds)

    async def execute(self, run: Run, execute: Callable[[], Awaitable[Report]]) -> Report:
        """Execute the run with its observers beside it."""
        self.context = copy_context()
        if not self._observers:
            return await execute()
        failure: PipelineError | None = None
        for observer in self._observers:
            with self._forgiving(observer):
                observer.begin(run)
        try:
            async with anyio.create_task_group() as group:
                for observer in self._observers:
                    group.start_soon(self._watch, observer, run)
                await cancel_shielded_checkpoint()  # they are there when it begins
                try:
                    await execute()
                except PipelineError as error:  # raised outside, or the group would wrap it
                    failure = error
                group.cancel_scope.cancel()
        finally:
            if not isinstance(failure, ConfigError):
                seconds = min(ENDING_SECONDS, run.closing.left + 0.1)
                with anyio.move_on_after(seconds, shield=True) as limit:
                    async with anyio.create_task_group() as group:
                        for observer in self._observers:
                            group.start_soon(self._end, observer, run.report, failure)
                if limit.cancelled_caught:
                    _log().warning("observers took more than %g s to end", seconds)
        if failure is not None:
            raise failure
        return run.report

    async def _watch(self, observer: Observer, run: Run) -> None:
        with self._forgiving(observer):
            await observer.watch(run)

    async def _end(self, observer: Observer, report: Report, failure: PipelineError | None) -> None:
        with self._forgiving(observer):
            await observer.ended(report, failure)

    def _harmless(self, observer: Observer, tap: Tap) -> Tap:
        def see(node: str, frame: Any) -> None:
            with self._forgiving(observer):
                tap(node, frame)

        return see

    @contextmanager
    def _forgiving(self, observer: Observer) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if observer not in self._complained:
                self._complained.add(observer)
                name = type(observer).__name__
                _log().warning("%s failed: %s", name, describe(innermost(error)))
                _log().debug("%s failed", name, exc_info=error)


def _log() -> logging.Logger:
    return logging.getLogger("pipeline")
