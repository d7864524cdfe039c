"""Tests of the correction of drifting clocks."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.audio.resampling.drift import MOST, NO_DRIFT_S, DriftCorrector, speed

RATE = 48_000


@given(st.floats(0, 1000), st.floats(0, 2))
def test_the_speed_is_bounded(level: float, target: float) -> None:
    assert abs(speed(level, target) - 1) <= MOST + 1e-12


@given(st.floats(0, 2), st.floats(0, 2), st.floats(0, 1))
def test_more_that_waits_is_played_no_slower(one: float, other: float, target: float) -> None:
    low, high = sorted((one, other))
    if high <= target + NO_DRIFT_S:
        assert speed(low, target) <= speed(high, target)


def test_the_level_that_is_wanted_changes_nothing() -> None:
    assert speed(0.05, 0.05) == 1
    assert speed(30.0, 0.05) == 1  # a file that is read ahead


@settings(max_examples=25)
@given(
    st.floats(-400e-6, 400e-6),
    st.integers(0, 1000),
    st.floats(0.0, 0.015),
)
def test_the_level_stays_for_an_hour_whatever_the_clocks_do(
    drift: float, seed: int, jitter: float
) -> None:
    """The arithmetic alone, second by second: sound comes at 1 + drift and goes at `speed`."""
    noise = np.random.default_rng(seed).uniform(-jitter, jitter, 3600)
    level, target = 0.06, 0.05
    levels = []
    for error in noise:
        level += 1 + drift - speed(level + error, target)
        levels.append(level)
    assert min(levels) > 0.03
    assert max(levels) < 0.07
    assert np.mean(levels[600:]) - target == pytest.approx(drift / 0.05, abs=1e-3)


@pytest.mark.parametrize("level", [0.0, 0.05, 0.15])
def test_sound_is_played_at_that_speed_and_keeps_its_quality(level: float) -> None:
    pytest.importorskip("soxr", "1.1")
    corrector = DriftCorrector(RATE, 1, 0.05)
    wave = 20_000 * np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE)
    sound = np.rint(wave).astype(np.int16).reshape(-1, 1)
    pieces = [corrector.process(part, level) for part in np.split(sound, 200)]
    corrected = speed(level, 0.05)
    assert corrector.speed == pytest.approx(corrected, abs=1e-12)
    played = np.concatenate([*pieces, corrector.flush()])[:, 0].astype(float)
    assert len(played) == pytest.approx(len(sound) / corrected, rel=2e-4)
    part = played[RATE : 3 * RATE]
    phase = 2 * np.pi * 1000 * corrected * np.arange(len(part)) / RATE
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, part, rcond=None)
    noise = part - basis @ fit
    assert 10 * np.log10(np.sum(part**2) / np.sum(noise**2)) > 80
    assert np.hypot(*fit) == pytest.approx(20_000, rel=1e-3)


def test_a_changing_level_makes_no_step() -> None:
    pytest.importorskip("soxr", "1.1")
    corrector = DriftCorrector(RATE, 2, 0.05)
    wave = 20_000 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE) / RATE)
    sound = np.repeat(np.rint(wave).astype(np.int16).reshape(-1, 1), 2, axis=1)
    levels = np.random.default_rng(1).uniform(0, 0.3, 100)
    pieces = [
        corrector.process(part, level)
        for part, level in zip(np.split(sound, 100), levels, strict=True)
    ]
    played = np.concatenate(pieces).astype(float)[1000:]
    steepest = 20_000 * 2 * np.pi * 300 / RATE * 1.006
    assert np.abs(np.diff(played, axis=0)).max() < steepest + 2
    assert np.abs(np.diff(played, 2, axis=0)).max() < steepest * 2 * np.pi * 300 / RATE + 4


def test_it_holds_back_little_and_gives_all_in_the_end() -> None:
    pytest.importorskip("soxr", "1.1")
    corrector = DriftCorrector(RATE, 1, 0.05)
    sound = np.full((RATE // 50, 1), 1000, np.int16)
    given_samples = sum(len(corrector.process(sound, 0.05)) for _ in range(10))
    assert 10 * len(sound) - given_samples == pytest.approx(0.005 * RATE, abs=20)
    assert given_samples + len(corrector.flush()) == pytest.approx(10 * len(sound), abs=1)
    assert len(corrector.flush()) == 0


def test_a_soxr_that_cannot_leaves_sound_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soxr, "ResampleStream", type("OfOld", (), {}))
    corrector = DriftCorrector(RATE, 1, 0.05)
    sound = np.arange(960, dtype=np.int16).reshape(-1, 1)
    assert corrector.process(sound, 0.2) is sound
    assert corrector.speed == 1
    assert len(corrector.flush()) == 0
