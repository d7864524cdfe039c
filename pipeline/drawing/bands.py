"""Room for groups in a picture: a band of its own for each, from its first column to its last.

Within a column the members of a group stand together, and groups have the same order in all
columns. Then what has to be apart, items and the edges of bands, is a graph without cycles, whose
longest ways give heights that keep all distances.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from pipeline.drawing.groups import lineage, shared

Node = int | tuple[str, str]
"""An item by its number, or an edge of a group's band: its name, and `top` or `bottom`."""


def together(row: Sequence[int], groups: Sequence[str], rank: Mapping[str, float]) -> list[int]:
    """A column's items with those of each group side by side, and groups in the order of `rank`.

    groups: of every item, by its name; empty for none.
    """
    return _together(row, groups, rank, "")


def _together(
    row: Sequence[int], groups: Sequence[str], rank: Mapping[str, float], within: str
) -> list[int]:
    units: dict[int | str, list[int]] = {}
    for item in row:
        units.setdefault(_unit(item, groups[item], within), []).append(item)
    places = {unit: sum(map(row.index, items)) / len(items) for unit, items in units.items()}
    order = sorted(units, key=lambda unit: places[unit])
    inner = iter(sorted((u for u in order if isinstance(u, str)), key=lambda name: rank[name]))
    order = [next(inner) if isinstance(unit, str) else unit for unit in order]
    sorted_row: list[int] = []
    for unit in order:
        items = units[unit]
        sorted_row += _together(items, groups, rank, unit) if isinstance(unit, str) else items
    return sorted_row


def _unit(item: int, group: str, within: str) -> int | str:
    """What an item counts as among what is directly within a group: itself, or a group there."""
    return next((name for name in lineage(group) if len(name) > len(within)), item)


def apart(
    rows: Sequence[Sequence[int]],
    extents: Sequence[tuple[float, float]],
    groups: Sequence[str],
    *,
    between: float,
    margins: tuple[float, float],
) -> list[tuple[Node, Node, float]]:
    """How far one thing must at least be below another.

    extents: how far each item reaches above and below its line. margins: of a band, above and below
    what is in it.
    """
    distances: list[tuple[Node, Node, float]] = []
    above, below = margins
    for name in {name for group in groups for name in lineage(group)}:
        outer = [*lineage(name)][-2:-1]
        for group in outer:
            distances.append(((group, "top"), (name, "top"), above))
            distances.append(((name, "bottom"), (group, "bottom"), below))
    for item, group in enumerate(groups):
        if group:
            distances.append(((group, "top"), item, above + extents[item][0]))
            distances.append((item, (group, "bottom"), extents[item][1] + below))
    for row in rows:
        for one, other in itertools.pairwise(row):
            within = shared([groups[one], groups[other]])
            upper, lower = (_unit(n, groups[n], within) for n in (one, other))
            distance = between
            distance += extents[upper][1] if isinstance(upper, int) else 0
            distance += extents[lower][0] if isinstance(lower, int) else 0
            first: Node = upper if isinstance(upper, int) else (upper, "bottom")
            second: Node = lower if isinstance(lower, int) else (lower, "top")
            distances.append((first, second, distance))
    return distances


def kept_apart(
    wanted: Sequence[float], distances: Sequence[tuple[Node, Node, float]]
) -> list[float]:
    """Heights near to those wanted that keep all distances.

    Items are moved down where they have to, and in another attempt up; the middle of two solutions
    is one as well.
    """
    order = [*_sorted(len(wanted), distances)]
    down: dict[Node, float] = dict(enumerate(wanted))
    up: dict[Node, float] = dict(enumerate(wanted))
    behind: dict[Node, list[tuple[Node, float]]] = {}
    before: dict[Node, list[tuple[Node, float]]] = {}
    for one, other, distance in distances:
        behind.setdefault(one, []).append((other, distance))
        before.setdefault(other, []).append((one, distance))
    for node in order:
        least = [down[one] + distance for one, distance in before.get(node, ()) if one in down]
        if least:
            down[node] = max(*least, down.get(node, least[0]))
    for node in reversed(order):
        most = [up[other] - distance for other, distance in behind.get(node, ()) if other in up]
        if most:
            up[node] = min(*most, up.get(node, most[0]))
    return [(down[item] + up[item]) / 2 for item in range(len(wanted))]


def _sorted(count: int, distances: Sequence[tuple[Node, Node, float]]) -> Iterator[Node]:
    """All nodes, each behind those that it has to be below."""
    waiting: dict[Node, int] = dict.fromkeys(range(count), 0)
    behind: dict[Node, list[Node]] = {}
    for one, other, _ in distances:
        waiting.setdefault(one, 0)
        waiting[other] = waiting.get(other, 0) + 1
        behind.setdefault(one, []).append(other)
    ready = [node for node, number in waiting.items() if not number]
    while ready:
        node = ready.pop()
        yield node
        for other in behind.get(node, ()):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
