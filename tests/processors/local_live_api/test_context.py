"""Token arithmetic, and cuts that never go through a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.live_api.messages import ContextWindowCompressionConfig, SlidingWindow
from processors.local_live_api.context import (
    Tokens,
    Weighed,
    audio_tokens,
    compress,
    text_tokens,
    total,
    truncate,
    weigh,
)
from processors.local_live_api.history import Answered, Called, Heard, Said

ENTRIES = st.sampled_from(
    [Heard("q"), Said("a"), Called("1", "f", {}), Answered("1", "f", {"output": 1})]
)
COUNTS = st.integers(0, 50)
HISTORIES = st.lists(
    st.builds(Weighed, ENTRIES, st.builds(Tokens, COUNTS, COUNTS, COUNTS)), max_size=25
).map(tuple)


def config(trigger: int | None = None, target: int | None = None) -> ContextWindowCompressionConfig:
    return ContextWindowCompressionConfig(
        trigger_tokens=trigger, sliding_window=SlidingWindow(target_tokens=target)
    )


def turns(*weights: int) -> tuple[Weighed, ...]:
    """A question that weighs nothing and an answer that weighs so much, for each."""
    return tuple(
        Weighed(entry, Tokens(tokens))
        for n, weight in enumerate(weights)
        for entry, tokens in ((Heard(f"q{n}"), 0), (Said(f"a{n}"), weight))
    )


def questions(history: tuple[Weighed, ...]) -> list[str | None]:
    return [item.entry.text for item in history if isinstance(item.entry, Heard)]


def starts(history: tuple[Weighed, ...]) -> list[int]:
    """Where turns of the user begin."""
    heard = [isinstance(item.entry, Heard) for item in history]
    return [
        n
        for n, (before, now) in enumerate(zip([False, *heard], heard, strict=False))
        if now > before
    ]


# --- counting ---


@pytest.mark.parametrize(
    ("seconds", "tokens"),
    [(0, 0), (0.001, 1), (0.04, 1), (0.28, 7), (0.56, 14), (1, 25), (1.01, 26), (127, 3175)],
)
def test_audio_is_25_tokens_a_second(seconds: float, tokens: int) -> None:
    assert audio_tokens(seconds) == tokens


@given(st.integers(0, 10**6))
def test_whole_tokens_of_audio_are_not_rounded_up(tokens: int) -> None:
    assert audio_tokens(tokens * 0.04) == audio_tokens(tokens / 25) == tokens


@given(st.text(max_size=50))
def test_four_characters_are_a_token(text: str) -> None:
    assert 4 * (text_tokens(text) - 1) < len(text) <= 4 * text_tokens(text) or text == ""


@given(*[st.builds(Tokens, COUNTS, COUNTS, COUNTS)] * 3)
def test_tokens_add_up(a: Tokens, b: Tokens, c: Tokens) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Tokens() == a
    assert (a + b).total == a.total + b.total


@given(HISTORIES)
def test_a_history_weighs_what_its_entries_weigh(history: tuple[Weighed, ...]) -> None:
    assert total(history).total == sum(item.tokens.total for item in history)


@pytest.mark.parametrize(
    ("entry", "spoken_s", "tokens"),
    [
        (Heard("12345678"), 0.0, Tokens(text=2)),
        (Heard("12345678", "spoken", 2.0), 2.0, Tokens(audio=50)),
        (Heard(None, "spoken", 1.0), 1.0, Tokens(audio=25)),
        (Heard(None), 0.0, Tokens()),
        (Heard("look", images=2), 0.0, Tokens(text=1, image=516)),
        (Heard(None, "spoken", 1.0, images=1), 1.0, Tokens(audio=25, image=258)),
        (Said("12345"), 0.0, Tokens(text=2)),
        (Said("12345"), 0.5, Tokens(audio=13)),
        (Called("1", "f", {"a": 1}), 0.0, Tokens(text=3)),
        (Answered("1", "f", {"a": 1}), 0.0, Tokens(text=3)),
    ],
)
def test_what_an_entry_weighs(entry: Heard, spoken_s: float, tokens: Tokens) -> None:
    assert weigh(entry, spoken_s=spoken_s) == Weighed(entry, tokens)


# --- cutting ---


@given(HISTORIES, COUNTS, st.integers(0, 600), st.integers(0, 600), st.booleans())
def test_what_is_left_is_the_newest_and_whole(
    history: tuple[Weighed, ...], fixed: int, trigger: int, target: int, compressing: bool
) -> None:
    if compressing:
        left, room = compress(history, fixed, config(trigger, target), 10**6), target - fixed
    else:
        left, room, trigger = truncate(history, fixed, trigger), trigger - fixed, trigger
    begins = starts(history)
    assert left == history[len(history) - len(left) :], "the newest"
    if total(history).total + fixed <= trigger or not begins:
        assert left == history
        return
    cut = len(history) - len(left)
    assert cut in begins, "never inside a turn"
    if cut != begins[-1]:
        assert total(left).total <= room
    longer = [start for start in begins if start < cut]
    assert all(total(history[start:]).total > room for start in longer), "no more than needed"


def test_the_oldest_turns_go_when_the_trigger_is_passed() -> None:
    history = turns(40, 30, 20, 10)
    assert compress(history, 0, config(100, 35), 1000) == history
    assert questions(compress(history, 1, config(100, 35), 1000)) == ["q2", "q3"]
    assert questions(compress(history, 6, config(100, 35), 1000)) == ["q3"]


def test_the_system_instruction_stays_and_counts() -> None:
    history = turns(10, 10)
    assert questions(compress(history, 1000, config(100, 50), 10_000)) == ["q1"]
    assert questions(truncate(history, 1000, 100)) == ["q1"]


def test_by_default_it_is_cut_at_four_fifths_of_the_window_to_two_fifths() -> None:
    history = turns(400, 200, 200)
    everything = ContextWindowCompressionConfig()
    assert compress(history, 0, everything, 1000) == history
    assert questions(compress(history, 1, everything, 1000)) == ["q2"]
    assert questions(compress(turns(500, 200, 200), 0, everything, 1000)) == ["q1", "q2"]


def test_half_of_the_trigger_is_the_target_unless_there_is_one() -> None:
    assert questions(compress(turns(60, 30, 20), 0, config(100), 1000)) == ["q1", "q2"]
    assert questions(compress(turns(60, 30, 20), 0, config(100, 0), 1000)) == ["q2"]


def test_several_messages_in_a_row_are_one_turn_of_the_user() -> None:
    history = tuple(
        Weighed(entry, Tokens(10)) for entry in (Heard("a"), Said("b"), Heard("c"), Heard("d"))
    )
    assert questions(truncate(history, 0, 10)) == ["c", "d"]


def test_what_has_no_turn_of_the_user_cannot_be_cut() -> None:
    history = (Weighed(Said("a"), Tokens(100)), Weighed(Said("b"), Tokens(100)))
    assert truncate(history, 0, 10) == history


def test_a_long_history_is_cut_at_once() -> None:
    history = turns(*[1] * 20_000)
    assert len(truncate(history, 0, 10_000)) == 20_000
