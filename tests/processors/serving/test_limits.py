"""The token bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.serving.limits import Allowance


def test_a_burst_and_then_a_rate() -> None:
    bucket = Allowance(rate=10, burst=20)
    assert all(bucket.take(1, 0.0) for _ in range(20))
    assert not bucket.take(1, 0.0)
    assert bucket.take(1, 0.1)
    assert not bucket.take(1, 0.1)
    assert all(bucket.take(1, 100.0) for _ in range(20))
    assert not bucket.take(1, 100.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 30)), max_size=60))
def test_never_more_than_burst_and_rate_allow(steps: list[tuple[float, float]]) -> None:
    bucket, now, taken = Allowance(rate=10, burst=20), 0.0, 0.0
    for pause, amount in steps:
        now += pause
        if bucket.take(amount, now):
            taken += amount
        assert taken <= 20 + 10 * now + 1e-6


def test_what_is_refused_uses_nothing_up() -> None:
    bucket = Allowance(rate=1, burst=5)
    assert not bucket.take(6, 0)
    assert bucket.take(5, 0)
    assert bucket.take(1, 1.0) == pytest.approx(True)
