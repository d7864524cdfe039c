"""A graph as an SVG picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from pipeline.drawing.groups import lineage
from pipeline.drawing.layout import BAND_SIDE, BETWEEN_COLUMNS, Band, Layout, Size, Spot, lay_out
from pipeline.drawing.sketch import LABEL_WIDTH, Arrow, Box, Sketch, wrapped

NAME_SIZE, SMALL_SIZE = 14, 11
LINE = 14.0
"""From one line of text to the next."""
MARGIN = 20.0
PADDING = 14.0
PORTS = 16.0
"""Between two arrows at the same side of a box."""
HEAD = 8.0
FILLS = {
    "source": "#e4f1e8",
    "transform": "#ffffff",
    "duplex": "#e6ecfa",
    "sink": "#f9efdf",
    "again": "none",
}
GROUND, FRAME = "#f3f3f0", "#c9c9c2"
"""Of groups."""
INK, FAINT, FEEDBACK = "#222222", "#5c6470", "#a03a5a"
WIDE, NARROW = "MW@%mw", "fijlrt.,:;'|!I()[]- "


def draw_svg(sketch: Sketch) -> str:
    """The picture. Text is measured generously, for the font that it is shown in is not known.

    Colours tell the roles apart, dashed and rounded boxes are in-line, dashed arrows feedback.
    What is in a fragment has a ground of its own, with its name.
    """
    sketch = _without_loops(sketch)
    ends = [(min(a.source, a.target), max(a.source, a.target)) for a in sketch.arrows]
    sizes = [
        _box_size(box, max(sum(end[side] == number for end in ends) for side in (0, 1)))
        for number, box in enumerate(sketch.boxes)
    ]
    groups = [box.group for box in sketch.boxes]
    titles = {name: text_width(name, NAME_SIZE) for group in groups for name in lineage(group)}
    labels = [_label_size(arrow) for arrow in sketch.arrows]
    layout = lay_out(sizes, ends, labels, groups, titles)
    leaving = _ports(layout.boxes, [left for left, _ in ends], [p[0].y for p in layout.arrows])
    entering = _ports(layout.boxes, [right for _, right in ends], [p[-1].y for p in layout.arrows])
    parts = [part for name, band in layout.bands.items() for part in _band(name, band)]
    for number, arrow in enumerate(sketch.arrows):
        left, right = ends[number]
        begin = _left_edge(layout, sizes, left) + sizes[left].width, leaving[number]
        end = _left_edge(layout, sizes, right), entering[number]
        spots = [layout.boxes[left], *layout.arrows[number], layout.boxes[right]]
        parts += _arrow(arrow, begin, end, spots)
    for number, box in enumerate(sketch.boxes):
        x, y = _left_edge(layout, sizes, number), layout.boxes[number].y
        parts += _box(box, x, y, sizes[number])
    return _page(layout, parts)


def text_width(text: str, size: float) -> float:
    """An upper bound on the width of a text in the usual sans-serif fonts, wide ones included."""

    def ems(character: str) -> float:
        if character in NARROW:
            return 0.45
        if character in WIDE or unicodedata.east_asian_width(character) in "WF":
            return 1.0
        return 0.78 if character.isupper() else 0.66

    return size * sum(map(ems, text))


def _without_loops(sketch: Sketch) -> Sketch:
    """A box that leads to itself leads to a box without colour that stands for it instead."""
    boxes, arrows = list(sketch.boxes), list(sketch.arrows)
    for number, arrow in enumerate(arrows):
        if arrow.source == arrow.target:
            boxes.append(Box(boxes[arrow.source].name, "again", "again", True))
            arrows[number] = arrow._replace(target=len(boxes) - 1)
    return Sketch(tuple(boxes), tuple(arrows))


def _page(layout: Layout, parts: list[str]) -> str:
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    view = f"{-MARGIN:g} {-MARGIN:g} {width:.0f} {height:.0f}"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{view}" font-family="sans-serif" fill="{INK}">\n'
        f'<rect x="{-MARGIN:g}" y="{-MARGIN:g}" width="100%" height="100%" fill="#fff"/>\n'
        f"{body}\n</svg>\n"
    )


# --- groups ---


def _band(name: str, band: Band) -> Iterator[str]:
    yield (
        f'<rect class="group" x="{band.x:.1f}" y="{band.y:.1f}" width="{band.width:.1f}" '
        f'height="{band.height:.1f}" rx="8" fill="{GROUND}" stroke="{FRAME}"/>'
    )
    style = f'font-size="{NAME_SIZE}" fill="{FAINT}"'
    yield _text(name, band.x + BAND_SIDE, band.y + NAME_SIZE + 3, style, anchor="start")


# --- boxes ---


def _box_size(box: Box, arrows: int) -> Size:
    text = max(text_width(box.name, NAME_SIZE) * 1.1, text_width(box.kind, SMALL_SIZE))  # bold
    reach = max(22.0, arrows * PORTS / 2 + 4)
    return Size(text + 2 * PADDING, reach, reach)


def _left_edge(layout: Layout, sizes: Sequence[Size], number: int) -> float:
    """A box stands in the middle of its column."""
    spot = layout.boxes[number]
    return spot.x + (spot.column_width - sizes[number].width) / 2


def _ports(boxes: Sequence[Spot], at: list[int], towards: list[float]) -> list[float]:
    """For each arrow, the height at which it touches its box: side by side, without crossing."""
    heights = [0.0] * len(at)
    for number, spot in enumerate(boxes):
        here = sorted((n for n in range(len(at)) if at[n] == number), key=lambda n: towards[n])
        for place, arrow in enumerate(here):
            heights[arrow] = spot.y + (place - (len(here) - 1) / 2) * PORTS
    return heights


def _box(box: Box, x: float, y: float, size: Size) -> Iterator[str]:
    shape = 'rx="16" stroke-dasharray="5 3"' if box.inline else 'rx="3"'
    yield (
        f'<rect x="{x:.1f}" y="{y - size.above:.1f}" width="{size.width:.1f}" '
        f'height="{size.above + size.below:.1f}" {shape} fill="{FILLS[box.role]}" stroke="{INK}"/>'
    )
    middle = x + size.width / 2
    bold = f'font-size="{NAME_SIZE}" font-weight="bold"'
    yield _text(box.name, middle, y - 2, bold)
    yield _text(box.kind, middle, y + 13, f'font-size="{SMALL_SIZE}" fill="{FAINT}"')


# --- arrows ---


def _label_size(arrow: Arrow) -> Size:
    above, below = _label(arrow)
    width = max(text_width(line, SMALL_SIZE) for line in (*above, *below))
    return Size(width, len(above) * LINE + 3, len(below) * LINE + 4)


def _label(arrow: Arrow) -> tuple[list[str], list[str]]:
    """What stands above the arrow's line, and what stands below it."""
    return wrapped(arrow.carries, LABEL_WIDTH), [arrow.inbox] if arrow.inbox else []


