"""A process's part in the places of a cluster."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from processors.serving.cluster.ledger import Answer, Orders, Report
from processors.serving.limits import Limits
from processors.serving.places import State, Tell
from processors.serving.refusal import ElsewhereError, RefusedError

RENEW_S = 1.0
"""How often a process says what it has, at least; an order reaches it in that time."""
ASK_S = 0.5
"""How often somebody who waits asks again."""
PATIENCE_S = 30.0
"""So long somebody waits for a process that takes new clients, or for the ledger."""
FAREWELL_S = 2.0

Ask = Callable[..., Awaitable[Any]]
"""Calls a method of the ledger: its name, and arguments. Raises ConnectionError without one."""


class SharedPlaces:
    """Those that the ledger gives to this process.

    door: where the other processes find this one, as host:port; empty until it is known.
    limits: `sessions` and `queue` of the whole cluster. each: conversations of this process.
    generation: of the deployment that it belongs to.
    """

    def __init__(self, ask: Ask, limits: Limits, *, each: int, generation: float) -> None:
        self.name = secrets.token_hex(4)
        self.prefix = f"{self.name}-"
        self.door = ""
        self.taken = 0
        self.waiting = 0
        self.reached = False
        self._ask = ask
        self._limits = limits
        self._each = each
        self._generation = generation
        self._closed = False
        self._state = State(0, 0, 0, 0)
        self._changed = anyio.Event()
        # One call at a time: a count must not overtake one that was said before it.
        self._lock = anyio.Lock()

    def state(self) -> State:
        return self._state

    async def take(self, tell: Tell, ticket: str | None = None) -> None:
        """Wait for a place, here or elsewhere. Raises RefusedError, ElsewhereError."""
        name = ticket or secrets.token_hex(8)
        self.waiting += 1
        try:
            await self._take(tell, name, settle=ticket is not None)
        except ElsewhereError:
            raise
        except BaseException:
            with anyio.CancelScope(shield=True), anyio.move_on_after(FAREWELL_S):
                await self._try("cancel", name)
            raise
        finally:
            self.waiting -= 1

    async def _take(self, tell: Tell, ticket: str, *, settle: bool) -> None:
        told, give_up_at = 0, anyio.current_time() + PATIENCE_S
        while True:
            answer = await self._place(ticket, settle=settle)
            if answer.kind == "here":
                return
            if answer.kind == "elsewhere":
                raise ElsewhereError(answer.holder, answer.door, ticket)
            if answer.kind == "draining":
                raise RefusedError("draining")
            if answer.kind == "full" or anyio.current_time() > give_up_at:
                raise RefusedError("full")
            if answer.kind == "wait":
                give_up_at = anyio.current_time() + PATIENCE_S
                if answer.position != told:
                    told = answer.position
                    await tell(told)
            await anyio.sleep(ASK_S)  # the ledger is in another process, and calls nobody

    async def _place(self, ticket: str, *, settle: bool) -> Answer:
        async with self._lock:
            said = await self._try("place", self._report(), ticket, settle)
            answer = Answer("soon") if said is None else Answer(*said)
            if answer.kind == "here":
                self.taken += 1
        return answer

    def free(self) -> None:
        self.taken -= 1
        self._changed.set()

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    async def seek(self, session: str) -> None:
        """Raises ElsewhereError for a session of another process, RefusedError for a lost one."""
        holder, dash, _ = session.partition("-")
        if not dash or holder == self.name:
            return
        with anyio.move_on_after(PATIENCE_S):
            while True:
                door = await self._try("door", holder)
                if door:
                    raise ElsewhereError(holder, door)
                if door is not None:
                    break
                await anyio.sleep(ASK_S)
        raise RefusedError("lost")

    async def forget(self, holder: str) -> None:
        """A process cannot be reached."""
        await self._try("leave", holder)

    async def doors(self) -> dict[str, str]:
        """Where all are, by name."""
        return await self._try("doors") or {}

    async def run(self, drain: Callable[[float], None]) -> None:
        """Say what it has, and obey; until cancelled."""
        obeyed = "no"
        try:
            while True:
                self._changed = anyio.Event()
                async with self._lock:
                    said = await self._try("hold", self._report())
                self.reached = said is not None
                if said is not None:
                    orders = Orders(*said)
                    self._state = orders.state
                    if orders.stop not in ("no", obeyed):
                        drain(self._limits.drain_s if orders.stop == "drain" else 0.0)
                    obeyed = orders.stop
                with anyio.move_on_after(RENEW_S):
                    await self._changed.wait()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(FAREWELL_S):
                await self._try("leave", self.name)

    async def _try(self, method: str, *arguments: Any) -> Any:
        """What the ledger says; None while there is none."""
        try:
            return await self._ask(method, *arguments)
        except ConnectionError:
            return None

    def _report(self) -> Report:
        return Report(
            holder=self.name,
            door=self.door,
            generation=self._generation,
            limit=self._limits.sessions,
            queue=self._limits.queue,
            each=self._each,
            taken=self.taken,
            closed=self._closed,
        )
