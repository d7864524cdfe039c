"""Tests of test signals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.audio.sources.signals import Signal, noise, silence, sine, sweep

RATE = 16_000
SIGNALS = [silence, sine(997.0, RATE), sweep(50.0, 7000.0, 1.0, RATE), noise(3)]


def spectrum(samples: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) * 4 / len(samples)


@given(st.sampled_from(SIGNALS), st.lists(st.integers(0, 5000), max_size=6))
def test_any_chunking_gives_the_same_samples(signal: Signal, counts: list[int]) -> None:
    begins = np.cumsum([0, *counts])
    pieces = [signal(int(b), c) for b, c in zip(begins, counts, strict=False)]
    together = np.concatenate([*pieces, np.zeros(0)])
    assert np.allclose(together, signal(0, int(begins[-1])), atol=1e-9)


def test_a_sine_is_pure_and_exact_after_a_day() -> None:
    day = 24 * 3600 * RATE
    one = sine(1000.0, RATE)(day, RATE)
    assert np.allclose(one, np.sin(2 * np.pi * np.arange(RATE) / 16), atol=1e-9)
    levels = spectrum(one)
    assert np.argmax(levels) == 1000
    assert levels[1000] == pytest.approx(1, abs=1e-3)
    assert np.delete(levels, range(995, 1006)).max() < 1e-5


@pytest.mark.parametrize(("low", "high"), [(100.0, 6400.0), (6400.0, 100.0), (500.0, 500.0)])
def test_a_sweep_goes_from_one_frequency_to_the_other(low: float, high: float) -> None:
    samples = sweep(low, high, 4.0, RATE)(0, 4 * RATE)
    for share in (0.05, 0.5, 0.95):
        middle = int(share * 4 * RATE)
        crossings = np.flatnonzero(np.diff(np.signbit(samples[middle - 800 : middle + 800])))
        hertz = (len(crossings) - 1) / 2 / (crossings[-1] - crossings[0]) * RATE
        assert hertz == pytest.approx(low * (high / low) ** share, rel=0.02)
    assert np.abs(samples).max() == pytest.approx(1, abs=0.01)


def test_a_sweep_begins_again() -> None:
    again = sweep(100.0, 1000.0, 1.0, RATE)
    assert np.array_equal(again(RATE, 100), again(0, 100))


def test_noise_is_white_and_as_loud_as_it_should_be() -> None:
    samples = noise(1)(0, 64 * 4096)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(1, abs=0.01)
    assert abs(np.mean(samples)) < 0.01
    power = np.mean(np.abs(np.fft.rfft(samples.reshape(-1, 512), axis=1)) ** 2, axis=0)[1:-1]
    assert power.max() / power.min() < 2
    assert np.corrcoef(samples[:4096], samples[4096:8192])[0, 1] == pytest.approx(0, abs=0.05)
    assert not np.array_equal(samples[:100], noise(2)(0, 100))
