"""Places for the boxes and arrows of a picture: columns from left to right.

After Sugiyama, Tagawa and Toda (1981): a column for each step downstream, every arrow's label in a
column of its own between two of boxes, an order within the columns that lets few lines cross, and
then heights that keep lines straight. Since labels and the lines that pass a column take part like
boxes, nothing can lie upon anything else. Groups have bands of their own, see `bands`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.drawing.bands import apart, kept_apart, together
from pipeline.drawing.groups import lineage, shared

ROUNDS = 24
"""More change nothing in graphs of some dozen boxes."""
BETWEEN_COLUMNS = 40.0
BETWEEN_ROWS = 16.0
LINE_ROOM = 4.0
"""Above and below a line that passes a column."""
BAND_MARGINS = 26.0, 10.0
"""Of a group's band above, where its name stands, and below what is in it."""
BAND_SIDE = 12.0
"""The same at its left and its right side."""


class Size(NamedTuple):
    """Of a box or a label: its width, and how far it reaches above and below its line."""

    width: float
    above: float
    below: float


class Spot(NamedTuple):
    """Where a box or a label is: its left edge and the height of its line; y grows downwards."""

    x: float
    y: float
    column_width: float


class Band(NamedTuple):
    """A rectangle that has everything of a group in it, and nothing else; y is its upper edge."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """boxes: in their order. arrows: what each passes between its ends, and which is the label.

    bands: of the groups, by name, those within others behind them.
    """

    boxes: tuple[Spot, ...]
    arrows: tuple[tuple[Spot, ...], ...]
    bands: dict[str, Band]
    width: float
    height: float


class _Items:
    """Boxes, labels and passing lines alike: sizes, columns, and what is beside each."""

    def __init__(
        self, boxes: Sequence[Size], columns: Sequence[int], groups: Sequence[str]
    ) -> None:
        self.sizes = list(boxes)
        self.columns = list(columns)
        self.groups = list(groups)
        self.before: list[list[int]] = [[] for _ in boxes]
        self.behind: list[list[int]] = [[] for _ in boxes]

    def add(self, size: Size, column: int, group: str) -> int:
        self.sizes.append(size)
        self.columns.append(column)
        self.groups.append(group)
        self.before.append([])
        self.behind.append([])
        return len(self.sizes) - 1

    def connect(self, left: int, right: int) -> None:
        self.behind[left].append(right)
        self.before[right].append(left)

    def names(self) -> list[str]:
        """The groups, those within others behind them."""
        return sorted({name for group in self.groups for name in lineage(group)})

    def members(self, group: str) -> list[int]:
        """All that is in a group, or in one within it."""
        return [n for n, name in enumerate(self.groups) if group in lineage(name)]

    def fill_up(self) -> None:
        """Hold a place for each group in every column between its first and its last."""
        for group in self.names():
            columns = {self.columns[n] for n in self.members(group)}
            for column in range(min(columns), max(columns)):
                if column not in columns:
                    self.add(Size(0, 0, 0), column, group)


def lay_out(
    boxes: Sequence[Size],
    arrows: Sequence[tuple[int, int]],
    labels: Sequence[Size],
    groups: Sequence[str] = (),
    titles: dict[str, float] | None = None,
) -> Layout:
    """Places for boxes, and for arrows with their labels.

    arrows: from left to right, each from a box to one with a higher number. The first spot of each
    is its label's. groups: the name of each box's group, `a.b` within `a`, empty for none.
    titles: the widths of the groups' names.
    """
    groups = groups or [""] * len(boxes)
    items = _Items(boxes, _columns(len(boxes), arrows), groups)
    passing: list[list[int]] = []
    for (source, target), label in zip(arrows, labels, strict=True):
        path: list[int] = []
        last = source
        group = shared([groups[source], groups[target]])
        for column in range(items.columns[source] + 1, items.columns[target]):
            size = Size(0, LINE_ROOM, LINE_ROOM) if path else label
            path.append(items.add(size, column, group))
            items.connect(last, path[-1])
            last = path[-1]
        items.connect(last, target)
        passing.append(path)
    items.fill_up()
    rows = _ordered(items)
    heights = _heights(items, rows)
    if items.names():
        heights = _with_bands(items, rows, heights)
    widths = [max((items.sizes[item].width for item in row), default=0.0) for row in rows]
    for name, title in (titles or {}).items():
        first = min(items.columns[n] for n in items.members(name))
        widths[first] = max(widths[first], title)
    lefts = [sum(widths[:n]) + n * BETWEEN_COLUMNS for n in range(len(rows))]
    bands = _bands(items, heights, lefts, widths)
    edges = [(heights[n] - s.above, heights[n] + s.below) for n, s in enumerate(items.sizes)]
    edges += [(band.y, band.y + band.height) for band in bands.values()]
    top, bottom = min(edge[0] for edge in edges), max(edge[1] for edge in edges)
    side = -min([0.0, *(band.x for band in bands.values())])
    width = max([lefts[-1] + widths[-1], *(band.x + band.width for band in bands.values())])

    def spot(item: int) -> Spot:
        column = items.columns[item]
        return Spot(lefts[column] + side, heights[item] - top, widths[column])

    return Layout(
        tuple(map(spot, range(len(boxes)))),
        tuple(tuple(map(spot, path)) for path in passing),
        {name: band._replace(x=band.x + side, y=band.y - top) for name, band in bands.items()},
        width + side,
        bottom - top,
    )


def _columns(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """Boxes in the even columns: behind all that lead to them, and what nothing leads to as far
    to the right as it may be."""
    columns = [0] * count
    for source, target in sorted(arrows):
        columns[target] = max(columns[target], columns[source] + 2)
    fed = {target for _, target in arrows}
    for number in set(range(count)) - fed:
        ahead = [columns[target] for source, target in arrows if source == number]
        columns[number] = min(ahead, default=2) - 2
    return columns


# --- the order within columns ---


def _ordered(items: _Items) -> list[list[int]]:
    """The columns, in the best order that some rounds of sorting by neighbours find."""
    rows: list[list[int]] = [[] for _ in range(max(items.columns) + 1)]
    seen: set[int] = set()
    pending = [item for item in reversed(range(len(items.sizes))) if not items.before[item]]
    while pending:
        item = pending.pop()
        if item not in seen:
            seen.add(item)
            rows[items.columns[item]].append(item)
            pending += reversed(items.behind[item])
    groups = items.names()
    if groups:
        rank = _rank(items, rows)
        rows = [together(row, items.groups, rank) for row in rows]
    best, fewest = [list(row) for row in rows], _crossings(items, rows)
    for turn in range(ROUNDS):
        if not fewest:
            break
        beside = items.before if turn % 2 == 0 else items.behind
        rank = _rank(items, rows) if groups else {}
        for row in rows if turn % 2 == 0 else reversed(rows):
            place = {item: n for line in rows for n, item in enumerate(line)}
            row.sort(key=lambda item: _mean([place[n] for n in beside[item]], place[item]))
            if groups:
                row[:] = together(row, items.groups, rank)
        crossings = _crossings(items, rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _rank(items: _Items, rows: list[list[int]]) -> dict[str, float]:
    """How far down each group stands, from 0 to 1, all columns taken together."""
    place = {item: (n + 0.5) / len(row) for row in rows for n, item in enumerate(row)}
    return {name: _mean([place[n] for n in items.members(name)], 0) for name in items.names()}


def _crossings(items: _Items, rows: list[list[int]]) -> int:
    """Pairs of lines between neighbouring columns that cross."""
    total = 0
    for left, right in itertools.pairwise(rows):
        place = {item: n for n, item in enumerate(right)}
        ends = [sorted(place[other] for other in items.behind[item]) for item in left]
        for upper in range(len(ends)):
            for lower in ends[upper + 1 :]:
                total += sum(a > b for a in ends[upper] for b in lower)
    return total


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


# --- heights ---


def _heights(items: _Items, rows: list[list[int]]) -> list[float]:
    """A height for every item's line: near its neighbours', and clear of what is beside it."""
    heights = [0.0] * len(items.sizes)
    both = [a + b for a, b in zip(items.before, items.behind, strict=True)]
    for turn in range(ROUNDS):
        beside = (items.before, items.behind, both)[turn % 3]
        for row in reversed(rows) if turn % 3 == 1 else rows:
            wanted = [_mean([heights[n] for n in beside[item]], heights[item]) for item in row]
            sizes = [items.sizes[item] for item in row]
            apart = [a.below + BETWEEN_ROWS + b.above for a, b in itertools.pairwise(sizes)]
            for item, height in zip(row, nearest(wanted, apart), strict=True):
                heights[item] = height
    return heights


def _with_bands(items: _Items, rows: list[list[int]], heights: list[float]) -> list[float]:
    """The same, so that the groups' bands are clear of everything else, too."""
    extents = [(size.above, size.below) for size in items.sizes]
    distances = apart(rows, extents, items.groups, between=BETWEEN_ROWS, margins=BAND_MARGINS)
    heights = kept_apart(heights, distances)
    for turn in range(ROUNDS):
        beside = items.before if turn % 2 else items.behind
        for item in itertools.chain.from_iterable(rows if turn % 2 else reversed(rows)):
            others = beside[item]
            if not items.before[item] and not items.behind[item]:  # a place held for a group
                others = [n for n in items.members(items.groups[item]) if n != item]
            heights[item] = _mean([heights[n] for n in others], heights[item])
        heights = kept_apart(heights, distances)
    return heights


