"""Settings: a processor's constructor arguments as a schema, and values checked against it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType, ModuleType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from pipeline.errors import SettingError, did_you_mean
from pipeline.ports import read_hints
from pipeline.wording import advice, in_words, shown

_BESIDE_CONFIG = {"relative_to": "config"}

InputPath = Annotated[str, msgspec.Meta(extra=_BESIDE_CONFIG)]
"""A file to read. In a configuration a relative path starts from the configuration's folder."""

OutputPath = Annotated[str, msgspec.Meta(extra={"relative_to": "working directory"})]
"""A file to write. A relative path starts from the working directory."""

CodeReference = Annotated[str, msgspec.Meta(extra={**_BESIDE_CONFIG, "code": True})]
"""`./file.py:Name`, the file found like an `InputPath`, or `package.module:Name`."""


class FromVariable(str):
    """A text that came from outside, in which a number is spelled as text."""

    __slots__ = ()


class Setting(NamedTuple):
    """One constructor argument."""

    name: str
    annotation: Any
    required: bool
    default: Any

    @property
    def is_input(self) -> bool:
        """An `InputPath`."""
        return _extra(self.annotation).get("relative_to") == "config"

    @property
    def is_output(self) -> bool:
        """An `OutputPath`."""
        return _extra(self.annotation).get("relative_to") == "working directory"


LONGEST_SHOWN = 60


def shortened(text: str) -> str:
    """A text that a message can show."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


class Problem(NamedTuple):
    """A value that does not fit: the path to it from the top of the settings."""

    path: tuple[str | int, ...]
    code: str
    message: str
    hint: str = ""


@cache
def read_settings(kind: type) -> Mapping[str, Setting]:
    """The settings of a processor class. Raises SettingError where an annotation is missing."""
    constructor = inspect.getattr_static(kind, "__init__")
    if constructor is object.__init__:
        return {}
    hints = read_hints(constructor)
    settings = {}
    for parameter in list(inspect.signature(constructor).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name not in hints:
            raise SettingError(
                f"{kind.__name__}.__init__: annotate `{parameter.name}` with its type"
            )
        required = parameter.default is parameter.empty
        settings[parameter.name] = Setting(
            parameter.name, hints[parameter.name], required, parameter.default
        )
    return settings


def convert(
    kind: type,
    values: Mapping[str, Any],
    base: Path,
    bases: Mapping[str, Path] = MappingProxyType({}),
) -> tuple[dict[str, Any], list[Problem]]:
    """Constructor arguments for `kind` from plain values, and everything that is wrong with them.

    base: the folder that relative input paths start from. bases: others, for single settings.
    """
    settings = read_settings(kind)
    arguments: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in values.items():
        if name not in settings:
            hint = did_you_mean(name, settings)
            problems.append(Problem((name,), "unknown-setting", f'no setting "{name}"', hint))
            continue
        annotation = settings[name].annotation
        converted, problem = convert_value(annotation, value, name)
        if problem:
            problems.append(problem)
        else:
            arguments[name] = _anchor(converted, annotation, bases.get(name, base))
    missing = [s.name for s in settings.values() if s.required and s.name not in values]
    problems += [Problem((), "missing-setting", f'setting "{name}" is missing') for name in missing]
    return arguments, problems


def convert_value(annotation: Any, value: Any, name: str) -> tuple[Any, Problem | None]:
    """A plain value as `annotation` wants it, or what is wrong with it."""
    plain, from_variable = _plain(value)
    try:
        converted = msgspec.convert(
            plain, annotation, strict=not from_variable, dec_hook=_decode_path
        )
        return converted, None
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        path = (name, *_path(where.rstrip("`")))
        found = _look_up(value, path[1:])
        if message.startswith("Invalid enum value"):
            hint = did_you_mean(str(found), _choices(annotation, path[1:]))
            text = f"{_dotted(path)}: {shortened(repr(found))} is none of its values"
            return None, Problem(path, "wrong-setting", text, hint)
        text = (message[0].lower() + message[1:]).replace("`", "")
        if isinstance(found, str | int | float | bool):
            text = f"{text.partition(', got ')[0]}, got {shortened(shown(found))}"
        hint = ""
        if text.startswith("expected "):
            last = next((key for key in reversed(path) if isinstance(key, str)), "")
            hint = advice(last, found, partial(_fits, annotation, plain, path))
        return None, Problem(path, "wrong-setting", f"{_dotted(path)}: {in_words(text)}", hint)


def _fits(annotation: Any, value: Any, path: tuple[str | int, ...], other: Any) -> bool:
    """Whether nothing would be wrong at a place within a value if there was another one."""
    try:
        msgspec.convert(_with(value, path[1:], other), annotation, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        where = str(error).partition(" - at `$")[2].rstrip("`")
        return (path[0], *_path(where)) != path
    return True


def _with(value: Any, path: tuple[str | int, ...], other: Any) -> Any:
    if not path:
        return other
    copied = value.copy()
    copied[path[0]] = _with(value[path[0]], path[1:], other)
    return copied


def _decode_path(kind: type, value: Any) -> Any:
    if isinstance(value, str) and issubclass(kind, Path):
        return Path(value)
    raise ValueError(f"Expected {kind.__name__}")


def _plain(value: Any) -> tuple[Any, bool]:
    """A copy with ordinary strings, and whether some of it came from a variable."""
    if isinstance(value, dict):
        items = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, (item, _) in items.items()}, any(x for _, x in items.values())
    if isinstance(value, list):
        parts = [_plain(item) for item in value]
        return [item for item, _ in parts], any(x for _, x in parts)
    return (str(value), True) if isinstance(value, FromVariable) else (value, False)


def _look_up(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _choices(annotation: Any, path: tuple[str | int, ...]) -> list[str]:
    """The values of every `Literal` that a value at a path may be."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _choices(arguments[0], path)
    if origin in (Union, UnionType):
        return [choice for part in arguments for choice in _choices(part, path)]
    if not path:
        return [str(value) for value in arguments] if origin is Literal else []
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        hints = typing.get_type_hints(annotation, include_extras=True)
        names = {field.encode_name: field.name for field in msgspec.structs.fields(annotation)}
        name = names.get(str(path[0]))
        return _choices(hints[name], path[1:]) if name else []
    return _choices(arguments[-1], path[1:]) if arguments and origin is not Literal else []


