"""The JSON Schema (2020-12) of configurations, by which editors complete, check and explain them.

https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pipeline.inbox import InboxSettings
from pipeline.processor import Processor
from pipeline.reference import Entry, Shape, read_fields, read_reference
from pipeline.supervision import Supervision

Schema = dict[str, Any]

_WORD = "[A-Za-z_](?:[A-Za-z0-9_]|-(?!>))*"
_NAME = rf"{_WORD}(?:\.{_WORD})*"

VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"

TYPES = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "text": "string",
    "file": "string",
    "code": "string",
    "list": "array",
    "mapping": "object",
    "group": "object",
}

INBOX = " ".join(
    (
        *inspect.cleandoc(InboxSettings.__doc__ or "").split(),
        "frames: the most it holds. ms: instead, the most sound, in milliseconds.",
    )
)


def configuration_schema(kinds: Mapping[str, type[Processor]]) -> Schema:
    """The schema of a configuration in which `kinds` can be used by name.

    Processors that are named by file or module, and fragments, may have any settings. `${NAME}` may
    stand for every value.
    Raises SettingError where a class's annotations are missing or wrong.
    """
    summaries = {name: read_reference(kind).summary for name, kind in kinds.items()}
    use = [{"const": name, "description": summary} for name, summary in summaries.items()]
    elsewhere = {
        "type": "string",
        "pattern": rf":|\.ya?ml$|{VARIABLE}",
        "description": "`./file.py:Class` beside the configuration, `package.module:Class`, "
        "or a fragment, `./file.yaml`.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of a pipeline",
        "type": "object",
        "required": ["processors", "flow"],
        "additionalProperties": False,
        "properties": {
            "parameters": {
                "description": "Of a fragment: names with their defaults; one with nothing behind "
                'it has to be given. "${name}" stands for a value.',
                "type": "object",
                "propertyNames": {"pattern": f"^{_WORD}$"},
            },
            "processors": {
                "description": "The nodes of the graph: names with their settings.",
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{_NAME}$"},
                "additionalProperties": {"$ref": "#/$defs/processor"},
            },
            "flow": {
                "description": "Chains such as `a -> b -> c`, or `a <-> b` for both directions.",
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "string",
                    "pattern": rf"{VARIABLE}|^\s*{_NAME}(\s*<?->\s*{_NAME})+\s*$",
                },
            },
        },
        "$defs": {
            "processor": {
                "type": "object",
                "required": ["use"],
                "properties": {
                    "use": {
                        "description": "The processor: its name, or where its class is.",
                        "anyOf": [*use, elsewhere],
                    },
                    "inbox": _inbox(),
                    **_properties(read_fields(Supervision)),
                },
                "allOf": [
                    {
                        "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                        "then": _settings(kind),
                    }
                    for name, kind in kinds.items()
                ],
            },
            "variable": {"type": "string", "pattern": VARIABLE},
        },
    }


def _settings(kind: type[Processor]) -> Schema:
    """What an entry of `processors` that uses `kind` may hold."""
    reference = read_reference(kind)
    own = dict.fromkeys(Supervision.__struct_fields__, True)
    if reference.role != "source":
        own["inbox"] = True
    return {
        "properties": {"use": True, **own, **_properties(reference.settings)},
        "required": [entry.name for entry in reference.settings if entry.required],
        "additionalProperties": False,
    }


def _inbox() -> Schema:
    return {
        "description": INBOX,
        "type": "object",
        "properties": _properties(read_fields(InboxSettings)),
        "additionalProperties": False,
    }


def _properties(entries: tuple[Entry, ...]) -> Schema:
    return {entry.name: _described(entry) for entry in entries}


def _described(entry: Entry) -> Schema:
    meaning: Schema = {"description": entry.meaning} if entry.meaning else {}
    given = not entry.required and (entry.default is not None or entry.shape.nullable)
    default: Schema = {"default": entry.default} if given else {}
    return {**meaning, **_value(entry.shape), **default}


def _value(shape: Shape) -> Schema:
    """The schema of a value, in which a variable may stand for what is not written as text."""
    shapes = [shape, *shape.others]
    if any(each.kind == "any" for each in shapes):
        return {}
    choices = [_bare(each) for each in shapes]
    if not all(each.kind in ("text", "file", "code") for each in shapes):
        choices.append({"$ref": "#/$defs/variable"})
    if any(each.nullable for each in shapes):
        choices.append({"type": "null"})
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _bare(shape: Shape) -> Schema:
    if shape.kind == "choice":
        return {"enum": list(shape.choices)}
    schema: Schema = {"type": TYPES[shape.kind], **shape.limits}
    if shape.examples:
        schema["examples"] = list(shape.examples)
    if shape.kind == "group":
        schema["properties"] = _properties(shape.fields)
        required = [field.name for field in shape.fields if field.required]
        schema |= {"required": required} if required else {}
        schema |= {"additionalProperties": False} if shape.closed else {}
    elif shape.items is not None:
        inner = _value(shape.items)
        schema["items" if shape.kind == "list" else "additionalProperties"] = inner
    return schema
