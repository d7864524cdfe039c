"""Subtitles: utterances in pieces that one can read in time."""

from __future__ import annotations

from textwrap import wrap
from typing import NamedTuple

from pipeline import SECOND
from processors.text.timing import WordTimes

LINE = 42
"""Characters in a line, as the subtitling guides of broadcasters have it."""
LINES = 2
SHORTEST = SECOND


class Cue(NamedTuple):
    """Lines that are shown from `start` to `end`, in nanoseconds."""

    start: int
    end: int
    lines: tuple[str, ...]


def split(text: str, times: WordTimes) -> list[Cue]:
    """An utterance as cues of at most two lines, one after another.

    Each is shown while it is said, but for a second at least: what is typed is said in no time.
    """
    lines = wrap(text, LINE, break_on_hyphens=False)
    cues: list[Cue] = []
    position = 0
    for first in range(0, len(lines), LINES):
        shown = lines[first : first + LINES]
        begin = text.index(shown[0], position)
        position = begin
        for line in shown:
            position = text.index(line, position) + len(line)
        start = times.time_at(begin)
        if cues:
            start = max(start, cues[-1].end)
        end = max(times.time_at(position), start + SHORTEST)
        cues.append(Cue(start, end, tuple(shown)))
    return cues


def one_line(text: str) -> str:
    """The text with single spaces between its words."""
    return " ".join(text.split())
