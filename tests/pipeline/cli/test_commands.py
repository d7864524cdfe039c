"""Commands from other packages, by entry point."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import commands
from pipeline.cli.commands import GROUP, Commands
from pipeline.cli.main import main


@click.command()
@click.option("--times", default=1)
def greet(times: int) -> None:
    """Say hello."""
    click.echo("hello " * times)


@pytest.fixture
def group() -> Commands:
    group = Commands("test")
    group.command("own")(lambda: click.echo("its own"))
    return group


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("somebody_elses_commands")
    vars(module).update(greet=greet, number=5)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.fixture(autouse=True)
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed: names and where they lead."""
    entries: dict[str, str] = {}
    monkeypatch.setattr(
        commands,
        "_found",
        lambda: {name: EntryPoint(name, value, GROUP) for name, value in entries.items()},
    )
    return entries


def run(group: Commands, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(group, arguments)
    return result.exit_code, result.output


def test_a_command_of_another_package_is_listed_and_run(
    group: Commands, module: ModuleType, entries: dict[str, str]
) -> None:
    entries["greet"] = f"{module.__name__}:greet"
    status, output = run(group, "--help")
    assert status == 0
    assert [line.split() for line in output.splitlines()[-2:]] == [
        ["greet", "Say", "hello."],
        ["own"],
    ]
    assert run(group, "greet", "--times", "2") == (0, "hello hello \n")


def test_its_own_commands_come_first(
    group: Commands, module: ModuleType, entries: dict[str, str]
) -> None:
    entries["own"] = f"{module.__name__}:greet"
    assert run(group, "own") == (0, "its own\n")


def test_a_command_that_nobody_has(group: Commands) -> None:
    status, output = run(group, "gone")
    assert status == 2
    assert "No such command 'gone'" in output


def test_other_commands_are_not_imported_to_run_one(
    group: Commands, entries: dict[str, str]
) -> None:
    entries["broken"] = "package_that_is_not_there:command"
    assert run(group, "own") == (0, "its own\n")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("package_that_is_not_there:command", "ModuleNotFoundError: No module named"),
        ("somebody_elses_commands:gone", "AttributeError: "),
        ("somebody_elses_commands:number", "no command"),
    ],
)
def test_a_broken_command_spoils_nothing_but_itself(
    group: Commands, module: ModuleType, entries: dict[str, str], value: str, why: str
) -> None:
    entries["broken"] = value
    entries["greet"] = f"{module.__name__}:greet"
    status, output = run(group, "--help")
    assert status == 0
    assert "Say hello." in output
    status, output = run(group, "broken", "--port", "80", "more")
    assert status == 2
    assert f"{value} cannot be used: {why}" in output


def test_the_simulation_is_such_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = CliRunner().invoke(main, ["simulate", "--help"])
    assert result.exit_code == 0
    assert "--scenario" in result.output
    assert "simulate" in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("talk.yaml",), "the command comes first: pipeline run talk.yaml"),
        (("talk.yml", "check"), "the command comes first: pipeline check talk.yml"),
        (("README.md", "--view"), "the command comes first: pipeline run README.md"),
        (("help",), "there is no command help; write pipeline --help"),
        (("version",), "there is no command version; write pipeline --version"),
        (("runn",), "No such command 'runn'. Did you mean 'run'?"),
    ],
)
def test_what_was_meant_by_a_word_that_is_no_command(words: tuple[str, ...], message: str) -> None:
    status, output = run(main, *words)
    assert status == 2
    assert output.splitlines()[-1] == f"Error: {message}"


def execute(*words: str, **streams: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipeline", *words]
    return subprocess.run(command, text=True, check=False, **streams)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="wants a device that is always full")
def test_output_that_cannot_be_written_is_said() -> None:
    with open("/dev/full", "w") as full:
        result = execute("explain", "cycle", stdout=full, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (
        1,
        "error: the output cannot be written: No space left on device\n",
    )


@pytest.mark.skipif(os.name != "posix", reason="closes a file descriptor")
def test_output_that_is_closed_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("processors:\nflow:\n")
    result = execute(
        "check", str(tmp_path / "x.yaml"), stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1)
    )
    assert (result.returncode, result.stderr) == (2, "1 configuration, 2 errors\n")


def test_events_are_utf_8_whatever_the_terminal_is(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        'processors:\n  typed: {use: text_source, lines: ["\u00fcber"]}\n'
        "  words: {use: transcription_sink, path: x.txt}\n"
        "  gemini: {use: live_api, modality: text}\nflow: [typed -> gemini -> words]\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "pipeline", "run", "x.yaml", "--view", "json"]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True)
    assert '"text":"\u00fcber"' in result.stdout.decode("utf-8")


def test_ctrl_c_before_anything_runs_has_the_same_status_as_later() -> None:
    @click.command()
    def slow() -> None:
        raise KeyboardInterrupt

    group = Commands(commands={"slow": slow})
    result = CliRunner().invoke(group, ["slow"])
    assert result.exit_code == 130
    assert result.stderr.strip() == "Aborted!"
