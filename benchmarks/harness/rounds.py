"""Rounds: every subject once in each, in turn, each time in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.child import Outcome
from benchmarks.harness.results import Goal, Row, Section, Spread

ROOT = Path(__file__).parents[2]
MOST_WAITING = 0.04
"""A round in which others had the processor for a larger share of the time is tried again."""


class SubjectError(Exception):
    """A subject failed, or did not do the work."""


@dataclass(frozen=True)
class Subject:
    """Something to measure.

    call: `module:function`. settings: its arguments. needs: a module without which it is skipped.
    ours: whether it is this project's, for the plots.
    """

    call: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""
    ours: bool = True

    @property
    def skipped(self) -> str:
        """Why it cannot be measured here; empty if it can."""
        if self.needs and importlib.util.find_spec(self.needs) is None:
            return f"{self.needs} is not installed: pip install -e '.[bench]'"
        return ""


@dataclass
class Rounds:
    """How a benchmark measures.

    rounds: how many. quick: smaller sizes. patience: how often a round is tried again in which
    others had the processor. timeout: seconds for one subject in one round.
    """

    rounds: int = 5
    quick: bool = False
    patience: int = 0
    timeout: float = 180.0

    def size(self, full: Any, quick: Any) -> Any:
        """The one that is wanted."""
        return quick if self.quick else full

    def once(self, subject: Subject) -> Outcome:
        """Measure a subject in a fresh process. Raises SubjectError."""
        outcome = self._run(subject)
        for _ in range(self.patience):
            if outcome.kept_waiting <= MOST_WAITING:
                break
            again = self._run(subject)
            outcome = min(outcome, again, key=lambda found: found.kept_waiting)
        return outcome

    def alternate(self, subjects: Mapping[str, Subject], section: Section) -> None:
        """Measure all subjects in every round, and add their rows to the section.

        Every other round goes through them backwards, so that none has a better place. Raises
        SubjectError where two of them did not do the same work.
        """
        outcomes: dict[str, list[Outcome]] = {name: [] for name in subjects}
        able = [name for name, subject in subjects.items() if not subject.skipped]
        for number in range(self.rounds):
            for name in able if number % 2 == 0 else reversed(able):
                outcome = self.once(subjects[name])
                agree(section, name, outcome.work)
                outcomes[name].append(outcome)
        for name, subject in subjects.items():
            row = summarise(name, outcomes[name], ours=subject.ours)
            row.skipped = subject.skipped
            section.rows.append(row)

    def _run(self, subject: Subject) -> Outcome:
        settings = msgspec.json.encode(dict(subject.settings)).decode()
        command = [sys.executable, "-m", "benchmarks.harness.child", subject.call, settings]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, cwd=ROOT, timeout=self.timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise SubjectError(f"{subject.call}: not done after {self.timeout:g} s") from None
        if done.returncode:
            raise SubjectError(f"{subject.call} {settings} failed:\n{done.stderr[-3000:]}")
        return msgspec.json.decode(done.stdout.rstrip().rpartition("\n")[2], type=Outcome)


def agree(section: Section, name: str, work: Mapping[str, Any]) -> None:
    """Keep what was done; what another subject did of the same kind has to be the same."""
    for what, done in work.items():
        if section.work.setdefault(what, done) != done:
            raise SubjectError(
                f"{section.name}: {name} did {done} {what}, not {section.work[what]}"
            )


def summarise(name: str, outcomes: Sequence[Outcome], *, ours: bool) -> Row:
    """The row of a subject."""
    columns = outcomes[0].figures if outcomes else {}
    figures = {what: Spread.of([found.figures[what] for found in outcomes]) for what in columns}
    waiting = max((found.kept_waiting for found in outcomes), default=0.0)
    return Row(name, figures, kept_waiting=waiting, ours=ours)


def compare(
    section: Section,
    column: str,
    subject: str,
    over: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    """Add the ratio of two subjects, taken round by round, as a goal of the section."""
    mine = section.row(subject).figures.get(column)
    theirs = section.row(over).figures.get(column)
    value = None
    if mine and theirs and all(theirs.rounds):
        value = Spread.of([m / t for m, t in zip(mine.rounds, theirs.rounds, strict=True)])
    what = f"{column}: {subject} / {over}"
    section.goals.append(Goal(what, value, at_most=at_most, at_least=at_least))


def bound(
    section: Section,
    column: str,
    subject: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    """Add a figure itself as a goal of the section."""
    what = f"{column} ({section.units.get(column, '')}): {subject}".replace(" ()", "")
    value = section.row(subject).figures.get(column)
    section.goals.append(Goal(what, value, at_most=at_most, at_least=at_least))
