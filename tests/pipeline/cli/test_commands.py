"""Commands from other packages, by entry point."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

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
