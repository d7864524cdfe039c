"""How one task tells others that something has changed."""

from __future__ import annotations

import anyio


class Wakeup:
    """Wakes whoever waits at the moment, and costs next to nothing when nobody does.

    Who waits looks at what has changed first, and at nothing else in between.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def wake(self) -> None:
        """Something has changed."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Until something changes from now on."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
