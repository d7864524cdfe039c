"""Room for groups."""

from pipeline.drawing.bands import apart, kept_apart, together


def test_members_stand_together_in_the_order_of_the_groups() -> None:
    groups = ["b", "", "a", "b", "a.c", "a"]
    assert together([0, 1, 2, 3, 4, 5], groups, {"a": 0.1, "b": 0.9, "a.c": 0.5}) == [
        *(1, 2, 4, 5),
        *(0, 3),
    ]
    assert together([0, 1, 2, 3, 4, 5], groups, {"a": 0.9, "b": 0.1, "a.c": 0.5}) == [
        *(1, 0, 3),
        *(2, 4, 5),
    ]


def test_what_is_in_no_group_keeps_clear_of_the_band_in_every_column() -> None:
    rows, groups = [[0, 1], [2, 3]], ["g", "", "g", ""]
    distances = apart(rows, [(10, 10)] * 4, groups, between=5, margins=(20, 3))
    heights = kept_apart([0, 0, 100, 0], distances)
    assert heights[1] - heights[0] >= 10 + 3 + 5 + 10
    bottom = max(heights[0], heights[2]) + 10 + 3
    assert min(heights[1], heights[3]) - 10 >= bottom + 5


def test_who_is_where_he_wants_to_be_stays_there() -> None:
    assert kept_apart([0.0, 50.0], [(0, 1, 20.0)]) == [0.0, 50.0]
    assert kept_apart([0.0, 0.0], [(0, 1, 20.0)]) == [-10.0, 10.0]
