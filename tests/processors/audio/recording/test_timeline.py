"""Tests of sounds put where they belong."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.audio.recording.timeline import ABRUPT, Timeline

RATE = 8000
FADE = RATE // 200


def tone(count: int, hertz: float = 440.0, level: int = 10_000) -> np.ndarray:
    return np.rint(level * np.cos(2 * np.pi * hertz * np.arange(count) / RATE)).astype(np.int16)


def quiet(count: int, seed: int = 0) -> np.ndarray:
    """Noise that begins and ends softly enough to be left as it is."""
    return np.random.default_rng(seed).integers(-ABRUPT, ABRUPT + 1, count).astype(np.int16)


def drawn(timeline: Timeline, until: int, steps: list[int]) -> np.ndarray:
    parts = [timeline.take(min(until, timeline.taken + step)) for step in steps]
    return np.concatenate([*parts, timeline.take(until)])


pieces = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4000), st.integers(1, 1500)), max_size=8
)


@given(pieces, st.lists(st.integers(0, 900), max_size=12))
def test_every_sample_is_where_it_was_put_whatever_is_taken_when(
    placed: list[tuple[int, int, int]], steps: list[int]
) -> None:
    timeline = Timeline(RATE, 2)
    wanted = np.zeros((6000, 2), np.int32)
    for number, (channel, start, count) in enumerate(placed):
        sound = quiet(count, number)
        assert timeline.put(channel, start, sound, number) == 0
        wanted[start : start + count, channel] += sound
    assert timeline.end == max((start + count for _, start, count in placed), default=0)
    assert np.array_equal(drawn(timeline, 6000, steps), wanted)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=8), st.integers(-2, 2))
def test_pieces_of_a_stream_that_join_stay_as_they_are(sizes: list[int], wavering: int) -> None:
    timeline = Timeline(RATE, 1)
    sound = tone(sum(sizes))
    sound[0] = sound[-1] = 0
    at = 0
    for number, size in enumerate(sizes):
        timeline.put(0, 1000 + at + (wavering if number else 0), sound[at : at + size])
        at += size
    assert np.array_equal(timeline.take(1000 + at)[1000:, 0], sound)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_too_loud_together_is_clipped_and_never_wraps(sign: int) -> None:
    timeline = Timeline(RATE, 1)
    for stream in range(3):
        timeline.put(0, 0, np.full(1000, sign * 20_000, np.int16), stream)
    mixed = timeline.take(1000)[:, 0].astype(int) * sign
    assert mixed[FADE:-FADE].min() == (32_767 if sign > 0 else 32_768)
    assert mixed.min() >= 0


def test_what_comes_too_late_is_told() -> None:
    timeline = Timeline(RATE, 1)
    timeline.take(1000)
    assert timeline.put(0, 900, quiet(300)) == 100
    assert timeline.put(0, 100, quiet(300), "other") == 300
    assert np.array_equal(timeline.take(1200)[:, 0], quiet(300)[100:])


@given(st.integers(0, 3000), st.lists(st.integers(0, 700), max_size=6))
@example(1582, [103, 700, 700])
def test_a_cut_ends_a_stream_there_and_for_good(at: int, steps: list[int]) -> None:
    timeline = Timeline(RATE, 1)
    timeline.put(0, 500, tone(1000), "a")
    timeline.put(0, 400, quiet(2000), "b")
    before = [timeline.take(min(at, timeline.taken + step)) for step in steps]
    timeline.cut("a", at)
    timeline.put(0, 1500, tone(1000), "a")
    taken = np.concatenate([*before, timeline.take(4000)])[:, 0].astype(int)
    taken[400:2400] -= quiet(2000)
    assert not taken[max(at, 500) :].any() or at >= 2500
    kept = slice(500 + FADE, max(500 + FADE, min(at, 2500) - FADE))
    expected = np.concatenate([tone(1000), tone(1000)])[kept.start - 500 : kept.stop - 500]
    seam = max(1500, sum(map(len, before)))  # if it came late
    places = np.arange(kept.start, kept.stop)
    border = (places >= 1500 - FADE) & (places <= seam + FADE)
    assert np.array_equal(taken[kept][~border], expected[~border])


def highs(sound: np.ndarray) -> float:
    """The loudest energy above 2 kHz in any 8 ms, in dB below that of a full-scale sine."""
    size = 64
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(float), size)[::8]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(size))) / (32_768 * size / 4)
    return float(20 * np.log10(spectra[:, size // 4 :].max() + 1e-9))


def test_nothing_clicks_where_a_sound_begins_ends_or_is_cut() -> None:
    timeline = Timeline(RATE, 1)
    hard = np.zeros(8000, np.int16)
    for start in (1000, 5000):
        hard[start : start + 2000] = tone(2000)
        timeline.put(0, start, tone(2000), start)
    hard[6000:] = 0
    timeline.cut(5000, 6000)
    soft = timeline.take(8000)[:, 0]
    assert highs(tone(8000)) < -60
    assert highs(hard) > -40
    assert highs(soft) < highs(hard) - 20
    assert np.array_equal(soft[1000 + FADE : 3000 - FADE], tone(2000)[FADE:-FADE])


def test_half_an_hour_in_frames_of_twenty_milliseconds_drifts_by_no_sample() -> None:
    timeline = Timeline(RATE, 1)
    for number in range(30 * 60 * 50):
        timeline.put(0, 7 + number * 160, np.full(160, number % 200, np.int16))
        if number % 500 == 499:
            taken = timeline.take(7 + (number + 1) * 160 - 1)
    assert timeline.end == 7 + 30 * 60 * RATE
    assert np.array_equal(taken[-319:, 0], np.repeat([198, 199], 160)[:-1])
