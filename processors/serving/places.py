"""Places for conversations, and the queue in front of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

import anyio

from processors.serving.refusal import RefusedError

Tell = Callable[[int], Awaitable[None]]
"""Given the place in the queue, whenever it changes; 1 is the next."""


class State(NamedTuple):
    """open: conversations, of `sessions` that may be. waiting: clients, of `queue` that may."""

    open: int
    sessions: int
    waiting: int
    queue: int

    @property
    def has_room(self) -> bool:
        """Whether somebody who comes now would get a place, or one in the queue."""
        return self.open < self.sessions or self.waiting < self.queue


class Places(Protocol):
    """Those that a process has, of its own or shared with others.

    taken, waiting: in this process. prefix: begins the names of its sessions.
    """

    prefix: str
    taken: int
    waiting: int

    async def take(self, tell: Tell, ticket: str | None = None) -> None:
        """Wait for a place.

        ticket: of a client that another process has sent here. Raises RefusedError, ElsewhereError.
        """

    def free(self) -> None:
        """Give a place back."""

    def close(self) -> None:
        """Give none away any more; those who wait are refused, or go elsewhere."""

    def state(self) -> State:
        """Of all places, whoever has them."""

    async def seek(self, session: str) -> None:
        """Raises ElsewhereError for a session of another process, RefusedError for a lost one."""

    async def forget(self, holder: str) -> None:
        """A process that cannot be reached is to be taken for gone, until it is heard of again."""

    async def run(self, drain: Callable[[float], None]) -> None:
        """What has to go on as long as there are conversations.

        drain: called when they have to come to their end, with the seconds that they have.
        """


class _Ticket:
    """Somebody who waits."""

    def __init__(self) -> None:
        self.changed = anyio.Event()
        self.granted = False

    def notify(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


class OwnPlaces:
    """Those of a single process: so many `sessions`, and so many in the `queue`."""

    prefix = ""

    def __init__(self, sessions: int, queue: int) -> None:
        self.taken = 0
        self._sessions = sessions
        self._queue = queue
        self._waiting: list[_Ticket] = []
        self._closed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def state(self) -> State:
        return State(self.taken, self._sessions, self.waiting, self._queue)

    async def take(self, tell: Tell, ticket: str | None = None) -> None:
        """Wait for a place. Raises RefusedError."""
        if self._closed:
            raise RefusedError("draining")
        if self.taken < self._sessions and not self._waiting:
            self.taken += 1
        elif self.waiting < self._queue:
            await self._wait(tell)
        else:
            raise RefusedError("full")

    def free(self) -> None:
        """One goes; the first of those who wait takes the place."""
        if self._waiting and not self._closed:
            ticket = self._waiting.pop(0)
            ticket.granted = True
            ticket.notify()
            self._notify_waiting()
        else:
            self.taken -= 1

    def close(self) -> None:
        self._closed = True
        self._notify_waiting()

    async def seek(self, session: str) -> None:
        """There is no other process."""

    async def forget(self, holder: str) -> None:
        """There is no other process."""

    async def run(self, drain: Callable[[float], None]) -> None:
        """There is nothing to do."""

    async def _wait(self, tell: Tell) -> None:
        ticket = _Ticket()
        self._waiting.append(ticket)
        told = 0
        try:
            while not ticket.granted:
                if self._closed:
                    raise RefusedError("draining")
                position, changed = self._waiting.index(ticket) + 1, ticket.changed
                if position != told:
                    told = position
                    await tell(position)
                else:
                    await changed.wait()
        except BaseException:
            if ticket.granted:
                self.free()
            else:
                self._waiting.remove(ticket)
                self._notify_waiting()
            raise

    def _notify_waiting(self) -> None:
        for ticket in self._waiting:
            ticket.notify()
