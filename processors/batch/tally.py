"""What is counted of a run for its line in the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from pipeline import (
    SECOND,
    Frame,
    Gap,
    Report,
    ToolCall,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from processors.batch.job import Job
from processors.batch.outcome import Outcome, Said

MS = 1_000_000


class Tally:
    """Sees frames where they enter the graph."""

    def __init__(self) -> None:
        self._transcript: list[Said] = []
        self._turns = self._interruptions = self._calls = 0
        self._usage: dict[str, Usage] = {}
        self._lost = 0

    @property
    def taps(self) -> dict[type[Frame], Callable[[str, Any], None]]:
        """For `pipeline.Run`."""
        return {
            Transcript: self._said,
            TurnStarted: self._turn_started,
            TurnEnded: self._turn_ended,
            ToolCall: self._called,
            Usage: self._used,
            Gap: self._gap,
        }

    def outcome(
        self, job: Job, sha256: str, report: Report | None, error: str = "", passing: bool = False
    ) -> Outcome:
        """The line for the results; without an error, the file is done."""
        tokens: Counter[str] = Counter()
        for usage in self._usage.values():
            tokens.update(usage.totals)
        outcome = Outcome(
            file=job.file,
            name=job.name,
            sha256=sha256,
            recipe=job.recipe,
            status="failed" if error else "done",
            error=error,
            passing=passing,
            turns=self._turns,
            interruptions=self._interruptions,
            calls=self._calls,
            transcript=sorted(self._transcript, key=lambda said: said.start),
            tokens=dict(tokens),
            lost_s=round(self._lost / SECOND, 3),
        )
        if report is not None:
            outcome.seconds = round(report.seconds, 3)
            outcome.files = list(report.files)
            outcome.dropped = {
                f"{node}: {reason}": frames for (node, reason), frames in report.drops.items()
            }
            if job.is_timed:
                outcome.latencies = {
                    name: [round(value / MS, 1) for value in values]
                    for name, values in report.measurements.items()
                }
        return outcome

    def _said(self, _: str, frame: Transcript) -> None:
        if frame.final:
            start, end = (round(at / SECOND, 3) for at in (frame.pts, frame.end))
            said = Said(frame.speaker.value, frame.text, start, end, frame.interrupted)
            self._transcript.append(said)

    def _turn_started(self, _: str, frame: TurnStarted) -> None:
        self._turns += 1

    def _turn_ended(self, _: str, frame: TurnEnded) -> None:
        self._interruptions += frame.interrupted

    def _called(self, _: str, frame: ToolCall) -> None:
        self._calls += 1

    def _used(self, node: str, frame: Usage) -> None:
        self._usage[node] = frame

    def _gap(self, _: str, frame: Gap) -> None:
        self._lost += frame.duration
