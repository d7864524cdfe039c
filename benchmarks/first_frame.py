"""Says when the first frame is in the sink of a graph of three nodes; run by "start".

python -m benchmarks.first_frame
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import anyio

from pipeline import Graph, Run, Sink, Source, TextFrame, Transform


class One(Source):
    """One frame."""

    async def frames(self) -> AsyncIterator[TextFrame]:
        yield TextFrame("hello")


class Pass(Transform):
    """Passes it."""

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame


class Say(Sink):
    """Says when it came."""

    async def consume(self, frame: TextFrame) -> None:
        print("first frame at", time.perf_counter_ns(), flush=True)


async def main() -> None:
    """Run the graph."""
    graph = Graph({"one": One(), "pass": Pass(), "say": Say()}, ["one -> pass -> say"])
    await Run(graph).execute()


if __name__ == "__main__":
    anyio.run(main)
