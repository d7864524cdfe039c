"""Declares Python functions to the Gemini Live API, and checks the arguments it sends back."""

import difflib
import functools
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

_Schema = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_SECTION = re.compile(r"(?m)^(?:(?:Args|Arguments|Parameters):?[ \t]*$|(?=:param ))")
_ENTRY = re.compile(
    r"(?m)^(?P<indent> *)(?::param (?:[^:\n]* )?)?(?P<name>\w+)(?: ?\([^\n]*?\))?:"
    r"(?P<text>.*(?:\n\s*?(?P=indent) +\S.*)*)"
)
_KEPT = ("description", "nullable", "minimum", "maximum")
_SHOWN = 60


class ToolDeclarationError(TypeError):
    """A function that cannot be declared as a tool."""


class ToolArgumentError(ValueError):
    """Arguments that do not fit a tool; the sentence is fit to be sent back to the model."""


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A function as the model sees it, made by `tool`; `bind` converts to `types`."""

    name: str
    function: Callable[..., Any]
    description: str
    parameters: dict[str, Any]
    is_async: bool
    types: Mapping[str, Any] = field(repr=False)

    def declaration(self) -> dict[str, Any]:
        """The function declaration in its wire form."""
        wire: dict[str, Any] = {"name": self.name, "description": self.description}
        return wire | {"parameters": self.parameters} if self.parameters else wire

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, converted to their annotations; those left out stay out.

        Raises ToolArgumentError on the first that is unknown, missing or of another type.
        """
        absent = [name for name in self.types if name not in arguments]
        missing = [name for name in self.parameters.get("required", ()) if name in absent]
        for name in arguments:
            if name not in self.types:
                # A sole missing argument is what a strange name most likely stands for.
                sole = missing if len(missing) == 1 else []
                close = difflib.get_close_matches(name, absent, n=1) or sole
                hint = f' (did you mean "{close[0]}"?)' if close else ""
                raise ToolArgumentError(f"{self.name}: unknown argument {_shown(name)}{hint}")
        if missing:
            raise ToolArgumentError(f'{self.name}: missing argument "{missing[0]}"')
        return {name: self._convert(name, value) for name, value in arguments.items()}

    def _convert(self, name: str, value: Any) -> Any:
        try:
            return msgspec.convert(value, self.types[name], str_keys=True)
        # Besides its own error msgspec lets through those of unhashable set items, of lone
        # surrogates and of nesting too deep, all of which JSON can hold.
        except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
            what, _, where = str(error).partition(" - at `")
            options = self.parameters["properties"][name].get("enum")
            if options and not where and what.startswith("Invalid enum value"):
                what = f"Expected one of {', '.join(map(_shown, options))}, got str"
            what = re.sub(r"^[A-Z](?=[a-z])", lambda first: first[0].lower(), what)
            what = re.sub(r"`([^`]*)`", r"\1", what)
            if not where and what.startswith("expected ") and (text := _shown(value)):
                what += f" {text}" if re.search(r", got \w+$", what) else f", got {text}"
            path = where.partition("$")[2].removesuffix("`")
            place = f'{"a key of " if where.startswith("key`") else ""}argument "{name}{path}"'
            raise ToolArgumentError(f"{self.name}: {place}: {what}") from error


def tool(function: Callable[..., Any]) -> Tool:
    """Declares a function from its signature and its docstring.

    Raises ToolDeclarationError when its name, or one of its parameters, has no place in a
    declaration.
    """
    inner: Any = function
    bound: set[str] = set()
    while isinstance(inner, functools.partial):
        # A signature still lists what a partial has bound by name.
        bound.update(inner.keywords)
        inner = inner.func
    name = getattr(inner, "__name__", type(inner).__name__)
    if not _NAME.fullmatch(name):
        raise ToolDeclarationError(f"{name}: the name of a tool must match {_NAME.pattern}")
    if isinstance(inner, type):
        raise ToolDeclarationError(f"{name}: a class is not a function")
    target = inspect.unwrap(inner)
    if not inspect.isroutine(target):
        target = type(target).__call__
    description, described = _read_docstring(target.__doc__ or inner.__doc__ or "")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ToolDeclarationError(f"{name}: the function has no signature") from error
    hints: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.name in bound:
            continue
        subject = f'{name}: parameter "{parameter.name}"'
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolDeclarationError(f"{subject} is {parameter.kind.description}, not named")
        if parameter.annotation is parameter.empty:
            raise ToolDeclarationError(f"{subject} has no annotation")
        try:
            hint = _resolve(parameter.annotation, getattr(target, "__globals__", {}))
            properties[parameter.name] = _schema(hint, described.get(parameter.name, ""))
        except Exception as error:  # Evaluating an annotation can raise anything.
            reason = str(error).rpartition("\n")[2]
            raise ToolDeclarationError(f"{subject} cannot become a schema: {reason}") from error
        hints[parameter.name] = hint
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    is_async = any(map(inspect.iscoroutinefunction, (inner, type(inner).__call__)))
    parameters = _object(properties, required) if properties else {}
    return Tool(name, function, description, parameters, is_async, hints)


