"""Testing graphs and processors: in virtual time, without a network, in a few lines.

    async def test_gate_opens() -> None:
        frames = await feed(VadGate(), speech)
        assert isinstance(frames[0], SpeechStarted)

`feed` runs one processor; `run_virtually` a whole graph, with sockets and threads but without
waiting: its clock jumps to the next timer whenever there is nothing else to do.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import AsyncIterator, Iterable, Sequence

import anyio
from anyio import to_thread

from pipeline.frames import Frame
from pipeline.graph import Graph
from pipeline.inbox import InboxSettings
from pipeline.processor import Processor, Sink, Source
from pipeline.runtime.observer import Observer
from pipeline.runtime.report import Report
from pipeline.runtime.run import Run
from pipeline.runtime.wiring import Taps

RESOLUTION = 1e-9
"""asyncio fires a timer only when its time is less than the clock's plus this."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose clock moves only when nothing can be done before it does.

    Sockets work, also between two ends in the same loop, and while a thread of
    `anyio.to_thread` is at work the clock stands still. For `anyio.run` use
    `backend_options={"loop_factory": VirtualTimeLoop}`.
    """

    def __init__(self) -> None:
        self._offset = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._offset

    def jump(self, seconds: float) -> None:
        """Move the clock forward."""
        self._offset += seconds
        if self._offset + RESOLUTION == self._offset:  # after some months: see `RESOLUTION`
            self._offset = math.nextafter(self._offset, math.inf)


class _JumpingSelector(selectors.DefaultSelector):
    """Where an event loop would sleep, move its clock instead."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or to_thread.current_default_thread_limiter().borrowed_tokens:
            return super().select(None)
        self._loop.jump(timeout)
        return []


def run_virtually(
    graph: Graph, *, taps: Taps | None = None, observers: Sequence[Observer] = ()
) -> Report:
    """`pipeline.run` in virtual time."""

    async def execute() -> Report:
        return await Run(graph, taps=taps, observers=observers).execute()

    return anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})


async def feed(
    processor: Processor, frames: Iterable[Frame], *, inbox: InboxSettings | None = None
) -> list[Frame]:
    """Run `processor` on these frames to the end, and return what it gives or lets pass."""
    output = Collect()
    processors: dict[str, Processor] = {"given": Given(frames), "tested": processor}
    flow = "given -> tested"
    if not isinstance(processor, Sink):
        processors["output"] = output
        flow += " -> output"
    graph = Graph(processors, [flow], inboxes={"tested": inbox} if inbox else None)
    await Run(graph).execute()
    return output.frames


class Given(Source):
    """A source of given frames, as fast as they are taken."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._given = frames

    async def frames(self) -> AsyncIterator[Frame]:
        for frame in self._given:
            yield frame


class Collect(Sink):
    """A sink that keeps everything, in order, in `frames`."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    async def consume(self, frame: Frame) -> None:
        self.frames.append(frame)
