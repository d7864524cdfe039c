"""A server's websocket that misbehaves as a plan says."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import anyio
from anyio import BrokenResourceError, ClosedResourceError, WouldBlock
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.typing import Data

from processors.local_live_api.fault_kinds import Close, Cut, LatePongs, Silence, SlowReads
from processors.local_live_api.faults import Action, FaultPlan, Send, Wait

MOST_PINGS = 64
"""Pings that wait for a late answer; more are not answered."""


class LatePing(NamedTuple):
    """A ping, and when by the clock of the event loop it is to be answered."""

    due: float
    data: bytes


class _Spell(NamedTuple):
    """A delay that holds until some time of the event loop."""

    delay: float = 0.0
    until: float = -math.inf

    @classmethod
    def of(cls, fault: SlowReads | LatePongs) -> _Spell:
        lasts = math.inf if fault.for_s is None else fault.for_s
        return cls(fault.delay_ms / 1000, anyio.current_time() + lasts)

    @property
    def now(self) -> float:
        """The delay in seconds that holds at present."""
        return self.delay if self.delay and anyio.current_time() < self.until else 0.0


@asynccontextmanager
async def faulty_socket(socket: ServerConnection, plan: FaultPlan) -> AsyncIterator[FaultySocket]:
    """Put a plan into effect for as long as it is entered.

    Enter it as soon as the connection is open: the times of the plan count from here. What the
    body raises comes out in an exception group.
    """
    late, pings = anyio.create_memory_object_stream[LatePing](MOST_PINGS)
    with late, pings:
        async with anyio.create_task_group() as group:
            faulty = FaultySocket(socket, plan, group, late)
            group.start_soon(faulty.answer_late, pings)
            await faulty.open()
            yield faulty
            group.cancel_scope.cancel()


class FaultySocket:
    """What a conversation uses of a `ServerConnection`, with the faults of a plan.

    Raises what that raises. While it is silent or delays a message, `send` waits, and a send that
    is cancelled has sent nothing; so an interruption does not let out what it withdrew.
    """

    def __init__(
        self,
        socket: ServerConnection,
        plan: FaultPlan,
        group: TaskGroup,
        late_pings: MemoryObjectSendStream[LatePing],
    ) -> None:
        self._socket, self._plan, self._group = socket, plan, group
        self._late_pings = late_pings
        self._sending = anyio.Lock()
        self._sends_text = False
        self._silent_until = -math.inf
        self._reads = self._pongs = _Spell()

    async def open(self) -> None:
        """Do what is due at the opening, and start the clock of the rest."""
        self._group.start_soon(self._strike_in_time, anyio.current_time())
        await self._strike(self._plan.reached(0.0))

    # --- as of a ServerConnection ---

    async def recv(self) -> Data:
        if delay := self._reads.now:
            await anyio.sleep(delay)
        data = await self._socket.recv()
        if actions := self._plan.received():
            await self._strike(actions)
        return data

    async def __aiter__(self) -> AsyncIterator[Data]:
        with suppress(ConnectionClosedOK):
            while True:
                yield await self.recv()

    async def send(self, message: Data) -> None:
        self._sends_text = isinstance(message, str)
        data = message.encode() if isinstance(message, str) else bytes(message)
        async with self._sending:
            await self._end_of_silence()
            for action in self._plan.sending(data):
                await self._do(action)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code, reason)

    async def wait_closed(self) -> None:
        await self._socket.wait_closed()

    def abort(self) -> None:
        """Reset the TCP connection."""
        self._socket.transport.abort()

    @property
    def close_code(self) -> int | None:
        return self._socket.close_code

    @property
    def close_reason(self) -> str | None:
        return self._socket.close_reason

    @property
    def request(self) -> Request | None:
        return self._socket.request

    # --- what the plan says ---

    async def _strike_in_time(self, opened: float) -> None:
        for moment in self._plan.moments:
            await anyio.sleep_until(opened + moment)
            await self._strike(self._plan.reached(moment))

    async def _strike(self, actions: Sequence[Action]) -> None:
        """Do what is not bound to a message. What is to be sent waits its turn elsewhere, lest a
        silence keep the clock or the reader waiting."""
        extra = [action for action in actions if isinstance(action, Send)]
        if extra:
            self._group.start_soon(self._send_extra, extra)
        for action in actions:
            if not isinstance(action, Send):
                await self._do(action)

    async def _send_extra(self, messages: Sequence[Send]) -> None:
        with suppress(ConnectionClosed):
            async with self._sending:
                for message in messages:
                    await self._do(message)

    async def _do(self, action: Action) -> None:
        match action:
            case Send(data=data):
                await self._end_of_silence()
                await self._socket.send(data.decode(errors="replace") if self._sends_text else data)
            case Wait(seconds=seconds):
                await anyio.sleep(seconds)
            case Cut():
                self.abort()
                await self._socket.wait_closed()
            case Close(code=code, reason=reason):
                await self._socket.close(code, reason)
            case Silence(for_s=seconds):
                until = anyio.current_time() + seconds
                self._silent_until = max(self._silent_until, until)
            case SlowReads():
                self._reads = _Spell.of(action)
            case LatePongs():
                if self._pongs.until == -math.inf:
                    self._take_over_pings()
                self._pongs = _Spell.of(action)

    async def _end_of_silence(self) -> None:
        while anyio.current_time() < self._silent_until:  # noqa: ASYNC110 it may become longer
            await anyio.sleep_until(self._silent_until)

    # --- pongs ---

    def _take_over_pings(self) -> None:
        """Put pings aside: the protocol itself answers each as soon as it reads it."""
        protocol = self._socket.protocol
        receive = protocol.recv_frame

        def receive_frame(frame: Frame) -> None:
            if frame.opcode is not Opcode.PING or not (delay := self._pongs.now):
                receive(frame)
                return
            with suppress(WouldBlock, BrokenResourceError, ClosedResourceError):
                due = anyio.current_time() + delay
                self._late_pings.send_nowait(LatePing(due, bytes(frame.data)))

        protocol.recv_frame = receive_frame  # type: ignore[method-assign]

    async def answer_late(self, pings: MemoryObjectReceiveStream[LatePing]) -> None:
        """Answer the pings that were put aside, each when it is due."""
        with suppress(ConnectionClosed):
            async for ping in pings:
                await anyio.sleep_until(ping.due)
                await self._socket.pong(ping.data)
