"""Observers that `pipeline run` offers."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.main import main
from pipeline.errors import SettingError
from pipeline.observing.installed import TELEMETRY, make_observers, wants_telemetry

TYPED = """
processors:
  typed: {use: text_source, lines: [hello there]}
  gemini: {use: live_api, modality: text}
  words: {use: transcription_sink, path: words.jsonl}
flow: [typed -> gemini -> words]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "typed.yaml").write_text(TYPED)
    monkeypatch.chdir(tmp_path)
    for name in (*TELEMETRY, "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_report_is_written_and_named_among_the_files(folder: Path) -> None:
    result = CliRunner().invoke(main, ["run", "typed.yaml", "--report", "new/page.html"])
    assert result.exit_code == 0, result.output
    assert re.search(r"wrote\s+new/page.html", result.stderr)
    assert "hello there" in (folder / "new/page.html").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(folder: Path) -> None:
    result = CliRunner().invoke(main, ["run", "typed.yaml", "--report", "."])
    assert result.exit_code == 2
    assert result.stderr == ". is a folder\n"
    assert not (folder / "words.jsonl").exists()


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": ""}, False),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_SERVICE_NAME": "hotline"}, False),
    ],
)
def test_the_environment_turns_telemetry_on(
    variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_telemetry() is wanted


def test_an_observer_that_is_not_installed_is_named() -> None:
    with pytest.raises(SettingError, match='no observer "weather" is installed'):
        make_observers({"weather": {}})
