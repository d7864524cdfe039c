"""How a client reaches a conversation that another process of the cluster has."""

from __future__ import annotations

import hmac
from contextlib import suppress

import anyio
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from processors.serving.protocol import SUBPROTOCOL, Close, Start, encode

KEY, TICKET = "x-live-pipeline-key", "x-live-pipeline-ticket"
SENT_HERE = "live_pipeline.ticket"
"""In the scope of what comes through the door: the ticket of a client that was sent here."""
OPEN_S = 5.0


class Door:
    """An application for the other processes of a cluster: for those who know the key."""

    def __init__(self, application: ASGIApp, key: str) -> None:
        self._application = application
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if hmac.compare_digest(headers.get(KEY, "").encode(), self._key.encode()):
            scope = {**scope, SENT_HERE: headers.get(TICKET, "")}
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close()
        else:
            await PlainTextResponse("for other processes only\n", 403)(scope, receive, send)


async def relay(websocket: WebSocket, start: Start, door: str, *, ticket: str, key: str) -> None:
    """Pass on what a client and another process have to say to each other, to the end.

    Raises OSError if that process cannot be reached; nothing has been passed on then.
    """
    try:
        there = await connect_websocket(
            f"ws://{door}/session",
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={KEY: key, TICKET: ticket},
            compression=None,
            max_size=None,
            open_timeout=OPEN_S,
            close_timeout=1,
            proxy=None,
        )
    except (InvalidHandshake, InvalidMessage, TimeoutError, EOFError) as error:
        raise OSError(f"no answer from {door}: {error}") from error
    try:
        with suppress(ConnectionClosed):
            await there.send(encode(start).decode())
        await _pass_on(websocket, there)
    finally:
        there.transport.abort()


async def _pass_on(websocket: WebSocket, there: ClientConnection) -> None:
    async with anyio.create_task_group() as group:

        async def forth() -> None:
            with suppress(ConnectionClosed):
                while (message := await websocket.receive())["type"] == "websocket.receive":
                    data = message.get("bytes")
                    await there.send(message["text"] if data is None else data)
                if message.get("code") == Close.OVER:  # it will not come back
                    await there.close(Close.OVER)
                group.cancel_scope.cancel()

        group.start_soon(forth)
        with suppress(WebSocketDisconnect, RuntimeError):  # the client has gone
            await _back(websocket, there)
        group.cancel_scope.cancel()


async def _back(websocket: WebSocket, there: ClientConnection) -> None:
    while True:
        try:
            data = await there.recv()
        except ConnectionClosed as closed:
            said = closed.rcvd
            code, reason = (said.code, said.reason) if said else (Close.LEAVING, "")
            await websocket.close(code, reason)
            return
        if isinstance(data, bytes):
            await websocket.send_bytes(data)
        else:
            await websocket.send_text(data)
