"""What is kept for a client, and what it gets when it comes back."""

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.serving.mailbox import MOST_EVENTS, Mailbox
from processors.serving.protocol import (
    Interrupted,
    ServerEvent,
    Sound,
    Speech,
    Transcript,
    decode_server,
    decode_sound,
)

RATE = 1000
"""So that a sample is a millisecond."""


def pcm(ms: int) -> bytes:
    return bytes(2 * ms)


def taken(mailbox: Mailbox) -> list[ServerEvent | Sound]:
    """All that a connection would send now."""
    messages: list[ServerEvent | Sound] = []

    async def take() -> None:
        while not mailbox.is_empty:
            found = await mailbox.next()
            assert found is not None
            data, is_sound = found
            messages.append(decode_sound(data) if is_sound else decode_server(data))

    anyio.run(take)
    return messages


def words(text: str, start: float = 0, *, final: bool = False) -> Transcript:
    return Transcript(speaker="user", text=text, start_ms=start, final=final)


def test_messages_are_numbered_and_sent_once() -> None:
    mailbox = Mailbox(30)
    mailbox.tell(Speech(speaking=True))
    mailbox.play(1, RATE, 5.0, pcm(20))
    assert taken(mailbox) == [Speech(n=1, speaking=True), Sound(2, 1, RATE, 5.0, pcm(20))]
    assert taken(mailbox) == []


def test_who_comes_back_gets_what_came_after_the_last_message() -> None:
    mailbox = Mailbox(30)
    for number in range(4):
        mailbox.tell(words(str(number), number, final=True))
    taken(mailbox)
    mailbox.attach(2)
    assert [message.n for message in taken(mailbox)] == [3, 4]
    mailbox.attach(0)
    assert [message.n for message in taken(mailbox)] == [1, 2, 3, 4]


def test_of_words_only_the_latest_are_kept() -> None:
    mailbox = Mailbox(30)
    mailbox.tell(words("a"))
    mailbox.tell(words("a b"))
    mailbox.tell(words("other", 9))
    mailbox.tell(words("a b c", final=True))
    mailbox.attach(0)
    assert [(m.n, m.text) for m in taken(mailbox) if isinstance(m, Transcript)] == [
        (3, "other"),
        (4, "a b c"),
    ]


def test_sound_is_kept_until_it_is_heard() -> None:
    mailbox = Mailbox(30)
    for number in range(4):
        mailbox.play(1, RATE, number * 20.0, pcm(20))
    taken(mailbox)
    mailbox.played(1, 40.0)
    assert mailbox.unplayed_ms == 40
    mailbox.attach(0)
    assert [message.n for message in taken(mailbox)] == [3, 4]
    mailbox.played(1, 79.9)
    assert mailbox.unplayed_ms == 0


def test_a_later_turn_that_plays_means_that_the_one_before_is_over() -> None:
    mailbox = Mailbox(30)
    mailbox.play(1, RATE, 0, pcm(20))
    mailbox.play(2, RATE, 20, pcm(20))
    mailbox.play(2, RATE, 40, pcm(20))
    mailbox.played(2, 41)
    assert mailbox.unplayed_ms == 20


def test_an_interruption_takes_the_sound_of_its_turn_and_is_told() -> None:
    mailbox = Mailbox(30)
    mailbox.play(1, RATE, 0, pcm(20))
    mailbox.play(2, RATE, 20, pcm(20))
    mailbox.interrupt(1)
    assert mailbox.was_cut(1)
    assert not mailbox.was_cut(2)
    assert mailbox.unplayed_ms == 20
    assert taken(mailbox) == [Sound(2, 2, RATE, 20, pcm(20)), Interrupted(n=3, turn=1)]


def test_events_are_kept_up_to_a_number() -> None:
    mailbox = Mailbox(30)
    for number in range(MOST_EVENTS + 5):
        mailbox.tell(words(str(number), number, final=True))
    mailbox.attach(0)
    assert [message.n for message in taken(mailbox)] == list(range(6, MOST_EVENTS + 6))


async def test_more_sound_waits_for_what_is_played(anyio_backend: Any) -> None:
    mailbox = Mailbox(0.1)
    mailbox.play(1, RATE, 0, pcm(101))
    waited = anyio.Event()

    async def wait() -> None:
        await mailbox.room()
        waited.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.sleep(1)
        assert not waited.is_set()
        mailbox.played(1, 101)
        await waited.wait()


async def test_a_closed_mailbox_is_emptied_and_then_ends(anyio_backend: Any) -> None:
    mailbox = Mailbox(30)
    mailbox.tell(Speech())
    mailbox.close()
    assert await mailbox.next() is not None
    assert await mailbox.next() is None
    await mailbox.all_played()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.integers(1, 3)),
        st.tuples(st.just("tell"), st.integers(0, 3)),
        st.tuples(st.just("final"), st.integers(0, 3)),
        st.tuples(st.just("cut"), st.integers(1, 3)),
        st.tuples(st.just("heard"), st.integers(0, 400)),
        st.tuples(st.just("send"), st.integers(1, 5)),
        st.tuples(st.just("return"), st.integers(0, 10)),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_is_lost_or_comes_twice_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """A client that takes some messages, goes and returns: it gets each that still matters."""
    mailbox, clock, turn = Mailbox(1000), 0, 1
    client: list[int] = []
    cut: set[int] = set()

    async def send(most: int) -> None:
        for _ in range(most):
            if mailbox.is_empty:
                return
            found = await mailbox.next()
            assert found is not None
            data, is_sound = found
            message = decode_sound(data) if is_sound else decode_server(data)
            if isinstance(message, Sound):
                assert message.turn not in cut
            client.append(message.n)

    for what, number in steps:
        if what == "play":
            turn = max(turn, number)
            if not mailbox.was_cut(turn):
                mailbox.play(turn, RATE, clock, pcm(20))
                clock += 20
        elif what in ("tell", "final"):
            mailbox.tell(words("x", number, final=what == "final"))
        elif what == "cut":
            cut.add(number)
            mailbox.interrupt(number)
        elif what == "heard":
            mailbox.played(turn, min(number, clock))
        elif what == "send":
            anyio.run(send, number)
        else:
            del client[len(client) - min(number, len(client)) :]
            mailbox.attach(client[-1] if client else 0)
        assert mailbox.unplayed_ms >= 0
    anyio.run(send, 10_000)
    assert client == sorted(set(client))
    assert mailbox.is_empty


def test_numbers_begin_at_one() -> None:
    mailbox = Mailbox(30)
    mailbox.tell(Speech())
    assert taken(mailbox)[0].n == 1
    assert pytest.approx(0) == mailbox.unplayed_ms
