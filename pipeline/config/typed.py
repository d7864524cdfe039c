"""YAML files of other kinds than a graph, read into structures, with places for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from pipeline.config.document import Document
from pipeline.errors import ConfigError, Finding, did_you_mean
from pipeline.settings import convert_value

T = TypeVar("T")


def read_yaml(
    path: str | Path, kind: type[T], *, variables: Mapping[str, str] | None = None
) -> tuple[T, Document]:
    """A YAML file as a `msgspec.Struct`, or any type that msgspec converts to.

    The document beside it tells where each value stands: `document.place("turns", 0, "expect")`.
    variables: for `${NAME}`; without them none is known.
    Raises ConfigError for a file that cannot be read or does not fit.
    """
    document = Document(read_text(path), str(path), variables or {})
    value, problem = convert_value(kind, document.data, "")
    if problem is not None:
        where = problem.path[1:]
        place, hint = document.place(*where), problem.hint
        unknown = problem.message.partition("unknown field ")[2]
        if unknown:
            place = document.key_place(*where, unknown)
            hint = did_you_mean(unknown, _fields(kind, where))
        message = problem.message.lstrip(".").removeprefix(": ")
        raise ConfigError([Finding(problem.code, message, place, hint)])
    return value, document


def _fields(kind: Any, path: tuple[str | int, ...]) -> set[str]:
    """The keys that a structure at a path may have; of every choice where there are several."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        if path and isinstance(path[0], int) and get_origin(kind) in (list, tuple):
            path = path[1:]
        return {name for inner in get_args(kind) for name in _fields(inner, path)}
    names = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    if not path:
        return set(names)
    name = names.get(str(path[0]))
    return _fields(get_type_hints(kind)[name], path[1:]) if name else set()


def read_text(path: str | Path) -> str:
    """A file's text. Raises ConfigError if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        message = f"{path} is not UTF-8 text"
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
    raise ConfigError([Finding("unreadable", message)])
