"""One run of a graph, from opening its processors to the report."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio

from pipeline.errors import ConfigError, PipelineError, ProcessorFailure, errors_of
from pipeline.frames import SECOND
from pipeline.graph import Graph
from pipeline.processor import Duplex, Processor, Sink, Source
from pipeline.runtime import tasks
from pipeline.runtime.observer import Observed, Observer
from pipeline.runtime.report import Report
from pipeline.runtime.wiring import Selects, Station, Tap, Taps, Wiring

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from pipeline.frames import Frame
    from pipeline.inbox import Inbox

CLOSE_SECONDS = 5.0
"""How long a processor may take to close after the run was cancelled."""


class Run:
    """Runs a graph once; made and used inside an event loop.

    taps: functions that see frames of a type where they enter the graph: `tap(processor, frame)`.
    observers: what looks at the run from outside.
    drain_seconds: how long `finish` lets what is under way come to its end.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        taps: Taps | None = None,
        observers: Sequence[Observer] = (),
        drain_seconds: float = 10.0,
    ) -> None:
        self.graph = graph
        self.report = Report()
        self.wiring: Wiring
        self.observed = Observed(observers)
        self._taps = taps or {}
        self._probes: list[tuple[Selects, Tap]] = []
        self.drain_seconds = drain_seconds
        self._scope = anyio.CancelScope()
        self._sources: list[tasks.SourceTask] = []
        self._finishing = False
        self._failure: ProcessorFailure | None = None
        self._started: float | None = None

    def finish(self) -> None:
        """End all sources and let the rest come to its end, within the time limit."""
        limit = anyio.current_time() + self.drain_seconds
        self._scope.deadline = min(self._scope.deadline, limit)
        self._finish_sources()

    def cancel(self) -> None:
        """Stop at once."""
        self._scope.cancel()

    def now(self) -> int:
        """Nanoseconds since the sources started."""
        if self._started is None:
            return 0
        return round((anyio.current_time() - self._started) * SECOND)

    @property
    def inboxes(self) -> Mapping[str, Inbox[Frame]]:
        """The inboxes by the names of their nodes, while it runs: how much waits, how full."""
        stations = self.wiring.stations if self._started is not None else {}
        return {name: s.inbox for name, s in stations.items() if s.inbox is not None}

    @contextmanager
    def tapping(self, selects: Selects, tap: Tap) -> Iterator[None]:
        """While it lasts, let `tap` see frames at the places that `selects` names, by type.

        A place is a node, where it gives the frame, or an edge, `a -> b`. May begin and end at any
        time; what is not tapped goes its way as before, at no cost.
        """
        probe = (selects, tap)
        self._probes.append(probe)
        self._reroute()
        try:
            yield
        finally:
            self._probes.remove(probe)
            self._reroute()

    def _reroute(self) -> None:
        if self._started is not None:
            self.wiring.reroute()

    async def execute(self) -> Report:
        """Run to the end. Raises ConfigError before anything runs, ProcessorFailure afterwards."""
        return await self.observed.execute(self, self._execute)

    async def _execute(self) -> Report:
        if self.graph.used:
            raise PipelineError("a graph runs once: build or load it again")
        self.graph.used = True
        findings = self.graph.check()
        if errors := errors_of(findings):
            raise ConfigError(errors)
        for finding in findings:
            logging.getLogger("pipeline").warning("%s", finding)
        self.wiring = Wiring(self.graph, self.report, self._taps)
        self.wiring.taps += self.observed.taps
        self.wiring.probes = self._probes
        stations = list(self.wiring.stations.values())
        try:
            with self._scope:
                async with AsyncExitStack() as stack:
                    for station in reversed(stations):
                        station.processor.context = RunContext(station, self)
                        if type(station.processor).lifespan is not Processor.lifespan:
                            await stack.enter_async_context(self._lifespan(station))
                    self._started = anyio.current_time()
                    async with anyio.create_task_group() as group:
                        for station in stations:
                            self._start(station, group)
                    self.report.completed = not self._scope.cancel_called
        except ProcessorFailure as failure:  # from opening or closing
            self._fail(failure)
        finally:
            self._close(stations)
        if self._failure is not None:
            raise self._failure
        return self.report

    def _start(self, station: Station, group: TaskGroup) -> None:
        role = station.processor
        if isinstance(role, Source):
            source = tasks.SourceTask(station, self.wiring)
            self._sources.append(source)
            if self._finishing:
                source.finish()
            group.start_soon(self._supervise, station, source.run, name=station.name)
        elif station.inbox is not None:
            if isinstance(role, Sink):
                loop = tasks.run_sink
            elif isinstance(role, Duplex):
                loop = tasks.run_duplex
            else:
                loop = tasks.run_transform
            group.start_soon(
                self._supervise, station, lambda: loop(station, self.wiring), name=station.name
            )

    async def _supervise(self, station: Station, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a task; pass its end on, or end the run with its failure."""
        try:
            await loop()
            if station.inbox is not None:
                station.inbox.close()
                if station.open_inputs:
                    self._finish_sources()
            await self._end_outputs(station)
        except anyio.get_cancelled_exc_class():
            raise
        except (Exception, BaseExceptionGroup) as error:
            self._fail(station.failure(error))
            self._scope.cancel()

    async def _end_outputs(self, station: Station) -> None:
        """The end flows downstream: through in-line transforms, up to the next inboxes."""
        for edge in station.node.outgoing:
            target = self.wiring.stations[edge.target.name]
            if edge.feedback:
                target.open_feedback -= 1
                if target.inbox is not None and not target.open_feedback:
                    target.inbox.end_late()
                continue
            target.open_inputs -= 1
            if target.open_inputs:
                continue
            if target.inbox is not None:
                target.inbox.end()
            else:
                await tasks.flush(target, self.wiring)
                await self._end_outputs(target)

    @asynccontextmanager
    async def _lifespan(self, station: Station) -> AsyncIterator[None]:
        """Open a processor; let it close within a time limit even when the run is cancelled."""
        processor = station.processor
        scope = anyio.CancelScope()
        try:
            with scope:
                async with asynccontextmanager(type(processor).lifespan)(processor):
                    try:
                        yield
                    finally:
                        scope.shield = True
                        scope.deadline = anyio.current_time() + CLOSE_SECONDS
        except Exception as error:
            # Recorded here, since a processor around this one may take the exception for its own.
            failure = self._fail(station.failure(error))
            raise failure from failure.__cause__
        finally:
            if scope.cancel_called:
                processor.context.log.warning("did not close within %g s", CLOSE_SECONDS)

    def _fail(self, failure: ProcessorFailure) -> ProcessorFailure:
        """The first failure is the one that is reported."""
        self._failure = self._failure or failure
        return self._failure

    def _finish_sources(self) -> None:
        self._finishing = True
        for source in self._sources:
            source.finish()

    def _close(self, stations: list[Station]) -> None:
        self.report.seconds = self.now() / SECOND
        for station in stations:
            if station.inbox is not None:
                self.report.high_water[station.name] = station.inbox.high_water
                station.inbox.close()


class RunContext:
    """What `Processor.context` is while a graph runs."""

    __slots__ = ("_run", "_station", "log", "name", "now")

    def __init__(self, station: Station, run: Run) -> None:
        self.name = station.name
        self.log = logging.getLogger(f"pipeline.{station.name}")
        self.now = run.now
        self._station = station
        self._run = run

    def new_turn(self) -> int:
        self._run.wiring.latest_turn += 1
        self._station.latest_turn = self._run.wiring.latest_turn
        return self._station.latest_turn

    def measured(self, what: str, nanoseconds: int) -> None:
        self._run.report.measurements[what].append(nanoseconds)
        self._run.observed.measured(self.name, what, nanoseconds)

    def dropped(self, reason: str, frames: int = 1) -> None:
        self._run.report.drops[self.name, reason] += frames

    def wrote(self, path: str) -> None:
        self._run.report.files.append(path)


def run(graph: Graph, *, taps: Taps | None = None, backend: str = "asyncio") -> Report:
    """Run a graph from ordinary code and return its report.

    backend: `asyncio` or `trio`. Raises ConfigError or ProcessorFailure; Ctrl-C cancels the run.
    """

    async def execute() -> Report:
        return await Run(graph, taps=taps).execute()

    return anyio.run(execute, backend=backend)
