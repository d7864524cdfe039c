"""`pipeline new`: what it writes works, and nothing is ever replaced."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline import load
from pipeline.cli.main import main
from pipeline.cli.templates import TEMPLATES
from pipeline.config import loads

CHAIN = "audio_source/live_api/audio_sink"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["new", *arguments])


def usage_error(result: Result) -> str:
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


def test_the_configuration_is_printed_and_what_was_added_is_said_beside_it() -> None:
    result = new(CHAIN)
    assert result.exit_code == 0
    assert result.stderr == "to_16k is added: live_api takes 16000 Hz mono\n"
    assert list(loads(result.stdout).nodes) == ["audio_source", "to_16k", "live_api", "audio_sink"]


def test_or_written_to_a_file() -> None:
    result = new(CHAIN, "-o", "talk.yaml")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[0] == "wrote talk.yaml"
    assert load("talk.yaml").order[-1].name == "audio_sink"


def test_an_existing_file_is_not_replaced(folder: Path) -> None:
    (folder / "talk.yaml").write_text("mine")
    assert usage_error(new(CHAIN, "-o", "talk.yaml")) == (
        "Error: talk.yaml is there already, and is not replaced"
    )
    assert (folder / "talk.yaml").read_text() == "mine"


def test_a_file_where_none_can_be() -> None:
    assert usage_error(new(CHAIN, "-o", "no/talk.yaml")) == (
        "Error: cannot write no/talk.yaml: No such file or directory"
    )


def test_what_is_wrong_with_a_chain_is_said_and_nothing_is_written(folder: Path) -> None:
    result = new("mic/live_api", "-o", "talk.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith('error[unknown-processor] no processor "mic"; ')
    assert list(folder.iterdir()) == []


def test_neither_or_both() -> None:
    message = "Error: give either a chain of processors or --processor with a name"
    assert usage_error(new()) == message
    assert usage_error(new(CHAIN, "--processor", "Mood")) == message


# --- processors ---


def test_every_role_s_processor_passes_its_test_and_can_be_configured(folder: Path) -> None:
    for role in TEMPLATES:
        result = new("--processor", f"{role.title()}Of2HTTPLines", "--role", role)
        assert (result.exit_code, result.stdout) == (0, ""), result.output
    assert result.stderr.splitlines() == [
        "wrote duplex_of2_http_lines.py",
        "wrote test_duplex_of2_http_lines.py",
        "in a configuration beside it: {use: ./duplex_of2_http_lines.py:DuplexOf2HTTPLines}",
    ]
    graph = loads(
        "processors:\n"
        "  a: {use: ./source_of2_http_lines.py:SourceOf2HTTPLines, last: 2}\n"
        "  b: {use: ./transform_of2_http_lines.py:TransformOf2HTTPLines}\n"
        "  c: {use: ./duplex_of2_http_lines.py:DuplexOf2HTTPLines}\n"
        "  d: {use: ./sink_of2_http_lines.py:SinkOf2HTTPLines, path: lines.txt}\n"
        "flow: [a -> b -> c -> d]\n",
        base=folder,
    )
    assert graph.check() == []
    tests = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:xdist",
            "--rootdir",
            ".",
            ".",
        ],
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout
    assert "4 passed" in tests.stdout


def test_a_processor_in_another_folder(folder: Path) -> None:
    (folder / "own").mkdir()
    assert new("--processor", "Mood", "-o", "own").exit_code == 0
    assert sorted(path.name for path in (folder / "own").iterdir()) == ["mood.py", "test_mood.py"]


@pytest.mark.parametrize("there", ["mood.py", "test_mood.py"])
def test_files_that_are_there_are_not_replaced(there: str, folder: Path) -> None:
    (folder / there).write_text("mine")
    assert usage_error(new("--processor", "Mood")) == (
        f"Error: {there} is there already, and is not replaced"
    )
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["mood", "Mood-Meter", "9Lives", "Class", "", "../Mood", "Größe"])
def test_names_that_no_class_can_have(name: str, folder: Path) -> None:
    assert usage_error(new("--processor", name)) == (
        f"Error: {name!r} is not the name of a class, such as MoodMeter"
    )
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("name", "module"), [("Json", "json"), ("Pipeline", "pipeline")])
def test_a_file_that_would_hide_a_module(name: str, module: str) -> None:
    assert usage_error(new("--processor", name)) == (
        f"Error: {module}.py would hide the module {module}: choose another name"
    )
