"""How findings are shown: with the line that they are about, or for other programs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.cli.status import WRONG_INPUT
from pipeline.config.document import split_lines
from pipeline.config.typed import read_text
from pipeline.errors import ConfigError, Finding, Place

if TYPE_CHECKING:
    from rich.console import Console

LONGEST = 160
"""Columns that are shown of a line; of one that is longer, those around what is meant."""
INDENT = "    "
MOST = 100
"""Findings that are shown to people."""
COLOURS = {"error": "red", "warning": "yellow"}
PRIVATE = {"env-file"}
"""Codes of what is found in lines that hold secrets, which are not shown."""


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """Each finding, the line that it is about, and a mark under its column."""
    for finding, excerpt in with_excerpts(findings[:MOST]):
        colour = COLOURS[finding.severity]
        lines = zip((_plain(str(finding)), *excerpt), (colour, "", colour), strict=False)
        for line, style in lines:
            console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    if more := _more(findings):
        console.print(more)


def refuse(findings: Sequence[Finding]) -> int:
    """Print them to standard error; the exit status."""
    from rich.console import Console

    print_findings(findings, Console(stderr=True, highlight=False))
    return WRONG_INPUT


def as_text(findings: Sequence[Finding]) -> str:
    """The same without colours."""
    shown = with_excerpts(findings[:MOST])
    text = "".join(
        f"{line}\n" for finding, excerpt in shown for line in (_plain(str(finding)), *excerpt)
    )
    more = _more(findings)
    return f"{text}{more}\n" if more else text


def _more(findings: Sequence[Finding]) -> str:
    return f"... and {len(findings) - MOST} more" if len(findings) > MOST else ""


def as_json(findings: Sequence[Finding], checked: Sequence[str], skipped: Sequence[str]) -> str:
    """One object: what was found, and which files were looked at and which were not."""
    import json

    rows = [
        {
            "file": finding.place.file if finding.place else None,
            "line": (finding.place.line or None) if finding.place else None,
            "column": (finding.place.column or None) if finding.place else None,
            "severity": finding.severity,
            "code": finding.code,
            "message": finding.message,
            "hint": finding.hint,
        }
        for finding in findings
    ]
    value = {"findings": rows, "checked": list(checked), "skipped": list(skipped)}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_github(findings: Sequence[Finding]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    return "".join(map(_annotation, findings))


def _annotation(finding: Finding) -> str:
    properties = {"title": finding.code}
    message = finding.message
    if finding.place and not finding.place.line:
        message = f"{finding.place}: {message}"
    elif finding.place:
        file, line, column = finding.place
        properties = {"file": file, "line": str(line), "col": str(column)} | properties
    pairs = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    text = "; ".join(filter(None, (message, finding.hint)))
    return f"::{finding.severity} {pairs}::{_escaped(text)}\n"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def with_excerpts(findings: Sequence[Finding]) -> Iterator[tuple[Finding, tuple[str, ...]]]:
    """Findings with two lines for each: the one that it is about, and the mark; or none.

    Of a line that a secret stands in, only what is before the secret is shown.
    """
    hidden: dict[tuple[str, int], int] = {}
    for place in (finding.place for finding in findings if finding.code == "secret"):
        if place is not None:
            column = hidden.get(place[:2], place.column)
            hidden[place[:2]] = min(column, place.column)
    files: dict[str, list[str]] = {}
    for finding in findings:
        place = finding.place
        if place is None or not place.line or finding.code in PRIVATE:
            yield finding, ()
            continue
        if place.file not in files:
            files[place.file] = _lines(place.file)
        lines = files[place.file]
        if place.line > len(lines):
            yield finding, ()
            continue
        shown = hidden.get(place[:2], 0)
        line = lines[place.line - 1]
        if shown:
            line = line[: shown - 1] + re.sub(r"\S", "*", line[shown - 1 :])
        yield finding, _excerpt(line, place)


def _lines(file: str) -> list[str]:
    try:
        return split_lines(read_text(file))
    except ConfigError:  # it was never a file, or is none any more
        return []


def _excerpt(line: str, place: Place) -> tuple[str, ...]:
    at = min(place.column - 1, len(line))
    if not line.strip():
        return ()
    if len(line) > LONGEST:
        begin = max(0, min(at - LONGEST // 2, len(line) - LONGEST))
        before, after = "..." * (begin > 0), "..." * (begin + LONGEST < len(line))
        at += len(before) - begin
        line = before + line[begin : begin + LONGEST] + after
    line = _plain(line)
    mark = "".join(
        character if character == "\t" else " " * _width(character) for character in line[:at]
    )
    return f"{INDENT}{line}", f"{INDENT}{mark}^"


def _plain(text: str) -> str:
    """Without anything that a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
