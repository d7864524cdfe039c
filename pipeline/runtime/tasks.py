"""The loop that each role runs in its task."""

from __future__ import annotations

import inspect
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import perf_counter_ns
from typing import Any, TypeVar, cast

import anyio
from anyio import EndOfStream, WouldBlock
from anyio.lowlevel import checkpoint

from pipeline.errors import FrameTimeoutError
from pipeline.frames import SECOND, Frame
from pipeline.inbox import LONGEST_HOLD, Inbox
from pipeline.processor import Duplex, Sink, Source, Transform
from pipeline.runtime.station import Station
from pipeline.runtime.wiring import MOST_GIVEN, Wiring, too_many

T = TypeVar("T")
Handler = Callable[[Frame], Awaitable[None] | None]
"""What is done with a frame from an inbox; what it returns is awaited."""


class SourceTask:
    """Runs a source; `finish` ends it between two frames, losing none."""

    def __init__(self, station: Station, wiring: Wiring) -> None:
        self.station = station
        self._wiring = wiring
        self._source = cast(Source, station.processor)
        self._scope = anyio.CancelScope()
        self._finishing = False
        self._delivering = False

    def finish(self) -> None:
        """Take no more frames from the source; one that waits for room is still delivered."""
        self._finishing = True
        if not self._delivering:
            self._scope.cancel()

    async def run(self) -> None:
        push, blocked, settle = self.station.push, self._wiring.blocked, self._wiring.settle
        with self._scope:
            async with _iterating(self._source.frames()) as frames:
                resumed, paced = perf_counter_ns(), False
                while True:
                    coming = frames.__anext__()
                    watch = _Watch(coming) if paced else None
                    try:
                        frame = await (watch or coming)
                    except StopAsyncIteration:
                        return
                    if watch is not None and watch.waited:
                        resumed = perf_counter_ns()
                    self._delivering = True
                    push(frame)
                    if blocked:
                        await settle()
                        resumed = perf_counter_ns()
                    self._delivering = False
                    if self._finishing:
                        self._scope.cancel()
                    paced = watch is not None and watch.waited
                    if self._finishing or perf_counter_ns() - resumed > LONGEST_HOLD:
                        await checkpoint()
                        resumed, paced = perf_counter_ns(), True  # perhaps: the next one will tell


async def run_transform(station: Station, wiring: Wiring) -> None:
    """A transform with an inbox of its own."""
    if inspect.isasyncgenfunction(cast(Transform, station.processor).process):
        handle = _async_handler(station, wiring)
        await _read(station, wiring, defaultdict(lambda: handle))
    else:
        await _read(station, wiring, wiring.entrance(station), copes=False)  # as in-line
    await flush(station, wiring)


def _async_handler(station: Station, wiring: Wiring) -> Handler:
    transform = cast(Transform, station.processor)
    takes, cut = station.node.ports.takes, wiring.cut

    async def settle() -> None:
        """Wait for room. An interruption cancels the transform's work, but no frame that it has
        given; and the wait is no part of that work, whose time is limited.
        """
        if wiring.blocked:
            busy, station.busy = station.busy, None
            limit, now = station.limit, anyio.current_time()
            left = math.inf
            if limit is not None:
                left, limit.deadline = limit.deadline - now, math.inf
            await wiring.settle()
            if limit is not None:
                limit.deadline = anyio.current_time() + left
            station.busy = busy

    async def handle(frame: Frame) -> None:
        if not isinstance(frame, takes):
            station.relay(frame)
            await settle()
            return
        async with _iterating(cast(AsyncIterator[Frame], transform.process(frame))) as given:
            resumed = perf_counter_ns()
            async for item in given:
                if item.media and item.turn in cut:
                    wiring.report.drops[station.name, "interrupted"] += 1
                else:
                    station.push(item)
                    await settle()
                    if frame.media and frame.turn in cut:
                        return
                if perf_counter_ns() - resumed > LONGEST_HOLD:
                    await checkpoint()
                    resumed = perf_counter_ns()

    return handle


async def flush(station: Station, wiring: Wiring) -> None:
    """Emit what a transform held back until the end of its input."""
    if not isinstance(station.processor, Transform):
        return
    try:
        for number, frame in enumerate(station.processor.flush()):
            station.push(frame)
            if number == MOST_GIVEN:
                raise too_many(MOST_GIVEN, "the end of its input")
    except Exception as error:
        station.cope(error)
    if wiring.blocked:
        await wiring.settle()


async def run_sink(station: Station, wiring: Wiring) -> None:
    """A sink, one frame at a time."""
    consume = cast(Sink, station.processor).consume
    await _read(station, wiring, defaultdict(lambda: consume))


