"""What the model says, held until a listener has heard it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import Playback
from processors.audio.pcm import count_of
from processors.audio.recording.track import Piece

STEADY_MS = 20
"""A loudspeaker's reports of when it plays what waver by less than this."""


class Unheard:
    """Pieces at their media times become pieces at the times when they were heard.

    rate: of the pieces, in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._steady = rate * STEADY_MS // 1000
        self._pieces: list[Piece] = []
        self._shift: int | None = None
        self._turn = 0

    def put(self, piece: Piece) -> None:
        """Hold it."""
        self._pieces.append(piece)

    def hear(self, report: Playback) -> Iterator[Piece]:
        """What has been heard since the last report; what a turn has left at its end is dropped."""
        shift = count_of(report.pts, self._rate) - count_of(report.heard, self._rate)
        if report.turn != self._turn or self._shift is None:
            self._turn, self._shift = report.turn, shift
        elif abs(shift - self._shift) > self._steady:  # it has paused
            self._shift = shift
        until = count_of(report.heard, self._rate)
        left: list[Piece] = []
        for piece in self._pieces:
            if piece.turn == report.turn:
                count = min(max(0, until - piece.start), len(piece.samples))
                if count:
                    start = piece.start + self._shift
                    yield Piece(start, piece.samples[:count], piece.turn)
                piece = Piece(piece.start + count, piece.samples[count:], piece.turn)
            over = piece.turn < report.turn or (piece.turn == report.turn and not report.playing)
            if len(piece.samples) and not over:
                left.append(piece)
        self._pieces = left
