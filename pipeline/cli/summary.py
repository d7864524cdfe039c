"""What a run amounted to, on one screen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table

from pipeline.frames import SECOND
from pipeline.runtime.report import Report

MS = 1_000_000
LABELS = {"response": "end of speech to sound"}


def print_summary(
    report: Report, turns: int, console: Console, tokens: Mapping[str, int] | None = None
) -> None:
    """Turns, tokens by modality, latencies, frames per edge, drops by reason, files."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("time", f"{report.seconds:.1f} s" + ("" if report.completed else ", cut short"))
    facts.add_row("turns", str(turns))
    if tokens:
        counts = (f"{count:,} {modality.lower()}" for modality, count in sorted(tokens.items()))
        facts.add_row("tokens", ", ".join(counts))
    for label, values in _measured(report):
        facts.add_row(label, _spread(values))
    for (processor, reason), frames in sorted(report.drops.items()):
        facts.add_row("dropped", f"{frames} frames at {processor}: {reason}")
    if not report.drops:
        facts.add_row("dropped", "nothing")
    for processor, holds in sorted(report.holds.items()):
        times = f"{len(holds)} times, for up to" if len(holds) > 1 else "for"
        facts.add_row("held all up", f"{processor}, {times} {max(holds) / SECOND:.2f} s")
    for processor, count in sorted(report.restarts.items()):
        facts.add_row("restarted", f"{processor}, {count} times" if count > 1 else processor)
    for file in report.files:
        facts.add_row("wrote", file)
    edges = Table("edge", "frames", box=None, header_style="dim", padding=(0, 2, 0, 0))
    edges.columns[1].justify = "right"
    for edge in report.edges:
        edges.add_row(f"{edge.source} -> {edge.target}", str(edge.frames))
    console.print()
    console.print(edges)
    console.print()
    console.print(facts)


def _measured(report: Report) -> Iterator[tuple[str, list[int]]]:
    """Each measurement, and under it its parts, `name.part`, as they follow each other."""
    measured = report.measurements
    for whole in sorted({name.partition(".")[0] for name in measured}):
        if whole in measured:
            yield LABELS.get(whole, whole), measured[whole]
        for name, values in measured.items():
            if name.startswith(f"{whole}."):
                part = name.removeprefix(f"{whole}.").replace("_", " ")
                yield (f"  {part}" if whole in measured else f"{whole}: {part}"), values


def _spread(values: list[int]) -> str:
    """The middle one and the one that only a twentieth exceeds, by their nearest ranks."""
    ranked = sorted(values)
    p50, p95 = (ranked[math.ceil(share * len(ranked)) - 1] / MS for share in (0.5, 0.95))
    if len(values) == 1:
        return f"{p50:.0f} ms"
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, {len(values)} times"
