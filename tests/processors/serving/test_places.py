from hypothesis import given
from hypothesis import strategies as st

from processors.serving.places import LEASE_S, Ledger


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_no_more_than_there_are_over_all_processes() -> None:
    ledger = Ledger(3, Clock())
    assert ledger.claim("a", 1)
    assert ledger.claim("a", 2)
    assert ledger.claim("b", 1)
    assert not ledger.claim("b", 2)
    assert not ledger.claim("a", 3)
    ledger.hold("a", 1)
    assert ledger.claim("b", 2)
    assert ledger.taken() == 3


def test_the_places_of_a_process_that_is_gone_are_free_after_a_while() -> None:
    clock = Clock()
    ledger = Ledger(2, clock)
    assert ledger.claim("a", 2)
    clock.now = LEASE_S - 1
    assert not ledger.claim("b", 1)
    clock.now = LEASE_S + 1
    assert ledger.claim("b", 1)


def test_a_ledger_that_was_lost_hears_of_everybody_again() -> None:
    ledger = Ledger(2, Clock())
    ledger.hold("a", 2)
    assert not ledger.claim("b", 1)


CLAIMS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60)


@given(CLAIMS)
def test_whoever_comes_and_goes_the_limit_holds(steps: list[tuple[str, bool]]) -> None:
    ledger, taken = Ledger(5, Clock()), dict.fromkeys("abc", 0)
    for who, comes in steps:
        if comes:
            taken[who] += ledger.claim(who, taken[who] + 1)
        elif taken[who]:
            taken[who] -= 1
            ledger.hold(who, taken[who])
        assert ledger.taken() == sum(taken.values()) <= 5
