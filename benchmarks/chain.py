"""Ten pass-through processors between a source and a sink, saturated.

Measured: wall time per frame over 20,000 frames of 20 ms, from the first to the end of the run,
counters on. Not measured: building the graph. Every run checks that every frame arrived, in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from time import perf_counter

import anyio
import numpy as np
from anyio import WouldBlock

from benchmarks.measure import alternate
from pipeline import AudioFrame, Graph, InboxSettings, Run, Sink, Source, Transform

FRAMES, LENGTH = 20_000, 10
SAMPLES = np.zeros((320, 1), np.int16)


class Tone(Source):
    """Frames as fast as they are taken."""

    async def frames(self) -> AsyncIterator[AudioFrame]:
        for pts in range(FRAMES):
            yield AudioFrame(SAMPLES, 16_000, pts=pts)


class Pass(Transform):
    """Passes every frame."""

    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame


class Count(Sink):
    """Counts frames and checks their order."""

    def __init__(self) -> None:
        self.count = 0

    async def consume(self, frame: AudioFrame) -> None:
        assert frame.pts == self.count
        self.count += 1


def graph_run(*, channels: bool) -> float:
    """Microseconds per frame through the graph."""
    sink = Count()
    passes = {f"pass{number}": Pass() for number in range(LENGTH)}
    processors = {"source": Tone(), **passes, "sink": sink}
    inboxes = {name: InboxSettings() for name in passes} if channels else None
    graph = Graph(processors, [" -> ".join(processors)], inboxes=inboxes)

    async def timed() -> float:
        run = Run(graph)
        began = perf_counter()
        await run.execute()
        return (perf_counter() - began) / FRAMES * 1e6

    taken = anyio.run(timed)
    assert sink.count == FRAMES
    return taken


def bare_calls() -> float:
    """The floor in-line: the same generators, nested by hand."""
    count = 0
    passes = [Pass().process for _ in range(LENGTH)]

    def send(frame: AudioFrame, position: int) -> None:
        nonlocal count
        if position == LENGTH:
            assert frame.pts == count
            count += 1
            return
        for given in passes[position](frame):
            send(given, position + 1)

    began = perf_counter()
    for pts in range(FRAMES):
        send(AudioFrame(SAMPLES, 16_000, pts=pts), 0)
    taken = (perf_counter() - began) / FRAMES * 1e6
    assert count == FRAMES
    return taken


def bare_channels() -> float:
    """The floor with channels: tasks that copy between anyio streams, `_nowait` first."""

    async def timed() -> float:
        streams = [anyio.create_memory_object_stream[AudioFrame](64) for _ in range(LENGTH + 1)]

        async def send(stream, frame) -> None:
            try:
                stream.send_nowait(frame)
            except WouldBlock:
                await stream.send(frame)

        async def copy(incoming, outgoing) -> None:
            async with incoming, outgoing:
                while True:
                    try:
                        frame = incoming.receive_nowait()
                    except WouldBlock:
                        frame = await incoming.receive()
                    except anyio.EndOfStream:
                        return
                    await send(outgoing, frame)

        async def feed(outgoing) -> None:
            async with outgoing:
                for pts in range(FRAMES):
                    await send(outgoing, AudioFrame(SAMPLES, 16_000, pts=pts))

        began = perf_counter()
        count = 0
        async with anyio.create_task_group() as group:
            group.start_soon(feed, streams[0][0])
            for here, there in pairwise(streams):
                group.start_soon(copy, here[1], there[0])
            async with streams[-1][1] as last:
                while True:
                    try:
                        frame = last.receive_nowait()
                    except WouldBlock:
                        frame = await last.receive()
                    except anyio.EndOfStream:
                        break
                    assert frame.pts == count
                    count += 1
        assert count == FRAMES
        return (perf_counter() - began) / FRAMES * 1e6

    return anyio.run(timed)


def main() -> dict[str, float]:
    """Print the table; return the ratios to the floors."""
    figures = alternate(
        {
            "in-line": lambda: graph_run(channels=False),
            "nested generators (floor)": bare_calls,
            "a channel at every hop": lambda: graph_run(channels=True),
            "bare anyio channels (floor)": bare_channels,
        }
    )
    print(f"\nChain of {LENGTH}, saturated, per frame: median (spread) of the rounds")
    for name, figure in figures.items():
        print(f"  {name:30} {figure}")
    ratios = {
        "in-line / floor": figures["in-line"].median / figures["nested generators (floor)"].median,
        "channels / floor": figures["a channel at every hop"].median
        / figures["bare anyio channels (floor)"].median,
    }
    for name, ratio in ratios.items():
        print(f"  {name:30} {ratio:8.2f}")
    return ratios
