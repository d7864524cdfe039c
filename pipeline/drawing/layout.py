"""Places for the boxes and arrows of a picture: columns from left to right.

After Sugiyama, Tagawa and Toda (1981): a column for each step downstream, every arrow's label in a
column of its own between two of boxes, an order within the columns that lets few lines cross, and
then heights that keep lines straight. Since labels and the lines that pass a column take part like
boxes, nothing can lie upon anything else.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

ROUNDS = 24
"""More change nothing in graphs of some dozen boxes."""
BETWEEN_COLUMNS = 40.0
BETWEEN_ROWS = 16.0
LINE_ROOM = 4.0
"""Above and below a line that passes a column."""


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


class Layout(NamedTuple):
    """boxes: in their order. arrows: what each passes between its ends, and which is the label."""

    boxes: tuple[Spot, ...]
    arrows: tuple[tuple[Spot, ...], ...]
    width: float
    height: float


class _Items:
    """Boxes, labels and passing lines alike: sizes, columns, and what is beside each."""

    def __init__(self, boxes: Sequence[Size], columns: Sequence[int]) -> None:
        self.sizes = list(boxes)
        self.columns = list(columns)
        self.before: list[list[int]] = [[] for _ in boxes]
        self.behind: list[list[int]] = [[] for _ in boxes]

    def add(self, size: Size, column: int) -> int:
        self.sizes.append(size)
        self.columns.append(column)
        self.before.append([])
        self.behind.append([])
        return len(self.sizes) - 1

    def connect(self, left: int, right: int) -> None:
        self.behind[left].append(right)
        self.before[right].append(left)


def lay_out(
    boxes: Sequence[Size], arrows: Sequence[tuple[int, int]], labels: Sequence[Size]
) -> Layout:
    """Places for boxes, and for arrows with their labels.

    arrows: from left to right, each from a box to one with a higher number. The first spot of each
    is its label's.
    """
    items = _Items(boxes, _columns(len(boxes), arrows))
    passing: list[list[int]] = []
    for (source, target), label in zip(arrows, labels, strict=True):
        path: list[int] = []
        last = source
        for column in range(items.columns[source] + 1, items.columns[target]):
            size = Size(0, LINE_ROOM, LINE_ROOM) if path else label
            path.append(items.add(size, column))
            items.connect(last, path[-1])
            last = path[-1]
        items.connect(last, target)
        passing.append(path)
    rows = _ordered(items)
    heights = _heights(items, rows)
    widths = [max((items.sizes[item].width for item in row), default=0.0) for row in rows]
    lefts = [sum(widths[:n]) + n * BETWEEN_COLUMNS for n in range(len(rows))]
    top = min(heights[n] - size.above for n, size in enumerate(items.sizes))
    bottom = max(heights[n] + size.below for n, size in enumerate(items.sizes))

    def spot(item: int) -> Spot:
        column = items.columns[item]
        return Spot(lefts[column], heights[item] - top, widths[column])

    return Layout(
        tuple(map(spot, range(len(boxes)))),
        tuple(tuple(map(spot, path)) for path in passing),
        lefts[-1] + widths[-1],
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
    best, fewest = [list(row) for row in rows], _crossings(items, rows)
    for turn in range(ROUNDS):
        if not fewest:
            break
        beside = items.before if turn % 2 == 0 else items.behind
        for row in rows if turn % 2 == 0 else reversed(rows):
            place = {item: n for line in rows for n, item in enumerate(line)}
            row.sort(key=lambda item: _mean([place[n] for n in beside[item]], place[item]))
        crossings = _crossings(items, rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


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
