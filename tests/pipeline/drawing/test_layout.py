"""Places in a picture: nothing lies upon anything else, arrows lead to the right."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.drawing.groups import lineage, shared
from pipeline.drawing.layout import BETWEEN_COLUMNS, BETWEEN_ROWS, Size, lay_out, nearest

BOX, LABEL = Size(100, 20, 20), Size(60, 14, 14)
heights = st.floats(-1000, 1000)


def test_a_chain_is_a_straight_line() -> None:
    layout = lay_out([BOX] * 3, [(0, 1), (1, 2)], [LABEL] * 2)
    assert {spot.y for spot in layout.boxes} == {20.0}
    assert [spot.x for spot in layout.boxes] == [0, 160 + 2 * 40, 2 * (160 + 2 * 40)]
    assert layout.width == 3 * 100 + 2 * 60 + 4 * BETWEEN_COLUMNS
    assert layout.height == 40


def test_what_comes_in_late_stands_where_it_is_needed() -> None:
    layout = lay_out([BOX] * 4, [(0, 2), (2, 3), (1, 3)], [LABEL] * 3)
    assert layout.boxes[1].x == layout.boxes[2].x


def test_lines_do_not_cross_where_they_need_not() -> None:
    arrows = [(0, 4), (1, 3), (1, 2), (0, 5)]
    layout = lay_out([BOX] * 6, arrows, [LABEL] * 4)
    tops = [layout.boxes[n].y for n in range(6)]
    upper, lower = ((4, 5), (2, 3)) if tops[0] < tops[1] else ((2, 3), (4, 5))
    assert max(tops[n] for n in upper) < min(tops[n] for n in lower)


sizes = st.builds(Size, st.floats(1, 300), st.floats(1, 80), st.floats(1, 80))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[tuple[int, int]], list[Size]]:
    boxes = draw(st.lists(sizes, min_size=1, max_size=8))
    possible = list(combinations(range(len(boxes)), 2))
    chosen = st.lists(st.sampled_from(possible), max_size=12) if possible else st.just([])
    arrows = draw(chosen)
    return boxes, arrows, [draw(sizes) for _ in arrows]


@given(graphs())
def test_nothing_lies_upon_anything_else(
    graph: tuple[list[Size], list[tuple[int, int]], list[Size]],
) -> None:
    boxes, arrows, labels = graph
    layout = lay_out(boxes, arrows, labels)
    placed = [
        *zip(layout.boxes, boxes, strict=True),
        *((path[0], label) for path, label in zip(layout.arrows, labels, strict=True)),
        *((spot, Size(0, 1, 1)) for path in layout.arrows for spot in path[1:]),
    ]
    for spot, size in placed:
        assert 0 <= spot.x <= layout.width - size.width + 1e-6
        assert spot.y - size.above >= -1e-6
        assert spot.y + size.below <= layout.height + 1e-6
        assert size.width <= spot.column_width
    for (one, a), (other, b) in combinations(placed, 2):
        beside = abs(one.x - other.x) > 1e-6
        upper, lower = ((one, a), (other, b)) if one.y <= other.y else ((other, b), (one, a))
        room = lower[0].y - lower[1].above - (upper[0].y + upper[1].below)
        assert beside or room >= BETWEEN_ROWS - 1e-6
    for (source, target), path in zip(arrows, layout.arrows, strict=True):
        stops = [layout.boxes[source], *path, layout.boxes[target]]
        for left, right in pairwise(stops):
            assert right.x == pytest.approx(left.x + left.column_width + BETWEEN_COLUMNS)


names = st.sampled_from(["", "", "a", "b", "a.c", "a.d", "e"])


@given(graphs(), st.data())
def test_a_group_has_a_band_of_its_own(
    graph: tuple[list[Size], list[tuple[int, int]], list[Size]], data: st.DataObject
) -> None:
    boxes, arrows, labels = graph
    groups = [data.draw(names) for _ in boxes]
    titles = {name: 500.0 for group in groups for name in lineage(group)}
    layout = lay_out(boxes, arrows, labels, groups, titles)
    assert set(layout.bands) == set(titles)
    between = [shared([groups[source], groups[target]]) for source, target in arrows]
    placed = [
        *zip(layout.boxes, boxes, groups, strict=True),
        *((p[0], size, g) for p, size, g in zip(layout.arrows, labels, between, strict=True)),
        *(
            (spot, Size(0, 1, 1), group)
            for path, group in zip(layout.arrows, between, strict=True)
            for spot in path[1:]
        ),
    ]
    for name, band in layout.bands.items():
        right, bottom = band.x + band.width, band.y + band.height
        assert band.width >= titles[name]
        assert min(band.x, band.y, layout.width - right, layout.height - bottom) >= -1e-6
        for spot, size, group in placed:
            if name in lineage(group):
                assert band.x < spot.x < spot.x + spot.column_width < right
                assert band.y + 20 < spot.y - size.above < spot.y + size.below < bottom
            else:
                aside = spot.x >= right or spot.x + spot.column_width <= band.x
                above = spot.y + size.below + BETWEEN_ROWS <= band.y + 1e-6
                assert aside or above or bottom + BETWEEN_ROWS <= spot.y - size.above + 1e-6
    for (one, a), (other, b) in combinations(layout.bands.items(), 2):
        if other.startswith(f"{one}."):
            assert a.x < b.x < b.x + b.width < a.x + a.width
            assert a.y + 20 < b.y < b.y + b.height < a.y + a.height
        else:
            beside = a.x >= b.x + b.width or b.x >= a.x + a.width
            assert beside or a.y >= b.y + b.height or b.y >= a.y + a.height


def test_the_nearest_heights() -> None:
    assert nearest([5.0], []) == [5.0]
    assert nearest([0, 100], [10]) == [0, 100]
    assert nearest([0, 0], [10]) == [-5, 5]
    assert nearest([3, 0, 0], [0, 0]) == [1, 1, 1]
    assert nearest([9, 0, 50], [10, 10]) == [-0.5, 9.5, 50]


@given(st.lists(heights, min_size=1, max_size=6), st.data())
def test_no_other_heights_are_nearer(wanted: list[float], data: st.DataObject) -> None:
    apart = [data.draw(st.floats(0, 100)) for _ in wanted[1:]]
    found = nearest(wanted, apart)
    assert all(b - a >= gap - 1e-6 for a, b, gap in zip(found, found[1:], apart, strict=False))
    other = [data.draw(heights)]
    for gap in apart:
        other.append(other[-1] + gap + data.draw(st.floats(0, 500)))

    def distance(to: list[float]) -> float:
        return sum((a - b) ** 2 for a, b in zip(wanted, to, strict=True))

    assert distance(found) <= distance(other) + 1e-3
