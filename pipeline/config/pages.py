"""Configurations within Markdown, at their true lines and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.config.document import split_lines

_FENCE = re.compile(r"[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)(?P<rest>.*)")
_TOP = re.compile(r"^[ \t]*(?:\{\s*)?([\"']?)processors\1[ \t]*:", re.MULTILINE)
EXCERPT = "# excerpt"
"""What a fence begins with that shows a part of a configuration only."""


def is_configuration(text: str) -> bool:
    """Whether a YAML text has `processors:` at its top."""
    match = _TOP.search(text)
    if match is None or text.lstrip().startswith(EXCERPT):
        return False
    return _indent(match[0]) == min(map(_indent, filter(_has_content, split_lines(text))))


class Block(NamedTuple):
    """A configuration in a fence.

    text: has the lines before it left empty and keeps its indentation, so that what is found in it
    stands where it stands on the page. line: of the opening mark, from 1. mark: what closes it;
    closed: whether it does, or the page ends in the block.
    """

    text: str
    line: int
    mark: str
    closed: bool


def configurations(page: str) -> Iterator[Block]:
    """The configurations in the YAML fences of a page."""
    lines = split_lines(page)
    number = 0
    while number < len(lines):
        opening = _FENCE.fullmatch(lines[number])
        number += 1
        if opening is None or (opening["mark"][0] == "`" and "`" in opening["rest"]):
            continue
        begin = number
        while number < len(lines) and not _closes(lines[number], opening["mark"]):
            number += 1
        text = "\n".join([*[""] * begin, *lines[begin:number], ""])
        closed = number < len(lines)
        number += 1
        if opening["language"].lower() in ("yaml", "yml") and is_configuration(text):
            yield Block(text, begin, opening["mark"], closed)


def _closes(line: str, mark: str) -> bool:
    rest = line.strip()
    return len(rest) >= len(mark) and not rest.strip(mark[0])


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))
