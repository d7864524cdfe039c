"""What one side says in one go, as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline import Speaker, Transcript


@dataclass
class Utterance:
    """The words of one speaker from `start` to `end`, in nanoseconds, while they come in.

    text: what is certain. interim: what follows it and may yet change. answered: the other side
    has begun to answer. stale: it is said again on another connection; the next words begin it
    anew.
    """

    speaker: Speaker
    start: int
    end: int
    text: str = ""
    interim: str = ""
    answered: bool = False
    stale: bool = False

    @property
    def said(self) -> str:
        """All words so far."""
        return f"{self.text}{self.interim}".strip()

    def hear(self, text: str, *, certain: bool = True) -> None:
        """More words; certain ones replace those that were not."""
        if self.stale:
            self.text, self.stale = "", False
        if certain:
            self.text += text
        self.interim = "" if certain else text

    def transcript(self, turn: int, *, final: bool, interrupted: bool = False) -> Transcript:
        """What is known of it, in a turn."""
        return Transcript(
            self.said,
            self.speaker,
            self.end,
            final,
            interrupted,
            pts=self.start,
            turn=turn,
        )
