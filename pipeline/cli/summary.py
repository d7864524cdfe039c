"""What a run amounted to, on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from rich.console import Console
from rich.table import Table

from pipeline.runtime.report import Report

MS = 1_000_000


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
    for name, values in sorted(report.measurements.items()):
        label = "end of speech to sound" if name == "response" else name
        shown = ", ".join(f"{value / MS:.0f}" for value in values[:8])
        facts.add_row(label, f"{shown} ms" if len(values) <= 8 else _spread(values))
    for (processor, reason), frames in sorted(report.drops.items()):
        facts.add_row("dropped", f"{frames} frames at {processor}: {reason}")
    if not report.drops:
        facts.add_row("dropped", "nothing")
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


def _spread(values: list[int]) -> str:
    return (
        f"median {median(values) / MS:.0f} ms, worst {max(values) / MS:.0f} ms, {len(values)} times"
    )
