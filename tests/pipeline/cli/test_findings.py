"""How findings are shown."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import Finding, Place
from pipeline.cli.findings import as_github, as_json, as_text, print_findings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finding(line: int, column: int, code: str = "code", file: str = "x.yaml") -> Finding:
    return Finding(code, "message", Place(file, line, column), "hint")


def excerpt(line: str, column: int, code: str = "code") -> list[str]:
    Path("x.yaml").write_text(f"first\n{line}\nlast\n", encoding="utf-8")
    head, *rest = as_text([finding(2, column, code)]).splitlines()
    assert head == f"x.yaml:2:{column}: error[{code}] message; hint"
    return rest


@pytest.mark.parametrize(
    ("line", "column", "shown", "mark"),
    [
        ("a: b", 4, "a: b", "   ^"),
        ("a: b", 1, "a: b", "^"),
        ("a: b", 99, "a: b", "    ^"),
        ("\ta: b", 5, "\ta: b", "\t   ^"),
        ("名: b", 4, "名: b", "    ^"),
        ("e\u0301: b", 5, "e\u0301: b", "   ^"),
        ("a: \x1b[31mb", 9, "a: \ufffd[31mb", "        ^"),
    ],
)
def test_the_mark_is_under_the_column(line: str, column: int, shown: str, mark: str) -> None:
    assert excerpt(line, column) == [f"    {shown}", f"    {mark}"]


def test_of_a_long_line_a_part_is_shown() -> None:
    line = f"{'a' * 500}X{'b' * 500}"
    shown, mark = excerpt(line, 501)
    assert shown == f"    ...{'a' * 80}X{'b' * 79}..."
    assert shown[mark.index("^")] == "X"
    shown, mark = excerpt(line, 1001)
    assert shown == f"    ...{'b' * 160}"
    shown, mark = excerpt(line, 2)
    assert shown == f"    {'a' * 160}..."
    assert mark == "     ^"


def test_lines_that_are_not_there_are_not_shown() -> None:
    Path("x.yaml").write_text("a\n\n")
    for place in (finding(2, 1), finding(9, 1), finding(1, 1, file="gone.yaml")):
        assert as_text([place]) == f"{place}\n"
    assert as_text([Finding("code", "message")]) == "error[code] message\n"
    assert as_text([]) == ""


def test_lines_are_counted_as_yaml_counts_them() -> None:
    Path("x.yaml").write_bytes("a\r\nb\x0c\u2028c\x85d\re\n".encode())
    shown = as_text([finding(line, 1) for line in range(1, 6)]).splitlines()
    assert [line.strip() for line in shown[1::3]] == ["a", "b\ufffd", "c", "d", "e"]


def test_a_secret_is_hidden_from_every_excerpt_of_its_line() -> None:
    Path("x.yaml").write_text("a: {b: 1, key: s3cr3t word, c: 2}\n")
    findings = [finding(1, 8), finding(1, 16, "secret"), finding(1, 29)]
    assert as_text(findings).splitlines()[1::3] == ["    a: {b: 1, key: ****** ***** ** **"] * 3
    assert as_text(findings).splitlines()[8] == f"    {' ' * 28}^"
    assert "s3cr3t" in as_text(findings[:1])


def test_a_message_cannot_command_a_terminal() -> None:
    bad = Finding("code", 'no key "\x1b]0;x\x07\n"')
    assert as_text([bad]) == 'error[code] no key "\ufffd]0;x\ufffd\ufffd"\n'


def test_colours_on_a_terminal_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.yaml").write_text("[bold]: b\n")
    plain = as_text([finding(1, 9)])

    def show() -> str:
        output = io.StringIO()
        print_findings([finding(1, 9)], Console(file=output, force_terminal=True, width=20))
        return output.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[31m" in show()
    monkeypatch.setenv("NO_COLOR", "1")
    assert show() == plain


def test_json() -> None:
    text = as_json([finding(3, 4), Finding("code", "ä")], ["x.yaml"], ["y.yaml"])
    assert json.loads(text) == {
        "findings": [
            {
                "file": "x.yaml",
                "line": 3,
                "column": 4,
                "severity": "error",
                "code": "code",
                "message": "message",
                "hint": "hint",
            },
            {
                "file": None,
                "line": None,
                "column": None,
                "severity": "error",
                "code": "code",
                "message": "ä",
                "hint": "",
            },
        ],
        "checked": ["x.yaml"],
        "skipped": ["y.yaml"],
    }


def test_github() -> None:
    odd = Finding("a:b", "100 %\nsure, yes", Place("a,b:c.yaml", 3, 4), "hint")
    assert as_github([odd, Finding("code", "message")]) == (
        "::error file=a%2Cb%3Ac.yaml,line=3,col=4,title=a%3Ab::100 %25%0Asure, yes; hint\n"
        "::error title=code::message\n"
    )
