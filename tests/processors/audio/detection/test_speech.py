"""Tests of where speech begins and ends, by scores alone; times are in ms here."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import SpeechStarted
from processors.audio.detection.speech import SpeechTracker

WINDOW = 10


def hear(tracker: SpeechTracker, scores: Iterable[float]) -> list[tuple[str, int, int]]:
    """Kind and time of each event, and when it was told."""
    found = []
    for number, score in enumerate(scores, 1):
        for event in tracker.hear(score, WINDOW, number * WINDOW):
            kind = "started" if isinstance(event, SpeechStarted) else "ended"
            found.append((kind, event.pts, number * WINDOW))
    return found


def tracker(**settings: Any) -> SpeechTracker:
    return SpeechTracker(**{"silence": 30} | settings)


def test_speech_begins_with_its_first_window_and_ends_with_its_last() -> None:
    assert hear(tracker(), [0, 0, 1, 1, 0, 0, 0]) == [("started", 20, 30), ("ended", 40, 70)]


@pytest.mark.parametrize(("onset", "told"), [(0, 30), (10, 30), (11, 40), (40, 60)])
def test_the_onset_is_speech_in_a_row(onset: int, told: int) -> None:
    assert hear(tracker(onset=onset), [0, 0, 1, 1, 1, 1, 1]) == [("started", 20, told)]
    assert hear(tracker(onset=21), [0, 1, 1, 0, 1, 1, 0]) == []


def test_a_short_pause_ends_nothing() -> None:
    assert hear(tracker(), [1, 0, 0, 1, 0, 0, 0]) == [("started", 0, 10), ("ended", 40, 70)]


def test_speech_goes_on_above_a_lower_threshold() -> None:
    scores = [0.49, 0.5, 0.36, 0.36, 0.34, 0.36, 0.49]
    assert hear(tracker(), scores) == [("started", 10, 20), ("ended", 40, 70)]
    assert hear(tracker(threshold=0.1), [0.02, 0.1, 0.02, 0.009, 0, 0]) == [
        ("started", 10, 20),
        ("ended", 30, 60),
    ]


def test_less_than_the_least_does_not_count() -> None:
    assert hear(tracker(least=30), [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]) == []
    scores = [0, 1, 1, 0, 0, 1, 0, 0, 0]
    assert hear(tracker(least=30), scores) == [("started", 10, 60), ("ended", 60, 90)]


def test_after_the_most_it_ends_and_begins_anew() -> None:
    scores = [1] * 7 + [0] * 3
    expected = [("started", 0, 10), ("ended", 30, 30), ("started", 30, 30), ("ended", 60, 60)]
    assert hear(tracker(most=30), scores) == [
        *expected,
        ("started", 60, 60),
        ("ended", 70, 100),
    ]


def test_scores_that_stay_high_are_allowed_for() -> None:
    following = tracker()
    following.trailing = 20
    assert hear(following, [0, 1, 1, 1, 0, 0, 0])[-1] == ("ended", 20, 70)
    following = tracker()
    following.trailing = 90
    assert hear(following, [0, 1, 1, 1, 0, 0, 0])[-1] == ("ended", 10, 70)


def test_what_is_left_out_is_silence() -> None:
    following = tracker()
    hear(following, [0, 1])
    assert list(following.skip(20, 40)) == []
    assert following.speaking
    (ended,) = following.skip(10, 50)
    assert ended.pts == 20
    assert not following.speaking


def test_when_it_stops_speech_ends_once() -> None:
    following = tracker()
    hear(following, [0, 1, 0])
    (ended,) = following.stop()
    assert ended.pts == 20
    assert list(following.stop()) == []


@given(
    st.lists(st.floats(0, 1), max_size=200),
    st.integers(0, 60),
    st.integers(10, 80),
    st.integers(0, 90),
    st.none() | st.integers(50, 300),
    st.integers(0, 50),
)
def test_events_alternate_and_their_times_never_go_back(
    scores: list[float], onset: int, silence: int, least: int, most: int | None, trailing: int
) -> None:
    following = SpeechTracker(onset=onset, silence=silence, least=least, most=most)
    following.trailing = trailing
    events = hear(following, scores)
    events += [("ended", event.pts, 10 * len(scores)) for event in following.stop()]
    assert [kind for kind, _, _ in events] == ["started", "ended"] * (len(events) // 2)
    for (_, before, _), (_, after, told) in pairwise(events):
        assert 0 <= before <= after <= told
    for (_, start, told), (_, end, last) in zip(events[::2], events[1::2], strict=True):
        assert most is None or end - start <= max(most + WINDOW, least + WINDOW) or told == last
