"""The live view as lines of text: what goes where on a terminal of some size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from pipeline.observing.control import Overview
from pipeline.observing.sampling import NodeState, Sample
from pipeline.observing.tally import clock

BAR = 10
"""Columns of the bar that shows how full an inbox is, or how far a run."""
FULL = 0.8


class Picture(NamedTuple):
    """All that is shown. title: what runs. words: the conversation, oldest first. facts: turns,
    tokens and the age of the session."""

    title: str
    sample: Sample
    words: Sequence[Text]
    facts: Sequence[str]


def draw(picture: Picture, width: int, height: int) -> list[Text]:
    """Lines that fit: at most `height` of them, none wider than `width` columns.

    The processors have the upper part, at most half of it, and the conversation the rest.
    """
    nodes = _table(picture.sample.nodes, max(height // 2 - 2, 1), width)
    head = [_heading(picture), *nodes, Text("─" * width, "dim")]
    foot = [Text("  ".join(picture.facts), "dim")]
    room = max(height - len(head) - len(foot), 0)
    words = [line for text in picture.words[-room:] for line in _wrapped(text, width)][-room:]
    lines = [*head, *(words if room else []), *[Text()] * (room - len(words)), *foot]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines[:height]


def draw_overview(title: str, overview: Overview, width: int, height: int) -> list[Text]:
    """A line for each session of a server, the longest first, as far as they fit."""
    sessions = sorted(overview.sessions, key=lambda session: -session.seconds)
    count = f"{len(sessions)} session{'' if len(sessions) == 1 else 's'}"
    lines = [Text.assemble((count, "bold"), f" of {title}")]
    name = max((len(session.name) for session in sessions), default=0)
    for session in sessions:
        line = Text(f"{session.name:{name}}  {clock(session.seconds):>7}")
        line.append(f"  {session.waiting:5} waiting", "" if session.waiting else "dim")
        if session.dropped:
            line.append(f"  {session.dropped} dropped", "red")
        line.append(f"  {'  '.join(session.facts)}", "dim")
        lines.append(line)
    if len(lines) > height:
        lines[height - 1 :] = [Text(f"and {len(lines) - height + 1} more", "dim")]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _heading(picture: Picture) -> Text:
    sample = picture.sample
    text = Text.assemble((picture.title, "bold"), f"  {clock(sample.seconds)}")
    if sample.progress is not None:
        text.append(f"  {_bar(sample.progress)} {how_far(sample.progress, sample.left)}")
    return text


def how_far(progress: float, left: float | None) -> str:
    """`25%, 3:15 left`. What has come in takes time to be answered: its end is not that of all."""
    if progress >= 1:
        return "input ended"
    whole = f"{math.floor(progress * 100)}%"
    return whole if left is None else f"{whole}, {clock(left)} left"


def _table(nodes: Sequence[NodeState], most: int, width: int) -> list[Text]:
    """A line for each node; where there are too many, first those that something waits at."""
    shown = list(nodes)
    if len(shown) > most:
        busy = sorted(nodes, key=lambda n: (n.dropped, n.fill or 0, n.rate), reverse=True)
        chosen = set(busy[: most - 1])
        shown = [node for node in nodes if node in chosen]
    name = min(max((len(node.name) for node in shown), default=0), max(width - 45, 8))
    lines = [_row(node, name) for node in shown]
    if len(shown) < len(nodes):
        lines.append(Text(f"and {len(nodes) - len(shown)} more", "dim"))
    return lines


def _row(node: NodeState, width: int) -> Text:
    shown = node.name if len(node.name) <= width else f"{node.name[: width - 1]}…"
    line = Text(f"{shown:{width}}  ")
    line.append(f"{node.rate:7.1f}/s", "" if node.rate else "dim")
    if node.fill is not None:
        colour = "yellow" if node.fill >= FULL else "green" if node.waiting else "dim"
        line.append(f"  {_bar(node.fill)}", colour)
        line.append(f" {node.waiting:5}")
    if node.progress is not None:
        line.append(f"  {_bar(node.progress)} {how_far(node.progress, node.left)}")
    if node.dropped:
        line.append(f"  {node.dropped} dropped", "red")
    return line


def _bar(part: float) -> str:
    whole = round(min(max(part, 0.0), 1.0) * BAR)
    return "█" * whole + "░" * (BAR - whole)


def _wrapped(text: Text, width: int) -> list[Text]:
    """The lines of a text of the conversation."""
    from rich.console import Console

    if text.cell_len <= width:
        return [text]
    console = Console(width=width)
    return list(text.wrap(console, max(width, 1)))