def _arrow(
    arrow: Arrow, begin: tuple[float, float], end: tuple[float, float], spots: Sequence[Spot]
) -> Iterator[str]:
    """A line from the right edge of a box to the left edge of another, and its label.

    It is level wherever it passes a column, and bends only between columns. The boxes' numbers are
    in the order of the flow: from a higher to a lower one, the arrow points to the left.
    """
    colour = FEEDBACK if arrow.feedback else INK
    first, *between, last = spots
    path = [f"M{begin[0]:.1f} {begin[1]:.1f}H{first.x + first.column_width:.1f}"]
    height = begin[1]
    for spot in between:
        path.append(_bend(height, spot.x, spot.y) + f"H{spot.x + spot.column_width:.1f}")
        height = spot.y
    path.append(_bend(height, last.x, end[1]) + f"H{end[0]:.1f}")
    dashes = ' stroke-dasharray="5 3"' if arrow.feedback else ""
    yield f'<path d="{"".join(path)}" fill="none" stroke="{colour}"{dashes}/>'
    (x, y), back = (begin, HEAD) if arrow.source > arrow.target else (end, -HEAD)
    head = f"M{x:.1f} {y:.1f}l{back:g} {-HEAD / 2:g}v{HEAD:g}z"
    yield f'<path d="{head}" fill="{colour}"/>'
    above, below = _label(arrow)
    label = between[0]
    middle = label.x + label.column_width / 2
    small = f'font-size="{SMALL_SIZE}"'
    for number, line in enumerate(reversed(above)):
        yield _text(line, middle, label.y - 5 - number * LINE, f'{small} fill="{colour}"')
    for line in below:
        yield _text(line, middle, label.y + LINE - 1, f'{small} fill="{FAINT}"')


def _bend(height: float, x: float, y: float) -> str:
    """Across the gap before a column, level at both ends."""
    middle = x - BETWEEN_COLUMNS / 2
    return f"C{middle:.1f} {height:.1f} {middle:.1f} {y:.1f} {x:.1f} {y:.1f}"


def _text(text: str, x: float, y: float, style: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {style}>{escape(text)}</text>'
