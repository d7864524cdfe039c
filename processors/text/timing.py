"""When the words of an utterance were said, as far as it can be told."""

from __future__ import annotations

from itertools import pairwise

from pipeline import Transcript


class WordTimes:
    """Characters of a text and the times by which they had been said, in nanoseconds.

    Between the points that are known, time goes on evenly with the characters.
    """

    def __init__(self, points: list[tuple[int, int]]) -> None:
        """`points`: (characters, time), rising in both, from no characters to all of them."""
        self._points = points

    def time_at(self, characters: int) -> int:
        """When so many characters had been said."""
        return _between(characters, self._points)

    def characters_by(self, time: int) -> int:
        """How many characters had been said by a time."""
        return _between(time, [(at, characters) for characters, at in self._points])


def _between(x: int, points: list[tuple[int, int]]) -> int:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + round((y1 - y0) * (x - x0) / (x1 - x0))
    return points[-1][1]


class Utterance:
    """The transcripts of one utterance as they come in: words, and how much sound had come."""

    def __init__(self) -> None:
        self._grown: list[tuple[int, int]] = []

    def hear(self, frame: Transcript) -> None:
        """Take an interim transcript: its words, and in `end` the end of the sound so far."""
        grown = (len(frame.text), frame.end)
        if self._grown and self._grown[-1][1] == frame.end:
            self._grown[-1] = grown
        elif not self._grown or grown > self._grown[-1]:
            self._grown.append(grown)

    def times(self, final: Transcript) -> WordTimes:
        """When the words of the final transcript were said, or would have been.

        Some services send words before their sound: then a word ends with the sound that had come
        when the next one came. An interruption cuts `end`, but not the text: what had come by then
        may go beyond it.
        """
        grown = [point for point in self._grown if point[0] <= len(final.text)]
        if grown and grown[0][1] <= final.pts:
            ends = [end for _, end in grown[1:]]
            grown = list(zip((length for length, _ in grown[:-1]), ends, strict=True))
        points = [(0, final.pts)]
        for length, end in grown:
            if length > points[-1][0] and end >= points[-1][1]:
                points.append((length, end))
        length, end = points[-1]
        if len(final.text) > length:
            if not (final.interrupted and length):
                end = max(end, final.end)
            else:  # how long the rest would have taken is not known
                pace = (end - final.pts) / length
                end = max(final.end, end + round(pace * (len(final.text) - length)))
            points.append((len(final.text), end))
        return WordTimes(points)


def words_within(text: str, characters: int) -> str:
    """The words of which at least half lies within so many characters."""
    end = position = 0
    for word in text.split():
        begin = text.index(word, position)
        position = begin + len(word)
        if 2 * characters < begin + position:
            break
        end = position
    return text[:end].strip()
