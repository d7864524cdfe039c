"""All that is wrong with the settings of a `live_api`, at once."""

from pathlib import Path

import pytest

from pipeline import load
from pipeline.config import loads
from processors.live_api.transport import LiveApi

CONFIGS = Path(__file__).parents[3] / "configs"


def test_one_thing_that_is_wrong_is_raised_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    with pytest.raises(ExceptionGroup) as caught:
        LiveApi(voice="Puk").check()
    assert [str(error) for error in caught.value.exceptions] == ['no voice is called "Puk"']
    LiveApi(voice="Puck").check()


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "talk.yaml"
    file.write_text(
        """processors:
  typed: {use: text_source, lines: [Hello]}
  gemini:
    use: live_api
    backend: gemini_api
    voice: Puk
    voice_sample: {path: me.wav}
  speaker: {use: speaker, device: none}
flow: [typed -> gemini -> speaker]
"""
    )
    found = [finding for finding in load(file).check() if finding.severity == "error"]
    lines = [finding.place.line for finding in found if finding.place is not None]
    assert sorted(lines) == [5, 6, 7, 7], "the key, the voice, the file, and what takes none"


SEARCHING = """
processors:
  typed: {{use: text_source, lines: [Hello]}}
  gemini: {{use: live_api, backend: {backend}, google_search: true{more}}}
{tools}flow: [typed -> gemini{wired}]
"""
DECLARED = ", functions: [{name: order}]"
DISPATCHED = f"  tools: {{use: tool_dispatcher, functions: [{CONFIGS}/quickstart/weather.py]}}\n"


@pytest.mark.parametrize(
    ("backend", "more", "tools", "wired", "is_refused"),
    [
        ("local_vertex", "", DISPATCHED, " <-> tools", True),
        ("local_vertex", DECLARED, "", "", True),
        ("local_vertex", "", "", "", False),
        ("local", "", DISPATCHED, " <-> tools", False),
    ],
)
def test_on_vertex_a_search_and_functions_exclude_each_other(
    backend: str, more: str, tools: str, wired: str, is_refused: bool
) -> None:
    text = SEARCHING.format(backend=backend, more=more, tools=tools, wired=wired)
    found = [f for f in loads(text).check() if f.severity == "error"]
    assert ["a search and functions" in finding.message for finding in found] == [True] * is_refused
    assert all(finding.place is not None and finding.place.line == 4 for finding in found)
