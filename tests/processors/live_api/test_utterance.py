"""The words of one speaker, while they come in."""

from pipeline import Speaker
from processors.live_api.utterance import Utterance


def test_certain_words_stay_and_replace_unsure_ones() -> None:
    utterance = Utterance(Speaker.USER, 0, 0)
    for text, certain, said in (
        (" Wat", False, "Wat"),
        (" What", True, "What"),
        (" tide", False, "What tide"),
        (" times", False, "What times"),
        (" time?", True, "What time?"),
    ):
        utterance.hear(text, certain=certain)
        assert utterance.said == said


def test_what_is_said_again_replaces_all() -> None:
    for certain in (True, False):
        utterance = Utterance(Speaker.USER, 0, 0, text="What", interim=" tide", stale=True)
        assert utterance.said == "What tide"
        utterance.hear("Wh", certain=certain)
        utterance.hear("What time?")
        assert utterance.said == ("WhWhat time?" if certain else "What time?")


def test_a_line_says_who_when_and_in_which_turn() -> None:
    utterance = Utterance(Speaker.MODEL, 3, 7, text=" Yes ")
    line = utterance.transcript(5, final=True, interrupted=True)
    assert (line.text, line.speaker, line.pts, line.end) == ("Yes", Speaker.MODEL, 3, 7)
    assert (line.turn, line.final, line.interrupted) == (5, True, True)
