"""The benchmarks of speech detection and resampling: their material, and how they count."""

import importlib.util

import numpy as np
import pytest

from benchmarks import material, resampling, vad
from benchmarks.material import BACKGROUNDS, RATE, Speech, background, pcm, runs
from benchmarks.vad import Claim, auc, f1, onsets

LABELS = np.array([False] * 100 + [True] * 100 + [False] * 100)
SPEECH = Speech(np.zeros(3 * RATE), LABELS)
needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="needs the extra [speech]"
)


def test_auc_is_how_often_speech_scores_higher() -> None:
    assert auc(LABELS.astype(float), LABELS) == 1
    assert auc(1 - LABELS.astype(float), LABELS) == 0
    assert auc(np.full(300, 0.7), LABELS) == 0.5
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 9, 200) / 9, rng.integers(0, 2, 200) > 0
    pairs = scores[labels][:, None] - scores[~labels]
    assert auc(scores, labels) == pytest.approx(np.mean((pairs > 0) + (pairs == 0) / 2))


def test_f1_counts_the_time_that_is_claimed() -> None:
    assert f1([Claim(1, 2, 1.1)], LABELS) == 1
    assert f1([Claim(1, 1.5, 1.1), Claim(2, 2.5, 2)], LABELS) == pytest.approx(0.5)
    assert f1([], LABELS) == 0


def test_onsets_are_late_missed_or_clipped() -> None:
    assert onsets([Claim(1, 2, 1.08)], SPEECH) == ([pytest.approx(80)], 0, 0)
    assert onsets([Claim(2.1, 2.9, 2.2)], SPEECH) == ([], 1, 0)
    assert onsets([Claim(0.2, 2.9, 0.3)], SPEECH) == ([], 0, 0)
    assert onsets([Claim(1.31, 2, 1.4)], SPEECH) == ([pytest.approx(400)], 0, 1)


def test_a_short_pause_is_none() -> None:
    labels = np.ones(200, np.bool_)
    labels[50:79] = labels[120:150] = False
    assert runs(labels) == [(0, 50), (79, 120), (150, 200)]
    assert Speech(np.zeros(2 * RATE), labels).pieces() == [(0, 1.2), (1.5, 2)]


@pytest.mark.parametrize("kind", sorted(set(BACKGROUNDS) - {"babble"}))
def test_backgrounds_are_as_loud_as_they_should_be_and_the_same_every_time(kind: str) -> None:
    sound = background(kind, 2 * RATE, 3)
    assert np.mean(sound**2) == pytest.approx(1)
    assert np.array_equal(sound, background(kind, 2 * RATE, 3))
    assert pcm(sound, -20).std() == pytest.approx(3276.8, rel=0.05)


@needs_espeak
def test_speech_is_where_its_labels_are() -> None:
    speech = material.conversation(1, 3)
    power = speech.samples[: len(speech.labels) * material.STEP].reshape(-1, material.STEP) ** 2
    assert 0.3 < speech.labels.mean() < 0.8
    assert power[speech.labels].mean() == pytest.approx(1, rel=0.6)
    assert power[~speech.labels].mean() < 0.001


def test_one_detector_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    samples = np.where(LABELS.repeat(RATE // 100), rng.standard_normal(3 * RATE), 0)
    monkeypatch.setattr(vad, "conversation", lambda seed, count: Speech(samples, LABELS))
    monkeypatch.setattr(vad, "BACKGROUNDS", ["white", "hum"])
    figures, work = vad.measured(vad.ENERGY, 1, 1, 1)
    assert work == {"labels": 100, "pieces": 1}
    assert figures["F1, 20 dB"] > 0.9
    assert figures["AUC"] > 0.9
    assert figures["per frame"] > 0


def test_a_way_of_resampling_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "noticed", lambda name: {})
    found, work = resampling.measured("live")
    assert work == {"samples a second": 16_000}
    assert found["held back, most"] < 2
    assert found["aliases"] < -60
    assert found["flat to"] > 7000
    assert resampling.response("soxr QQ")["aliases"] > -10


@needs_espeak
def test_speech_recognition_notices_aliases_and_not_the_short_filter() -> None:
    _, samples = resampling.noisy_sentence(0)
    best, live, cubic = (
        resampling.log_mel(resampling.resampled(name, samples))
        for name in ("soxr VHQ", "live", "soxr QQ")
    )
    assert np.sqrt(np.mean((live - best) ** 2)) < 0.3
    assert np.sqrt(np.mean((cubic - best) ** 2)) > 2
