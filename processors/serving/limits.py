"""How much of everything is allowed."""

from __future__ import annotations

from dataclasses import dataclass

MESSAGES_PER_S = 150.0
BYTES_PER_S = 400_000.0
BURST_S = 20.0
"""A client that was away may send so many seconds' worth at once."""
SOUND_PACE = 1.1
SOUND_AHEAD_S = 40.0
"""Seconds of sound in a second, and at once: nobody speaks faster, and the service counts them."""
LINES_PER_S, MOST_LINES = 2.0, 100
PICTURES_PER_S, MOST_PICTURES = 4.0, 20
"""Typed lines and pictures, and how many at once."""


@dataclass(frozen=True)
class Limits:
    """sessions: conversations at a time. queue: clients that may wait for one.

    grace_s: how long a client may be gone. idle_s: how long nobody needs to say anything.
    longest_s: a conversation. drain_s: how long those under way may go on when the server is told
    to stop. start_s: from a connection to its first message. message_bytes: the largest message.
    hold_s: how long a processor may hold up all conversations before that is reported; 0: for ever.
    """

    sessions: int = 10
    queue: int = 0
    grace_s: float = 60.0
    idle_s: float = 300.0
    longest_s: float = 3600.0
    drain_s: float = 30.0
    start_s: float = 10.0
    message_bytes: int = 1 << 20
    hold_s: float = 0.2

    @property
    def places(self) -> int:
        """Clients that can be there at a time."""
        return self.sessions + self.queue


class Allowance:
    """A token bucket: `rate` a second, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def left(self, now: float) -> float:
        """How much is allowed at the time `now`, in seconds."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left

    def take(self, amount: float, now: float) -> bool:
        """Whether so much is allowed at the time `now`; if so, it is used up."""
        if amount > self.left(now):
            return False
        self._left -= amount
        return True
