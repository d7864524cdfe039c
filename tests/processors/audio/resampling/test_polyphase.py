"""Tests of the short filter, against the formula summed up sample by sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.audio.resampling.polyphase import BETA, HALF_WIDTH, TRANSITION, Polyphase, is_simple

RATES = [4000, 8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]
PAIRS = [(a, b) for a in RATES for b in RATES if a != b]


def through(samples: np.ndarray, rate: int, to: int, sizes: list[int] | None = None) -> np.ndarray:
    stream = Polyphase(rate, to, samples.shape[1])
    pieces = np.split(samples, np.minimum(np.cumsum(sizes or []), len(samples)).astype(int))
    return np.concatenate([*map(stream.push, pieces), stream.finish()])


def noise(count: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    samples = 8000 * np.random.default_rng(seed).standard_normal((count, channels))
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def tone(frequency: float, rate: int, seconds: float = 0.25) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return np.rint(20_000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16)[:, None]


def level(samples: np.ndarray) -> float:
    """Of the middle, in dB below a tone of amplitude 20,000."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    return float(10 * np.log10(np.mean(middle**2) / (20_000**2 / 2) + 1e-12))


@pytest.mark.parametrize(("rate", "to"), [(48_000, 16_000), (16_000, 24_000), (44_100, 16_000)])
def test_it_is_a_windowed_sinc_at_each_output_time(rate: int, to: int) -> None:
    samples = noise(rate // 50)
    output = through(samples, rate, to)[:, 0]
    times = np.arange(len(output))[:, None] / to - np.arange(len(samples)) / rate  # seconds
    inside = np.abs(times) < HALF_WIDTH - 1e-9
    window = inside * np.i0(BETA * np.sqrt(np.clip(1 - (times / HALF_WIDTH) ** 2, 0, 1)))
    cutoff = min(rate, to) - TRANSITION / 2
    taps = np.sinc(times * cutoff) * window
    inner = slice(to // 400, len(output) - to // 400)
    taps = taps[inner] / taps[inner].sum(axis=1, keepdims=True)
    expected = taps @ samples[:, 0].astype(float)
    assert np.abs(output[inner] - np.clip(expected, -32768, 32767)).max() <= 0.51


@settings(deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.integers(1, 3000),
    st.integers(1, 3),
    st.lists(st.integers(0, 700), max_size=30),
)
def test_chunks_change_nothing_and_no_sample_is_lost(
    pair: tuple[int, int], count: int, channels: int, sizes: list[int]
) -> None:
    rate, to = pair
    samples = noise(count, channels)
    at_once = through(samples, rate, to)
    assert at_once.shape == ((2 * count * to + rate) // (2 * rate), channels)
    assert np.array_equal(through(samples, rate, to, sizes), at_once)


def test_a_long_chunk_is_worked_on_in_pieces() -> None:
    samples = noise(40_000)
    assert np.array_equal(through(samples, 8000, 16_000, [3] * 9), through(samples, 8000, 16_000))


@settings(deadline=None)
@given(st.sampled_from(PAIRS), st.lists(st.integers(0, 3000), min_size=1, max_size=30))
def test_what_it_holds_back_is_less_than_two_milliseconds(
    pair: tuple[int, int], sizes: list[int]
) -> None:
    rate, to = pair
    stream = Polyphase(rate, to)
    taken = given_back = 0
    for size in sizes:
        taken += size
        given_back += len(stream.push(np.zeros((size, 1), np.int16)))
        assert -1 / to <= taken / rate - given_back / to <= HALF_WIDTH + 1 / rate + 1e-9
    assert HALF_WIDTH + 1 / 4000 <= 0.002


def test_channels_do_not_mix() -> None:
    samples = noise(3000, 2)
    both = through(samples, 44_100, 16_000)
    for channel in (0, 1):
        alone = through(samples[:, channel : channel + 1], 44_100, 16_000)
        assert np.array_equal(both[:, channel : channel + 1], alone)


@pytest.mark.parametrize(("rate", "to"), [(48_000, 16_000), (44_100, 48_000), (11_025, 16_000)])
@pytest.mark.parametrize("value", [-32768, -1, 0, 1, 32767])
def test_what_does_not_change_stays_as_it_is(rate: int, to: int, value: int) -> None:
    output = through(np.full((rate // 10, 1), value, np.int16), rate, to)
    assert (output[to // 500 : -to // 500] == value).all()


@pytest.mark.parametrize(("rate", "to"), PAIRS)
def test_it_is_flat_where_speech_is(rate: int, to: int) -> None:
    edge = min(rate, to) / 2 - 950
    for frequency in np.linspace(100, edge, 5):
        assert level(through(tone(frequency, rate), rate, to)) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("to", [8000, 16_000, 24_000])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_the_lower_rate_cannot_carry_is_gone(rate: int, to: int) -> None:
    for frequency in np.linspace(to / 2 + 320, rate / 2, 12, endpoint=False):
        assert level(through(tone(frequency, rate), rate, to)) < -69


@pytest.mark.parametrize("to", [16_000, 24_000, 48_000])
def test_a_higher_rate_has_no_images(to: int) -> None:
    for frequency in (300, 1000, 3000):
        output = through(tone(frequency, 8000), 8000, to)
        assert level(output - tone(frequency, to)) < -60


def test_numbers_that_are_too_large_are_refused() -> None:
    assert all(is_simple(*pair) for pair in PAIRS)
    assert not is_simple(48_000, 47_999)
    with pytest.raises(ValueError, match="48000 and 47999 Hz are not in a ratio of small numbers"):
        Polyphase(48_000, 47_999)
