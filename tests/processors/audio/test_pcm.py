"""Tests of the arithmetic on samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from processors.audio import pcm

RATES = st.integers(4000, 384_000)


def sounds(channels: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    return channels.flatmap(
        lambda count: arrays.arrays(np.int16, st.tuples(st.integers(0, 50), st.just(count)))
    )


@settings(deadline=None)
@given(sounds(st.integers(2, 6)))
def test_many_channels_become_their_average(samples: np.ndarray) -> None:
    mono = pcm.mix(samples, 1)
    assert mono.dtype == np.int16
    assert mono.shape == (len(samples), 1)
    exact = samples.astype(float).mean(axis=1, keepdims=True)
    assert np.abs(mono - exact).max(initial=0) <= 0.5


@settings(deadline=None)
@given(sounds(st.just(1)), st.integers(2, 6))
def test_mono_is_repeated(samples: np.ndarray, channels: int) -> None:
    many = pcm.mix(samples, channels)
    assert many.dtype == np.int16
    assert many.shape == (len(samples), channels)
    assert (many == samples).all()


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_right_number_of_channels_is_left_alone(channels: int) -> None:
    samples = pcm.silence(3, channels)
    assert pcm.mix(samples, channels) is samples


def test_other_changes_of_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot turn 2 channels into 3"):
        pcm.mix(pcm.silence(3, 2), 3)


@settings(deadline=None)
@given(sounds(st.integers(1, 2)))
def test_floats_that_were_integers_come_back_exactly(samples: np.ndarray) -> None:
    restored = pcm.from_float(samples.astype(np.float32) / np.float32(32768))
    assert restored.dtype == np.int16
    assert np.array_equal(restored, samples)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.4 / 32768, 0),
        (0.6 / 32768, 1),
        (-0.6 / 32768, -1),
        (1.0, 32767),
        (-1.0, -32768),
        (1.5, 32767),
        (-1.5, -32768),
        (float("inf"), 32767),
        (float("-inf"), -32768),
        (float("nan"), 0),
    ],
)
def test_floats_are_rounded_and_clipped(value: float, expected: int) -> None:
    assert pcm.from_float(np.array([[value]], np.float32))[0, 0] == expected


def test_silence() -> None:
    quiet = pcm.silence(5, 2)
    assert quiet.dtype == np.int16
    assert quiet.shape == (5, 2)
    assert not quiet.any()


@given(st.integers(0, 10**11), RATES)
def test_a_count_survives_the_way_through_nanoseconds(count: int, rate: int) -> None:
    assert pcm.count_of(pcm.nanoseconds_of(count, rate), rate) == count


@given(st.integers(0, 10**15), RATES)
def test_a_count_is_the_nearest_to_a_time(nanoseconds: int, rate: int) -> None:
    off = abs(pcm.count_of(nanoseconds, rate) * 1_000_000_000 - nanoseconds * rate)
    assert off <= 500_000_000


@pytest.mark.parametrize(
    ("samples", "first"),
    [([[0, 0], [100, -100], [0, -101]], 2), ([[-32768, 0]], 0), ([[100, 0]], None), ([], None)],
)
def test_the_first_sample_that_can_be_heard(samples: list[list[int]], first: int | None) -> None:
    assert pcm.first_audible(np.array(samples, np.int16).reshape(-1, 2)) == first
