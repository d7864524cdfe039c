"""Parameters as JSON Schemas declare them, however odd the schema."""

from __future__ import annotations

from typing import Any, TypeGuard

from msgspec import Struct

_TYPES = {"string", "number", "integer", "boolean", "array", "object"}


class Parameter(Struct, frozen=True):
    """One parameter: type in lower case, "string" where the schema names none that is known."""

    name: str
    type: str
    required: bool
    schema: dict[str, Any]
    enum: tuple[Any, ...] = ()

    @property
    def description(self) -> str:
        text = self.schema.get("description")
        return text if isinstance(text, str) else ""


def parameters(schema: Any) -> list[Parameter]:
    """The parameters of a function or an object; those required but undeclared are strings."""
    schema = schema if isinstance(schema, dict) else {}
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    needed = [name for name in required if isinstance(name, str)] if _is_list(required) else []
    declared = {name: item for name, item in properties.items() if isinstance(name, str)}
    return [
        parameter(name, declared.get(name), required=name in needed)
        for name in dict.fromkeys([*declared, *needed])
    ]


def parameter(name: str, schema: Any, *, required: bool) -> Parameter:
    """A parameter from its own schema."""
    schema = schema if isinstance(schema, dict) else {}
    for choice in ("anyOf", "oneOf", "any_of"):
        options = schema.get(choice)
        if "type" not in schema and _is_list(options):
            known = [item for item in options if isinstance(item, dict) and _type(item)]
            schema = schema | known[0] if known else schema
    enum = schema.get("enum")
    values = tuple(enum) if _is_list(enum) else ()
    if "const" in schema:
        values = (schema["const"],)
    kind = _type(schema) or ("object" if "properties" in schema else "string")
    return Parameter(name, kind, required, schema, values)


def _type(schema: dict[str, Any]) -> str | None:
    declared = schema.get("type")
    options = declared if _is_list(declared) else [declared]
    known = (item.lower() for item in options if isinstance(item, str))
    return next((item for item in known if item in _TYPES), None)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
