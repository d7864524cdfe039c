"""Who may talk: places, and those who come back."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import anyio
from anyio.abc import TaskGroup

from pipeline import SECOND, Watchdog
from processors.serving.binding import Offer
from processors.serving.limits import Limits
from processors.serving.metrics import Metrics
from processors.serving.onlookers import Onlookers
from processors.serving.places import OwnPlaces, Places, Tell
from processors.serving.protocol import Draining, Start
from processors.serving.refusal import RefusedError
from processors.serving.session import FINISH_S, Session, log

FAREWELL_S = 2.0
"""So long clients have to hear that a conversation is over before the server stops."""


class Lobby:
    """All conversations of an application. places: for them; without, as the limits say."""

    def __init__(
        self, offer: Offer, limits: Limits, onlookers: Onlookers, places: Places | None = None
    ) -> None:
        self.limits = limits
        self.places = places or OwnPlaces(limits.sessions, limits.queue)
        self.metrics = Metrics()
        self.metrics.limit.set(limits.sessions)
        self.metrics.open.set_function(lambda: self.open)
        self.metrics.waiting.set_function(lambda: self.waiting)
        self.draining = False
        self._offer = offer
        self._onlookers = onlookers
        self._sessions: dict[str, Session] = {}
        self._group: TaskGroup | None = None
        self._changed = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Conversations live as long as this; what is left at its end is cut short."""
        watchdog = Watchdog(self.limits.hold_s).watching() if self.limits.hold_s else nullcontext()
        with watchdog:
            async with self._onlookers.running(), anyio.create_task_group() as self._group:
                self._group.start_soon(self.places.run, self._drain_soon)
                yield
                self.draining = True
                self.places.close()
                self._group.cancel_scope.cancel()
        self._group = None

    @property
    def longest_drain_s(self) -> float:
        """How long `drain` takes at the most."""
        return self.limits.drain_s + FINISH_S + FAREWELL_S

    @property
    def open(self) -> int:
        """Conversations under way."""
        return self.places.taken

    @property
    def waiting(self) -> int:
        return self.places.waiting

    @property
    def is_ready(self) -> bool:
        """Whether somebody who comes now would get a place, or one in the queue."""
        return self._group is not None and not self.draining and self.places.state().has_room

    async def enter(self, start: Start, tell: Tell, ticket: str | None = None) -> Session:
        """A conversation of one's own; waits for it if it has to.

        tell, ticket: see `Places.take`. Raises RefusedError, ElsewhereError.
        """
        if self._group is None:
            raise RefusedError("draining")
        await self.places.take(tell, ticket)
        if self.draining:  # it has begun while somebody waited
            self.places.free()
            raise RefusedError("draining")
        session = Session(start, self.limits, self.places.prefix)
        self._sessions[session.id] = session
        self._group.start_soon(self._host, session, name=session.id)
        return session

    async def find(self, start: Start, ticket: str | None = None) -> Session:
        """The conversation that a client comes back to. Raises RefusedError, ElsewhereError."""
        session = self._sessions.get(start.session)
        if session is None and ticket is None:
            await self.places.seek(start.session)
        secret = session.secret if session is not None else "-"
        if not hmac.compare_digest(secret.encode(), start.resume.encode()) or session is None:
            raise RefusedError("unknown-session")
        return session

    async def drain(self, seconds: float | None = None) -> None:
        """Begin no more conversations, and wait for those under way.

        seconds: that they have; without, as the limits say. It can be called again, with less.
        """
        seconds = self.limits.drain_s if seconds is None else seconds
        self.draining = True
        self.places.close()
        deadline = anyio.current_time() + seconds
        for session in self._sessions.values():
            session.end_by(deadline)
            session.line.mailbox.tell(Draining(seconds=seconds))
        with anyio.move_on_at(deadline + FINISH_S + FAREWELL_S):
            await self.emptied()

    def _drain_soon(self, seconds: float) -> None:
        if self._group is not None:
            self._group.start_soon(self.drain, seconds)

    async def emptied(self) -> None:
        """Wait until the last conversation is over, and nobody can come back to it."""
        while self._sessions:
            await self._changed.wait()

    async def _host(self, session: Session) -> None:
        try:
            log.info("session %s begins; %d open", session.id, self.open)
            await session.execute(self._offer, self._onlookers)
        finally:
            self.places.free()
            self.metrics.ended.labels(session.reason).inc()
            self.metrics.seconds.observe(session.seconds)
            self.metrics.turns.inc(session.turns)
            for node, holds in session.holds.items():
                for nanoseconds in holds:
                    self.metrics.holds.labels(node).observe(nanoseconds / SECOND)
            what = "session %s is over after %.0f s: %s; %d open"
            log.info(what, session.id, session.seconds, session.reason, self.open)
        await session.linger()
        del self._sessions[session.id]
        self._changed.set()
        self._changed = anyio.Event()
