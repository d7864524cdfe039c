"""All that is wrong with a value, each at the key or the item where it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from pipeline.errors import did_you_mean
from pipeline.settings import Problem, convert_value

MOST = 20
"""Problems with one setting; who has made more of them has other worries."""

UNKNOWN = "unknown field "


def all_problems(annotation: Any, value: Any, name: str) -> Iterator[Problem]:
    """What keeps a setting from being what `annotation` wants.

    What is wrong is taken out, and the rest looked at again, since only one problem is found at a
    time. The path of an unknown key ends in the key.
    """
    holder = {name: copy.deepcopy(value)}
    taken: set[str] = set()
    for _ in range(MOST):
        _, problem = convert_value(annotation, holder[name], name)
        if problem is None:
            return
        problem = within_mapping(annotation, holder[name], problem)
        if not any(problem.message.endswith(f"required field {key}") for key in taken):
            problem = _at_key(annotation, problem)
            yield problem
        if not _take_out(holder, problem.path):
            return
        taken.add(str(problem.path[-1]))


def _take_out(holder: dict[str, Any], path: tuple[str | int, ...]) -> bool:
    """Whether it could be: the value itself, and items of lists, have to stay."""
    parent: Any = holder
    for key in path[:-1]:
        parent = parent[key]
    if len(path) < 2 or not isinstance(parent, dict) or path[-1] not in parent:
        return False
    del parent[path[-1]]
    return True


def within_mapping(annotation: Any, value: Any, problem: Problem) -> Problem:
    """The same problem at the key of a mapping, where msgspec names the mapping only."""
    items = _item_kind(annotation)
    if len(problem.path) > 1 or not isinstance(value, dict) or items is None:
        return problem
    top = problem.path[0]
    for key, item in value.items():
        _, inner = convert_value(items, item, f"{top}.{key}")
        if inner is not None:
            inner = within_mapping(items, item, inner)
            return inner._replace(path=(top, key, *inner.path[1:]))
    return problem


def _at_key(annotation: Any, problem: Problem) -> Problem:
    """The same problem at the key that is not known, where msgspec names what is around it."""
    where, _, unknown = problem.message.partition(UNKNOWN)
    if not unknown:
        return problem
    inside = where.partition(": ")[0]
    hint = did_you_mean(unknown, fields(annotation, problem.path[1:]))
    path = (*problem.path, unknown)
    return Problem(path, "unknown-setting", f'{inside}: no setting "{unknown}"', hint)


def _item_kind(annotation: Any) -> Any:
    """What the values of a mapping are; None for what is no mapping."""
    if get_origin(annotation) in (Union, UnionType):
        return next(filter(None, map(_item_kind, get_args(annotation))), None)
    if get_origin(annotation) is Annotated:
        return _item_kind(get_args(annotation)[0])
    return get_args(annotation)[1] if get_origin(annotation) is dict else None


def fields(kind: Any, path: tuple[str | int, ...]) -> set[str]:
    """The keys that a structure at a path may have; of every choice where there are several."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        is_item = path and isinstance(path[0], int) and get_origin(kind) in (list, tuple)
        if is_item or get_origin(kind) is dict:
            path = path[1:]
        return {name for inner in get_args(kind) for name in fields(inner, path)}
    names = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    if not path:
        return set(names)
    name = names.get(str(path[0]))
    return fields(get_type_hints(kind)[name], path[1:]) if name else set()
