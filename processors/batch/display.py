"""What is seen of a batch: a bar at a terminal, else a line for each file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from processors.batch.job import Job
from processors.batch.outcome import Outcome

SHOWN = 20
"""Failures that are listed at the end; the results have all."""


class Display:
    """Counts and shows; `record` is given every outcome first."""

    def __init__(
        self,
        total: int,
        record: Callable[[Outcome], None],
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.done = 0
        self.failures: list[Outcome] = []
        self._total = total
        self._record = record
        self._console = console
        self._clock = clock
        self._began = clock()
        self._shares: dict[str, float] = {}
        self._bar: Progress | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it lasts, a terminal has a bar."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            yield
            return
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=self._console, transient=True) as self._bar:
            self._task = self._bar.add_task("", total=self._total)
            yield
        self._bar = None

    # --- what a schedule tells ---

    def advanced(self, job: Job, share: float) -> None:
        self._shares[job.file] = share
        self._show()

    def failed_once(self, job: Job, error: str, pause_s: float) -> None:
        self._shares.pop(job.file, None)
        self.note(f"{job.file}: {error}; again in {pause_s:.1f} s")

    def finished(self, job: Job, outcome: Outcome) -> None:
        self._record(outcome)
        self._shares.pop(job.file, None)
        self.done += 1
        if outcome.status == "failed":
            self.failures.append(outcome)
        if self._bar is None or outcome.status == "failed":
            self.note(self._line(outcome))
        self._show()

    # --- for people ---

    def note(self, text: str) -> None:
        """A line that stays."""
        self._console.print(Text(text), soft_wrap=True)

    def summarize(self, outcomes: list[Outcome]) -> None:
        """What came of the whole, those done before included."""
        sums = Table.grid(padding=(0, 2))
        done = [outcome for outcome in outcomes if outcome.status == "done"]
        sums.add_row("done", f"{len(done)} of {self._total + len(outcomes) - self.done}")
        sums.add_row("time", _clock(self._clock() - self._began))
        sums.add_row("turns", str(sum(outcome.turns for outcome in done)))
        sums.add_row("tokens", f"{sum(sum(o.tokens.values()) for o in outcomes):,}")
        self._console.print(sums)
        for outcome in self.failures[:SHOWN]:
            self.note(f"failed: {outcome.file}: {outcome.error}")
        if len(self.failures) > SHOWN:
            self.note(f"and {len(self.failures) - SHOWN} more")

    def _line(self, outcome: Outcome) -> str:
        turns = f"{outcome.turns} turn{'' if outcome.turns == 1 else 's'}"
        what = f"{turns}, {outcome.seconds:.1f} s"
        if outcome.status == "failed":
            times = f" after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
            what = f"failed{times}: {outcome.error}"
        left = self._left()
        end = f"; {left} left" if left else ""
        return f"{self.done}/{self._total} {outcome.file}: {what}{end}"

    def _show(self) -> None:
        if self._bar is not None:
            left = self._left()
            running = ", ".join(sorted(self._shares)[:3])
            text = "  ".join(filter(None, (left and f"{left} left", running)))
            whole = self.done + sum(self._shares.values())
            self._bar.update(self._task, completed=round(whole, 2), description=text)

    def _left(self) -> str:
        """If it goes on as before."""
        share = (self.done + sum(self._shares.values())) / self._total
        if not 0 < share < 1:
            return ""
        return _clock((self._clock() - self._began) * (1 - share) / share)


def _clock(seconds: float) -> str:
    """`0:05`, `1:01:05`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
