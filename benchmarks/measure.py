"""Rounds, medians and spreads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

ROUNDS = 7


class Figure(NamedTuple):
    """A quantity over several rounds, in microseconds."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:8.2f} us  ({self.lowest:.2f} to {self.highest:.2f})"


def alternate(
    subjects: Mapping[str, Callable[[], float]], rounds: int = ROUNDS
) -> dict[str, Figure]:
    """Measure each subject once per round, in turn, so that a noisy moment hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            taken[name].append(subject())
    return {name: Figure(median(t), min(t), max(t)) for name, t in taken.items()}
