"""How a figure grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from benchmarks.harness.results import Chart, Curve, Goal, Section, Spread
from benchmarks.harness.rounds import Rounds, Subject


def fit(name: str, sizes: Sequence[float], values: Sequence[float]) -> Curve:
    """The straight line through a figure, by least squares, and how well it fits.

    r2: 1 - residual / total sum of squares. bend: the slope over the upper half of the sizes,
    divided by that over the lower half: 1 for a straight line, 3 for a parabola from 0.
    """
    x, y = np.asarray(sizes, float), np.asarray(values, float)
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - (intercept + slope * x)
    total = float(((y - y.mean()) ** 2).sum())
    r2 = 1 - float((residual**2).sum()) / total if total else 1.0
    half, bend = (len(x) + 1) // 2, 1.0
    if half > 1:
        upper, lower = (
            np.polyfit(x[part], y[part], 1)[0] for part in (np.s_[-half:], np.s_[:half])
        )
        bend = float(upper / lower)
    return Curve(name, x.tolist(), y.tolist(), float(intercept), float(slope), r2, bend)


def grow(
    rounds: Rounds,
    chart: Chart,
    section: Section,
    curves: dict[str, Callable[[int], Subject]],
    sizes: Sequence[int],
    column: str,
    *,
    straight: Sequence[str] = (),
) -> None:
    """Measure curves, all of them at each size in each round, and add the chart to the section.

    straight: curves that have to be, within half of their slope.
    """
    able = {name: of for name, of in curves.items() if not of(sizes[0]).skipped}
    found: dict[str, list[list[float]]] = {name: [[] for _ in sizes] for name in able}
    for number in range(rounds.rounds):
        for place, size in enumerate(sizes):
            for name in able if number % 2 == 0 else reversed(able):
                value = rounds.once(able[name](size)).figures[column]
                found[name][place].append(value)
    for name, values in found.items():
        curve = fit(name, sizes, [median(rounds) for rounds in values])
        chart.curves.append(curve)
        if name in straight:
            what = f"{chart.title}, {name}: slope of the upper half / of the lower half"
            section.goals.append(Goal(what, Spread.of([curve.bend]), at_most=1.5))
    section.charts.append(chart)