def _resolve(annotation: Any, namespace: dict[str, Any]) -> Any:
    # One at a time, so that an error has its parameter, and a return type need not resolve.
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    return typing.get_type_hints(holder, namespace, include_extras=True)["hint"]


def _read_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """The description of a function, and those of its parameters by name."""
    text = inspect.cleandoc(docstring)
    section = _SECTION.search(text)
    if section is None:
        return text, {}
    body = text[section.end() :]
    if section[0]:
        body = re.split(r"(?m)^\S", body, maxsplit=1)[0]
    entries = {entry["name"]: " ".join(entry["text"].split()) for entry in _ENTRY.finditer(body)}
    return text[: section.start()].rstrip(), entries


def _schema(hint: Any, description: str) -> _Schema:
    """A type in the API's dialect; the description is for a type that has none of its own."""
    (raw,), defs = msgspec.json.schema_components([hint], ref_template="{name}")
    default = {"description": description} if description else {}
    return _translate(default | _without_null(raw), defs)


def _without_null(raw: _Schema) -> _Schema:
    """A union with null as `nullable`, the API's word for it; any other schema as it is."""
    branches = raw.get("anyOf", [])
    some = [branch for branch in branches if branch != {"type": "null"}]
    if len(some) == len(branches):
        return raw
    rest = {key: value for key, value in raw.items() if key != "anyOf"} | {"nullable": True}
    return {**some[0], **rest} if len(some) == 1 else {**rest, "anyOf": some}


def _translate(raw: _Schema, defs: _Schema, within: tuple[str, ...] = ()) -> _Schema:
    """JSON Schema in the API's dialect; what that cannot say, `bind` still checks.

    Raises TypeError, giving the reason, when there would be no type left to say.
    """
    raw = _without_null(raw)
    kept = {key: raw[key] for key in _KEPT if key in raw}
    match raw:
        case {"$ref": name, **rest}:
            if name in within:
                raise TypeError(f"{name} contains itself")
            return _translate({**defs[name], **rest}, defs, (*within, name))
        case {"anyOf": branches}:
            inner = [_translate(branch, defs, within) for branch in branches]
            return {"anyOf": [_merge(kept, branch) for branch in inner]}
        case {"enum": values}:
            names = [value for value in values if value is not None]
            if not names or not all(isinstance(value, str) for value in names):
                raise TypeError("the values of an enum must be strings")
            null = {"nullable": True} if len(names) < len(values) else {}
            return {"type": "STRING", **kept, **null, "enum": names}
        case {"type": "array"}:
            # Neither a bare list has items here, nor a tuple of fixed length.
            if not raw.get("items"):
                raise TypeError("an array must have items of one known type")
            return {"type": "ARRAY", **kept, "items": _translate(raw["items"], defs, within)}
        case {"type": "object"}:
            fields = raw.get("properties", {})
            properties = {key: _translate(fields[key], defs, within) for key in fields}
            return kept | _object(properties, raw.get("required", []))
        case {"type": "string" | "integer" | "number" | "boolean" as kind}:
            return {"type": kind.upper(), **kept}
    raise TypeError(f"the API has no type for {raw.get('type', 'any value')}")


def _merge(outer: _Schema, branch: _Schema) -> _Schema:
    # Vertex AI refuses any key beside anyOf, so that what describes the union goes inside.
    both = [each["description"] for each in (outer, branch) if "description" in each]
    return outer | branch | ({"description": "\n".join(both)} if both else {})


def _object(properties: _Schema, required: list[str]) -> _Schema:
    parts = {"properties": properties, "required": required}
    return {"type": "OBJECT"} | {key: part for key, part in parts.items() if part}


def _shown(value: Any) -> str:
    """A scalar as JSON, shortened; nothing for another value, whose type says enough."""
    if not isinstance(value, str | int | float):
        return ""
    # Lone surrogates must not reach the error, which is to be sent back as UTF-8.
    text = json.dumps(value, ensure_ascii=not str(value).isprintable())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
