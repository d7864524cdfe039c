"""`pipeline list`, `describe` and `schema` as a person at a terminal meets them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline import registry
from pipeline.cli import reference
from pipeline.cli.main import main

OWN = '''
from collections.abc import Iterator
from typing import Annotated, Literal
from msgspec import Meta, Struct
from pipeline import Frame, TextFrame, Transform

class Odd(Frame):
    pass

class Detail(Struct):
    """level: how much."""
    level: Annotated[int, Meta(ge=0)] = 1

class Shout(Transform):
    """Makes words loud. It knows no mercy.

    hold_ms: how long a word is kept
      back, in vain.
    mode: in which manner.
    detail: more about it.
    words: those that it spares.
    """

    def __init__(
        self,
        hold_ms: Annotated[int, Meta(ge=0, le=50)],
        mode: Literal["loud", "louder"] = "loud",
        detail: Detail | None = Detail(),
        words: Annotated[list[str], Meta(min_length=1)] | None = None,
    ) -> None: ...

    def process(self, frame: TextFrame) -> Iterator[Odd]:
        yield from ()

class Careless(Transform):
    def __init__(self, size) -> None: ...

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame
'''

SHOUT = """\
./own.py:Shout: transform

Makes words loud. It knows no mercy.

takes  TextFrame
gives  Odd

Settings
  hold_ms: integer, 0 to 50 ms; required
      how long a word is kept back, in vain.
  mode: loud or louder; default loud
      in which manner.
  detail: group or null; default {level: 1}
      more about it.
        level: integer, at least 0; default 1
            how much.
  words: list of text, at least 1
      those that it spares.

Example
  processors:
    shout: {use: './own.py:Shout', hold_ms: 1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def packages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only these are installed: one of somebody else's, and one that is broken."""
    points = {
        "gate": "processors.audio.vad_gate:VadGate",
        "careless": "own:Careless",
        "broken": "package_that_is_not_there:Gate",
        "shout": "own:Shout",
    }
    monkeypatch.syspath_prepend(folder)
    entries = {name: EntryPoint(name, value, registry.GROUP) for name, value in points.items()}
    monkeypatch.setattr(registry, "installed", lambda: entries)
    monkeypatch.setattr(reference, "installed", lambda: entries)
    yield
    sys.modules.pop("own", None)


def pipeline(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


# --- list ---


UNUSABLE = (
    'broken cannot be used: there is no module "package_that_is_not_there"\n'
    "careless cannot be used: Careless.__init__: annotate `size` with its type\n"
)


@pytest.mark.usefixtures("packages")
def test_list() -> None:
    result = pipeline("list")
    assert result.exit_code == 0
    assert result.stdout == (
        "gate   transform  Passes audio while someone speaks, and says when speech begins and "
        "ends.\n"
        "shout  transform  Makes words loud.\n"
    )
    assert result.stderr == UNUSABLE


@pytest.mark.usefixtures("packages")
def test_list_as_json() -> None:
    result = pipeline("list", "--format", "json")
    assert json.loads(result.stdout)[1] == {
        "name": "shout",
        "role": "transform",
        "summary": "Makes words loud.",
    }
    assert result.stderr == UNUSABLE


def test_list_shows_every_built_in_processor_on_a_line() -> None:
    lines = pipeline("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(registry.installed())
    assert all(line.endswith(".") for line in lines)


# --- describe ---


def test_describe_a_class_in_a_file() -> None:
    result = pipeline("describe", "./own.py:Shout")
    assert (result.exit_code, result.stdout, result.stderr) == (0, SHOUT, "")


def test_describe_a_built_in_one_with_its_example() -> None:
    result = pipeline("describe", "resampler")
    assert result.exit_code == 0
    assert "  rate: integer, 4000 to 384000 Hz; required\n" in result.stdout
    assert result.stdout.endswith(
        "Example\n"
        "  processors:\n"
        "    audio_source: {use: audio_source, path: input.wav}\n"
        "    resampler: {use: resampler, rate: 16000}\n"
        "    audio_sink: {use: audio_sink, path: output.wav}\n"
        "  flow: [audio_source -> resampler -> audio_sink]\n"
    )


@pytest.mark.parametrize("name", sorted(registry.installed()))
def test_describe_says_something_of_every_setting(name: str) -> None:
    result = pipeline("describe", name)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 90  # 80, but for what must not be broken
    about = json.loads(pipeline("describe", name, "--format", "json").stdout)
    for setting in about["settings"]:
        assert f"  {setting['name']}: " in result.stdout
        assert setting["meaning"]


def test_describe_as_json() -> None:
    about = json.loads(pipeline("describe", "./own.py:Shout", "--format", "json").stdout)
    assert list(about) == [
        "name", "role", "summary", "text", "takes", "gives", "settings", "example"
    ]  # fmt: skip
    assert about["settings"][0] == {
        "name": "hold_ms",
        "shape": {"kind": "integer", "limits": {"minimum": 0, "maximum": 50}},
        "required": True,
        "unit": "ms",
        "meaning": "how long a word is kept back, in vain.",
    }
    assert about["example"] == {"processors": {"shout": {"use": "./own.py:Shout", "hold_ms": 1}}}


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            "reampler",
            'error[unknown-processor] no processor "reampler"; did you mean "resampler"?',
        ),
        (
            "./own.py:Shoot",
            'error[unknown-processor] there is no "Shoot" in own.py; did you mean "Shout"?',
        ),
        (
            "./own.py",
            "error[unknown-processor] ./own.py is a file, not a class; name one in it: "
            "./own.py:Class",
        ),
        ("./gone.py:Shout", "error[unknown-processor] there is no file gone.py"),
        ("gone.module:Shout", 'error[unknown-processor] there is no module "gone.module"'),
        (
            "./own.py:Detail",
            "error[unknown-processor] ./own.py:Detail is not a processor class; derive it from "
            "one of the roles",
        ),
        (
            "./own.py:Careless",
            "error[annotations] Careless.__init__: annotate `size` with its type",
        ),
    ],
)
def test_what_cannot_be_described(use: str, message: str) -> None:
    result = pipeline("describe", use)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message + "\n")


