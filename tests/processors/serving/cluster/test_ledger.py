from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from processors.serving.cluster.ledger import LEASE_S, PATIENCE_S, Answer, Ledger, Report
from processors.serving.places import State


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def report(
    holder: str,
    taken: int = 0,
    *,
    limit: int = 3,
    queue: int = 0,
    each: int = 9,
    generation: float = 1,
    closed: bool = False,
) -> Report:
    return Report(holder, f"{holder}:1", generation, limit, queue, each, taken, closed)


HERE = Answer("here")
FULL = Answer("full")


def test_no_more_than_there_are_over_all_processes() -> None:
    ledger = Ledger(clock=Clock())
    assert ledger.place(report("a", 0), "1") == HERE
    assert ledger.place(report("a", 1), "2") == HERE
    assert ledger.place(report("b", 0), "3") == HERE
    assert ledger.place(report("b", 1), "4") == FULL
    assert ledger.place(report("a", 2), "5") == FULL
    ledger.hold(report("a", 1))
    assert ledger.place(report("b", 1), "6") == HERE
    assert ledger.state() == State(open=3, sessions=3, waiting=0, queue=0)


def test_the_places_of_a_process_that_is_gone_are_free_after_a_while() -> None:
    clock = Clock()
    ledger = Ledger(clock=clock)
    ledger.hold(report("a", 3))
    clock.now = LEASE_S - 1
    assert ledger.place(report("b"), "1") == FULL
    clock.now = LEASE_S + 1
    assert ledger.place(report("b"), "1") == HERE
    assert ledger.doors() == {"b": "b:1"}


def test_a_process_that_has_left_has_none() -> None:
    ledger = Ledger(clock=Clock())
    ledger.hold(report("a", 3))
    ledger.leave("a")
    assert ledger.place(report("b"), "1") == HERE


def test_a_ledger_that_was_lost_hears_of_everybody_again() -> None:
    clock = Clock()
    ledger = Ledger(clock=clock)
    assert ledger.door("a") is None  # it may be that it has not been heard of yet
    ledger.hold(report("a", 3))
    assert ledger.place(report("b"), "1") == FULL
    assert ledger.door("a") == "a:1"
    clock.now = LEASE_S + 1
    assert ledger.door("a") == ""


def test_a_process_that_is_full_sends_to_the_one_with_most_room() -> None:
    ledger = Ledger(clock=Clock())
    ledger.hold(report("b", 5, each=9, limit=99))
    ledger.hold(report("c", 3, each=9, limit=99))
    sent = ledger.place(report("a", 9, each=9, limit=99), "1")
    assert sent == Answer("elsewhere", holder="c", door="c:1")
    assert ledger.place(report("c", 3, limit=99), "1", settle=True) == HERE


def test_a_place_is_kept_for_who_was_sent_elsewhere() -> None:
    clock = Clock()
    ledger = Ledger(clock=clock)
    ledger.hold(report("b", 0, each=1, limit=2))
    assert ledger.place(report("a", 1, each=1, limit=2), "sent").kind == "elsewhere"
    assert ledger.place(report("b", 0, each=1, limit=2), "later") == FULL
    assert ledger.place(report("b", 0, each=1, limit=2), "sent", settle=True) == HERE
    ledger.hold(report("b", 0, each=1, limit=2))
    assert ledger.place(report("a", 1, each=1, limit=2), "who never arrives").kind == "elsewhere"
    clock.now = PATIENCE_S + 1
    assert ledger.place(report("b", 0, each=1, limit=2), "later") == HERE


def test_who_was_sent_is_sent_no_further() -> None:
    ledger = Ledger(clock=Clock())
    ledger.hold(report("b", 0, limit=99))
    assert ledger.place(report("a", 9, each=9, limit=99), "1", settle=True) == FULL


