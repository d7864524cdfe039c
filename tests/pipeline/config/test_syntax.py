"""What is said of a text that is not YAML, by either parser."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import document
from pipeline.config.document import Document
from pipeline.config.syntax import ALIKE, QUOTE_COLON, SPACES
from pipeline.errors import ConfigError

WHOLE = "put the whole text in quotation marks, or delete what is too much"
STAR = "a text that begins with * belongs in quotation marks"
NOTHING_ABOVE = "the line is indented like none above that it could belong to"

MISTAKES = [
    ("a:\n\tb: 1", "2:1", "a tab indents this line", SPACES),
    ("a:\n  b:\n  \tc: 1", "3:3", "a tab indents this line", SPACES),
    (
        "a:\n  b: c\n    d: 1",
        "3:5",
        "the line is indented more than the one above, which has a value already",
        ALIKE,
    ),
    ("a:\n  b: c\n d: 1", "3:2", NOTHING_ABOVE, ALIKE),
    ("a:\n  - b\n - c", "3:2", NOTHING_ABOVE, ALIKE),
    ("a: be brief: one", "1:12", "there is a second colon in the line", QUOTE_COLON),
    (
        "a: {b: be brief: one}",
        "1:16",
        "there is a second colon",
        f"{QUOTE_COLON}, or a comma is missing",
    ),
    ("a:\n  rate:16\n  b: 1", "2:3", "a space is missing behind the colon", "write `rate: 16`"),
    ("a: x\nrate:16\nb: 1", "2:1", "a space is missing behind the colon", "write `rate: 16`"),
    ("a: [b,\n", "1:4", "there is no `]` for this `[`", "add `]` where it ends"),
    ("a: [b", "1:4", "there is no `]` for this `[`", "add `]` where it ends"),
    ("a: 1\nb\n", "2:1", "a colon is missing behind `b`", ""),
    ("a\nb: 1\n", "1:1", "a colon is missing behind `a`", ""),
    ("a: {b: 1\nc: 2", "1:4", "there is no `}` for this `{`", "add `}` where it ends"),
    ("a: [b, c\nd: 2", "1:4", "there is no `]` for this `[`", "add `]` where it ends"),
    (
        "a: {b: x #1}\nc: 2",
        "1:4",
        "there is no `}` for this `{`",
        "` #` begins a comment; a text with it belongs in quotation marks",
    ),
    ("a: {b: 1]", "1:9", "`]` closes a `{`", "write `}`"),
    ('a: {b: "x" y}', "1:12", "a comma or `}` is missing before this", ""),
    (
        "a: ['It's me']",
        "1:9",
        "the text in quotation marks has ended before this",
        'write an apostrophe in double quotation marks: "It\'s"',
    ),
    ('a: "b\nc: d', "1:4", "the text that begins here has no closing quotation mark", ""),
    ('a: "x" y', "1:8", "the value of this line has ended before this", WHOLE),
    (
        "a: {b: ${X}}",
        "1:9",
        "a variable is not in quotation marks",
        'within {} or [] write "${NAME}", in quotation marks',
    ),
    ("a: *y", "1:4", "`*y` stands for nothing: there is no `&y` above", STAR),
    ("a: *.wav", "1:4", "`*` stands for something above, by its name", STAR),
    ("a: @x", "1:4", "a text cannot begin with `@`", "put the text in quotation marks"),
    ("a: - b", "1:4", "a list begins on a line of its own", "or write it as [a, b]"),
    (
        "a: |x\n b",
        "1:4",
        "a text of several lines begins below `|` or `>`",
        "or put it in quotation marks",
    ),
    (
        "a: 1\n---\nb: 2",
        "2:1",
        "`---` begins a second document; a file has one",
        "use a file for each",
    ),
    ("a: 1\nb: x\0y", "2:5", "the character U+0000, which nobody sees, is here", "delete it"),
]


@pytest.fixture(params=["libyaml", "python"])
def parser(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is used, or the one of machines without libyaml."""
    if request.param == "python":

        class Loader(yaml.SafeLoader):
            pass

        monkeypatch.setattr(document, "_Loader", Loader)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("text", "place", "message", "hint"), MISTAKES)
def test_what_is_said(text: str, place: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Document(text, "x", {})
    [finding] = caught.value.findings
    assert str(finding).removeprefix(f"x:{place}: error[yaml] not valid YAML: ") == (
        f"{message}; {hint}" if hint else message
    )


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("path", ["C:\\sounds", "C:\\xylophone", "C:\\users"])
def test_a_backslash(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Document(f'a: "{path}"', "x", {})
    assert str(caught.value.findings[0]).endswith(
        "error[yaml] not valid YAML: a backslash has a meaning in double quotation marks; write "
        "'...', in single ones, or the backslash twice"
    )


@given(st.text("ab:-,{}[]'\"#&*!|>%@ \n\t\\$", max_size=30))
def test_whatever_it_is_it_has_a_place_in_the_text(text: str) -> None:
    try:
        Document(text, "x", {})
    except ConfigError as error:
        for finding in error.findings:
            assert finding.place is not None
            assert 1 <= finding.place.line <= text.count("\n") + 1
            assert 1 <= finding.place.column <= len(text) + 1
