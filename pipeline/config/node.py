"""One entry of `processors`: from its values to a processor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_origin

from pipeline.config.problems import all_problems
from pipeline.errors import SettingError
from pipeline.inbox import InboxSettings
from pipeline.ports import read_hints
from pipeline.processor import Processor
from pipeline.registry import find_processor
from pipeline.settings import Problem, Setting, convert, convert_value, read_settings
from pipeline.supervision import UNSUPERVISED, Supervision

SUPERVISION = {name: read_hints(Supervision)[name] for name in Supervision.__struct_fields__}
"""The keys that say what is done when a processor fails, and what they may be."""

MOST_LISTED = 15
"""Settings that a finding names."""

RESERVED = ("use", "inbox", *SUPERVISION)
"""Keys that are no settings of the processor."""


class Built(NamedTuple):
    """What came of an entry: a processor, or what is wrong.

    public: the settings that are no secret, whatever they are called.
    """

    processor: Processor | None
    inbox: InboxSettings | None
    problems: list[Problem]
    public: Collection[str] = ()
    supervision: Supervision = UNSUPERVISED


def build(
    values: Mapping[str, Any],
    base: Path,
    unreadable: Collection[str],
    bases: Mapping[str, Path] = MappingProxyType({}),
) -> Built:
    """The processor that `use` names, with its settings, and everything that is wrong with them.

    base: the folder that relative input paths start from. bases: others, for single settings.
    unreadable: keys of which the value is not known; with any of them, no processor is made.
    """
    if "use" in unreadable:
        return Built(None, None, [])
    try:
        kind = find_processor(values["use"], bases.get("use", base))
    except SettingError as error:
        problem = Problem(("use",), "unknown-processor", str(error), error.hint)
        return Built(None, None, [problem])
    try:
        schema = _schema(kind)
    except SettingError as error:
        return Built(None, None, [Problem(("use",), "annotations", str(error), error.hint)])
    known = {key: value for key, value in values.items() if key not in unreadable}
    inbox: InboxSettings | None = None
    problems: list[Problem] = []
    if "inbox" in known:
        inbox, _ = convert_value(InboxSettings, known["inbox"], "inbox")
        problems += all_problems(InboxSettings, known["inbox"], "inbox")
    supervision = _supervision(known, problems)
    settings = {key: value for key, value in known.items() if key not in RESERVED}
    arguments, wrong = convert(kind, settings, base, bases)
    unknown = {f'setting "{key}" is missing' for key in unreadable}
    wrong = [_short(p, values["use"]) for p in wrong if p.message not in unknown]
    problems += _in_detail(wrong, schema, settings)
    processor: Processor | None = None
    if not problems and not unreadable:
        made = _make(kind, arguments)
        if isinstance(made, Problem):
            problems.append(made)
        else:
            processor = made
    public = {s.name for s in schema.values() if _is_public(s)}
    return Built(processor, inbox, problems, public, supervision)


def _short(problem: Problem, use: str) -> Problem:
    """With a place to look at instead of a list that nobody reads, or of nothing."""
    hint = problem.hint
    if problem.code == "missing-setting" or (
        problem.code == "unknown-setting" and hint.count(",") >= MOST_LISTED
    ):
        hint = f"`pipeline describe {use}` tells of its settings"
    return problem._replace(hint=hint)


def _supervision(values: Mapping[str, Any], problems: list[Problem]) -> Supervision:
    """What an entry says of failures; what is wrong with that is added to the problems."""
    given: dict[str, Any] = {}
    for key, annotation in SUPERVISION.items():
        if key in values:
            given[key], problem = convert_value(annotation, values[key], key)
            if problem is not None:
                problems += all_problems(annotation, values[key], key)
                del given[key]
    return Supervision(**given)


@cache
def _schema(kind: type[Processor]) -> Mapping[str, Setting]:
    return read_settings(kind)


def _in_detail(
    problems: list[Problem], schema: Mapping[str, Setting], values: Mapping[str, Any]
) -> Iterator[Problem]:
    """All that is wrong with a setting, where only the first of it was found."""
    for problem in problems:
        if problem.code == "wrong-setting":
            name = str(problem.path[0])
            yield from all_problems(schema[name].annotation, values[name], name)
        else:
            yield problem


def _make(kind: type[Processor], arguments: Mapping[str, Any]) -> Processor | Problem:
    try:
        return kind(**arguments)
    except SettingError as error:
        path = tuple(error.setting.split(".")) if error.setting else ()
        return Problem(path, "wrong-setting", str(error), error.hint)
    except ValueError as error:
        return Problem((), "wrong-setting", str(error))
    except Exception as error:
        what = f"its constructor failed: {type(error).__name__}: {error}"
        return Problem((), "constructor", what)


def _is_public(setting: Setting) -> bool:
    return setting.is_input or setting.is_output or get_origin(setting.annotation) is Literal