# --- schema ---


@pytest.mark.usefixtures("packages")
def test_schema_has_what_is_installed() -> None:
    result = pipeline("schema")
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    use = schema["$defs"]["processor"]["properties"]["use"]["anyOf"]
    assert [choice.get("const") for choice in use] == ["gate", "shout", None]
    assert result.stderr == UNUSABLE


def test_nothing_is_imported_for_them_before_they_are_asked_for() -> None:
    code = "import sys, pipeline.cli.main; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"pipeline.reference", "pipeline.schema", "pipeline.examples", "yaml"} & set(loaded)


FRAGMENT = """\
# yaml-language-server: $schema=x.json
# Speech out of sound,
# at one rate.
parameters:
  rate: 16000
  path:
  quality: null
processors:
  convert: {use: resampler, rate: "${rate}"}
  gate: {use: vad_gate}
  file: {use: audio_sink, path: "${path}"}
flow:
  - input -> convert -> gate -> output
  - gate -> file
"""


def test_a_fragment_is_described_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("part.yaml").write_text(FRAGMENT)
    result = CliRunner().invoke(main, ["describe", "./part.yaml"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "./part.yaml: fragment\n\n"
        "Speech out of sound, at one rate.\n\n"
        "takes  AudioFrame, TurnStarted\n"
        "gives  AudioFrame, SpeechEnded, SpeechStarted\n\n"
        "Parameters\n"
        "  rate: integer; default 16000\n"
        "  path: required\n"
        "  quality: may be left out\n\n"
        "Example\n"
        "  processors: {part: {use: ./part.yaml, path: ...}}\n"
    )
    value = json.loads(
        CliRunner().invoke(main, ["describe", "part.yaml", "--format", "json"]).stdout
    )
    assert (value["role"], value["takes"]) == ("fragment", ["AudioFrame", "TurnStarted"])
    assert value["parameters"][1] == {"name": "path", "required": True, "default": None}


def test_a_fragment_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("part.yaml").write_text("processors: 5\nflow: [a -> b]\n")
    result = CliRunner().invoke(main, ["describe", "part.yaml"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("part.yaml:1:13: error[config] `processors:` must be names")