async def run_duplex(station: Station, wiring: Wiring) -> None:
    """A duplex processor, which does its own reading and writing."""
    inbox = cast(Inbox[Any], station.inbox)
    await cast(Duplex, station.processor).run(inbox, _Outbox(station, wiring))


class _Outbox:
    """The outbox of a duplex processor."""

    def __init__(self, station: Station, wiring: Wiring) -> None:
        self._station = station
        self._push = station.push
        self._wiring = wiring
        self._resumed = perf_counter_ns()

    async def send(self, frame: Frame) -> None:
        wiring = self._wiring
        if frame.media and frame.turn in wiring.cut:
            wiring.report.drops[self._station.name, "interrupted"] += 1
            return
        self._push(frame)
        if wiring.blocked:
            await wiring.settle()
        elif perf_counter_ns() - self._resumed < LONGEST_HOLD:
            return
        else:
            await checkpoint()
        self._resumed = perf_counter_ns()


class _Watch(Awaitable[T]):
    """Awaits something, and sees whether others had their turn meanwhile.

    Giving way once more, to be sure, costs several times as much.
    """

    __slots__ = ("_awaitable", "waited")

    def __init__(self, awaitable: Awaitable[T]) -> None:
        self._awaitable = awaitable
        self.waited = False

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._awaitable.__await__()
        step = partial(steps.send, None)
        while True:
            try:
                asked = step()
            except StopIteration as end:
                return cast(T, end.value)
            self.waited = True
            try:
                step = partial(steps.send, (yield asked))
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:
                step = partial(steps.throw, error)


@asynccontextmanager
async def _iterating(frames: AsyncIterator[Frame]) -> AsyncIterator[AsyncIterator[Frame]]:
    """A loop over an async generator that is left early leaves no loose ends.

    What ends the loop is thrown into the generator, as if its `yield` had raised it: cancellation
    then ends a task group that it holds open, where mere closing would break it.
    """
    generator = cast(AsyncGenerator[Frame], frames)
    try:
        yield generator
    except BaseException as error:
        with suppress(StopAsyncIteration):
            await generator.athrow(error)
        raise
    finally:
        await generator.aclose()


async def _read(
    station: Station, wiring: Wiring, handlers: Mapping[type, Handler], *, copes: bool = True
) -> None:
    """Hand every frame of the inbox to the handler of its type, and wait for what that returns.

    An interruption of the turn that the frame is media of cancels the wait. copes: the handlers
    leave it to this to account for failures.
    """
    inbox = cast(Inbox[Frame], station.inbox)
    take, blocked = inbox.receive_nowait, wiring.blocked
    interruptible = station.processor.plays_media
    limit = station.node.supervision.frame_timeout_s
    cancelled = anyio.get_cancelled_exc_class()
    resumed = perf_counter_ns()
    while True:
        try:
            frame = take()
        except WouldBlock:
            try:
                frame = await inbox.receive()
            except EndOfStream:
                return
            resumed = perf_counter_ns()
        except EndOfStream:
            return
        try:
            unfinished = handlers[type(frame)](frame)
            if unfinished is not None:
                if limit is not None:
                    unfinished = _limited(station, frame, limit, unfinished)
                if interruptible and frame.turn and frame.media:
                    unfinished = _interruptibly(station, frame.turn, unfinished)
                await unfinished
        except cancelled:
            inbox.count_drop("run stopped", 1)
            raise
        except Exception as error:
            if not copes:
                raise
            station.cope(error, frame)
        if blocked:
            await wiring.settle()
        if perf_counter_ns() - resumed > LONGEST_HOLD:
            await checkpoint()
            resumed = perf_counter_ns()


async def _limited(
    station: Station, frame: Frame, seconds: float, unfinished: Awaitable[None]
) -> None:
    with anyio.move_on_after(seconds) as scope:
        station.limit = scope
        try:
            await unfinished
        finally:
            station.limit = None
    if scope.cancelled_caught:
        age = (perf_counter_ns() - frame.born) / SECOND
        raise FrameTimeoutError(
            f"it took longer than {seconds:g} s for one frame, which entered the graph "
            f"{age:.1f} s ago"
        )


async def _interruptibly(station: Station, turn: int, unfinished: Awaitable[None]) -> None:
    with anyio.CancelScope() as scope:
        station.busy, station.busy_turn = scope, turn
        try:
            await unfinished
        finally:
            station.busy = None
    if scope.cancelled_caught and station.inbox is not None:
        station.inbox.count_drop("interrupted", 1)
