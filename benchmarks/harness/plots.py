"""Results as pictures: a bar for each subject, a line for each curve."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.harness.results import Chart, Results, Section, number

OURS, OTHERS = "#1a73e8", "#9aa0a6"
LINES = ["#1a73e8", "#d93025", "#188038", "#f29900", "#9334e6", "#5f6368"]
LOGARITHMIC_FROM = 20
"""The ratio of the longest bar to the shortest from which on the axis is logarithmic."""
ABREAST = 4
"""Most panels in a row, so that a picture can be read at the width of a page."""


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw every section as `<name>.svg`; a section without figures gives none."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same results, the same file
    matplotlib.rcParams["svg.fonttype"] = "none"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for section in results.sections:
        figure = _bars(section) if not section.charts else _charts(section)
        if figure is not None:
            files.append(folder / f"{section.name}.svg")
            figure.savefig(files[-1], metadata={"Date": None})
    return files


def _bars(section: Section) -> Any:
    """One column of the table beside the other; None if there is nothing to show."""
    from matplotlib.figure import Figure

    rows = [row for row in section.rows if row.figures][::-1]
    columns = [name for name in section.units if any(name in row.figures for row in rows)]
    if not columns:
        return None
    deep = -(-len(columns) // ABREAST)
    abreast = -(-len(columns) // deep)
    size = (3.5 + 2.6 * abreast, deep * (1.2 + 0.32 * len(rows)))
    figure = Figure(figsize=size, layout="constrained")
    _title(figure, section.title)
    axes = figure.subplots(deep, abreast, sharey=True, squeeze=False).ravel()
    for axis in axes[len(columns) :]:
        axis.set_visible(False)
    for axis, column in zip(axes, columns, strict=False):
        for place, row in enumerate(rows):
            spread = row.figures.get(column)
            if spread is None:
                continue
            error = [[spread.median - spread.lowest], [spread.highest - spread.median]]
            colour = OURS if row.ours else OTHERS
            axis.barh(place, spread.median, xerr=error, color=colour, ecolor="#3c4043", capsize=2)
            axis.annotate(
                number(spread.median),
                (max(spread.highest, 0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
        values = [row.figures[column].median for row in rows if column in row.figures]
        if min(values) > 0 and max(values) / min(values) >= LOGARITHMIC_FROM:
            axis.set_xscale("log")
        else:
            axis.locator_params(axis="x", nbins=4)
            axis.xaxis.set_major_formatter("{x:,.10g}")
        axis.margins(x=0.25)
        axis.set_yticks(range(len(rows)), [row.subject for row in rows], fontsize=8)
        axis.tick_params(axis="x", labelsize=7)
        unit = section.units[column]
        axis.set_title(f"{column}\n({unit})" if unit else column, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _charts(section: Section) -> Any:
    """The curves, each with its straight line."""
    from matplotlib.figure import Figure

    count = len(section.charts)
    columns = min(count, 2)
    figure = Figure(figsize=(5.2 * columns, 3.6 * -(-count // columns)), layout="constrained")
    _title(figure, section.title)
    axes = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for axis, chart in zip(axes, section.charts, strict=False):
        _lines(axis, chart)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure


def _title(figure: Any, title: str) -> None:
    """Above the whole, in as many lines as it takes."""
    figure.suptitle(fill(title.replace("`", ""), int(12 * figure.get_figwidth())), fontsize=11)


def _lines(axis: Any, chart: Chart) -> None:
    for curve, colour in zip(chart.curves, LINES, strict=False):
        axis.plot(curve.sizes, curve.values, "o", color=colour, markersize=4, label=curve.name)
        ends = [curve.sizes[0], curve.sizes[-1]]
        line = [curve.intercept + curve.slope * size for size in ends]
        axis.plot(ends, line, "-", color=colour, linewidth=1, alpha=0.7)
    axis.set_title(chart.title, fontsize=9)
    axis.set_xlabel(chart.x, fontsize=8)
    axis.set_ylabel(chart.y, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7, frameon=False)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
