"""How long to wait between attempts."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.live_api.backoff import pause
from processors.live_api.settings import Reconnect


@pytest.mark.parametrize(
    ("failures", "longest"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (5, 8), (6, 10), (100_000, 10)]
)
def test_pauses_double_up_to_the_longest(failures: int, longest: float) -> None:
    random = Random(1)
    pauses = [pause(failures, Reconnect(), random) for _ in range(200)]
    assert longest / 2 <= min(pauses) < longest * 0.55
    assert longest * 0.95 < max(pauses) <= longest


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers())
def test_a_pause_is_never_longer_than_the_longest(
    failures: int, first: float, longest: float, seed: int
) -> None:
    settings = Reconnect(first_s=first, longest_s=longest)
    assert 0 < pause(failures, settings, Random(seed)) <= longest
