"""One run of a graph, from opening its processors to the report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio

from pipeline.environment import check_surroundings
from pipeline.errors import PipelineError, ProcessorFailure
from pipeline.frames import SECOND
from pipeline.graph import Graph
from pipeline.processor import Duplex, Processor, Sink, Source
from pipeline.runtime import tasks
from pipeline.runtime.checking import check_aside
from pipeline.runtime.clock import event_loop_clock
from pipeline.runtime.closing import Closing
from pipeline.runtime.context import RunContext
from pipeline.runtime.ending import Ending
from pipeline.runtime.lives import Lives
from pipeline.runtime.observer import Observed, Observer
from pipeline.runtime.report import Report
from pipeline.runtime.station import Station
from pipeline.runtime.wiring import Selects, Tap, Taps, Wiring

if TYPE_CHECKING:
    from anyio.abc import TaskGroup, TaskStatus

    from pipeline.frames import Frame
    from pipeline.inbox import Inbox


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
        self.drain_seconds = drain_seconds
        self._taps = taps or {}
        self._probes: list[tuple[Selects, Tap]] = []
        self._scope = anyio.CancelScope()
        self.closing = Closing()
        self._ending = Ending()
        self._failure: ProcessorFailure | None = None
        self._started: float | None = None
        self._clock: Callable[[], float] = anyio.current_time
        self._began = anyio.Event()

    def finish(self) -> None:
        """End all sources and let the rest come to its end, within the time limit."""
        self._scope.deadline = min(self._scope.deadline, anyio.current_time() + self.drain_seconds)
        self.closing.cut_short(self.drain_seconds)
        self._ending.end_sources()

    def cancel(self) -> None:
        """Stop at once."""
        self._scope.cancel()
        self.closing.cut_short()

    def now(self) -> int:
        """Nanoseconds since the sources started."""
        return 0 if self._started is None else round((self._clock() - self._started) * SECOND)

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
        """Run to the end. Raises ConfigError before anything runs, ProcessorFailure afterwards.

        A failure that only took its processor out of the graph is in the report.
        """
        if self.graph.used:
            raise PipelineError("a graph runs once: build or load it again")
        self.graph.used = True
        return await self.observed.execute(self, self._execute)

    async def _execute(self) -> Report:
        stations: list[Station] = []
        try:
            with self._scope:
                await check_aside(self.graph)
                taps = [*self._taps.items(), *self.observed.taps]
                self.wiring = Wiring(self.graph, self.report, taps, self._probes)
                stations += self.wiring.stations.values()
                self._ending.begin(self.wiring)
                async with AsyncExitStack() as stack:
                    lives = await self._open(stations, stack)
                    self._clock = event_loop_clock()
                    self._started = self._clock()
                    self._began.set()
                    async with anyio.create_task_group() as group:
                        for station in stations:
                            if station.name in lives:
                                group.start_soon(lives[station.name].done.wait)
                            elif isinstance(station.processor, Source) or station.inbox is not None:
                                group.start_soon(self._supervise, station, name=station.name)
                    self.report.completed = not self._scope.cancel_called
        except (ProcessorFailure, BaseExceptionGroup) as error:  # from opening or closing
            if isinstance(error, ProcessorFailure):
                self._fail(error)
            if self._failure is None:
                raise
        finally:
            if stations:
                self._close(stations)
        if self._failure is not None:
            raise self._failure
        return self.report

    # --- opening and closing ---

    async def _open(self, stations: list[Station], stack: AsyncExitStack) -> dict[str, Lives]:
        """Open all processors, sinks first; those that can be restarted live in tasks of their own.

        They are opened and closed in the task that runs them, in the same order as the others.
        """
        lives: dict[str, Lives] = {}
        keepers: TaskGroup | None = None
        if any(station.policy.do == "restart" for station in stations):
            keepers = await stack.enter_async_context(anyio.create_task_group())
        for station in reversed(stations):
            station.processor.context = RunContext(
                station, self.wiring, self.observed, self.now, self._ending.told
            )
            if keepers is not None and station.policy.do == "restart":
                lives[station.name] = life = Lives(station.policy)
                stack.push_async_callback(life.end)
                await keepers.start(self._keep, station, life)
                if self._failure is not None:
                    raise self._failure
            elif type(station.processor).lifespan is not Processor.lifespan:
                await stack.enter_async_context(self._lifespan(station))
        if lives:
            stack.callback(self.closing.notice)
        return lives

    async def _keep(self, station: Station, life: Lives, *, task_status: TaskStatus[None]) -> None:
        """Open, run and close a processor; when it fails, one that is made anew."""
        try:
            with life.scope:
                while (failure := await self._live(station, life, task_status)) is not None:
                    if life.done.is_set():
                        self._closed_badly(station, failure)
                        break
                    if failure.processor != station.name or not life.opened:
                        self._fail(failure)
                        self._scope.cancel()
                        break
                    wait = life.next_restart(anyio.current_time())
                    if wait is None:
                        await self._give_up(station, failure)
                        break
                    self.report.restarts[station.name] += 1
                    station.processor.context.log.warning("%s; it restarts in %g s", failure, wait)
                    if not isinstance(station.processor, Source):
                        await anyio.sleep(wait)
                    elif await self._finishes_within(wait):
                        await self._ending.end(station)
                        break
                    self._renew(station)
        finally:
            life.done.set()
            life.closed.set()
            if not life.opened:
                task_status.started()

    async def _live(
        self, station: Station, life: Lives, task_status: TaskStatus[None]
    ) -> ProcessorFailure | None:
        """One life of a processor; its failure, if it ended in one."""
        try:
            async with self._lifespan(station, is_fatal=False):
                if not life.opened:
                    life.opened = True
                    task_status.started()
                await self._began.wait()
                try:
                    await self._work(station)
                    await self._ending.end(station)
                except anyio.get_cancelled_exc_class():
                    await life.wait_for_end()  # closed in its turn
                    raise
                except (Exception, BaseExceptionGroup) as error:
                    if station.failure(error).processor == station.name:
                        await self.wiring.settle()  # or who runs meanwhile would, be it the reader
                    raise
                life.done.set()
                await life.wait_for_end()
        except (Exception, BaseExceptionGroup) as error:
            return station.failure(error)
        return None

    async def _finishes_within(self, seconds: float) -> bool:
        """Whether the sources are to end, meanwhile or already."""
        with anyio.move_on_after(seconds):
            await self._ending.told.wait()
        return self._ending.told.is_set()

    def _renew(self, station: Station) -> None:
        """Put a new processor with the same settings in the place of one that failed."""
        failed = station.processor
        station.processor = station.node.processor = failed.anew()
        station.processor.context = failed.context
        for _ in check_surroundings(self.graph, station.node):
            pass  # what was wrong, or advisable, has been said before it ran

    # --- tasks ---

    def _work(self, station: Station) -> Awaitable[None]:
        """What the task of a processor does; a coroutine around that would cost each frame."""
        role = station.processor
        if isinstance(role, Source):
            source = tasks.SourceTask(station, self.wiring)
            self._ending.add(source)
            return source.run()
        if isinstance(role, Sink):
            return tasks.run_sink(station, self.wiring)
        if isinstance(role, Duplex):
            return tasks.run_duplex(station, self.wiring)
        return tasks.run_transform(station, self.wiring)

    async def _supervise(self, station: Station) -> None:
        """Run a task; pass its end on, or end the run with its failure."""
        try:
            await self._work(station)
            await self._ending.end(station)
        except anyio.get_cancelled_exc_class():
            raise
        except (Exception, BaseExceptionGroup) as error:
            await self._give_up(station, station.failure(error))

    async def _give_up(self, station: Station, failure: ProcessorFailure) -> None:
        """End the run, or go on without the processor that has failed."""
        if station.policy.finally_do != "detach" or failure.processor != station.name:
            self._fail(failure)
            self._scope.cancel()
            return
        self.report.failures.append(failure)
        station.processor.context.log.error("%s; the run goes on without it", failure)
        try:
            await self._ending.detach(station)
        except ProcessorFailure as another:  # of an in-line transform that it flushed
            self._fail(another)
            self._scope.cancel()

    @asynccontextmanager
    async def _lifespan(self, station: Station, *, is_fatal: bool = True) -> AsyncIterator[None]:
        """Open a processor; let it close within a time limit even when the run is cancelled.

        is_fatal: its failure is that of the run.
        """
        processor = station.processor
        scope = anyio.CancelScope()
        ended_well = False
        try:
            with scope:
                async with asynccontextmanager(type(processor).lifespan)(processor):
                    try:
                        yield
                        ended_well = True
                    except anyio.get_cancelled_exc_class():
                        self.closing.cut_short()
                        raise
                    finally:
                        self.closing.begin(scope)
        except Exception as error:
            failure = station.failure(error)
            if ended_well and is_fatal:  # those that close after it have nothing to do with it
                self._closed_badly(station, failure)
                return
            if is_fatal:  # a processor around this one may take the exception for its own
                self._fail(failure)
            raise failure from failure.__cause__
        finally:
            self.closing.end(scope)
            if scope.cancel_called:
                processor.context.log.warning("did not close in time")

    def _closed_badly(self, station: Station, failure: ProcessorFailure) -> None:
        """The work was done, but what was left to be done at the end was not."""
        known = {each.processor: each.what for each in self.report.failures}
        if station.policy.finally_do != "detach":
            self._fail(failure)
        elif station.name not in known:
            self.report.failures.append(failure)
        elif failure.what != known[station.name]:
            station.processor.context.log.warning("%s", failure)

    def _fail(self, failure: ProcessorFailure) -> None:
        """The first failure is the one that is reported."""
        self._failure = self._failure or failure

    def _close(self, stations: list[Station]) -> None:
        self.report.seconds = self.now() / SECOND
        for inbox, _ in self.wiring.blocked:  # nobody was left to wait for room
            inbox.count_drop("run stopped", 1)
        for station in stations:
            if station.inbox is not None:
                self.report.high_water[station.name] = station.inbox.high_water
                station.inbox.close()


def run(graph: Graph, *, taps: Taps | None = None, backend: str = "asyncio") -> Report:
    """Run a graph from ordinary code and return its report.

    backend: `asyncio` or `trio`. Raises ConfigError or ProcessorFailure; Ctrl-C cancels the run.
    """

    async def execute() -> Report:
        return await Run(graph, taps=taps).execute()

    return anyio.run(execute, backend=backend)
