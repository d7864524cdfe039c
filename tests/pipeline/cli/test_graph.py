"""`pipeline graph` as a person at a terminal meets it."""

import io
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main

ROOT = Path(__file__).parents[3]

TYPED = """
processors:
  typed: {use: text_source, path: missing.txt}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
"""

DRAWN = """\
[typed] TextSource
 │ TextFrame
 │ inbox 64 frames, block
 ▼
[gemini] LiveApi

"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "typed.yaml").write_text(TYPED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def graph(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["graph", *arguments])


def test_it_is_drawn_for_the_terminal_and_the_machine_is_not_asked() -> None:
    result = graph("typed.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, DRAWN, "")


def test_it_is_drawn_without_unicode_if_asked() -> None:
    result = graph("--ascii", "typed.yaml")
    assert result.stdout == DRAWN.translate({ord("│"): "|", ord("▼"): "v"})


def test_it_is_drawn_without_unicode_where_there_is_none() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pipeline", "graph", "typed.yaml"],
        env={"PYTHONIOENCODING": "ascii", "COLUMNS": "80"},
        capture_output=True,
        check=True,
    )
    assert result.stdout.decode() == DRAWN.translate({ord("│"): "|", ord("▼"): "v"})


def test_the_drawing_in_the_docs_is_what_is_drawn() -> None:
    page = (ROOT / "docs/command_line.md").read_text()
    drawn = graph(str(ROOT / "configs/manual_vad.yaml")).stdout
    assert f"```text\n{drawn}```\n" in page


def test_other_forms() -> None:
    assert graph("--format", "mermaid", "typed.yaml").stdout.startswith("flowchart LR\n")
    assert graph("--format", "dot", "typed.yaml").stdout.startswith("digraph pipeline {\n")
    svg = graph("--format", "svg", "typed.yaml").stdout
    assert ElementTree.parse(io.StringIO(svg)).getroot().tag.endswith("}svg")


@pytest.mark.parametrize("form", ["terminal", "mermaid", "dot", "svg"])
def test_every_shipped_configuration_can_be_drawn(form: str) -> None:
    for file in (ROOT / "configs").glob("*.yaml"):
        result = graph("--format", form, str(file))
        assert result.exit_code == 0, result.output
        assert "gemini" in result.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "error[unreadable] cannot read x.yaml: No such file or directory"),
        (
            TYPED.replace("live_api", "live_ap"),
            'x.yaml:4:17: error[unknown-processor] no processor "live_ap"; did you mean '
            '"live_api"?',
        ),
        (
            TYPED.replace("-> gemini", "-> gemny"),
            'x.yaml:5:17: error[unknown-node] no processor is named "gemny"; did you mean '
            '"gemini"?',
        ),
    ],
)
def test_what_is_wrong_is_said_as_by_run(text: str | None, message: str, folder: Path) -> None:
    if text is not None:
        (folder / "x.yaml").write_text(text)
    result = graph("x.yaml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0] == message
    ran = CliRunner().invoke(main, ["run", "x.yaml"])
    assert result.stderr.splitlines()[0] in ran.stderr.splitlines()


def test_a_form_that_there_is_not() -> None:
    assert graph("--format", "gif", "typed.yaml").exit_code == 2
