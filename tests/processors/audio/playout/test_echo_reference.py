"""Tests of the track of what was played."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline import SECOND
from processors.audio.playout.echo_reference import LONGEST_S, EchoReference

RATE = 16_000
MS = 1_000_000
BLOCK = RATE // 100


def numbered(count: int, first: int = 0) -> np.ndarray:
    return (1 + (first + np.arange(count)) % 30_000).astype(np.int16).reshape(-1, 1)


def test_nothing_played_is_silence() -> None:
    assert not EchoReference(RATE).take(0, BLOCK).any()


@given(st.lists(st.integers(-10 * MS, 10 * MS), min_size=20, max_size=50), st.integers(0, 20 * MS))
def test_jitter_in_the_times_leaves_the_sound_whole(jitter: list[int], skew: int) -> None:
    reference = EchoReference(RATE)
    taken = []
    for number, error in enumerate(jitter):
        at = number * 10 * MS
        reference.add(at + (error if number else 0), numbered(BLOCK, number * BLOCK))
        if number >= 5:
            taken.append(reference.take(at - 50 * MS + skew, BLOCK))
    assert np.array_equal(np.concatenate(taken), numbered(BLOCK * len(taken)))


def test_it_is_found_at_its_time() -> None:
    reference = EchoReference(RATE)
    reference.add(500 * MS, numbered(BLOCK))
    assert not reference.take(400 * MS, BLOCK).any()
    assert not reference.take(460 * MS, BLOCK).any()
    partly = reference.take(460 * MS, 5 * BLOCK)
    assert np.flatnonzero(partly)[0] == 4 * BLOCK
    assert np.array_equal(partly[4 * BLOCK :], numbered(BLOCK))
    assert not reference.take(510 * MS, BLOCK).any()


def test_what_came_too_late_is_dropped() -> None:
    reference = EchoReference(RATE)
    reference.add(0, numbered(10 * BLOCK))
    assert np.array_equal(reference.take(50 * MS, BLOCK), numbered(BLOCK, 5 * BLOCK))
    assert not reference.take(SECOND, BLOCK).any()


def test_a_pause_is_silence_of_its_length() -> None:
    reference = EchoReference(RATE)
    reference.add(0, numbered(BLOCK))
    reference.add(110 * MS, numbered(BLOCK))
    track = np.concatenate([reference.take(number * 10 * MS, BLOCK) for number in range(12)])
    assert np.array_equal(track[:BLOCK], numbered(BLOCK))
    assert not track[BLOCK : 11 * BLOCK].any()
    assert np.array_equal(track[11 * BLOCK :], numbered(BLOCK))


def test_it_keeps_no_more_than_two_seconds() -> None:
    reference = EchoReference(RATE)
    for number in range(1000):
        reference.add(number * 10 * MS, numbered(BLOCK, number * BLOCK))
    begin = 10 * SECOND - LONGEST_S * SECOND
    assert not reference.take(begin - 100 * MS, BLOCK).any()
    expected = numbered(BLOCK, int(begin / SECOND * RATE))
    assert np.array_equal(reference.take(begin, BLOCK), expected)


def test_a_clock_that_jumps_back_begins_a_new_track() -> None:
    reference = EchoReference(RATE)
    reference.add(5 * SECOND, numbered(BLOCK))
    reference.add(SECOND, numbered(BLOCK, 500))
    assert np.array_equal(reference.take(SECOND, BLOCK), numbered(BLOCK, 500))


def test_a_piece_without_samples_changes_nothing() -> None:
    reference = EchoReference(RATE)
    reference.add(0, numbered(0))
    reference.add(0, numbered(BLOCK))
    reference.add(10 * MS, numbered(0))
    assert np.array_equal(reference.take(0, BLOCK), numbered(BLOCK))
    assert not reference.take(10 * MS, BLOCK).any()
