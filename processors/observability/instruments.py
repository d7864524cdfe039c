"""Metrics of a run, for OpenTelemetry."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline import Run

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


class Instruments:
    """What is counted as it happens, and what is looked at now and then: the runtime counts frames
    anyway, so that nothing has to be done for each.

    is_alone: no other run of the process uses this meter. Otherwise what waits is the sum of all,
    and how full inboxes are is not told.
    """

    def __init__(self, meter: Meter, *, is_alone: bool = True) -> None:
        buckets = list(SECONDS)
        self.turns = meter.create_counter("pipeline.turns", "{turn}", "Turns that have ended")
        self.tokens = meter.create_counter("pipeline.tokens", "{token}", "Tokens, by modality")
        self.latency = meter.create_histogram(
            "pipeline.latency",
            "s",
            "What processors measure, by `what`: the wait for an answer and its parts, and others",
            explicit_bucket_boundaries_advisory=buckets,
        )
        self.calls = meter.create_histogram(
            "pipeline.tool.duration",
            "s",
            "From a call to its answer",
            explicit_bucket_boundaries_advisory=buckets,
        )
        self.held = meter.create_histogram(
            "pipeline.held",
            "s",
            "For how long a processor has held the event loop, so that nothing else ran",
            explicit_bucket_boundaries_advisory=buckets,
        )
        self._frames = meter.create_counter("pipeline.frames", "{frame}", "Frames over each edge")
        self._dropped = meter.create_counter(
            "pipeline.frames.dropped",
            "{frame}",
            "Frames that were dropped, by processor and reason",
        )
        self._waiting = meter.create_up_down_counter(
            "pipeline.inbox.frames", "{frame}", "Frames that wait in an inbox"
        )
        self._is_alone = is_alone
        self._depths: Counter[str] = Counter()
        self._fill = meter.create_gauge("pipeline.inbox.fill", "1", "How full an inbox is, to 1")
        self._counted: Counter[tuple[str, str]] = Counter()
        self._lost: Counter[tuple[str, str]] = Counter()

    def look(self, run: Run) -> None:
        """Count what has gone over edges and was dropped since the last look, and what waits."""
        counts: Counter[tuple[str, str]] = Counter()
        for edge in run.report.edges:
            counts[edge.source, edge.target] += edge.frames
        for (source, target), frames in (counts - self._counted).items():
            self._frames.add(frames, {"source": source, "target": target})
        self._counted = counts
        lost = Counter(run.report.drops)
        for (node, reason), frames in (lost - self._lost).items():
            self._dropped.add(frames, {"processor": node, "reason": reason})
        self._lost = lost
        for node, inbox in run.inboxes.items():
            self._wait(node, inbox.depth)
            if self._is_alone:
                self._fill.set(inbox.fill, {"processor": node})

    def leave(self) -> None:
        """The run is over: nothing waits any more."""
        for node in self._depths:
            self._wait(node, 0)

    def _wait(self, node: str, depth: int) -> None:
        self._waiting.add(depth - self._depths[node], {"processor": node})
        self._depths[node] = depth