def test_those_who_wait_have_an_order_wherever_they_are() -> None:
    ledger = Ledger(clock=Clock())

    def ask(holder: str, ticket: str, taken: int) -> Answer:
        return ledger.place(report(holder, taken, limit=1, queue=2), ticket)

    assert ask("a", "one", 0) == HERE
    assert ask("b", "two", 0) == Answer("wait", 1)
    assert ask("a", "three", 1) == Answer("wait", 2)
    assert ask("b", "four", 0) == FULL
    assert ledger.state() == State(open=1, sessions=1, waiting=2, queue=2)
    ledger.hold(report("a", 0, limit=1, queue=2))
    assert ask("a", "three", 0) == Answer("wait", 2)
    assert ask("b", "two", 0) == HERE
    assert ask("a", "three", 0) == Answer("wait", 1)


def test_who_gives_up_or_is_gone_is_not_waited_for() -> None:
    clock = Clock()
    ledger = Ledger(clock=clock)
    full = report("a", 1, limit=1, queue=5)
    for ticket in ("one", "two", "three"):
        ledger.place(full, ticket)
    ledger.cancel("one")
    assert ledger.place(full, "three") == Answer("wait", 2)
    clock.now = PATIENCE_S - 1
    ledger.place(full, "three")
    clock.now = PATIENCE_S + 1
    assert ledger.place(full, "three") == Answer("wait", 1)


def test_an_older_generation_drains_and_sends_to_the_newer() -> None:
    ledger = Ledger(clock=Clock())
    assert ledger.hold(report("old", 2)).stop == "no"
    ledger.announce(2)
    assert ledger.hold(report("old", 2)).stop == "drain"
    assert ledger.place(report("old", 2), "1") == Answer("soon")
    assert ledger.hold(report("new", generation=2)).stop == "no"
    assert ledger.place(report("old", 2), "1") == Answer("elsewhere", 0, "new", "new:1")
    assert ledger.place(report("new", generation=2), "1", settle=True) == HERE
    assert ledger.place(report("new", 1, generation=2), "2") == FULL  # the old ones count


def test_a_generation_that_a_lost_ledger_was_told_of_is_known_by_its_processes() -> None:
    ledger = Ledger(clock=Clock())
    ledger.hold(report("old"))
    ledger.hold(report("new", generation=2))
    assert ledger.newest() == 2
    assert ledger.hold(report("old")).stop == "drain"


def test_when_all_stop_nobody_gets_a_place_until_there_is_another_deployment() -> None:
    ledger = Ledger(clock=Clock())
    ledger.hold(report("a", 2))
    assert ledger.stop(1, now=False) == 2
    assert ledger.hold(report("a", 2)).stop == "drain"
    assert ledger.place(report("a", 2), "1") == Answer("draining")
    ledger.stop(1, now=True)
    assert ledger.hold(report("a", 2)).stop == "now"
    ledger.announce(2)
    assert ledger.place(report("b", generation=2), "1") == HERE
    assert ledger.stop(1, now=True) == 0  # who deployed the older one has no say any more
    assert ledger.hold(report("b", 1, generation=2)).stop == "no"


CLAIMS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 7)), max_size=80)


@given(CLAIMS)
def test_whoever_comes_and_goes_the_limits_hold(steps: list[tuple[str, bool, int]]) -> None:
    ledger, taken = Ledger(clock=Clock()), Counter[str]()

    def said(who: str) -> Report:
        return report(who, taken[who], limit=5, queue=2, each=3)

    for who, comes, ticket in steps:
        if comes:
            answer = ledger.place(said(who), str(ticket))
            taken[who] += answer.kind == "here"
            if answer.kind == "elsewhere":
                second = ledger.place(said(answer.holder), str(ticket), settle=True)
                assert second.kind == "here"
                taken[answer.holder] += 1
        elif taken[who]:
            taken[who] -= 1
            ledger.hold(said(who))
        assert ledger.taken() == taken.total() <= 5
        assert max(taken.values(), default=0) <= 3
        assert ledger.state().waiting <= 2
