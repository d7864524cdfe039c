"""Writes the tables of the docs that come from the code: settings of the built-in processors into
`configuration.md`, how the Live API ends a connection into `live_api.md`.

Run from the repository's root: `python docs/write_settings.py`.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pipeline.registry import find_processor, installed
from pipeline.settings import Setting, read_settings
from processors.live_api.endings import ENDINGS, Remedy
from processors.local_live_api.switches import Switches

DOCS = Path(__file__).resolve().parent
REMEDIES: dict[Remedy, str] = {
    "resume": "connects again at once",
    "retry": "connects again after a pause",
    "fresh": "begins a new session",
    "stop": "ends the run",
}


def described(kind: type) -> dict[str, str]:
    """What the class's docstring says of each of its settings."""
    text = inspect.cleandoc(kind.__doc__ or "")
    entries = re.findall(r"^([a-z_0-9, ]+): (.*(?:\n  .*)*)", text, re.MULTILINE)
    return {
        name.strip(): " ".join(meaning.split())
        for names, meaning in entries
        for name in names.split(",")
    }


def default(setting: Setting) -> str:
    """As one would write it in YAML."""
    if setting.required:
        return "required"
    if setting.default is None:
        return ""
    return f"`{in_yaml(setting.default)}`"


def in_yaml(value: Any) -> str:
    """A default as one would write it in YAML, on one line; what is not set is left out."""
    if isinstance(value, msgspec.Struct):
        value = {name: given for name, given in msgspec.structs.asdict(value).items() if given}
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {in_yaml(item)}" for key, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings() -> str:
    """A table for each processor."""
    parts = []
    for name, point in sorted(installed().items()):
        if point.value.startswith("processors."):
            kind = find_processor(name, Path())
            meanings = described(kind)
            rows = [
                f"| `{s.name}` | {default(s)} | {meanings[s.name]} |"
                for s in read_settings(kind).values()
            ]
            parts.append(f"### `{name}`\n\n| setting | default | |\n| --- | --- | --- |")
            parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def endings() -> str:
    """A row for each way in which a connection ends."""
    rows = [
        f"| {ending.code} | {ending.words or 'any other'} | {ending.explanation} "
        f"| {REMEDIES[ending.remedy]} |"
        for ending in ENDINGS
    ]
    head = "| code | words in the reason | what it means | what `live_api` does |\n"
    return head + "| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def switches() -> str:
    """A row for each switch of the local Live API."""
    meanings = described(Switches)
    rows = [
        f"| `{field.name}` | {f'`{in_yaml(field.default)}`' if field.default is not None else ''} "
        f"| {meanings[field.name]} |"
        for field in msgspec.structs.fields(Switches)
    ]
    return "| switch | default | |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "configuration.md": ("settings", settings),
    "live_api.md": ("endings", endings),
    "local_live_api.md": ("switches", switches),
}
"""For each page, the name of the comments around its tables, and what makes them."""


def page(name: str, text: str) -> str:
    """A page with its tables made anew."""
    what, tables = TABLES[name]
    begin, end = f"<!-- {what} -->\n", f"<!-- end of {what} -->\n"
    before, rest = text.split(begin)
    return f"{before}{begin}\n{tables()}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    for name in TABLES:
        path = DOCS / name
        path.write_text(page(name, path.read_text(encoding="utf-8")), encoding="utf-8")
