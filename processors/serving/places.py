"""Places for conversations that several processes share, on one machine or on many."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

LEASE_S = 10.0
"""A process that has said nothing for so long is gone, and its places are free."""
RENEW_S = 2.0


class Places(Protocol):
    """The part of one process in them."""

    async def claim(self, taken: int) -> bool:
        """Whether this process may have so many, one more than before."""

    async def hold(self, taken: Callable[[], int]) -> None:
        """Say again and again how many it has, until cancelled."""


class Ledger:
    """Who has how many places, of `limit` in all.

    A process always says how many it has in all, not how many more: so an entry that was lost, or
    came twice, is put right by the next.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._taken: dict[str, tuple[int, float]] = {}

    def claim(self, holder: str, taken: int) -> bool:
        """Whether `holder` may have so many; then they are its own."""
        if self.taken(besides=holder) + taken > self._limit:
            return False
        self.hold(holder, taken)
        return True

    def hold(self, holder: str, taken: int) -> None:
        """`holder` has so many, whatever is allowed."""
        self._taken[holder] = taken, self._clock()

    def taken(self, besides: str = "") -> int:
        """Places in use."""
        since = self._clock() - LEASE_S
        self._taken = {who: entry for who, entry in self._taken.items() if entry[1] >= since}
        return sum(count for who, (count, _) in self._taken.items() if who != besides)
