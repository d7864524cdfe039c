"""One connection to the local Live API, from its setup to its end."""

from __future__ import annotations

from typing import TypeVar, cast

import anyio
from websockets.exceptions import ConnectionClosed

from processors.live_api.messages import (
    Int64String,
    ServerMessage,
    SessionResumptionUpdate,
    Setup,
    SetupComplete,
)
from processors.local_live_api.answering import Answerer
from processors.local_live_api.endpoint import Endpoint
from processors.local_live_api.entrance import enter
from processors.local_live_api.faults import FaultPlan
from processors.local_live_api.faulty_socket import FaultySocket
from processors.local_live_api.floor import Floor
from processors.local_live_api.generation import EndConnectionError
from processors.local_live_api.lifetime import Lifetime
from processors.local_live_api.listener import Listener
from processors.local_live_api.memory import Session
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.service import Service, log
from processors.local_live_api.steps import CUT
from processors.local_live_api.wire import decode_client, encode_server

ErrorT = TypeVar("ErrorT", bound=Exception)


async def converse(
    socket: FaultySocket, service: Service, endpoint: Endpoint, plan: FaultPlan
) -> None:
    """Listen and answer until the client leaves, is refused, or the connection is too old."""
    try:
        async with enter(socket, service, endpoint, plan) as (setup, session):
            await _Connection(socket, service, setup, session).run()
    except* RefusedError as group:
        refusal = _first(group, RefusedError)
        log.info("closed a connection: %d %s", refusal.code, refusal.reason)
        await socket.close(refusal.code, refusal.reason)
    except* EndConnectionError as group:
        close = _first(group, EndConnectionError).close
        if close.code == CUT:
            socket.abort()
        else:
            await socket.close(close.code, close.reason)
    except* ConnectionClosed:
        pass


class _Connection:
    """One side listens and one answers; a clock ends both."""

    def __init__(
        self, socket: FaultySocket, service: Service, setup: Setup, session: Session
    ) -> None:
        self._socket = socket
        self._switches = service.switches
        self._setup = setup
        self._session = session
        resumption = setup.session_resumption
        self._resumable = resumption is not None
        self._transparent = bool(resumption and resumption.transparent)
        self._received = 0
        """Client messages on this connection, the setup not counted."""
        self._floor = Floor(session.memory)
        self._lifetime = Lifetime(service.switches, session.backend, self._send)
        self._listener = Listener(setup, session, service, self._floor)
        self._answerer = Answerer(
            setup,
            session,
            service,
            self._floor,
            self._send,
            go_away=self._lifetime.bring_forward,
            update=self._send_update,
        )

    async def run(self) -> None:
        vertex = self._session.backend == "vertex"
        complete = SetupComplete(session_id=self._session.id if vertex else "")
        await self._send(ServerMessage(setup_complete=complete))
        await self._send_update()
        async with anyio.create_task_group() as group:
            group.start_soon(self._lifetime.run)
            group.start_soon(self._answerer.run)
            group.start_soon(self._make_way)
            await self._listen()
            group.cancel_scope.cancel()

    async def _listen(self) -> None:
        session = self._session
        try:
            while True:
                message = decode_client(await self._socket.recv())
                signals = self._listener.received(message)
                self._received += 1
                session.memory.messages += 1
                if session.journal is not None:
                    session.journal.append(message)
                for signal in signals:
                    await self._send(signal)
                if self._transparent and not self._received % self._switches.update_every:
                    await self._send_update()
        except ConnectionClosed:
            pass

    async def _make_way(self) -> None:
        """For another connection that wants to go on with the session."""
        await self._session.replaced.wait()
        raise RefusedError("The operation was cancelled.", 1000)

    async def _send_update(self) -> None:
        """A handle for the state as it is, if the client asked for handles and nothing is due."""
        if not self._resumable or self._floor.due:
            return
        count = self._received if self._transparent else 0
        snapshot = self._transparent or self._switches.handles == "snapshot"
        update = SessionResumptionUpdate(
            new_handle=self._session.new_handle(snapshot),
            resumable=True,
            last_consumed_client_message_index=Int64String(count) if count else 0,
        )
        await self._send(ServerMessage(session_resumption_update=update))

    async def _send(self, message: ServerMessage) -> None:
        await self._socket.send(encode_server(message, self._switches))


def _first(group: BaseExceptionGroup[ErrorT], kind: type[ErrorT]) -> ErrorT:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return cast(ErrorT, error)
