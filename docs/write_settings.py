"""Writes the settings of the built-in processors into `configuration.md`, from the classes.

Run from the repository's root: `python docs/write_settings.py`.
"""

import inspect
import re
from pathlib import Path

from pipeline.registry import find_processor, installed
from pipeline.settings import Setting, read_settings

PAGE = Path(__file__).resolve().parent / "configuration.md"
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"


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
    if isinstance(setting.default, bool):
        return f"`{str(setting.default).lower()}`"
    return f"`{setting.default}`"


def reference() -> str:
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


def page(text: str) -> str:
    """The page with its tables made anew."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{reference()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
