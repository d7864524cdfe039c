"""All that is wrong with the settings of a `live_api`, at once."""

from pathlib import Path

import pytest

from pipeline import load
from processors.live_api.transport import LiveApi


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
