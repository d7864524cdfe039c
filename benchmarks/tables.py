"""Puts results into the documentation: `python -m benchmarks.tables [RESULTS] [PAGE]`.

In the page, what stands between `<!-- benchmark: NAME -->` and `<!-- end -->` is written anew from
the section of that name; `machine` stands for the machine and the versions, and `goals` for what
the goals have come to. Without arguments it is docs/performance.json and docs/performance.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.__main__ import NAMES
from benchmarks.harness.report import NOTICEABLE, VERDICTS
from benchmarks.harness.results import Goal, Results, Section, number, read, spread
from benchmarks.harness.rounds import ROOT

RESULTS, PAGE = ROOT / "docs" / "performance.json", ROOT / "docs" / "performance.md"
MARKED = re.compile(r"(<!-- benchmark: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

NOISY = """\
Others were at work on the machine meanwhile: ratios of processor time hold, wall times, lateness
and numbers of sessions are worse than they would be."""


def fill(page: str, results: Results) -> str:
    """The page with its marked parts from these results. Raises KeyError for an unknown name."""
    parts = dict.fromkeys(NAMES, "Not measured yet.")
    parts |= {section.name: _section(section) for section in results.sections}
    parts |= {"machine": _machine(results), "goals": _goals(results.sections)}
    return MARKED.sub(lambda part: f"{part[1]}\n{parts[part[2]]}\n\n{part[3]}", page)


def _section(section: Section) -> str:
    sizes = "in small sizes (`--quick`)" if section.quick else "in full size"
    rounds = f"{section.rounds} round{'s' * (section.rounds > 1)}, {sizes}."
    parts = [f"{section.notes} {rounds}"]
    parts += [_figures(section), _curves(section), _judged(section.goals)]
    parts.append(f"![{section.title}](performance/{section.name}.svg)")
    return "\n\n".join(part for part in parts if part)


def _figures(section: Section) -> str:
    if not section.rows:
        return ""
    header = ["", *(f"{name}, {unit}" if unit else name for name, unit in section.units.items())]
    rows = []
    for row in section.rows:
        found = [row.figures.get(column) for column in section.units]
        cells = [spread(figure) if figure else "" for figure in found]
        rows.append([f"**{row.subject}**" if row.ours else row.subject, *cells])
    return _table(header, rows)


def _curves(section: Section) -> str:
    rows = [
        [
            f"{chart.title}, {curve.name}",
            chart.y,
            f"{number(curve.sizes[0])} to {number(curve.sizes[-1])} {chart.x}",
            f"{number(curve.intercept)} + {number(curve.slope)} n",
            f"{curve.r2:.4f}",
            f"{curve.bend:.2f}",
        ]
        for chart in section.charts
        for curve in chart.curves
    ]
    header = ["", "figure", "n", "straight line", "R²", "upper slope / lower slope"]
    return _table(header, rows) if rows else ""


def _judged(goals: Iterable[Goal]) -> str:
    rows = [
        [goal.what, spread(goal.value) if goal.value else "-", goal.limit, _verdict(goal)]
        for goal in goals
    ]
    return _table(["", "measured", "goal", ""], rows) if rows else ""


def _verdict(goal: Goal) -> str:
    judged = goal.at_most is not None or goal.at_least is not None
    return VERDICTS[goal.met].lower() if judged else ""


def _goals(sections: Iterable[Section]) -> str:
    rows = []
    for section in sections:
        verdicts = [_verdict(goal) for goal in section.goals]
        counts = [str(verdicts.count(word.lower())) for word in VERDICTS.values()]
        if any(verdicts):
            rows.append([section.title, *counts])
    return _table(["", *(word.lower() for word in VERDICTS.values())], rows)


def _machine(results: Results) -> str:
    rows = [[name, value] for name, value in (results.machine | results.versions).items()]
    shares = [row.kept_waiting for section in results.sections for row in section.rows]
    rows.append(["others had the core for up to", f"{max(shares, default=0):.0%} of a round"])
    table = _table(["", ""], rows)
    return f"{table}\n\n{NOISY}" if max(shares, default=0) > NOTICEABLE else table


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def main(arguments: list[str]) -> None:
    """Write the page anew."""
    source, page = (Path(given) for given in (arguments + [RESULTS, PAGE][len(arguments) :])[:2])
    page.write_text(fill(page.read_text(), read(source.read_bytes())))


if __name__ == "__main__":
    main(sys.argv[1:])
