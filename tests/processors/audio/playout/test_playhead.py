"""Tests of where a listener is."""

from hypothesis import given
from hypothesis import strategies as st

from processors.audio.playout.buffer import Stretch
from processors.audio.playout.playhead import Playhead, Position

MS = 1_000_000


def stretch(turn: int, at: int, length: int, pts: int) -> Stretch:
    """All in milliseconds."""
    return Stretch(turn, at * MS, (at + length) * MS, pts * MS, (pts + length) * MS)


def positions(playhead: Playhead, now: int, next_turn: int | None = None) -> list[Position]:
    return list(playhead.advance(now * MS, next_turn))


def test_it_tells_the_beginning_the_middle_and_the_end() -> None:
    playhead = Playhead()
    assert positions(playhead, 0) == []
    playhead.add(stretch(1, 30, 10, 500))
    assert playhead.busy
    assert positions(playhead, 10, 1) == [Position(1, 500 * MS, True)]
    assert positions(playhead, 20, 1) == []
    assert positions(playhead, 34, 1) == [Position(1, 504 * MS, True)]
    assert (playhead.turn, playhead.silence(34 * MS)) == (1, 0)
    assert positions(playhead, 45, 1) == [Position(1, 510 * MS, True)]
    assert playhead.silence(45 * MS) == 5 * MS
    assert positions(playhead, 50) == [Position(1, 510 * MS, False)]
    assert not playhead.busy
    assert positions(playhead, 60) == []


def test_a_turn_that_another_follows_has_an_end_of_its_own() -> None:
    playhead = Playhead()
    playhead.add(stretch(1, 0, 10, 0))
    playhead.add(stretch(2, 10, 10, 100))
    assert positions(playhead, 5, 2) == [Position(1, 5 * MS, True)]
    assert positions(playhead, 12) == [Position(1, 10 * MS, False), Position(2, 102 * MS, True)]
    assert positions(playhead, 25) == [Position(2, 110 * MS, False)]


def test_media_time_may_run_at_another_speed() -> None:
    playhead = Playhead()
    playhead.add(Stretch(0, 0, 10 * MS, 0, 20 * MS))
    assert positions(playhead, 5) == [Position(0, 10 * MS, True)]


def test_what_the_device_has_of_a_turn_that_is_cut_short_is_heard_all_the_same() -> None:
    playhead = Playhead()
    playhead.add(stretch(1, 0, 10, 100))
    playhead.add(stretch(1, 10, 10, 110))
    assert positions(playhead, 5, 1) == [Position(1, 105 * MS, True)]
    assert playhead.close(1) == (120 * MS, 20 * MS)
    assert not playhead.busy
    playhead.add(stretch(1, 20, 10, 120))
    assert positions(playhead, 30) == []
    assert playhead.close(1) is None
    assert playhead.close(2) is None


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 50)), min_size=1, max_size=30))
def test_it_never_goes_back_and_ends_at_the_end(steps: list[tuple[int, int]]) -> None:
    playhead = Playhead()
    at, heard = 0, 0
    for number, (length, wait) in enumerate(steps):
        playhead.add(stretch(1, at, length, at))
        at += length
        goes_on = 1 if number < len(steps) - 1 else None
        for position in positions(playhead, at - length + wait, goes_on):
            assert position.heard >= heard
            heard = position.heard
    assert positions(playhead, at + 100)[-1:] in ([], [Position(1, at * MS, False)])
    assert not playhead.busy
