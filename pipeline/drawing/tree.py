"""A graph for the terminal: arrows lead down, what stands aside is indented.

    [typed] TextSource
     │ TextFrame
     │ inbox 64 frames, block
     ╰▶ gemini, below

Every node is drawn once, below all that feed it; other arrows into it only name it. The longest
way goes straight down. What is in a fragment stands behind a rail with the fragment's name on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.drawing.groups import lineage, shared
from pipeline.drawing.sketch import Arrow, Sketch, wrapped


class Glyphs(NamedTuple):
    """What lines are made of. Each is one column wide."""

    down: str
    head: str
    side: str
    fork: str
    turn: str
    end: str
    to: str
    back: str
    rail: str
    top: str
    bottom: str


UNICODE = Glyphs("│", "▼", "─", "├", "╮", "╰", "▶", "↺", "┃", "┏", "┗")
ASCII = Glyphs("|", "v", "-", "|", "+", "+", ">", "<", "!", ".", "'")


class Line(NamedTuple):
    """A line, the fragment that what it shows is in, and the arrows that pass it on the left."""

    text: str
    group: str = ""
    passing: str = ""


def draw_tree(sketch: Sketch, *, width: int = 80, ascii_only: bool = False) -> str:
    """The drawing, with lines of at most about `width` columns; ends with a newline."""
    glyphs = ASCII if ascii_only else UNICODE
    rails = max((len([*lineage(box.group)]) for box in sketch.boxes), default=0)
    lines = [*_Tree(sketch, width - RAIL * rails, glyphs).lines()]
    return "\n".join(_with_rails(lines, rails, glyphs)) + "\n"


def _with_rails(lines: list[Line], rails: int, glyphs: Glyphs) -> Iterator[str]:
    """The lines behind as many rails as there are groups within each other, if there are any."""
    before: list[str] = []
    for number, (text, group, passing) in enumerate(lines):
        within = [*lineage(group)]
        behind = [*lineage(lines[number + 1].group)] if number + 1 < len(lines) else []
        for depth, name in enumerate(within):
            if name not in before:
                rail = f"{glyphs.rail} " * depth + f"{glyphs.top} "
                yield f"{rail:{RAIL * rails}}{passing}{name}"
        rail = "".join(f"{glyphs.rail if n in behind else glyphs.bottom} " for n in within)
        yield f"{rail:{RAIL * rails}}{text}".rstrip()
        before = within


RAIL = 2
"""Columns that a rail takes."""


class _Tree:
    def __init__(self, sketch: Sketch, width: int, glyphs: Glyphs) -> None:
        self._sketch = sketch
        self._width = width
        self._glyphs = glyphs
        count = len(sketch.boxes)
        self._leaving: list[list[Arrow]] = [[] for _ in range(count)]
        self._waiting = [0] * count
        self._drawn = [False] * count
        for arrow in sketch.arrows:
            self._leaving[arrow.source].append(arrow)
            self._waiting[arrow.target] += not arrow.feedback
        self._depth = [0] * count
        for number in reversed(range(count)):
            ahead = [self._depth[a.target] for a in self._leaving[number] if not a.feedback]
            self._depth[number] = 1 + max(ahead, default=0)

    def lines(self) -> Iterator[Line]:
        count = len(self._sketch.boxes)
        roots = [number for number in range(count) if not self._waiting[number]]
        for number in sorted(roots, key=lambda number: self._depth[number]):
            yield from self._node(number, "")
            yield Line("")
        yield from map(Line, self._legend())

    def _node(self, number: int, prefix: str) -> Iterator[Line]:
        """A box and everything below it; a loop, for a chain may be long."""
        glyphs = self._glyphs
        while True:
            yield Line(f"{prefix}{self._box(number)}", self._sketch.boxes[number].group, prefix)
            self._drawn[number] = True
            arrows = self._in_order(number)
            for arrow in arrows[:-1]:
                if self._leads_to_box(arrow):
                    yield from self._label(
                        arrow,
                        f"{prefix} {glyphs.fork}{glyphs.side}{glyphs.turn} ",
                        f"{prefix} {glyphs.down} {glyphs.down} ",
                    )
                    yield Line(f"{prefix} {glyphs.down} {glyphs.head}", self._group(arrow))
                    yield from self._node(arrow.target, f"{prefix} {glyphs.down}")
                else:
                    yield from self._reference(arrow, prefix, glyphs.fork)
            if not arrows:
                return
            last = arrows[-1]
            if not self._leads_to_box(last):
                yield from self._reference(last, prefix, glyphs.end)
                return
            down = f"{prefix} {glyphs.down} "
            yield from self._label(last, down, down)
            yield Line(f"{prefix} {glyphs.head}", self._group(last))
            number = last.target

    def _in_order(self, number: int) -> list[Arrow]:
        """Arrows back first, the longest way last; of several, the one that the flow has first."""
        arrows = reversed(self._leaving[number])
        return sorted(arrows, key=lambda a: 0 if a.feedback else self._depth[a.target])

    def _leads_to_box(self, arrow: Arrow) -> bool:
        """Whether the target is drawn at this arrow: it is the last that was missing."""
        if arrow.feedback:
            return False
        self._waiting[arrow.target] -= 1
        return not self._waiting[arrow.target]

    def _group(self, arrow: Arrow) -> str:
        boxes = self._sketch.boxes
        return shared([boxes[arrow.source].group, boxes[arrow.target].group])

    def _reference(self, arrow: Arrow, prefix: str, corner: str) -> Iterator[Line]:
        glyphs = self._glyphs
        down = f"{prefix} {glyphs.down} "
        yield from self._label(arrow, down, down)
        where = "above" if self._drawn[arrow.target] else "below"
        tip = glyphs.back if arrow.feedback else glyphs.to
        target = self._sketch.boxes[arrow.target].name
        yield Line(f"{prefix} {corner}{tip} {target}, {where}", self._group(arrow))

    def _label(self, arrow: Arrow, first: str, others: str) -> Iterator[Line]:
        lines = wrapped(arrow.carries, self._width - len(first))
        if arrow.inbox:
            lines.append(f"inbox {arrow.inbox}")
        for index, line in enumerate(lines):
            text = f"{others if index else first}{line}"
            yield Line(text, self._group(arrow), others.rstrip())

    def _box(self, number: int) -> str:
        name, kind, _, inline = self._sketch.boxes[number]
        return f"({name}) {kind}" if inline else f"[{name}] {kind}"

    def _legend(self) -> Iterator[str]:
        notes = []
        if any(box.inline for box in self._sketch.boxes):
            notes.append("(name) runs in the task of what feeds it")
        if any(arrow.feedback for arrow in self._sketch.arrows):
            notes.append(f"{self._glyphs.back} feedback: it closes a cycle")
        yield from notes