def _bands(
    items: _Items, heights: Sequence[float], lefts: Sequence[float], widths: Sequence[float]
) -> dict[str, Band]:
    bands: dict[str, Band] = {}
    above, below = BAND_MARGINS
    for name in reversed(items.names()):
        members = [n for n, group in enumerate(items.groups) if group == name]
        inner = [band for other, band in bands.items() if [*lineage(other)][-2:-1] == [name]]
        tops = [heights[n] - items.sizes[n].above for n in members]
        bottoms = [heights[n] + items.sizes[n].below for n in members]
        top = min([*tops, *(band.y for band in inner)]) - above
        bottom = max([*bottoms, *(band.y + band.height for band in inner)]) + below
        columns = [items.columns[n] for n in items.members(name)]
        first, last = min(columns), max(columns)
        left = min([lefts[first], *(band.x for band in inner)])
        right = max([lefts[last] + widths[last], *(band.x + band.width for band in inner)])
        width = right - left + 2 * BAND_SIDE
        bands[name] = Band(left - BAND_SIDE, top, width, bottom - top)
    return dict(reversed(bands.items()))


def nearest(wanted: Sequence[float], apart: Sequence[float]) -> list[float]:
    """The heights nearest to those wanted, by least squares, at least `apart` from one another.

    wanted: n > 0 heights, in any order. apart: n - 1 distances. With the distances taken off, it is
    isotonic regression, which pooling neighbours that are out of order solves exactly.
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, int]] = []
    for height, offset in zip(wanted, offsets, strict=True):
        value, count = height - offset, 1
        while pools and pools[-1][0] > value:
            other, others = pools.pop()
            value = (value * count + other * others) / (count + others)
            count += others
        pools.append((value, count))
    flat = [value for value, count in pools for _ in range(count)]
    return [value + offset for value, offset in zip(flat, offsets, strict=True)]
