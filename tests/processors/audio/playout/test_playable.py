"""Tests of the way from frames to what a device plays."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pipeline import SECOND, AudioFrame
from processors.audio.pcm import nanoseconds_of
from processors.audio.playout.playable import Piece, Playable

RATE = 48_000


def frames(count: int, rate: int, start: int = 0, **fields: Any) -> list[AudioFrame]:
    """So many of 20 ms."""
    size = rate // 50
    wave = 10_000 * np.sin(2 * np.pi * 440 * np.arange(count * size) / rate)
    sound = np.rint(wave).astype(np.int16).reshape(-1, 1)
    return [
        AudioFrame(sound[i : i + size], rate, pts=start + nanoseconds_of(i, rate), **fields)
        for i in range(0, len(sound), size)
    ]


def process(playable: Playable, given: list[AudioFrame], level: float = 0.02) -> list[Piece]:
    return [piece for frame in given for piece in playable.process(frame, level)]


@pytest.mark.parametrize("rate", [8000, 24_000, 48_000])
@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("channels", [1, 2])
def test_all_of_it_comes_out_at_the_rate_of_the_device(rate: int, turn: int, channels: int) -> None:
    playable = Playable(RATE, channels, 0.02)
    pieces = [*process(playable, frames(50, rate, turn=turn)), *playable.flush()]
    sound = np.concatenate([piece.samples for piece in pieces])
    assert sound.shape == (pytest.approx(RATE, abs=2), channels)
    assert {piece.turn for piece in pieces} == {turn}
    for before, after in pairwise(pieces):
        assert after.pts == pytest.approx(before.pts + before.span, abs=2)
    assert pieces[-1].pts + pieces[-1].span == pytest.approx(SECOND, abs=5)
    assert list(playable.flush()) == []


def test_what_is_live_is_played_at_the_speed_that_keeps_the_level() -> None:
    pytest.importorskip("soxr", "1.1")
    fast = Playable(RATE, 1, 0.02)
    pieces = [*process(fast, frames(500, RATE), level=0.12), *fast.flush()]
    assert sum(len(piece.samples) for piece in pieces) == pytest.approx(10 * RATE / 1.005, rel=1e-3)
    turn = Playable(RATE, 1, 0.02)
    pieces = [*process(turn, frames(500, RATE, turn=1), level=0.12), *turn.flush()]
    assert sum(len(piece.samples) for piece in pieces) == 10 * RATE


def test_of_more_channels_than_the_device_has_it_plays_the_average() -> None:
    samples = np.tile(np.array([600, 0, 0, 0, 0, 6], np.int16), (960, 1))
    playable = Playable(RATE, 2, 0.02)
    (piece,) = playable.process(AudioFrame(samples, RATE, turn=1), 0.02)
    assert piece.samples.tolist() == [[101, 101]] * 960


def test_a_gap_ends_what_came_before() -> None:
    playable = Playable(RATE, 1, 0.02)
    first = process(playable, frames(5, 24_000))
    after = process(playable, frames(5, 24_000, start=SECOND))
    before = [piece for piece in after if piece.pts < SECOND]
    assert sum(len(p.samples) for p in (*first, *before)) == pytest.approx(RATE / 10, abs=2)
    assert min(piece.pts for piece in after if piece.pts >= SECOND) == SECOND


def test_a_turn_that_is_forgotten_leaves_nothing() -> None:
    playable = Playable(RATE, 1, 0.02)
    process(playable, frames(5, 16_000, turn=1))
    playable.forget(1)
    assert list(playable.flush()) == []
    pieces = [*process(playable, frames(5, 16_000, start=SECOND, turn=2)), *playable.flush()]
    assert {piece.turn for piece in pieces} == {2}
    assert sum(len(piece.samples) for piece in pieces) == RATE // 10
