"""Which boxes belong together."""

import pytest

from pipeline.drawing.groups import Group, grouped, lineage, shared


def test_groups_within_groups() -> None:
    inner = Group("a.b", [2], {})
    assert grouped(["", "a", "a.b", "a", "c"]) == Group(
        "", [0], {"a": Group("a", [1, 3], {"a.b": inner}), "c": Group("c", [4], {})}
    )


def test_a_lineage_begins_outside() -> None:
    assert [*lineage("a.b.c")] == ["a", "a.b", "a.b.c"]
    assert [*lineage("")] == []


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["a.b", "a.b.c"], "a.b"),
        (["a.b", "a.bc"], "a"),
        (["a", "b"], ""),
        (["a", ""], ""),
        (["a.b.c", "a.b.d", "a.b"], "a.b"),
    ],
)
def test_what_is_shared(names: list[str], common: str) -> None:
    assert shared(names) == common
