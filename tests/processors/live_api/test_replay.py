"""What is kept until it is confirmed."""

import sys
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline import SECOND
from processors.live_api.messages import ClientMessage, RealtimeInput
from processors.live_api.replay import ACTIVITY_START, PICTURE, Kept, Kind, ReplayBuffer

MS = SECOND // 1000
LENGTH = 20 * MS


def words(text: str, kind: Kind = "words") -> Kept:
    return Kept(ClientMessage(realtime_input=RealtimeInput(text=text)), kind)


def sound(number: int, length: int = LENGTH) -> Kept:
    kept = words(str(number), "media")
    kept.pts, kept.duration = number * LENGTH, length
    return kept


def text_of(kept: Kept) -> str:
    assert kept.message is not None
    text: Any = kept.message.realtime_input
    return str(text.text)


def send_all(buffer: ReplayBuffer, now: int = 0) -> list[str]:
    """Texts of what is sent, and pts and duration of gaps in milliseconds."""
    sent = []
    while (kept := buffer.next(now)) is not None:
        gap = f"gap {kept.pts // MS}+{kept.duration // MS}"
        sent.append(gap if kept.message is None else text_of(kept))
    return sent


def filled(*kept: Kept, limit: int = SECOND, numbered: bool = True) -> ReplayBuffer:
    buffer = ReplayBuffer(limit, numbered=numbered)
    for item in kept:
        buffer.add(item)
    return buffer


# --- confirmations ---


def test_what_is_not_confirmed_is_sent_again_before_anything_new() -> None:
    buffer = filled(words("a"), words("b"), words("c"))
    assert send_all(buffer) == ["a", "b", "c"]
    buffer.confirm(1)
    buffer.disconnected()
    buffer.add(words("d"))
    assert send_all(buffer) == ["b", "c", "d"]
    buffer.confirm(1)
    buffer.disconnected()
    assert send_all(buffer) == ["c", "d"]


def test_messages_are_numbered_from_one_on_each_connection() -> None:
    buffer = filled(words("a"), words("b"))
    assert [kept.number for kept in buffer] == [0, 0]
    for _ in range(2):
        assert [kept.number for _ in range(2) if (kept := buffer.next(0))] == [1, 2]
        buffer.disconnected()


def test_zero_and_too_large_numbers_do_no_harm() -> None:
    buffer = filled(words("a"), words("b"))
    buffer.next(0)
    buffer.confirm(0)
    assert len(buffer) == 2
    buffer.confirm(99)
    assert send_all(buffer) == ["b"]


def test_what_was_sent_by_a_time_can_be_confirmed_by_kind() -> None:
    buffer = filled(words("a"), words("b", "answer"), words("c"))
    buffer.next(10)
    buffer.next(20)
    buffer.next(30)
    buffer.confirm_sent(20, ("answer",))
    assert [text_of(kept) for kept in buffer] == ["a", "c"]
    buffer.confirm_sent(29)
    assert [text_of(kept) for kept in buffer] == ["c"]
    buffer.confirm_sent(30)
    assert len(buffer) == 0


def test_an_answer_is_found_among_sound_on_every_connection() -> None:
    buffer = filled(sound(0), words("a", "answer"), sound(1))
    send_all(buffer)
    buffer.confirm(1)
    buffer.disconnected()
    buffer.confirm_sent(0, ("answer",))
    assert buffer.answers  # not sent on this one
    assert send_all(buffer) == ["a", "1"]
    buffer.confirm_sent(0, ("answer",))
    assert [kept.kind for kept in buffer] == ["media"]
    buffer.add(words("b", "answer"))
    send_all(buffer)
    buffer.confirm(2)
    buffer.confirm_sent(0, ("answer",))
    assert len(buffer) == 0


def test_confirming_answers_does_not_look_through_sound() -> None:
    """A second of sound or half a minute: every message of the service asks for it."""

    def steps(frames: int) -> int:
        buffer = filled(*(sound(number) for number in range(frames)), limit=10**12)
        send_all(buffer)
        count = 0

        def trace(*_: object) -> None:
            nonlocal count
            count += 1

        before = sys.getprofile()
        sys.setprofile(trace)
        try:
            for _ in range(10):
                buffer.confirm_sent(0, ("answer",))
        finally:
            sys.setprofile(before)
        return count

    assert steps(1500) < steps(50) + 1000  # a collection of garbage may call something, too


def test_what_was_not_sent_cannot_be_confirmed() -> None:
    buffer = filled(words("a"))
    buffer.confirm(5)
    buffer.confirm_sent(5)
    assert buffer.waiting
    assert len(buffer) == 1


def test_a_kind_can_be_forgotten() -> None:
    buffer = filled(words("a", "answer"), words("b"), words("c", "answer"), words("d"))
    buffer.next(0)
    buffer.next(0)
    buffer.forget("answer")
    assert [text_of(kept) for kept in buffer] == ["b", "d"]


# --- the limit ---


@pytest.mark.parametrize(
    ("said", "confirmed", "again"),
    [
        ("start 1 2", 0, "start 1 2"),
        ("start 1 2", 1, "begin 1 2"),
        ("start 1 2", 3, "begin"),
        ("start 1 2 end", 2, "begin 2 end"),
        ("start 1 end", 3, ""),
        ("start 1 end start 2", 2, "begin end start 2"),
        ("start 1 end start 2", 3, "start 2"),
        ("1 2", 1, "2"),
    ],
)
def test_an_activity_begins_anew_where_its_beginning_is_not_kept(
    said: str, confirmed: int, again: str
) -> None:
    marks: dict[str, Kind] = {"start": "start", "end": "end"}
    buffer = filled(*(words(each, marks.get(each, "media")) for each in said.split()))
    send_all(buffer)
    buffer.confirm(confirmed)
    for _ in range(2):  # however often a connection is lost
        buffer.disconnected()
        buffer.begin_activity()
        assert " ".join(map(name_of, buffer)) == again
        while buffer.next(0):
            pass


