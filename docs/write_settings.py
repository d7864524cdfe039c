"""Writes the tables of the docs that come from the code: settings of the built-in processors into
`configuration.md`, how the Live API ends a connection into `live_api.md`; and the JSON Schema of
configurations, which the header of each file in `configs` names.

Run from the repository's root: `python docs/write_settings.py`.
"""

import json
from collections.abc import Callable
from pathlib import Path

from pipeline import Processor
from pipeline.reference import Entry, in_yaml, read_fields, read_reference
from pipeline.registry import find_processor, installed
from pipeline.schema import configuration_schema
from processors.live_api.endings import ENDINGS, Remedy
from processors.local_live_api.switches import Switches

DOCS = Path(__file__).resolve().parent
REMEDIES: dict[Remedy, str] = {
    "resume": "connects again at once",
    "retry": "connects again after a pause",
    "once": "connects again once",
    "fresh": "begins a new session",
    "stop": "ends the run",
}


def default(entry: Entry) -> str:
    """As one would write it in YAML."""
    if entry.required:
        return "required"
    return "" if entry.default is None else f"`{in_yaml(entry.default)}`"


def built_in() -> dict[str, type[Processor]]:
    """The processors that come with this package, whatever else is installed."""
    return {
        name: find_processor(name, Path())
        for name, point in sorted(installed().items())
        if point.value.startswith("processors.")
    }


def settings() -> str:
    """A table for each processor."""
    parts = []
    for name, kind in built_in().items():
        rows = [
            f"| `{s.name}` | {default(s)} | {s.meaning} |" for s in read_reference(kind).settings
        ]
        parts.append(f"### `{name}`\n\n| setting | default | |\n| --- | --- | --- |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def schema() -> str:
    """The JSON Schema of configurations, as `pipeline schema` prints it."""
    return json.dumps(configuration_schema(built_in()), indent=2, ensure_ascii=False) + "\n"


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
    rows = [f"| `{s.name}` | {default(s)} | {s.meaning} |" for s in read_fields(Switches)]
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
    (DOCS / "pipeline.schema.json").write_text(schema(), encoding="utf-8")
