"""Which boxes belong together: those of a fragment, and of the fragments within it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Group(NamedTuple):
    """A fragment, by its whole name; without one, all there is. boxes: their numbers."""

    name: str
    boxes: list[int]
    groups: dict[str, Group]


def grouped(names: Iterable[str]) -> Group:
    """The groups of boxes, given the name of the group of each; those without one come first."""
    whole = Group("", [], {})
    for number, name in enumerate(names):
        group = whole
        for each in lineage(name):
            group = group.groups.setdefault(each, Group(each, [], {}))
        group.boxes.append(number)
    return whole


def lineage(name: str) -> Iterator[str]:
    """A group and those that it is within, from the outside: `a` and `a.b` of `a.b`."""
    for at, character in enumerate(name):
        if character == ".":
            yield name[:at]
    if name:
        yield name


def shared(names: Sequence[str]) -> str:
    """The innermost group that all of these are, or are within; empty where there is none."""
    lines = [[*lineage(name)] for name in names]
    common = ""
    for together in zip(*lines, strict=False):
        if len(set(together)) > 1:
            break
        common = together[0]
    return common