def name_of(kept: Kept) -> str:
    """Its text; `begin` for the message that marks the beginning of an activity."""
    assert kept.message is not None
    return "begin" if kept.message == ACTIVITY_START else text_of(kept)


def test_the_oldest_sound_gives_way_and_words_never_do() -> None:
    buffer = filled(sound(0), words("a"), *map(sound, range(1, 8)), words("b"), limit=3 * LENGTH)
    assert send_all(buffer) == ["gap 0+20", "a", "gap 20+80", "5", "6", "7", "b"]


def test_a_gap_is_told_once() -> None:
    buffer = filled(*map(sound, range(3)), limit=LENGTH)
    assert send_all(buffer) == ["gap 0+40", "2"]
    buffer.disconnected()
    assert send_all(buffer) == ["2"]


def test_what_is_alone_too_long_is_sent_all_the_same() -> None:
    buffer = filled(sound(0), sound(1, 500 * MS), limit=100 * MS)
    assert send_all(buffer) == ["gap 0+20", "1"]


def test_pictures_weigh_little_but_not_nothing() -> None:
    buffer = filled(*(sound(number, 0) for number in range(5)), limit=3 * PICTURE)
    assert send_all(buffer) == ["gap 0+0", "2", "3", "4"]


def test_sound_that_was_sent_is_missing_only_if_it_has_to_be_sent_again() -> None:
    for drops in (False, True):
        buffer = filled(sound(0), sound(1), limit=2 * LENGTH)
        assert send_all(buffer) == ["0", "1"]
        buffer.add(sound(2))
        if drops:
            buffer.disconnected()
            assert send_all(buffer) == ["gap 0+20", "1", "2"]
        else:
            assert send_all(buffer) == ["2"]
            buffer.confirm(3)
            buffer.disconnected()
            assert send_all(buffer) == []


def test_a_gap_shrinks_by_what_was_received_after_all() -> None:
    buffer = filled(*map(sound, range(4)), limit=4 * LENGTH)
    send_all(buffer)
    for number in range(4, 7):
        buffer.add(sound(number))
    buffer.confirm(1)
    buffer.disconnected()
    assert send_all(buffer) == ["gap 20+40", "3", "4", "5", "6"]


def test_without_numbers_what_was_sent_long_ago_counts_as_received() -> None:
    buffer = filled(sound(0), sound(1), limit=2 * LENGTH, numbered=False)
    send_all(buffer)
    buffer.add(sound(2))
    buffer.disconnected()
    buffer.add(sound(3))
    assert send_all(buffer) == ["gap 20+20", "2", "3"]


# --- whatever happens ---


class Bookkeeping(RuleBasedStateMachine):
    """The buffer against lists: what was received, what is kept, and what is given up."""

    limit = 5 * LENGTH

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ReplayBuffer(self.limit)
        self.added = 0
        self.media: set[int] = set()
        self.wire: list[int] = []
        """What was sent on this connection."""
        self.confirmed = 0
        """How many of these are confirmed."""
        self.received: list[int] = []
        """What was confirmed, on all connections."""
        self.gaps = 0
        """Duration of all gaps."""

    @rule(media=st.sampled_from([True, True, False]))
    def add(self, media: bool) -> None:
        if media:
            self.media.add(self.added)
        self.buffer.add(sound(self.added) if media else words(str(self.added)))
        self.added += 1

    @rule(most=st.integers(1, 8))
    def send(self, most: int) -> None:
        for _ in range(most):
            kept = self.buffer.next(0)
            if kept is None:
                return
            if kept.message is None:
                self.gaps += kept.duration
            else:
                self.wire.append(int(text_of(kept)))
                assert kept.number == len(self.wire)

    @rule(share=st.floats(0, 1))
    def confirm(self, share: float) -> None:
        number = self.confirmed + round(share * (len(self.wire) - self.confirmed))
        self.buffer.confirm(number)
        self.received += self.wire[self.confirmed : number]
        self.confirmed = number

    @rule()
    def drop(self) -> None:
        self.buffer.disconnected()
        self.wire.clear()
        self.confirmed = 0

    @invariant()
    def holds_no_more_than_it_may(self) -> None:
        media = sum(kept.duration for kept in self.buffer if kept.message is not None)
        assert media <= self.limit
        waiting = sum(kept.duration for kept in self.buffer if kept.message and not kept.number)
        assert self.buffer.waiting_media == waiting

    @invariant()
    def everything_arrives_in_order(self) -> None:
        assert self.received == sorted(set(self.received))

    def teardown(self) -> None:
        self.drop()
        while self.buffer.waiting:
            self.send(8)
        self.confirm(1.0)
        assert len(self.buffer) == 0
        self.everything_arrives_in_order()
        lost = set(range(self.added)) - set(self.received)
        assert lost <= self.media
        assert self.gaps == len(lost) * LENGTH


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=100, stateful_step_count=40)


@pytest.mark.parametrize("numbered", [True, False])
def test_it_stays_small_whatever_is_never_confirmed(numbered: bool) -> None:
    buffer = ReplayBuffer(SECOND, numbered=numbered)
    for number in range(2000):
        buffer.add(sound(number))
        buffer.next(number)
    assert len(buffer) <= 51
