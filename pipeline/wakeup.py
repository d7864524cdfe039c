"""How one task tells others that something has changed."""

from __future__ import annotations

import anyio


class Wakeup:
    """Wakes whoever waits at the moment; `wake` costs next to nothing when nobody does.

    Who waits looks at what has changed first, and waits for nothing else in between. It takes half
    of the time of an event, of which each wait would need a new one.
    """

    __slots__ = ("_semaphore", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        """How many wait."""
        self._semaphore: anyio.Semaphore | None = None

    def wake(self) -> None:
        """Something has changed."""
        while self.waiting and self._semaphore is not None:
            self.waiting -= 1
            self._semaphore.release()

    async def wait(self) -> None:
        """Until something changes from now on."""
        if self._semaphore is None:
            self._semaphore = anyio.Semaphore(0)
        self.waiting += 1
        woken = False
        try:
            await self._semaphore.acquire()
            woken = True
        finally:
            if woken:
                pass
            elif self._semaphore.value:  # cancelled just as it was woken
                self._semaphore.acquire_nowait()
            else:
                self.waiting -= 1
