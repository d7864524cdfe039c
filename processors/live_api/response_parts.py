"""What the wait for an answer consists of, on this side of the loudspeaker."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import AudioFrame, Frame, SpeechEnded, TurnStarted


class ResponseParts:
    """From the end of the user's speech to the first sound of the answer, for `Context.measured`.

    Times are nanoseconds on the run's clock. Only where a gate says when speech ends is there
    anything to measure.

      response.detection     from the end of speech until a gate has said so
      response.service       until the first of the answer comes, be it a word, a call or a sound
      response.first_sound   until the first of its sound comes, which tools may delay
    """

    def __init__(self) -> None:
        self._ended: tuple[int, int] | None = None
        self._began: tuple[int, int] | None = None

    def heard(self, frame: Frame, now: int) -> None:
        """A frame of the user's has come."""
        if isinstance(frame, SpeechEnded):
            self._ended = frame.pts, now

    def saw(self, frame: Frame, now: int) -> Iterator[tuple[str, int]]:
        """A frame of the service's has come; gives what can be measured by it."""
        if isinstance(frame, TurnStarted):
            self._began = None
            if self._ended is not None and frame.asked == self._ended[0]:
                asked, told = self._ended
                self._ended, self._began = None, (frame.turn, now)
                yield "response.detection", told - asked
                yield "response.service", now - told
        elif isinstance(frame, AudioFrame) and self._began is not None:
            turn, began = self._began
            self._began = None
            if turn == frame.turn:
                yield "response.first_sound", now - began
