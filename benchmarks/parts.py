"""Processors that several benchmarks use, and a run of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from time import perf_counter, process_time

import anyio
import numpy as np

from pipeline import (
    AudioFrame,
    Graph,
    InboxSettings,
    Processor,
    Report,
    Run,
    Sink,
    Source,
    Transform,
)

RATE = 16_000
SAMPLES = np.zeros((320, 1), np.int16)
"""20 ms."""


Measured = tuple[dict[str, float], dict[str, int]]
"""Figures, and the work that was done."""


class Stopwatch:
    """Microseconds per frame, in wall and processor time."""

    def __init__(self) -> None:
        self.wall, self.cpu = perf_counter(), process_time()

    def per_frame(self, frames: int, hops: int) -> Measured:
        """What has passed since it was made."""
        wall, cpu = perf_counter() - self.wall, process_time() - self.cpu
        figures = {"wall": wall / frames * 1e6, "cpu": cpu / frames * 1e6}
        return figures | {"hop": figures["cpu"] / hops}, {"frames": frames}


class Tone(Source):
    """Frames as fast as they are taken; `pts` counts them."""

    def __init__(self, frames: int) -> None:
        self.count = frames
        self.watch: Stopwatch | None = None

    async def frames(self) -> AsyncIterator[AudioFrame]:
        self.watch = Stopwatch()
        for pts in range(self.count):
            yield AudioFrame(SAMPLES, RATE, pts=pts)


class Pass(Transform):
    """Passes every frame."""

    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame


class Count(Sink):
    """Counts frames and checks their order; it has nothing to wait for, and so is in-line."""

    def __init__(self) -> None:
        self.count = 0

    def consume(self, frame: AudioFrame) -> None:
        if frame.pts != self.count:
            raise AssertionError(f"frame {frame.pts} came as number {self.count}")
        self.count += 1


def chain(
    source: Source,
    sink: Sink,
    length: int,
    *,
    channels: bool = False,
    inbox: InboxSettings | None = None,
) -> Graph:
    """Pass-through processors between a source and a sink; with `channels`, each with an inbox."""
    passes = {f"pass{number}": Pass() for number in range(length)}
    processors: dict[str, Processor] = {"source": source, **passes, "sink": sink}
    inboxes: Mapping[str, InboxSettings] = {}
    if channels:
        inboxes = {name: inbox or InboxSettings() for name in (*passes, "sink")}
    return Graph(processors, [" -> ".join(processors)], inboxes=inboxes)


def run(graph: Graph) -> Report:
    """Run it on asyncio."""

    async def execute() -> Report:
        return await Run(graph).execute()

    return anyio.run(execute)
