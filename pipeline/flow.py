"""The notation that wires a graph: `microphone -> gate -> gemini`, `gemini <-> tools`."""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.errors import Place

_TOKEN = re.compile(r"\s*(?:(?P<name>[^\s<>,-](?:[^\s<>,-]|-(?!>))*)|(?P<arrow><->|->))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")

_NEARLY = r"<-{1,2}|[-=~]{1,3}>|>{1,3}|[|=~]|-{2,}(?!>)|[\u2190-\u21ff\u2794\u279c\u27f5-\u27ff]"
"""What people write instead of an arrow. Compiled when somebody does: that takes a while."""
_TO_THE_LEFT = ("<-", "<--", "\u2190", "\u27f5")

ARROWS = "write `a -> b -> c`, or `a <-> b` for both directions"


class Link(NamedTuple):
    """One arrow: two names and where each stands in the text (offset from 0)."""

    source: str
    target: str
    source_at: int
    target_at: int


class Wire(NamedTuple):
    """An edge to be: two names, and where the arrow between them stands."""

    source: str
    target: str
    place: Place | None = None


class FlowSyntaxError(ValueError):
    """A chain that cannot be read; `at` is the offset of what is wrong."""

    def __init__(self, message: str, at: int) -> None:
        self.at = at
        super().__init__(message)


def is_name(text: str) -> bool:
    """Whether a processor may have this name; `leg.gate`, as `pipeline expand` has it, is one."""
    return bool(_NAME.fullmatch(text))


def parse_chain(text: str) -> list[Link]:
    """The links of one chain, from left to right. Raises FlowSyntaxError."""
    links: list[Link] = []
    left: tuple[str, int] | None = None
    arrow: str | None = None
    position = 0
    end = len(text.rstrip())
    while position < end:
        token = _TOKEN.match(text, position)
        at = next(at for at in range(position, end) if not text[at].isspace())
        name = token["name"] if token else None
        if (token is None or name) and not (name and _NAME.fullmatch(name)):
            nearly = re.compile(_NEARLY).search(text, at)
            word = text[at : nearly.start()] if nearly else ""
            inside = nearly and token and nearly.start() < token.end() and _NAME.fullmatch(word)
            if nearly and (not word or inside):
                raise _no_arrow(nearly[0], nearly.start())
        if token is None and text[at] == ",":
            raise FlowSyntaxError(
                "a comma is no arrow; write a chain for each, on its own line", at
            )
        if token is None:
            raise FlowSyntaxError(f"cannot read {text[at:].split()[0]!r}; {ARROWS}", at)
        position = token.end()
        if token["arrow"]:
            if left is None or arrow is not None:
                raise FlowSyntaxError(
                    f"a processor's name is missing before {token['arrow']!r}", at
                )
            arrow = token["arrow"]
            continue
        name = token["name"]
        if not _NAME.fullmatch(name):
            raise FlowSyntaxError(f"{name!r} is not a name: letters, digits, _ and -", at)
        if left is not None:
            if arrow is None:
                raise FlowSyntaxError(f"an arrow is missing before {name!r}; {ARROWS}", at)
            links.append(Link(left[0], name, left[1], at))
            if arrow == "<->":
                links.append(Link(name, left[0], at, left[1]))
        left, arrow = (name, at), None
    if left is None or arrow is not None:
        raise FlowSyntaxError("a processor's name is missing at the end", end)
    if not links:
        raise FlowSyntaxError(f"{left[0]!r} alone goes nowhere; {ARROWS}", left[1])
    return links


def _no_arrow(mark: str, at: int) -> FlowSyntaxError:
    if mark in _TO_THE_LEFT:
        return FlowSyntaxError(f"{mark!r} leads to the left; write `b -> a`, to the right", at)
    return FlowSyntaxError(f"{mark!r} is no arrow; {ARROWS}", at)
