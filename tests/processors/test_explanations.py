"""What packages of processors explain, and examples that are no configurations."""

import os
import shlex
import shutil
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline import ConfigError, Graph
from pipeline.cli.explain import all_explanations
from pipeline.cli.main import main
from processors.audio.resampler import Resampler

ROOT = Path(__file__).parents[2]
TALK = """\
processors:
  question: {use: audio_source, path: question.wav}
  to_16k: {use: resampler, rate: 16000, channels: 1}
  gate: {use: vad_gate}
  gemini: {use: live_api}
  answer: {use: audio_sink, path: answer.wav}
flow: [question -> to_16k -> gate -> gemini -> answer]
"""
CODE = """\
from pipeline import Transform, TextFrame

class Gate(Transform):
    def process(self, frame: TextFrame):
        yield frame
"""


def example(code: str) -> str:
    """The example of an explanation, as it would be written."""
    _, found, behind = all_explanations()[code].partition("Example:\n\n")
    assert found, code
    lines = behind.split("\n\nRemedy")[0].split("\n")
    block = [line for line in lines if line.startswith("    ") or not line]
    return textwrap.dedent("\n".join(block)).strip()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "configs/speech/question.wav", tmp_path)
    (tmp_path / "talk.yaml").write_text(TALK)
    (tmp_path / "an_empty_folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {**os.environ, "PIPELINE_SERVE_TOKEN": ""})
    return tmp_path


def said(command: str) -> str:
    name, *arguments = shlex.split(command)
    assert name == "pipeline"
    result: Result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    return result.output


NEEDS = {"serve": "starlette", "ray": "ray"}


@pytest.mark.parametrize(
    "code",
    [
        *("unreadable", "nothing-to-check", "override"),
        *("inputs", "results", "ray"),
        *("binding", "token"),
    ],
)
def test_the_command_says_just_that(code: str) -> None:
    command = example(code)
    for word, module in NEEDS.items():
        if word in command.split() and find_spec(module) is None:
            pytest.skip(f"wants the extra: {word}")
    output = said(command)
    found = {line.partition("error[")[2].partition("]")[0] for line in output.splitlines()} - {""}
    assert found <= {code, "binding"}  # the file itself stands for no device
    assert code in found


def test_a_batch_of_a_graph_with_what_would_be_shared(folder: Path) -> None:
    text = example("batch").replace("use: live_api}", "use: resampler, rate: 16000}")
    (folder / "talk.yaml").write_text(text)
    assert "error[batch]" in said("pipeline batch talk.yaml question.wav")


def test_a_file_of_variables(folder: Path) -> None:
    (folder / ".env").write_text(example("env-file"))
    assert "error[env-file]" in said("pipeline check talk.yaml --env .env")


def checked(folder: Path, file: str, code: str, settings: str = "") -> str:
    (folder / file).write_text(code)
    (folder / "x.yaml").write_text(
        "processors:\n  typed: {use: text_source, lines: [x]}\n"
        f"  gate: {{use: ./{file}:Gate{settings}}}\n"
        "  words: {use: transcription_sink, path: x.txt}\nflow: [typed -> gate -> words]\n"
    )
    return said("pipeline check x.yaml")


def test_classes_with_mistakes(folder: Path) -> None:
    imports = "from pipeline import Transform\n\n"
    assert "error[annotations]" in checked(folder, "one.py", imports + example("annotations"))
    method = textwrap.indent(example("constructor"), "    ")
    output = checked(folder, "two.py", f"{CODE}\n{method}\n", ", table: {second: x}")
    assert "error[constructor]" in output


def test_one_object_twice() -> None:
    gate = Resampler(16_000)
    assert "gate = VadGate()" in example("same-object")
    with pytest.raises(ConfigError) as caught:
        Graph({"first": gate, "second": gate}, ["first -> second"])
    assert "same-object" in {finding.code for finding in caught.value.findings}


@pytest.mark.parametrize("code", sorted(all_explanations()))
def test_each_has_a_cause_an_example_and_a_remedy(code: str) -> None:
    text = all_explanations()[code]
    cause, _, rest = text.partition("\n\nExample:\n\n")
    shown, _, remedy = rest.partition("\n\nRemedy")
    assert cause.strip()
    assert shown.strip()
    assert remedy.strip(": \n")
    own = [line for line in text.splitlines() if not line.startswith('  "')]  # the service's words
    assert code.isdigit() or max(map(len, own)) <= 100
    assert text.endswith("\n")
