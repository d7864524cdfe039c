"""What a run is doing, looked at a few times a second: rates, what waits, what was dropped."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from pipeline.processor import Source
from pipeline.runtime.run import Run

WINDOW = 2.0
"""Seconds over which a rate is measured."""


class NodeState(NamedTuple):
    """A node at one moment.

    rate: frames per second that come to it, or that a source gives. waiting: frames in its inbox;
    fill: how full that is, from 0 to 1; both None where it has none. dropped: frames so far.
    """

    name: str
    kind: str
    rate: float
    waiting: int | None
    fill: float | None
    dropped: int


class Sample(NamedTuple):
    """A run at one moment. seconds: since it began. progress: from 0 to 1, if that is known."""

    seconds: float
    nodes: tuple[NodeState, ...]
    progress: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds that it will still take, if it goes on as before."""
        if not self.progress:
            return None
        return self.seconds * (1 - self.progress) / self.progress


class Sampler:
    """Takes samples of a run; rates are those of the time since a sample taken a while ago."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._past: deque[tuple[float, dict[str, int]]] = deque()

    def take(self) -> Sample:
        """The run as it is now."""
        run = self._run
        seconds = run.now() / 1e9
        counts = self._counts()
        self._past.append((seconds, counts))
        while len(self._past) > 2 and self._past[1][0] <= seconds - WINDOW:
            self._past.popleft()
        begin, before = self._past[0]
        dropped: dict[str, int] = {}
        for (name, _), frames in run.report.drops.items():
            dropped[name] = dropped.get(name, 0) + frames
        states = []
        for node in run.graph.order:
            inbox = run.inboxes.get(node.name)
            came = counts.get(node.name, 0) - before.get(node.name, 0)
            states.append(
                NodeState(
                    node.name,
                    type(node.processor).__name__,
                    came / (seconds - begin) if seconds > begin else 0.0,
                    None if inbox is None else inbox.depth,
                    None if inbox is None else inbox.fill,
                    dropped.get(node.name, 0),
                )
            )
        return Sample(seconds, tuple(states), self._progress())

    def _counts(self) -> dict[str, int]:
        """Frames so far: what came to a node, or the most that a source gave to one of others."""
        counts: dict[str, int] = {}
        given: dict[str, int] = {}
        for edge in self._run.report.edges:
            counts[edge.target] = counts.get(edge.target, 0) + edge.frames
            given[edge.source] = max(given.get(edge.source, 0), edge.frames)
        return {**given, **counts}

    def _progress(self) -> float | None:
        """Of the source that is least far, as long as all can say how far they are."""
        processors = (node.processor for node in self._run.graph.order)
        parts = [source.progress() for source in processors if isinstance(source, Source)]
        known = [part for part in parts if part is not None]
        return min(known) if known and len(known) == len(parts) else None
