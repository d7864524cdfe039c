"""A graph for the terminal: arrows lead down, what stands aside is indented.

    [typed] TextSource
     │ TextFrame
     │ inbox 64 frames, block
     ╰▶ gemini, below

Every node is drawn once, below all that feed it; other arrows into it only name it. The longest
way goes straight down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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


UNICODE = Glyphs("│", "▼", "─", "├", "╮", "╰", "▶", "↺")
ASCII = Glyphs("|", "v", "-", "|", "+", "+", ">", "<")


def draw_tree(sketch: Sketch, *, width: int = 80, ascii_only: bool = False) -> str:
    """The drawing, with lines of at most about `width` columns; ends with a newline."""
    tree = _Tree(sketch, width, ASCII if ascii_only else UNICODE)
    return "\n".join(tree.lines()) + "\n"


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

    def lines(self) -> Iterator[str]:
        count = len(self._sketch.boxes)
        roots = [number for number in range(count) if not self._waiting[number]]
        for number in sorted(roots, key=lambda number: self._depth[number]):
            yield from self._node(number, "")
            yield ""
        yield from self._legend()

    def _node(self, number: int, prefix: str) -> Iterator[str]:
        """A box and everything below it; a loop, for a chain may be long."""
        glyphs = self._glyphs
        while True:
            yield f"{prefix}{self._box(number)}"
            self._drawn[number] = True
            arrows = self._in_order(number)
            for arrow in arrows[:-1]:
                if self._leads_to_box(arrow):
                    yield from self._label(
                        arrow,
                        f"{prefix} {glyphs.fork}{glyphs.side}{glyphs.turn} ",
                        f"{prefix} {glyphs.down} {glyphs.down} ",
                    )
                    yield f"{prefix} {glyphs.down} {glyphs.head}"
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
            yield f"{prefix} {glyphs.head}"
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

    def _reference(self, arrow: Arrow, prefix: str, corner: str) -> Iterator[str]:
        glyphs = self._glyphs
        down = f"{prefix} {glyphs.down} "
        yield from self._label(arrow, down, down)
        where = "above" if self._drawn[arrow.target] else "below"
        tip = glyphs.back if arrow.feedback else glyphs.to
        yield f"{prefix} {corner}{tip} {self._sketch.boxes[arrow.target].name}, {where}"

    def _label(self, arrow: Arrow, first: str, others: str) -> Iterator[str]:
        lines = wrapped(arrow.carries, self._width - len(first))
        if arrow.inbox:
            lines.append(f"inbox {arrow.inbox}")
        for index, line in enumerate(lines):
            yield f"{others if index else first}{line}"

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
