"""What a run of the suite found, as it stands in the JSON."""

from __future__ import annotations

from statistics import median
from typing import Any

import msgspec
from msgspec import Struct


class Spread(Struct):
    """A quantity over several rounds."""

    median: float
    lowest: float
    highest: float
    rounds: list[float]

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values), values)


class Row(Struct):
    """One subject of a benchmark.

    figures: by column. skipped: why it was not measured. kept_waiting: the largest share of a
    round in which the subject was ready to run and others had the processor.
    """

    subject: str
    figures: dict[str, Spread] = {}
    skipped: str = ""
    kept_waiting: float = 0.0
    ours: bool = False


class Goal(Struct):
    """What a figure, or the ratio of two from the same rounds, is to be."""

    what: str
    value: Spread | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median is within the limit; None where it was not measured."""
        if self.value is None:
            return None
        below = self.at_most is None or self.value.median <= self.at_most
        return below and (self.at_least is None or self.value.median >= self.at_least)

    @property
    def limit(self) -> str:
        """The limit in words."""
        if self.at_most is not None:
            return f"at most {number(self.at_most)}"
        return (
            f"at least {number(self.at_least)}" if self.at_least is not None else "for the record"
        )


class Curve(Struct):
    """A figure over a size, and the straight line through it: `intercept + slope * size`.

    r2 and bend: how straight it is, see `benchmarks.harness.curves.fit`.
    """

    name: str
    sizes: list[float]
    values: list[float]
    intercept: float
    slope: float
    r2: float = 1.0
    bend: float = 1.0


class Chart(Struct):
    """Curves over the same axes."""

    title: str
    x: str
    y: str
    curves: list[Curve]


class Section(Struct):
    """What one benchmark found in so many rounds, `quick` in small sizes.

    units: by column. work: what every subject was seen to do.
    """

    name: str
    title: str
    notes: str
    units: dict[str, str] = {}
    rows: list[Row] = []
    goals: list[Goal] = []
    charts: list[Chart] = []
    work: dict[str, Any] = {}
    seconds: float = 0.0
    rounds: int = 1
    quick: bool = False

    def row(self, subject: str) -> Row:
        """The row of a subject; an empty one if there is none."""
        return next((row for row in self.rows if row.subject == subject), Row(subject))


class Results(Struct):
    """A run of the suite."""

    machine: dict[str, str]
    versions: dict[str, str]
    sections: list[Section] = []

    def encode(self) -> bytes:
        """As JSON for people to read, too."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def read(data: bytes) -> Results:
    """Results from their JSON."""
    return msgspec.json.decode(data, type=Results)


def number(value: float) -> str:
    """Three significant digits, and never an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    for limit, digits in ((10, 1), (1, 2), (0.1, 3), (0.01, 4)):
        if abs(value) >= limit:
            return f"{value:.{digits}f}"
    return f"{value:.5f}"


def spread(figure: Spread) -> str:
    """The median, and the range of the rounds where there were several."""
    if len(figure.rounds) == 1:
        return number(figure.median)
    return f"{number(figure.median)} ({number(figure.lowest)} to {number(figure.highest)})"
