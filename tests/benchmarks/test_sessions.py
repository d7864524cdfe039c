import asyncio

import pytest

from benchmarks import sessions
from benchmarks.harness.child import Outcome
from benchmarks.harness.results import Row, Section, Spread
from benchmarks.harness.rounds import Rounds, Subject


def test_ours_and_the_floor_give_the_same_sound() -> None:
    ours, bare = sessions.graphs(2, 0.2), sessions.bare(2, 0.2)
    assert ours[1] == bare[1]
    assert ours[1]["sound"]
    assert ours[0]["shed"] == 0
    assert ours[0]["p99"] < 100


def test_sound_that_is_missing_is_noticed() -> None:
    async def look() -> None:
        load = sessions.Load(2, 0.2)
        for session in range(2):
            load.arrived(session, 0, bytes(2 * 3200))
        load.check()
        load.samples -= 3000
        with pytest.raises(AssertionError, match="3000 samples are missing"):
            load.check()

    asyncio.run(look())


def test_sessions_are_spread_over_a_frame() -> None:
    async def look() -> list[int]:
        load = sessions.Load(4, 0.1)
        for _ in range(4):
            load.ready()
        return [await load.until_due(session, 1) for session in range(4)]

    due = asyncio.run(look())
    assert [later - due[0] for later in due] == [0, 5_000_000, 10_000_000, 15_000_000]


@pytest.mark.parametrize(("limit", "first"), [(120, 100), (120, 120), (120, 300), (1, 4), (120, 7)])
def test_the_search_ends_within_its_factor_below_the_limit(limit: int, first: int) -> None:
    search = sessions.Search(first, 1.1)
    for _ in range(60):
        if search.done:
            break
        search.tell(search.next <= limit)
    assert search.done
    assert search.passed <= limit < search.passed * 1.1 + 1


def test_the_search_ends_where_none_passes() -> None:
    search = sessions.Search(5, 1.1)
    while not search.done:
        search.tell(False)
    assert search.passed == 0


def test_the_most_that_are_on_time_become_a_column() -> None:
    class Pretended(Rounds):
        def once(self, subject: Subject) -> Outcome:
            number = subject.settings["sessions"]
            return Outcome({"p99": 30.0 if number > subject.settings["most"] else 5.0})

    section = Section("sessions", "", "")
    found = {str(most): Subject("", {"most": most}) for most in (60, 500)}
    section.rows = [Row(name, {"cpu a frame": Spread.of([100.0])}) for name in found]
    sessions.search(Pretended(rounds=2), section, found)
    for name, most in (("60", 60), ("500", 500)):
        figure = section.row(name).figures["most"]
        assert len(figure.rounds) == 2
        assert most / 1.1 - 1 < figure.median <= most
