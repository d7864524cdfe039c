"""From scores of single windows to when speech begins and ends."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import SpeechEnded, SpeechStarted

HYSTERESIS = 0.15
"""By how much a score may fall below the threshold while speech goes on, as Silero has it."""
LOWEST = 0.01


class SpeechTracker:
    """Follows the scores of a detector; all times are nanoseconds.

    Speech begins with `onset` of windows whose scores reach `threshold`, and goes on above 0.15
    less. It ends where the last such window ended, once `silence` has followed. It is told of when
    `least` of it has been heard, all windows counted. After `most` it ends and begins anew.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        onset: int = 0,
        silence: int = 300_000_000,
        least: int = 0,
        most: int | None = None,
    ) -> None:
        self._open, self._close = threshold, max(threshold - HYSTERESIS, LOWEST)
        self._onset = onset
        self._silence = silence
        self._least = least
        self._most = most
        self.trailing = 0
        """For how long scores stay high once speech has ended: a trait of the detector."""
        self.speaking = False
        """From SpeechStarted to SpeechEnded."""
        self.silence = 0
        """How long nobody has spoken."""
        self._loud = False
        self._run = 0
        self._heard = 0
        self._begin: int | None = None
        """Where speech began, told of or not."""
        self._end = 0
        self._now = 0

    @property
    def earliest(self) -> int:
        """Where speech that has not been told of yet would begin at the earliest."""
        return self._now - self._run if self._begin is None else self._begin

    def hear(self, score: float, length: int, end: int) -> Iterator[SpeechStarted | SpeechEnded]:
        """Take in the score of the next window, of this length, that ends at `end`."""
        self._now = end
        self._loud = score >= (self._close if self._loud else self._open)
        if not self._loud:
            yield from self._quiet(length)
            return
        self._run += length
        self._heard += length
        self._end, self.silence = max(end - self.trailing, end - self._run), 0
        if self._begin is None and self._run >= self._onset:
            self._begin, self._heard = end - self._run, self._run
        if self._begin is None:
            return
        if not self.speaking:
            if self._heard >= self._least:
                self.speaking = True
                yield SpeechStarted(pts=self._begin)
        elif self._most is not None and end - self._begin >= self._most:
            yield SpeechEnded(pts=end)
            self._begin = end
            yield SpeechStarted(pts=end)

    def skip(self, length: int, end: int) -> Iterator[SpeechEnded]:
        """Nothing is known about so much time up to `end`: it counts as silence."""
        self._now = end
        self._loud = False
        yield from self._quiet(length)

    def stop(self) -> Iterator[SpeechEnded]:
        """There is nothing more to hear: what is being said ends here."""
        if self.speaking:
            yield SpeechEnded(pts=self._end)
        self.speaking = self._loud = False
        self._begin, self._run = None, 0

    def _quiet(self, length: int) -> Iterator[SpeechEnded]:
        self._run = 0
        self.silence += length
        if self.silence >= self._silence:
            yield from self.stop()
