"""How long processors may take to close."""

from __future__ import annotations

import math

import anyio

CLOSE_SECONDS = 5.0
"""How long one may take in a run that has come to its end."""
STOP_SECONDS = 0.5
"""How long all of them together may take in one that is cut short."""


class Closing:
    """The time that is left to close. by: when all has to be closed, on the event loop's clock."""

    def __init__(self) -> None:
        self.by = math.inf
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def left(self) -> float:
        """In seconds, infinite in a run that nobody has told to stop."""
        return max(self.by - anyio.current_time(), 0)

    def cut_short(self, drain_seconds: float = 0) -> None:
        """The run is told to stop, now or in so many seconds; that never prolongs it."""
        self.by = min(self.by, anyio.current_time() + drain_seconds + STOP_SECONDS)
        for scope in self._scopes:
            self._limit(scope)

    def notice(self) -> None:
        """Look whether the run is cancelled from outside."""
        if anyio.current_effective_deadline() == -math.inf:
            self.cut_short()

    def begin(self, scope: anyio.CancelScope) -> None:
        """What is closed in this scope goes on from here even in a run that is cancelled.

        The first may take half of the time that is left, the next half of the rest: each has some.
        """
        self.notice()
        scope.shield = True
        scope.deadline = anyio.current_time() + CLOSE_SECONDS
        self._scopes.add(scope)
        self._limit(scope)

    def end(self, scope: anyio.CancelScope) -> None:
        """It is closed, if it was open."""
        self._scopes.discard(scope)

    def _limit(self, scope: anyio.CancelScope) -> None:
        scope.deadline = min(scope.deadline, anyio.current_time() + self.left / 2)
