"""Who may talk: places, a queue in front of them, and those who come back."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext

import anyio
from anyio.abc import TaskGroup

from pipeline import SECOND, Watchdog
from processors.serving.binding import Offer
from processors.serving.limits import Limits
from processors.serving.metrics import Metrics
from processors.serving.onlookers import Onlookers
from processors.serving.places import Places
from processors.serving.protocol import Draining, Start
from processors.serving.session import FINISH_S, Session, log

FAREWELL_S = 2.0
"""So long clients have to hear that a conversation is over before the server stops."""
REASONS = {
    "token": "The token is missing or wrong.",
    "full": "All places are taken. Please try again later.",
    "draining": "The server is stopping. Please try again later.",
    "unknown-session": "This conversation is over.",
    "start": "The first message has to be `start`, and in time.",
    "message": "A message could not be understood.",
    "rate": "Too much at once.",
}
"""Why a connection is refused, and what its user is told."""


class RefusedError(Exception):
    """A client that may not talk; `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(REASONS[reason])


class _Ticket:
    """Somebody who waits."""

    def __init__(self) -> None:
        self.changed = anyio.Event()
        self.granted = False

    def notify(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


class Lobby:
    """All conversations of an application. places: those that it shares with other processes."""

    def __init__(
        self, offer: Offer, limits: Limits, onlookers: Onlookers, places: Places | None = None
    ) -> None:
        self.limits = limits
        self.metrics = Metrics()
        self.metrics.limit.set(limits.sessions)
        self.draining = False
        self._offer = offer
        self._onlookers = onlookers
        self._places = places
        self._sessions: dict[str, Session] = {}
        self._open = 0
        self._waiting: list[_Ticket] = []
        self._group: TaskGroup | None = None
        self._emptied = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Conversations live as long as this; what is left at its end is cut short."""
        watchdog = Watchdog(self.limits.hold_s).watching() if self.limits.hold_s else nullcontext()
        with watchdog:
            async with self._onlookers.running(), anyio.create_task_group() as self._group:
                if self._places is not None:
                    self._group.start_soon(self._places.hold, lambda: self._open)
                yield
                self._group.cancel_scope.cancel()
        self._group = None

    @property
    def longest_drain_s(self) -> float:
        """How long `drain` takes at the most."""
        return self.limits.drain_s + FINISH_S + FAREWELL_S

    @property
    def open(self) -> int:
        """Conversations under way."""
        return self._open

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_ready(self) -> bool:
        """Whether somebody who comes now would get a place, or one in the queue."""
        has_room = self._open < self.limits.sessions or self.waiting < self.limits.queue
        return self._group is not None and not self.draining and has_room

    async def enter(self, start: Start, tell: Callable[[int], Awaitable[None]]) -> Session:
        """A conversation of one's own; waits for it if it has to.

        tell: given the place in the queue, whenever it changes. Raises RefusedError.
        """
        if self.draining or self._group is None:
            raise RefusedError("draining")
        if self._open < self.limits.sessions and not self._waiting:
            self._open += 1
        elif self.waiting < self.limits.queue:
            await self._wait(tell)
        else:
            raise RefusedError("full")
        await self._claim()
        self._count()
        session = Session(start, self.limits)
        self._sessions[session.id] = session
        self._group.start_soon(self._host, session, name=session.id)
        return session

    async def _claim(self) -> None:
        """The place has to be one of those that all processes share. Raises RefusedError."""
        is_mine = self._places is None
        try:
            if self._places is not None:
                is_mine = await self._places.claim(self._open)
        finally:
            if not is_mine:
                self._free_place()
        if not is_mine:
            raise RefusedError("full")

    def find(self, start: Start) -> Session:
        """The conversation that a client comes back to. Raises RefusedError."""
        session = self._sessions.get(start.session)
        secret = session.secret if session is not None else "-"
        if not hmac.compare_digest(secret.encode(), start.resume.encode()) or session is None:
            raise RefusedError("unknown-session")
        return session

    async def drain(self) -> None:
        """Begin no more conversations, and wait for those under way, within the limit."""
        self.draining = True
        for ticket in self._waiting:
            ticket.notify()
        now = anyio.current_time()
        deadline = now + self.limits.drain_s
        for session in self._sessions.values():
            session.end_by(deadline)
            session.line.mailbox.tell(Draining(seconds=self.limits.drain_s))
        with anyio.move_on_at(now + self.longest_drain_s):
            while self._sessions:
                self._emptied = anyio.Event()
                await self._emptied.wait()

    async def _wait(self, tell: Callable[[int], Awaitable[None]]) -> None:
        ticket = _Ticket()
        self._waiting.append(ticket)
        self._count()
        told = 0
        try:
            while not ticket.granted:
                if self.draining:
                    raise RefusedError("draining")
                position, changed = self._waiting.index(ticket) + 1, ticket.changed
                if position != told:
                    told = position
                    await tell(position)
                else:
                    await changed.wait()
        except BaseException:
            if ticket.granted:
                self._free_place()
            else:
                self._waiting.remove(ticket)
                self._notify_waiting()
            raise

    async def _host(self, session: Session) -> None:
        try:
            log.info("session %s begins; %d open", session.id, self._open)
            await session.execute(self._offer, self._onlookers)
        finally:
            self._free_place()
            self.metrics.ended.labels(session.reason).inc()
            self.metrics.seconds.observe(session.seconds)
            self.metrics.turns.inc(session.turns)
            for node, holds in session.holds.items():
                for nanoseconds in holds:
                    self.metrics.holds.labels(node).observe(nanoseconds / SECOND)
            what = "session %s is over after %.0f s: %s; %d open"
            log.info(what, session.id, session.seconds, session.reason, self._open)
        await session.linger()
        del self._sessions[session.id]
        if not self._sessions:
            self._emptied.set()

    def _free_place(self) -> None:
        """One goes; the first of those who wait takes the place."""
        if self._waiting:
            ticket = self._waiting.pop(0)
            ticket.granted = True
            ticket.notify()
            self._notify_waiting()
        else:
            self._open -= 1
        self._count()

    def _notify_waiting(self) -> None:
        for ticket in self._waiting:
            ticket.notify()
        self._count()

    def _count(self) -> None:
        self.metrics.open.set(self._open)
        self.metrics.waiting.set(len(self._waiting))
