"""`--set` and `--env`, with each command that takes them."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main

TEXT = """\
processors:
  typed: {use: text_source, lines: ["${GREETING}"]}
  gemini: {use: live_api, modality: text}
  words: {use: transcription_sink, path: words.jsonl}
flow: [typed -> gemini -> words]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "talk.yaml").write_text(TEXT)
    (tmp_path / ".env").write_text("GREETING='Hello from a file'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return tmp_path


def pipeline(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("command", ["run", "check", "expand", "graph"])
def test_every_command_takes_both(command: str) -> None:
    assert pipeline(command, "talk.yaml").exit_code == 2
    good = pipeline(command, "talk.yaml", "--env", ".env", "--set", "words.path=other.jsonl")
    assert good.exit_code == 0, good.output
    wrong = pipeline(command, "talk.yaml", "--env", ".env", "--set", "words.pth=x")
    assert wrong.exit_code == 2
    assert (
        '--set words.pth: error[unknown-setting] "words": no setting "pth"; did you mean "path"?\n'
    ) in wrong.output


@pytest.mark.parametrize("command", ["batch", "serve"])
def test_commands_of_other_packages_take_both(command: str, folder: Path) -> None:
    if command == "serve":
        pytest.importorskip("starlette", reason="wants the extra: serve")
    (folder / "lines.txt").write_text("Hello.")
    files = ["lines.txt"] if command == "batch" else []
    missing = pipeline(command, "talk.yaml", *files)
    assert "talk.yaml:2:37: error[variable] " in missing.output
    assert '    typed: {use: text_source, lines: ["${GREETING}"]}\n' in missing.output
    wrong = pipeline(command, "talk.yaml", *files, "--env", ".env", "--set", "words.pth=x")
    assert wrong.exit_code == 2
    assert wrong.output == (
        '--set words.pth: error[unknown-setting] "words": no setting "pth"; did you mean "path"?\n'
    )


def test_what_is_set_is_what_runs(folder: Path) -> None:
    assert pipeline("run", "talk.yaml", "--set", "typed.lines=[Bye]").exit_code == 0
    assert '"Bye"' in (folder / "words.jsonl").read_text()


def test_what_is_set_is_expanded_with_its_secrets_hidden() -> None:
    os.environ["API_KEY"] = "hush"
    value = "typed.lines=['${API_KEY} and more']"
    result = pipeline("expand", "talk.yaml", "--set", value, "--set", "typed.pause_ms=7")
    assert "lines:\n    - <redacted> and more\n" in result.stdout
    assert "pause_ms: 7\n" in result.stdout
    assert "hush" not in result.output


def test_the_environment_counts_more_than_a_file_and_the_last_file_most(folder: Path) -> None:
    (folder / "more.env").write_text("GREETING=Good evening\n")
    files = ("--env", ".env", "--env", "more.env")
    assert "- Good evening\n" in pipeline("expand", "talk.yaml", *files).stdout
    os.environ["GREETING"] = "Good morning"
    assert "- Good morning\n" in pipeline("expand", "talk.yaml", *files).stdout


def test_a_file_of_variables_that_is_wrong_is_not_shown(folder: Path) -> None:
    (folder / ".env").write_text("GREETING hush\n")
    result = pipeline("run", "talk.yaml", "--env", ".env", "--env", "no.env")
    assert result.exit_code == 2
    assert result.output == (
        '.env:1:1: error[env-file] there is no "=" behind the name\n'
        "error[unreadable] cannot read no.env: No such file or directory\n"
    )


def test_for_programs_what_is_set_has_no_line() -> None:
    arguments = ("check", "talk.yaml", "--env", ".env", "--set", "words.pth=x", "--format")
    assert '"file": "--set words.pth",\n      "line": null,' in pipeline(*arguments, "json").stdout
    assert pipeline(*arguments, "github").stdout == (
        '::error title=unknown-setting::--set words.pth: "words": no setting "pth"; '
        'did you mean "path"?\n'
    )
