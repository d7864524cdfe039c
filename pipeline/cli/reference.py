"""`pipeline list`, `pipeline describe` and `pipeline schema`."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from pipeline.cli.status import WRONG_INPUT
from pipeline.errors import ConfigError, Finding, SettingError
from pipeline.processor import Processor
from pipeline.reference import Entry, Reference, Shape, in_yaml, read_reference
from pipeline.registry import find_processor, installed

WIDEST = 100
"""Characters in a line of prose."""

WORDS = {
    "boolean": "true or false",
    "file": "file to read",
    "mapping": "anything by name",
    "any": "anything",
}
"""Kinds of values that are not called by their own name."""

PHRASES = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "in steps of {}",
    "pattern": "like {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "minProperties": "at least {}",
    "maxProperties": "at most {}",
}

Known = dict[str, tuple[type[Processor], Reference]]


def list_processors(form: str) -> int:
    """Print a line, or an object, for each installed processor; the exit status."""
    known = _known()
    rows = [(name, about.role, about.summary) for name, (_, about) in known.items()]
    if form == "json":
        _print_json([dict(zip(("name", "role", "summary"), row, strict=True)) for row in rows])
        return 0
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for name, role, summary in rows:
        click.echo(f"{name:{widths[0]}}  {role:{widths[1]}}  {summary}".rstrip())
    return 0


def describe(use: str, form: str) -> int:
    """Print everything about a processor, or a fragment; the exit status."""
    if use.lower().endswith((".yaml", ".yml")):
        return _describe_fragment(use, form)
    code = "unknown-processor"
    try:
        kind = find_processor(use, Path())
        code = "annotations"
        reference = read_reference(kind)
    except SettingError as error:
        click.echo(str(Finding(code, str(error), hint=error.hint)), err=True)
        return WRONG_INPUT
    from pipeline.examples import example

    others = {name: other for name, (other, _) in _known(quiet=True).items()}
    shown = example(use, kind, others)
    if form == "json":
        about = msgspec.to_builtins(reference, enc_hook=str, str_keys=True)
        _print_json({"name": use, **about, "example": shown})
    else:
        click.echo("\n".join(_page(use, reference, shown)))
    return 0


def _describe_fragment(path: str, form: str) -> int:
    from pipeline.cli.findings import refuse
    from pipeline.cli.fragment_page import lines_of, read_page

    try:
        page = read_page(path)
    except ConfigError as error:
        return refuse(error.findings)
    if form == "json":
        _print_json(page)
    else:
        click.echo("\n".join(lines_of(page)))
    return 0


def print_schema() -> int:
    """Print the JSON Schema of configurations with what is installed; the exit status."""
    from pipeline.schema import configuration_schema

    _print_json(configuration_schema({name: kind for name, (kind, _) in _known().items()}))
    return 0


def _known(*, quiet: bool = False) -> Known:
    """What is installed and can be used; for what cannot, a message, unless `quiet`."""
    known: Known = {}
    for name in sorted(installed()):
        try:
            kind = find_processor(name, Path())
            known[name] = kind, read_reference(kind)
        except SettingError as error:
            if not quiet:
                click.echo(f"{name} cannot be used: {error}", err=True)
    return known


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


# --- a page about one processor ---


def _page(use: str, reference: Reference, shown: dict[str, Any]) -> Iterator[str]:
    import yaml

    yield f"{use}: {reference.role}"
    for paragraph in reference.text.split("\n\n"):
        yield ""
        yield paragraph if paragraph.startswith(" ") else _wrapped(paragraph, "")
    yield ""
    for what, frames in (("takes", reference.takes), ("gives", reference.gives)):
        yield _wrapped(f"{what}  {', '.join(frames) or 'nothing'}", "", "       ")
    if reference.settings:
        yield "\nSettings"
        for entry in reference.settings:
            yield from _lines(entry, "  ")
    yield "\nExample"
    text = yaml.safe_dump(shown, sort_keys=False, default_flow_style=None, width=WIDEST)
    yield textwrap.indent(text, "  ").rstrip()


def _lines(entry: Entry, margin: str) -> Iterator[str]:
    """A setting, and what is within it."""
    yield _wrapped(f"{entry.name}: {facts(entry)}", margin, margin + "  ")
    if entry.meaning:
        yield _wrapped(entry.meaning, margin + "    ")
    for shape in (entry.shape, *entry.shape.others):
        for field in innermost(shape).fields:
            yield from _lines(field, margin + "      ")


def facts(entry: Entry) -> str:
    """Type, range, unit, and what it is if it is left out."""
    facts = " or ".join(
        _in_words(shape, entry.unit) for shape in (entry.shape, *entry.shape.others)
    )
    if entry.shape.nullable and entry.default is not None:
        facts += " or null"
    if entry.required:
        return f"{facts}; required"
    return facts if entry.default is None else f"{facts}; default {in_yaml(entry.default)}"


def innermost(shape: Shape) -> Shape:
    """What a list of lists, or a mapping, holds in the end."""
    while shape.items is not None:
        shape = shape.items
    return shape


def _in_words(shape: Shape, unit: str = "") -> str:
    """`integer from 4000 to 384000 Hz`, `list of text`, `high or low`."""
    if shape.kind == "choice":
        *most, last = map(in_yaml, shape.choices)
        return f"{', '.join(most)} or {last}" if most else last
    if shape.items is not None:
        inner = " or ".join(_in_words(each, unit) for each in (shape.items, *shape.items.others))
        words = f"list of {inner}" if shape.kind == "list" else f"by name: {inner}"
        return f"{words}, {_within(shape.limits)}" if shape.limits else words
    words = "file to write" if shape.written else WORDS.get(shape.kind, shape.kind)
    within = _within(shape.limits)
    if shape.kind in ("integer", "number") and unit:
        return f"{words}, {within} {unit}" if within else f"{words} of {unit}"
    return f"{words}, {within}" if within else words


def _within(limits: dict[str, Any]) -> str:
    rest = dict(limits)
    phrases = []
    if {"minimum", "maximum"} <= rest.keys():
        phrases.append(f"{rest.pop('minimum')} to {rest.pop('maximum')}")
    phrases += [PHRASES[name].format(limit) for name, limit in rest.items()]
    return " and ".join(phrases)


def _wrapped(text: str, first: str, further: str | None = None) -> str:
    width = min(WIDEST, shutil.get_terminal_size().columns)
    return textwrap.fill(
        " ".join(text.split()) if further is None else text,
        width,
        initial_indent=first,
        subsequent_indent=first if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    )
