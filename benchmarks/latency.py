"""Latency of ten pass-through processors, a frame every 1 ms and every 20 ms.

Measured: from the making of a frame to its arrival in the sink, wall time, p50 and p99, in one
process on one core. Everything in the process sleeps between two frames, so a task switch costs
what it costs in use. Every frame is looked at. "In-line" is all of it in one task. Not measured:
how late the source itself wakes up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from statistics import quantiles
from time import perf_counter, perf_counter_ns

import anyio

from benchmarks import parts
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, compare
from benchmarks.parts import RATE, SAMPLES
from pipeline import AudioFrame, Sink, Source

LENGTH = 10
IN_LINE, CHANNELS = "in-line", "a channel at every hop"
PEER = "pipecat, lean, system route"


class Paced(Source):
    """A frame every `pace` seconds."""

    def __init__(self, frames: int, pace: float) -> None:
        self.count, self.pace = frames, pace

    async def frames(self) -> AsyncIterator[AudioFrame]:
        began = perf_counter()
        for number in range(self.count):
            await anyio.sleep(max(0.0, began + number * self.pace - perf_counter()))
            yield AudioFrame(SAMPLES, RATE, pts=number)


class Times(Sink):
    """Notes the latency of each frame."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def consume(self, frame: AudioFrame) -> None:
        self.taken.append(perf_counter_ns() - frame.born)


def figures(nanoseconds: list[int], pace: float) -> dict[str, float]:
    """p50 and p99 in microseconds, in columns of this pace."""
    points = quantiles(nanoseconds, n=100)
    return {
        f"{1000 * pace:.0f} ms, p50": points[49] / 1e3,
        f"{1000 * pace:.0f} ms, p99": points[98] / 1e3,
    }


def graph(
    sizes: list[tuple[int, float]], channels: bool
) -> tuple[dict[str, float], dict[str, int]]:
    """Through our graph; sizes: numbers of frames, and seconds between them."""
    found, count = {}, 0
    for frames, pace in sizes:
        sink = Times()
        parts.run(parts.chain(Paced(frames, pace), sink, LENGTH, channels=channels))
        found |= figures(sink.taken, pace)
        count += len(sink.taken)
    return found, {"frames": count}


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    sizes = rounds.size([(3000, 0.001), (250, 0.02)], [(1000, 0.001), (75, 0.02)])
    settings = {"sizes": sizes}
    subjects = {
        IN_LINE: Subject("benchmarks.latency:graph", settings | {"channels": False}),
        CHANNELS: Subject("benchmarks.latency:graph", settings | {"channels": True}),
    }
    for shipped in (False, True):
        for route in ("system", "data"):
            name = f"pipecat, {'as it ships' if shipped else 'lean'}, {route} route"
            chosen = settings | {"route": route, "shipped": shipped}
            call = "benchmarks.peers.pipecat.chain:paced"
            subjects[name] = Subject(call, chosen, needs="pipecat", ours=False)
    columns = [f"{1000 * pace:.0f} ms, {point}" for _, pace in sizes for point in ("p50", "p99")]
    section.units = dict.fromkeys(columns, "µs")
    rounds.alternate(subjects, section)
    for column in columns:
        compare(section, column, IN_LINE, PEER, at_most=1 / 4)
        compare(section, column, CHANNELS, PEER, at_most=1)
