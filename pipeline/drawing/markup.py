"""Graphs in the languages of other programs that draw: Mermaid, and DOT of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from pipeline.drawing.groups import Group, grouped
from pipeline.drawing.sketch import LABEL_WIDTH, Arrow, Box, Sketch, wrapped


def draw_mermaid(sketch: Sketch) -> str:
    """A flow chart as Mermaid has them, for Markdown; in-line transforms are rounded and dashed."""
    lines = ["flowchart LR"]
    lines += _mermaid_group(grouped(box.group for box in sketch.boxes), sketch, "    ", count(1))
    for arrow in sketch.arrows:
        line = "-.->" if arrow.feedback else "-->"
        label = "<br>".join(map(_mermaid, _label(arrow)))
        lines.append(f'    n{arrow.source} {line}|"{label}"| n{arrow.target}')
    if any(box.inline for box in sketch.boxes):
        lines.append("    classDef inline stroke-dasharray:4 3")
    return "\n".join(lines) + "\n"


def _mermaid_group(
    group: Group, sketch: Sketch, margin: str, numbers: Iterator[int]
) -> Iterator[str]:
    for number in group.boxes:
        box = sketch.boxes[number]
        text = f'"{_mermaid(box.name)}<br>{_mermaid(box.kind)}"'
        shape = f"([{text}]):::inline" if box.inline else f"[{text}]"
        yield f"{margin}n{number}{shape}"
    for inner in group.groups.values():
        yield f'{margin}subgraph g{next(numbers)}["{_mermaid(inner.name)}"]'
        yield from _mermaid_group(inner, sketch, f"{margin}    ", numbers)
        yield f"{margin}end"


def draw_dot(sketch: Sketch) -> str:
    """A directed graph in the DOT language; in-line transforms are rounded and dashed."""
    lines = [
        "digraph pipeline {",
        "    rankdir=LR;",
        '    node [shape=box, fontname="sans-serif", fontsize=12];',
        '    edge [fontname="sans-serif", fontsize=10];',
    ]
    lines += _dot_group(grouped(box.group for box in sketch.boxes), sketch, "    ")
    for arrow in sketch.arrows:
        ends = " -> ".join(_dot(sketch.boxes[end].name) for end in (arrow.source, arrow.target))
        style = ", style=dashed, constraint=false" if arrow.feedback else ""
        lines.append(f"    {ends} [label={_dot(*_label(arrow))}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_group(group: Group, sketch: Sketch, margin: str) -> Iterator[str]:
    for number in group.boxes:
        box = sketch.boxes[number]
        style = ', style="rounded,dashed"' if box.inline else ""
        yield f"{margin}{_dot(box.name)} [label={_dot(*_title(box))}{style}];"
    for inner in group.groups.values():
        yield f"{margin}subgraph {_dot(f'cluster_{inner.name}')} {{"
        yield f"{margin}    label={_dot(inner.name)};"
        yield from _dot_group(inner, sketch, f"{margin}    ")
        yield f"{margin}}}"


def _title(box: Box) -> tuple[str, str]:
    return box.name, box.kind


def _label(arrow: Arrow) -> list[str]:
    lines = wrapped(arrow.carries, LABEL_WIDTH)
    return [*lines, f"inbox {arrow.inbox}"] if arrow.inbox else lines


def _mermaid(text: str) -> str:
    """Text within quotation marks: HTML, with `#` before the names of characters."""
    return text.replace("&", "#amp;").replace("<", "#lt;").replace('"', "#quot;")


def _dot(*lines: str) -> str:
    """A quoted string of the DOT language, of one or several lines."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