def _path(text: str) -> list[str | int]:
    """msgspec's `.a[0].b` as keys; a `[...]`, which hides a key, ends it."""
    keys: list[str | int] = []
    for attribute, index in re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", text):
        if index == "...":
            break
        keys.append(attribute or int(index))
    return keys


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)[1:]


def _extra(annotation: Any) -> dict[str, Any]:
    """What `Meta(extra=...)` says, also within `... | None`."""
    extra: dict[str, Any] = {}
    for meta in getattr(annotation, "__metadata__", ()):
        extra.update(getattr(meta, "extra", None) or {})
    if get_origin(annotation) in (Union, UnionType):
        for choice in get_args(annotation):
            extra.update(_extra(choice))
    return extra


def _anchor(value: Any, annotation: Any, base: Path) -> Any:
    """Make relative input paths start from `base`, however deep they stand."""
    arguments = get_args(annotation)
    if isinstance(value, str) and get_origin(annotation) is Annotated:
        extra = _extra(annotation)
        if extra.get("relative_to") != "config" or (extra.get("code") and ".py" not in value):
            return value
        if value == "-":  # standard input
            return value
        return str(base / value)
    if get_origin(annotation) is Annotated:
        return _anchor(value, arguments[0], base)
    if get_origin(annotation) in (Union, UnionType):
        for choice in arguments:
            value = _anchor(value, choice, base)
        return value
    if isinstance(value, list) and arguments:
        return [_anchor(item, arguments[0], base) for item in value]
    if isinstance(value, dict) and len(arguments) == 2:
        return {key: _anchor(item, arguments[1], base) for key, item in value.items()}
    if isinstance(value, msgspec.Struct) and type(value) is annotation:
        hints = _fields_of(annotation)
        fields = {name: (getattr(value, name), hints[name]) for name in value.__struct_fields__}
        anchored = {name: _anchor(item, hint, base) for name, (item, hint) in fields.items()}
        return msgspec.structs.replace(value, **anchored)
    return value


def paths_within(
    annotation: Any, value: Any, relative_to: str, name: str
) -> Iterator[tuple[str, str | Path]]:
    """The paths of one kind in a setting, however deep they stand: `resumption.file`, and the path.

    relative_to: `config` for files that are read, `working directory` for those that are written.
    """
    if value is None:
        return
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        if _extra(annotation).get("relative_to") != relative_to:
            yield from paths_within(arguments[0], value, relative_to, name)
        elif isinstance(value, str | Path):
            yield name, value
    elif get_origin(annotation) in (Union, UnionType):
        for choice in arguments:
            yield from paths_within(choice, value, relative_to, name)
    elif isinstance(value, msgspec.Struct) and type(value) is annotation:
        hints = _fields_of(annotation)
        for field in value.__struct_fields__:
            inner = f"{name}.{field}"
            yield from paths_within(hints[field], getattr(value, field), relative_to, inner)


_code_is_refused: ContextVar[bool] = ContextVar("code_is_refused", default=False)


@contextmanager
def code_refused() -> Iterator[None]:
    """Within it `load_code` refuses, so that a configuration cannot name code of its own.

    Installed processors are known by entry points and stay available.
    """
    token = _code_is_refused.set(True)
    try:
        yield
    finally:
        _code_is_refused.reset(token)


@cache
def _fields_of(structure: type) -> Mapping[str, Any]:
    return typing.get_type_hints(structure, include_extras=True)


def load_code(reference: str) -> Any:
    """What `file.py:Name` or `package.module:Name` names; without `:Name`, the module itself.

    Raises SettingError if there is no such file, module or name, if importing it fails, or within
    `code_refused`.
    """
    if _code_is_refused.get():
        raise SettingError(
            f"{reference} is code, which --no-code refuses",
            hint="leave the option out if you trust the configuration",
        )
    return load_installed(reference)


def load_installed(reference: str) -> Any:
    """The same for what an installed package names itself, by an entry point."""
    where, separator, name = reference.rpartition(":")
    if not separator:
        where, name = reference, ""
    module = _load_file(Path(where)) if where.endswith(".py") else _load_module(where)
    if not name:
        return module
    try:
        return getattr(module, name)
    except AttributeError:
        public = [n for n in vars(module) if not n.startswith("_")]
        raise SettingError(
            f'there is no "{name}" in {where}', hint=did_you_mean(name, public)
        ) from None


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise SettingError(f"there is no file {path}")
    name = re.sub(r"\W", "_", f"_file_{path.resolve()}")
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SettingError(f"{path} is not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise SettingError(f"importing {path} failed: {type(error).__name__}: {error}") from error
    return module


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise SettingError(f'there is no module "{name}"') from None
        raise SettingError(f"importing {name} failed: {error}") from error
    except Exception as error:
        raise SettingError(f"importing {name} failed: {type(error).__name__}: {error}") from error
