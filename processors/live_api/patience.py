"""How long the end of a conversation waits for a service that still owes something."""

from __future__ import annotations

from pipeline import SECOND, Frame, SessionEvent

BEGINNINGS = ("started", "resumed", "restarted")
SOON = 3 * SECOND
"""For an answer that may be due or not, when somebody waits for the end."""


class Patience:
    """Counts from the last sign of life; times are nanoseconds on the run's clock.

    A sign of life is what the model does, and that a lost connection is back. A service that only
    moves the conversation from one connection to the next gives none, however often it does.
    """

    def __init__(self, seconds: float) -> None:
        self._patience = int(seconds * SECOND)
        self._alive_at = 0
        self._moving = False

    def renew(self, now: int) -> None:
        """This side has done something that the service has to react to."""
        self._alive_at = now

    def saw(self, frame: Frame, now: int) -> None:
        """The service has done something."""
        kind = frame.kind if isinstance(frame, SessionEvent) else None
        if kind is None or (kind in BEGINNINGS and not self._moving):
            self._alive_at = now
        self._moving = kind == "go-away" or (self._moving and kind not in BEGINNINGS)

    def ends(self, playhead: int, *, soon: bool = False) -> int:
        """When it is over, if the model can be heard until `playhead`.

        soon: nobody knows whether there is anything to wait for, and it is wanted to be short.
        """
        patience = min(self._patience, SOON) if soon else self._patience
        return max(self._alive_at, playhead) + patience
