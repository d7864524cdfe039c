"""Tests of when words were said."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline import SECOND, Speaker, Transcript
from processors.text.timing import Utterance, WordTimes, words_within

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
TEXT = " ".join(WORDS)
START = 10 * SECOND


def transcript(count: int, end: int, **fields: object) -> Transcript:
    fields = {"final": False, "pts": START, **fields}
    return Transcript(" ".join(WORDS[:count]), Speaker.MODEL, end, **fields)  # type: ignore[arg-type]


def ends(utterance: Utterance, final: Transcript) -> list[float]:
    """Seconds from the start at which each word is over."""
    times = utterance.times(final)
    lengths = [len(" ".join(WORDS[:count])) for count in range(1, 9)]
    return [round((times.time_at(length) - START) / SECOND, 2) for length in lengths]


def test_words_that_come_with_their_sound() -> None:
    utterance = Utterance()
    for count in range(1, 9):
        utterance.hear(transcript(count, START + count * SECOND))
    final = transcript(8, START + 8 * SECOND, final=True)
    assert ends(utterance, final) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_words_that_come_ahead_of_their_sound() -> None:
    utterance = Utterance()
    for count in range(1, 9):
        utterance.hear(transcript(count, START + (count - 1) * SECOND))
    final = transcript(8, START + 8 * SECOND, final=True)
    assert ends(utterance, final) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_several_words_at_a_time() -> None:
    utterance = Utterance()
    for count, seconds in ((1, 0), (2, 0), (3, 2), (4, 2), (6, 5)):
        utterance.hear(transcript(count, START + seconds * SECOND))
    final = transcript(8, START + 8 * SECOND, final=True)
    assert [ends(utterance, final)[at] for at in (1, 3, 7)] == [2, 5, 8]


def test_words_of_which_nothing_is_known_are_spread_evenly() -> None:
    final = transcript(8, START + 39 * SECOND, final=True)
    assert ends(Utterance(), final)[:4] == [3, 7, 13, 18]


def test_what_an_interruption_left_unsaid_goes_on_at_the_same_pace() -> None:
    utterance = Utterance()
    for count in range(1, 8):
        utterance.hear(transcript(count, START + (count - 1) * SECOND))
    final = transcript(8, START + 2 * SECOND, final=True, interrupted=True)
    found = ends(utterance, final)
    assert found[:6] == [1, 2, 3, 4, 5, 6]
    assert 8 < found[-1] < 10


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(-2, 12)), max_size=10),
    st.integers(0, 12),
    st.booleans(),
)
def test_time_never_runs_backwards(
    heard: list[tuple[int, int]], end: int, interrupted: bool
) -> None:
    utterance = Utterance()
    for count, seconds in heard:
        utterance.hear(transcript(count, START + seconds * SECOND))
    final = transcript(8, START + end * SECOND, final=True, interrupted=interrupted)
    times = utterance.times(final)
    points = [times.time_at(length) for length in range(len(TEXT) + 1)]
    assert points == sorted(points)
    assert points[0] == START
    known = [times.characters_by(time) for time in range(START, START + 13 * SECOND, SECOND // 7)]
    assert known == sorted(known)
    assert set(known) <= {*range(len(TEXT) + 1)}


@given(st.integers(1, 37))
def test_characters_and_times_are_each_others_inverse(length: int) -> None:
    times = WordTimes([(0, START), (10, START + SECOND), (38, START + 9 * SECOND)])
    assert times.characters_by(times.time_at(length)) == length


def test_a_word_counts_if_half_of_it_was_heard() -> None:
    assert [words_within("  ab cdef gh", n) for n in (0, 2, 3, 6, 7, 10, 11, 99)] == [
        *("", "", "ab", "ab", "ab cdef", "ab cdef", "ab cdef gh", "ab cdef gh")
    ]
