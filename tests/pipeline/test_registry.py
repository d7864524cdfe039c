import sys
from pathlib import Path

import pytest

from pipeline import Processor, SettingError, Transform
from pipeline.registry import find_processor, installed

GATE = """
from collections.abc import Iterator
from pipeline import AudioFrame, Transform

class Gate(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame

class Unfinished(Transform):
    pass

number = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_gate.py").write_text(GATE)
    return tmp_path


def test_every_installed_processor_can_be_found_and_read(folder: Path) -> None:
    assert {"audio_source", "resampler", "vad_gate", "live_api", "audio_sink"} <= set(installed())
    for name in installed():
        kind = find_processor(name, folder)
        assert issubclass(kind, Processor)
        assert any(kind.ports())
        assert kind.__doc__


def test_a_class_in_a_file_beside_the_config(folder: Path) -> None:
    assert issubclass(find_processor("./my_gate.py:Gate", folder), Transform)
    assert find_processor("my_gate.py:Gate", folder).__name__ == "Gate"


def test_a_class_in_a_module(folder: Path) -> None:
    kind = find_processor("processors.audio.resampler:Resampler", folder)
    assert kind is find_processor("resampler", folder)


@pytest.mark.parametrize(
    ("use", "message", "hint"),
    [
        ("reampler", 'no processor "reampler"', 'did you mean "resampler"?'),
        (
            "./my_gate.py:number",
            "./my_gate.py:number is not a processor class",
            "derive it from one of the roles",
        ),
        ("./my_gate.py:Unfinished", "./my_gate.py:Unfinished does not define `process`", ""),
    ],
)
def test_what_cannot_be_used(folder: Path, use: str, message: str, hint: str) -> None:
    with pytest.raises(SettingError) as caught:
        find_processor(use, folder)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_a_processor_that_an_installed_package_brings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = folder / "gates-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gates\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pipeline.processors]\nfine_gate = my_gate:Gate\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "my_gate", raising=False)
    installed.cache_clear()
    try:
        assert find_processor("fine_gate", Path()).__name__ == "Gate"
    finally:
        installed.cache_clear()
        sys.modules.pop("my_gate", None)
