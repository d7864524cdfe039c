"""YAML files of other kinds than a graph, read into structures, with places for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pipeline.config.document import Document
from pipeline.config.problems import UNKNOWN, fields, within_mapping
from pipeline.errors import ConfigError, Finding, Place, did_you_mean
from pipeline.files import nearest_file
from pipeline.settings import convert_value

T = TypeVar("T")

LARGEST_BYTES = 4 * 2**20
"""Of a file that somebody writes by hand: far more than a configuration can be."""


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
        problem = within_mapping(kind, document.data, problem)
        where = problem.path[1:]
        place, hint = document.place(*where), problem.hint
        unknown = problem.message.partition(UNKNOWN)[2]
        if unknown:
            place = document.key_place(*where, unknown)
            hint = did_you_mean(unknown, fields(kind, where))
        message = problem.message.lstrip(".").removeprefix(": ")
        raise ConfigError([Finding(problem.code, message, place, hint)])
    return value, document


def read_text(path: str | Path) -> str:
    """A file's text. Raises ConfigError if there is none, or too much of it."""
    place, hint = None, ""
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) <= LARGEST_BYTES:
            return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        message = f"{path} is larger than {LARGEST_BYTES >> 20} MiB"
    except UnicodeDecodeError as error:
        message, hint = "this is not UTF-8 text", "save the file as UTF-8"
        before = data[: error.start].decode("utf-8")
        column = len(before) - before.rfind("\n")
        place = Place(str(path), before.count("\n") + 1, column)
    except IsADirectoryError:
        message, hint = f"{path} is a folder", "name a file in it"
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        hint = nearest_file(path) if isinstance(error, FileNotFoundError) else ""
    raise ConfigError([Finding("unreadable", message, place, hint)])
