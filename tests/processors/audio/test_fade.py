"""Tests of the gain that moves smoothly."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.audio.fade import Fade


def test_at_full_gain_sound_passes_as_it_is() -> None:
    samples = np.arange(-5, 5, dtype=np.int16).reshape(5, 2)
    assert Fade().apply(samples) is samples


def test_it_goes_down_and_up_along_half_a_cosine() -> None:
    fade = Fade()
    fade.to(0.0, 100)
    sound = np.full((150, 1), 10_000, np.int16)
    down = fade.apply(sound)[:, 0]
    way = np.cos(np.pi * (np.arange(100) + 0.5) / 100)
    assert np.abs(down[:100] - 10_000 * (0.5 + 0.5 * way)).max() <= 0.5
    assert not down[100:].any()
    fade.to(0.5, 100)
    assert np.abs(fade.apply(sound)[:, 0] - (10_000 - down) / 2).max() <= 1


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 400), st.integers(0, 300)), max_size=8),
)
def test_it_never_jumps_however_often_it_is_redirected(
    moves: list[tuple[float, int, int]],
) -> None:
    fade = Fade()
    gains = [np.ones(1)]
    steepest = 0.0
    for target, length, count in moves:
        fade.to(target, length)
        steepest = max(steepest, np.pi / 2 / length)
        gains.append(fade.apply(np.full((count, 1), 30_000, np.int16))[:, 0] / 30_000)
        if count >= length:
            assert fade.gain == target
            assert fade.left == 0
    steps = np.abs(np.diff(np.concatenate(gains)))
    assert steps.max(initial=0.0) <= steepest + 1 / 15_000


@given(st.lists(st.integers(0, 200), max_size=6))
def test_any_chunking_gives_the_same(sizes: list[int]) -> None:
    sound = np.random.default_rng(0).integers(-32768, 32767, (sum(sizes), 2), np.int16)
    whole, parts = Fade(0.2), Fade(0.2)
    whole.to(0.9, 150)
    parts.to(0.9, 150)
    expected = whole.apply(sound)
    pieces = np.split(sound, np.cumsum(sizes)[:-1] if sizes else [])
    assert np.array_equal(np.concatenate([parts.apply(piece) for piece in pieces]), expected)
