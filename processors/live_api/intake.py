"""How much sound is taken in while there is no connection."""

from __future__ import annotations

from pipeline import SECOND

SLACK = 2 * SECOND
"""What a live source may bring at once, from queues in front, if there is room for twice that."""


class Intake:
    """Lets sound in no faster than in real time, until `hold` nanoseconds of it wait.

    What is spoken meanwhile is always let in, and the oldest is given up when it is too much. What
    comes faster than that is read from a file: it can wait instead, and nothing of it is lost.
    """

    def __init__(self, hold: int) -> None:
        self._hold = hold
        self._slack = min(SLACK, hold // 2)
        self._since: int | None = None
        self._taken = 0
        self._live = True

    def connected(self) -> None:
        """There is a connection: everything may come in."""
        self._since, self._taken, self._live = None, 0, True

    def taken(self, duration: int) -> None:
        """So much sound came in."""
        self._taken += duration

    def wait(self, waiting: int, now: int) -> int | None:
        """Nanoseconds to wait before more is taken in; 0 for none, None for until there is a
        connection. `waiting`: what waits to be sent."""
        if self._since is None:
            self._since = now
        ahead = self._taken - (now - self._since)
        self._live = self._live and ahead <= self._slack
        if not self._live and waiting + SECOND > self._hold:
            return None
        return max(0, ahead - self._slack)
