"""What there is to know of a processor class, as data: for people, for editors and for the docs.

All of it comes from the class itself: the signature, annotations and `msgspec.Meta` of its
constructor, the annotations of its role's method, and its docstring, in which `name: meaning`
(or `one, other: meaning`) at the beginning of a line, or behind a full stop, describes a setting.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from pipeline.processor import Duplex, Processor, Sink, Source, Transform
from pipeline.settings import read_settings
from pipeline.wording import UNITS

Kind = Literal[
    "integer", "number", "boolean", "text", "file", "code", "choice", "list", "mapping", "group",
    "any",
]  # fmt: skip

ROLES = (Source, Transform, Sink, Duplex)

PLAIN: dict[Any, Kind] = {
    int: "integer", float: "number", bool: "boolean", str: "text", Path: "text"
}  # fmt: skip

LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
"""What `msgspec.Meta` calls a limit, and what JSON Schema does."""

LENGTHS = {"list": "Items", "mapping": "Properties"}
"""What JSON Schema counts; in a text it is `Length`."""


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a value may be.

    nullable: null, too. limits: as in JSON Schema. choices: for `choice`. items: of a `list`, or
    the values of a `mapping`. fields: of a `group`; closed, if it takes no others. written: a
    `file` that is written rather than read. examples: those that the annotation gives.
    others: further shapes that will do as well.
    """

    kind: Kind
    nullable: bool = False
    limits: dict[str, Any] = {}
    choices: tuple[Any, ...] = ()
    items: Shape | None = None
    fields: tuple[Entry, ...] = ()
    closed: bool = False
    written: bool = False
    examples: tuple[Any, ...] = ()
    others: tuple[Shape, ...] = ()


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A setting, or a field of one. default: in plain values, as in YAML; null if it has none."""

    name: str
    shape: Shape
    required: bool = False
    default: Any = None
    unit: str = ""
    meaning: str = ""


class Reference(msgspec.Struct, frozen=True):
    """A processor class. summary: one sentence; text: its docstring without the settings."""

    role: str
    summary: str
    text: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    settings: tuple[Entry, ...]


def read_reference(kind: type[Processor]) -> Reference:
    """All about a class. Raises SettingError where its annotations are missing or wrong."""
    settings = read_settings(kind)
    text, meanings = read_docstring(kind, settings)
    ports = kind.ports()
    return Reference(
        next((role.__name__.lower() for role in ROLES if issubclass(kind, role)), "processor"),
        first_sentence(text),
        text,
        tuple(frame.__name__ for frame in ports.takes),
        tuple(frame.__name__ for frame in ports.gives),
        tuple(
            _entry(s.name, s.annotation, meanings, s.required, None if s.required else s.default)
            for s in settings.values()
        ),
    )


def read_fields(kind: type) -> tuple[Entry, ...]:
    """The fields of a `msgspec.Struct` or a dataclass, like settings."""
    return _fields(kind, ())


def read_docstring(kind: type, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """A class's docstring without what it says of `names`, and what it says of each of them."""
    text = inspect.cleandoc(kind.__doc__ or "")
    if dataclasses.is_dataclass(kind) and text.startswith(f"{kind.__name__}("):
        text = ""  # the signature, which stands there where nobody has written anything
    word = "|".join(map(re.escape, names)) or r"(?!)"
    begin = rf"(?:^|(?<=[.!?] ))(?:{word})(?:, (?:{word}))*: "
    entry = re.compile(rf"({begin})(.*?)(?={begin}|\n[ \t]*\n|\Z)", re.MULTILINE | re.DOTALL)
    meanings = {
        name.strip(): " ".join(meaning.split())
        for head, meaning in entry.findall(text)
        for name in head.rstrip(": ").split(",")
    }
    return re.sub(r"\n{3,}", "\n\n", entry.sub("", text)).strip(), meanings


def first_sentence(text: str) -> str:
    """On one line."""
    found = re.match(r".*?[.!?](?=\s|$)|.*", " ".join(text.split()))
    return found[0] if found else ""


