"""Results as a table for the terminal."""

from __future__ import annotations

from textwrap import wrap

from benchmarks.harness.results import Goal, Results, Section, number, spread

VERDICTS = {True: "met", False: "MISSED", None: "not measured"}
NOTICEABLE = 0.05


def table(section: Section) -> str:
    """One benchmark."""
    lines = [
        "",
        section.title,
        *wrap(section.notes, 96, initial_indent="  ", subsequent_indent="  "),
    ]
    lines += _columns(section)
    for chart in section.charts:
        lines.append(f"  {chart.title}: {chart.y} over {chart.x}")
        for curve in chart.curves:
            lines.append(
                f"    {curve.name}: {number(curve.intercept)} + {number(curve.slope)} each,"
                f" R² {curve.r2:.4f}, bend {curve.bend:.2f}"
                f" ({number(curve.sizes[0])} to {number(curve.sizes[-1])})"
            )
    lines += [f"  {verdict(goal)}" for goal in section.goals]
    if section.work:
        lines.append("  checked: " + ", ".join(f"{k} {v}" for k, v in section.work.items()))
    waiting = max((row.kept_waiting for row in section.rows), default=0.0)
    if waiting > NOTICEABLE:
        lines.append(f"  others had the processor for up to {waiting:.0%} of a round: noisy")
    return "\n".join(line.rstrip() for line in lines)


def _columns(section: Section) -> list[str]:
    """The rows, in columns."""
    if not section.rows:
        return []
    header = ["", *(f"{name} ({unit})" if unit else name for name, unit in section.units.items())]
    cells = [header]
    for row in section.rows:
        found = [row.figures.get(column) for column in section.units]
        cells.append([row.subject, *(spread(figure) if figure else "" for figure in found)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in cells
    ]
    reasons = {row.subject: row.skipped for row in section.rows if row.skipped}
    return lines + [f"  skipped: {name}: {reason}" for name, reason in reasons.items()]


def verdict(goal: Goal) -> str:
    """One line on a goal."""
    value = spread(goal.value) if goal.value is not None else "-"
    judged = goal.at_most is not None or goal.at_least is not None
    end = f"  [{goal.limit}: {VERDICTS[goal.met]}]" if judged else ""
    return f"-> {goal.what} = {value}{end}"


def summary(results: Results) -> str:
    """What holds and what does not."""
    goals = [
        goal
        for section in results.sections
        for goal in section.goals
        if goal.at_most is not None or goal.at_least is not None
    ]
    met = sum(goal.met is True for goal in goals)
    missed = sum(goal.met is False for goal in goals)
    unmeasured = len(goals) - met - missed
    return f"\n{met} goals met, {missed} missed, {unmeasured} not measured"
