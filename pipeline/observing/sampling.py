"""What a run is doing, looked at a few times a second: rates, what waits, what was dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pipeline.graph import Node
from pipeline.processor import Source
from pipeline.runtime.run import Run

WINDOW = 2.0
"""Seconds over which a rate is measured."""


class NodeState(NamedTuple):
    """A node at one moment.

    rate: frames per second that come to it, or that a source gives. waiting: frames in its inbox;
    fill: how full that is, from 0 to 1; both None where it has none. dropped: frames so far.
    progress: how much of its input a source has given, from 0 to 1, if it knows; left: seconds that
    the rest will take, if it goes on as before.
    """

    name: str
    kind: str
    rate: float
    waiting: int | None
    fill: float | None
    dropped: int
    progress: float | None = None
    left: float | None = None


class Sample(NamedTuple):
    """A run at one moment. seconds: since it began.

    progress: of the source that is least far, from 0 to 1, and left: seconds until the last one has
    given all; None unless every source knows.
    """

    seconds: float
    nodes: tuple[NodeState, ...]
    progress: float | None = None
    left: float | None = None


class Sampler:
    """Takes samples of a run; rates are those of the time since a sample taken a while ago."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._past: deque[tuple[float, dict[str, int]]] = deque()
        self._begun: dict[str, tuple[float, float]] = {}
        """Of sources that know how far they are: the last moment before they moved."""

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
            progress, left = self._how_far(node, seconds)
            came = counts.get(node.name, 0) - before.get(node.name, 0)
            states.append(
                NodeState(
                    node.name,
                    type(node.processor).__name__,
                    came / (seconds - begin) if seconds > begin else 0.0,
                    None if inbox is None else inbox.depth,
                    None if inbox is None else inbox.fill,
                    dropped.get(node.name, 0),
                    progress,
                    left,
                )
            )
        nodes = zip(run.graph.order, states, strict=True)
        sources = [state for node, state in nodes if isinstance(node.processor, Source)]
        return Sample(
            seconds,
            tuple(states),
            _all_of(min, [state.progress for state in sources]),
            _all_of(max, [state.left for state in sources]),
        )

    def _counts(self) -> dict[str, int]:
        """Frames so far: what came to a node, or the most that a source gave to one of others."""
        counts: dict[str, int] = {}
        given: dict[str, int] = {}
        for edge in self._run.report.edges:
            counts[edge.target] = counts.get(edge.target, 0) + edge.frames
            given[edge.source] = max(given.get(edge.source, 0), edge.frames)
        return {**given, **counts}

    def _how_far(self, node: Node, seconds: float) -> tuple[float | None, float | None]:
        """Progress and seconds left of a node that is a source and knows."""
        source = node.processor
        progress = source.progress() if isinstance(source, Source) else None
        if progress is None:
            return None, None
        begun, at = self._begun.setdefault(node.name, (seconds, progress))
        if progress >= 1:
            return progress, 0.0
        if progress <= at:
            self._begun[node.name] = seconds, progress
            return progress, None
        return progress, (1 - progress) * (seconds - begun) / (progress - at)


def _all_of(
    which: Callable[[Iterable[float]], float], values: Sequence[float | None]
) -> float | None:
    known = [value for value in values if value is not None]
    return which(known) if known and len(known) == len(values) else None