def in_yaml(value: Any) -> str:
    """A plain value as one would write it in YAML, on one line; what is not set is left out."""
    if isinstance(value, Mapping):
        given = {key: item for key, item in value.items() if item not in (None, [], {})}
        return "{" + ", ".join(f"{key}: {in_yaml(item)}" for key, item in given.items()) + "}"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


# --- annotations ---


def _entry(
    name: str,
    annotation: Any,
    meanings: Mapping[str, str],
    required: bool,
    default: Any,
    within: tuple[type, ...] = (),
) -> Entry:
    plain = msgspec.to_builtins(default, enc_hook=str, str_keys=True)
    unit = UNITS.get(name.rpartition("_")[2], "")
    return Entry(name, _shape(annotation, within), required, plain, unit, meanings.get(name, ""))


def _shape(annotation: Any, within: tuple[type, ...] = ()) -> Shape:
    """within: the structures that it is a part of, for one may contain itself."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        shape = _shape(arguments[0], within)
        for meta in annotation.__metadata__:
            shape = _limited(shape, meta) if isinstance(meta, msgspec.Meta) else shape
        return shape
    if origin in (Union, UnionType):
        first, *others = [_shape(a, within) for a in arguments if a is not NoneType]
        nullable = NoneType in arguments or first.nullable
        return msgspec.structs.replace(first, nullable=nullable, others=tuple(others))
    if origin is Literal:
        return Shape("choice", choices=arguments)
    container = origin or annotation
    if container in (list, tuple, set, frozenset):
        return Shape("list", items=_shape(arguments[0], within) if arguments else None)
    if container is dict:
        return Shape("mapping", items=_shape(arguments[1], within) if arguments else None)
    if not isinstance(annotation, type) or annotation in within:
        return Shape("any")
    if issubclass(annotation, enum.Enum):
        return Shape("choice", choices=tuple(member.value for member in annotation))
    if issubclass(annotation, msgspec.Struct) and not annotation.__struct_config__.array_like:
        closed = annotation.__struct_config__.forbid_unknown_fields
        return Shape("group", fields=_fields(annotation, within), closed=closed)
    if dataclasses.is_dataclass(annotation):
        return Shape("group", fields=_fields(annotation, within))
    return Shape(PLAIN.get(annotation, "any"))


def _limited(shape: Shape, meta: msgspec.Meta) -> Shape:
    """A shape with what `Meta` says of it."""
    extra = meta.extra or {}
    counted = LENGTHS.get(shape.kind, "Length")
    names = {**LIMITS, "min_length": f"min{counted}", "max_length": f"max{counted}"}
    said = {name: getattr(meta, key) for key, name in names.items()}
    kind: Kind = shape.kind
    if "relative_to" in extra:
        kind = "code" if extra.get("code") else "file"
    return msgspec.structs.replace(
        shape,
        kind=kind,
        limits=shape.limits | {key: limit for key, limit in said.items() if limit is not None},
        written=extra.get("relative_to") == "working directory",
        examples=tuple(meta.examples or shape.examples),
    )


def _fields(kind: Any, within: tuple[type, ...]) -> tuple[Entry, ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    described: list[tuple[str, Any, bool, Any]] = []
    if issubclass(kind, msgspec.Struct):
        config = kind.__struct_config__
        if config.tag is not None and config.tag_field is not None:
            described.append((config.tag_field, Literal[config.tag], True, None))
        for field in msgspec.structs.fields(kind):
            default = None if field.default is msgspec.NODEFAULT else field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            described.append((field.encode_name, hints[field.name], field.required, default))
    else:
        for part in dataclasses.fields(kind):
            made, given = part.default_factory, part.default
            missing = dataclasses.MISSING
            default = made() if made is not missing else None if given is missing else given
            required = made is missing and given is missing
            described.append((part.name, hints[part.name], required, default))
    _, meanings = read_docstring(kind, [name for name, *_ in described])
    return tuple(
        _entry(name, annotation, meanings, required, default, (*within, kind))
        for name, annotation, required, default in described
    )
