"""Tests of subtitles."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline import SECOND
from processors.text.cues import LINE, LINES, SHORTEST, one_line, split
from processors.text.timing import WordTimes


@given(
    st.lists(st.text("abcdefghij.,-'", min_size=1, max_size=60), max_size=60),
    st.integers(0, 90 * SECOND),
)
def test_cues_have_every_word_once_in_lines_that_one_can_read(
    words: list[str], length: int
) -> None:
    text = " ".join(words)
    cues = split(text, WordTimes([(0, SECOND), (len(text), SECOND + length)]))
    lines = [line for cue in cues for line in cue.lines]
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) <= LINE for line in lines)
    assert all(len(cue.lines) == LINES for cue in cues[:-1])
    starts = [cue.start for cue in cues]
    assert starts == sorted(starts)
    assert all(cue.end - cue.start >= SHORTEST for cue in cues)
    for cue, following in pairwise(cues):
        assert cue.end <= following.start
    if cues:
        assert cues[0].start == SECOND
        assert cues[-1].end >= max(SECOND + length, cues[-1].start + SHORTEST)
        assert cues[-1].end in (SECOND + length, cues[-1].start + SHORTEST)


def test_times_are_in_proportion() -> None:
    text = " ".join(["fourteen chars"] * 12)  # 179 characters
    cues = split(text, WordTimes([(0, 0), (179, 179 * SECOND)]))
    assert [(cue.start // SECOND, cue.end // SECOND) for cue in cues] == [
        (0, 74),
        (75, 149),
        (150, 179),
    ]
    assert cues[0].lines == (
        "fourteen chars fourteen chars fourteen",
        "chars fourteen chars fourteen chars",
    )


def test_what_is_typed_at_once_can_be_read_all_the_same() -> None:
    text = " ".join(["fourteen chars"] * 12)
    cues = split(text, WordTimes([(0, 5 * SECOND), (179, 5 * SECOND)]))
    assert [(cue.start // SECOND, cue.end // SECOND) for cue in cues] == [(5, 6), (6, 7), (7, 8)]


def test_one_line() -> None:
    assert one_line(" a\n b\tc ") == "a b c"
    assert split("", WordTimes([(0, 0), (0, 0)])) == []
