"""What keeps a text from being YAML, in words that help, and at the mistake: a parser notices many
only later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import yaml

QUOTE_COLON = 'a text with a colon and a space in it belongs in quotation marks: "..."'
ALIKE = "what belongs together begins in the same column"
SPACES = "YAML is indented with spaces, not with tabs"

_COLON_BEFORE = re.compile(r"""^[\s\-]*+[\w.-]+:\s|[{,]\s*[\w.-]+:\s""")
_NO_SPACE = re.compile(r"(?P<key>[A-Za-z_][\w-]*):(?P<value>[^\s:/\\].*)")
_PAIRS = {"{": "}", "[": "]"}


class Mistake(NamedTuple):
    """What is wrong, where (line and column from 0), and what to do about it."""

    message: str
    line: int
    column: int
    hint: str = ""


class _Seen(NamedTuple):
    """What the parser says: the place where it gave up, and where what it was busy with begins."""

    what: str
    lines: Sequence[str]
    line: int
    column: int
    begin_line: int
    begin_column: int

    @property
    def text(self) -> str:
        return self._of(self.line)

    @property
    def begin_text(self) -> str:
        return self._of(self.begin_line)

    @property
    def before(self) -> str:
        return self.text[: self.column]

    def _of(self, line: int) -> str:
        return self.lines[line] if line < len(self.lines) else ""

    def here(self, message: str, hint: str = "") -> Mistake:
        return Mistake(message, self.line, self.column, hint)

    def at_begin(self, message: str, hint: str = "") -> Mistake:
        return Mistake(message, self.begin_line, self.begin_column, hint)


def mistake_of(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> Mistake:
    """What is wrong with a text that a parser, of libyaml or of Python, could not read."""
    mark = error.problem_mark or error.context_mark
    begin = error.context_mark or mark
    what = " ".join(part for part in (error.problem, error.context) if part)
    if mark is None or begin is None:
        return Mistake(what, 0, 0)
    seen = _Seen(what, lines, mark.line, mark.column, begin.line, begin.column)
    found = (rule(seen) for rule in _RULES)
    return next(filter(None, found), seen.here(what))


def control_character(text: str) -> Mistake | None:
    """The first character that no YAML may have."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    column = len(before) - before.rfind("\n") - 1
    message = f"the character U+{ord(found[0]):04X}, which nobody sees, is here"
    return Mistake(message, before.count("\n"), column, "delete it")


# --- the rules: the first one that knows what it is counts ---


def _tab(seen: _Seen) -> Mistake | None:
    indent = seen.text[: len(seen.text) - len(seen.text.lstrip())]
    if "\t" not in indent:
        return None
    return Mistake("a tab indents this line", seen.line, indent.index("\t"), SPACES)


def _open_quotation(seen: _Seen) -> Mistake | None:
    if "quoted scalar" not in seen.what:
        return None
    return seen.at_begin("the text that begins here has no closing quotation mark")


def _escape(seen: _Seen) -> Mistake | None:
    if "unknown escape" not in seen.what and "hex" not in seen.what:
        return None
    return seen.here(
        "a backslash has a meaning in double quotation marks",
        "write '...', in single ones, or the backslash twice",
    )


def _no_space(seen: _Seen) -> Mistake | None:
    found = _NO_SPACE.match(seen.begin_text, seen.begin_column)
    if "':'" not in seen.what or "simple key" not in seen.what:
        return None
    if found is None:
        word = seen.begin_text[seen.begin_column :].strip()
        return seen.at_begin(f"a colon is missing behind `{word}`")
    hint = f"write `{found['key']}: {found['value'].strip()}`"
    return seen.at_begin("a space is missing behind the colon", hint)


def _variable(seen: _Seen) -> Mistake | None:
    if "flow mapping" not in seen.what and "flow sequence" not in seen.what:
        return None
    if "${" not in seen.text[max(0, seen.column - 2) : seen.column + 2]:
        return None
    hint = 'within {} or [] write "${NAME}", in quotation marks'
    return seen.here("a variable is not in quotation marks", hint)


def _flow(seen: _Seen) -> Mistake | None:
    """Within `{}` or `[]`."""
    if "flow mapping" not in seen.what and "flow sequence" not in seen.what:
        return None
    opening = seen.begin_text[seen.begin_column : seen.begin_column + 1]
    closing = _PAIRS.get(opening, "}")
    ahead = seen.text[seen.column :].lstrip()
    if not ahead or (seen.line > seen.begin_line and ahead[0] != closing):
        comment = seen.begin_text.find(" #", seen.begin_column)
        hint = f"add `{closing}` where it ends"
        if comment >= 0:
            hint = "` #` begins a comment; a text with it belongs in quotation marks"
        return seen.at_begin(f"there is no `{closing}` for this `{opening}`", hint)
    if ahead.startswith(":") and _COLON_BEFORE.search(seen.before):
        return seen.here("there is a second colon", f"{QUOTE_COLON}, or a comma is missing")
    if seen.before.rstrip()[-1:] == "'":
        hint = 'write an apostrophe in double quotation marks: "It\'s"'
        return seen.here("the text in quotation marks has ended before this", hint)
    if ahead[:1] in ("]", "}"):
        return seen.here(f"`{ahead[:1]}` closes a `{opening}`", f"write `{closing}`")
    return seen.here(f"a comma or `{closing}` is missing before this")


def _no_value(seen: _Seen) -> Mistake | None:
    """Within `{}` or `[]` there is something else where a value has to be, or nothing more."""
    if "flow node" not in seen.what:
        return None
    opened: list[tuple[int, int]] = []
    for line, text in enumerate(seen.lines):
        for column, character in enumerate(text):
            if character in _PAIRS:
                opened.append((line, column))
            elif character in _PAIRS.values() and opened:
                opened.pop()
    if opened and not "".join([seen.text[seen.column :], *seen.lines[seen.line + 1 :]]).strip():
        line, column = opened[-1]
        opening = seen.lines[line][column]
        closing = _PAIRS[opening]
        message = f"there is no `{closing}` for this `{opening}`"
        return Mistake(message, line, column, f"add `{closing}` where it ends")
    return seen.here("a value is missing before this")


def _mapping_value(seen: _Seen) -> Mistake | None:
    """A colon where there can be none."""
    if "mapping values are not allowed" not in seen.what:
        return None
    if _COLON_BEFORE.search(seen.before):
        return seen.here("there is a second colon in the line", QUOTE_COLON)
    start = len(seen.text) - len(seen.text.lstrip())
    filled = [n for n in range(seen.line) if seen.lines[n].strip()]
    above = seen.lines[filled[-1]] if filled else ""
    if not filled or start > len(above) - len(above.lstrip()):
        message = "the line is indented more than the one above, which has a value already"
        return Mistake(message, seen.line, start, ALIKE)
    space = _NO_SPACE.fullmatch(above.strip())
    if space:
        hint = f"write `{space['key']}: {space['value']}`"
        return Mistake("a space is missing behind the colon", filled[-1], start, hint)
    return Mistake(f"a colon is missing behind `{above.strip()}`", filled[-1], start)


def _indentation(seen: _Seen) -> Mistake | None:
    wanted = ("did not find expected key", "expected <block end>", "expected '-' indicator")
    if not any(part in seen.what for part in wanted):
        return None
    if not seen.before.strip():
        return seen.here("the line is indented like none above that it could belong to", ALIKE)
    hint = "put the whole text in quotation marks, or delete what is too much"
    return seen.here("the value of this line has ended before this", hint)


def _alias(seen: _Seen) -> Mistake | None:
    hint = "a text that begins with * belongs in quotation marks"
    if "undefined alias" in seen.what:
        name = re.match(r"\*[\w-]*", seen.text[seen.column :])
        word = name[0] if name else "*"
        return seen.here(f"`{word}` stands for nothing: there is no `&{word[1:]}` above", hint)
    if "scanning an alias" in seen.what:
        return seen.at_begin("`*` stands for something above, by its name", hint)
    return None


def _first_character(seen: _Seen) -> Mistake | None:
    if "cannot start any token" not in seen.what:
        return None
    character = seen.text[seen.column : seen.column + 1]
    hint = "put the text in quotation marks"
    return seen.here(f"a text cannot begin with `{character}`", hint)


def _list_item(seen: _Seen) -> Mistake | None:
    if "sequence entries are not allowed" not in seen.what:
        return None
    return seen.here("a list begins on a line of its own", "or write it as [a, b]")


def _block_text(seen: _Seen) -> Mistake | None:
    if "block scalar" not in seen.what:
        return None
    return seen.at_begin(
        "a text of several lines begins below `|` or `>`", "or put it in quotation marks"
    )


def _documents(seen: _Seen) -> Mistake | None:
    if "another document" not in seen.what:
        return None
    return seen.here("`---` begins a second document; a file has one", "use a file for each")


_RULES: tuple[Callable[[_Seen], Mistake | None], ...] = (
    _tab,
    _escape,
    _open_quotation,
    _no_space,
    _variable,
    _flow,
    _no_value,
    _mapping_value,
    _indentation,
    _alias,
    _first_character,
    _list_item,
    _block_text,
    _documents,
)
