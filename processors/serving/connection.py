"""One websocket of a client: who it is, then messages both ways until it goes."""

from __future__ import annotations

from contextlib import suppress

import anyio
import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from processors.serving.door import relay
from processors.serving.limits import BURST_S, BYTES_PER_S, MESSAGES_PER_S, Allowance
from processors.serving.line import Line
from processors.serving.lobby import Lobby
from processors.serving.protocol import (
    ClientEvent,
    Close,
    End,
    Event,
    Image,
    Lost,
    Ping,
    Played,
    Pong,
    Refused,
    Start,
    Text,
    Waiting,
    decode_client,
    encode,
)
from processors.serving.refusal import ElsewhereError, RefusedError
from processors.serving.session import Session, log
from processors.serving.tokens import TokenCheck

FAREWELL_S = 2.0
MOST_PROCESSES = 4
"""So many are tried, where they cannot be reached."""
CODES = {
    "full": Close.LATER,
    "draining": Close.LATER,
    "message": Close.NOT_UNDERSTOOD,
    "start": Close.NOT_UNDERSTOOD,
    "size": Close.TOO_LARGE,
}
"""Close codes by the reason of a refusal; all others are `Close.REFUSED`."""
GONE = (WebSocketDisconnect, RuntimeError)
"""What sending raises when the client has gone; the latter is Starlette's, after a close."""


class Connection:
    """An accepted websocket.

    tokens: what the client has to know.
    ticket: of a client that another process has sent here. key: for sending one elsewhere.
    """

    def __init__(
        self,
        websocket: WebSocket,
        lobby: Lobby,
        tokens: TokenCheck,
        *,
        ticket: str | None = None,
        key: str = "",
    ) -> None:
        self._websocket = websocket
        self._lobby = lobby
        self._tokens = tokens
        self._ticket = ticket
        self._key = key
        self._session: Session | None = None
        self._closed_with: int | None = None
        self._heard_at = 0.0
        self._messages = Allowance(MESSAGES_PER_S, MESSAGES_PER_S * BURST_S)
        self._bytes = Allowance(BYTES_PER_S, BYTES_PER_S * BURST_S)

    async def introduce(self) -> Start | None:
        """The client's first message; None if it is refused, or the client gone."""
        try:
            with anyio.move_on_after(self._lobby.limits.start_s):
                start = await self._receive()
                if start is None:
                    return None
                if isinstance(start, Start):
                    client = self._websocket.client
                    self._tokens.check(start.token, client.host if client else "")
                    return start
            raise RefusedError("start")
        except RefusedError as error:
            await self._close(error.reason)
            return None

    async def turn_away(self) -> None:
        """Close it before it has introduced itself: there are too many. It may try again."""
        self._lobby.metrics.refused.labels("busy").inc()
        with anyio.move_on_after(FAREWELL_S), suppress(*GONE):
            await self._websocket.close(Close.LATER, "busy")

    async def serve(self, start: Start) -> None:
        """Talk until one side has enough; then the websocket is closed."""
        for _ in range(MOST_PROCESSES):
            elsewhere = await self._serve_here(start)
            if elsewhere is None or self._closed_with is not None:
                return
            if await self._serve_there(start, elsewhere):
                return
        await self._close("full")

    async def _serve_there(self, start: Start, elsewhere: ElsewhereError) -> bool:
        """Have the client served by another process; whether there is no more to do."""
        self._lobby.metrics.relayed.inc()
        ticket, key = elsewhere.ticket, self._key
        try:
            await relay(self._websocket, start, elsewhere.door, ticket=ticket, key=key)
        except OSError as error:
            log.warning("cannot reach the process %s: %s", elsewhere.holder, error)
            await self._lobby.places.forget(elsewhere.holder)
            return False
        return True

    async def _serve_here(self, start: Start) -> ElsewhereError | None:
        refusal: str | None = None
        with anyio.CancelScope() as scope:
            try:
                await self._serve(start, scope)
            except RefusedError as error:
                refusal = error.reason
            except ElsewhereError as error:
                return error
            finally:
                if self._session is not None:
                    self._session.detach(scope, for_good=self._closed_with == Close.OVER)
        await self._close(refusal, taken_over=scope.cancelled_caught)
        return None

    async def _close(self, refusal: str | None, *, taken_over: bool = False) -> None:
        if refusal is not None:
            self._lobby.metrics.refused.labels(refusal).inc()
        if self._closed_with is not None:
            return
        with anyio.CancelScope(shield=True), anyio.move_on_after(FAREWELL_S), suppress(*GONE):
            await self._say_goodbye(refusal, taken_over)

    async def _say_goodbye(self, refusal: str | None, taken_over: bool) -> None:
        if refusal is not None:
            await self._send(Refused(reason=refusal, message=str(RefusedError(refusal))))
            await self._websocket.close(CODES.get(refusal, Close.REFUSED), refusal)
        elif taken_over:
            await self._websocket.close(Close.TAKEN_OVER, "taken over")
        else:
            await self._websocket.close(Close.OVER)

    async def _serve(self, start: Start, scope: anyio.CancelScope) -> None:
        refusal: list[RefusedError | ElsewhereError] = []
        async with anyio.create_task_group() as group:

            async def read() -> None:
                try:
                    await self._read(scope)
                except RefusedError as error:  # raised outside, or the group would wrap it
                    refusal.append(error)
                group.cancel_scope.cancel()

            group.start_soon(read)
            try:
                await self._write(start, scope)
            except (RefusedError, ElsewhereError) as error:
                refusal.append(error)
            except GONE:
                pass
            group.cancel_scope.cancel()
        if refusal:
            raise refusal[0]

    async def _write(self, start: Start, scope: anyio.CancelScope) -> None:
        """Get a conversation, and send what it has to tell, to its end."""

        async def tell(position: int) -> None:
            await self._send(Waiting(position=position))

        resumed = bool(start.session)
        if resumed:
            session = await self._lobby.find(start, self._ticket)
        else:
            session = await self._lobby.enter(start, tell, self._ticket)
        self._session = session
        welcome = await session.attach(scope, start, resumed=resumed)
        if resumed:
            self._lobby.metrics.resumed.inc()
        await self._send(welcome)
        mailbox = session.line.mailbox
        while (message := await mailbox.next()) is not None:
            data, is_sound = message
            if is_sound:
                await self._websocket.send_bytes(data)
            else:
                await self._websocket.send_text(data.decode())
            self._lobby.metrics.sent.add(len(data))

    async def _read(self, scope: anyio.CancelScope) -> None:
        while (message := await self._receive()) is not None:
            if scope.cancel_called:
                return  # a newer connection has been told what had come up to then
            if isinstance(message, Ping):
                await self._send(Pong())
                continue
            if self._session is None:
                continue  # who waits for a place is not listened to
            line = self._session.line
            if not _is_allowed(line, message, self._heard_at):
                raise RefusedError("rate")
            match message:
                case bytes():
                    line.hear(message)
                case Text():
                    line.type(message.text)
                case Played():
                    line.heard_back(message)
                case Image():
                    line.images.put(message)
                case Lost():
                    line.lost(message.ms)
                case End():
                    line.end_input()
                case Start():
                    raise RefusedError("start")

    async def _receive(self) -> ClientEvent | bytes | None:
        """The next message; sound is bytes, None the end. Raises RefusedError."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            self._closed_with = message.get("code") or 1005
            return None
        data: bytes | str | None = message.get("bytes")
        if data is None:
            data = message["text"]
        self._lobby.metrics.received.add(len(data))
        now = self._heard_at = anyio.current_time()
        if len(data) > self._lobby.limits.message_bytes:
            raise RefusedError("size")
        if not self._messages.take(1, now) or not self._bytes.take(len(data), now):
            raise RefusedError("rate")
        if isinstance(data, bytes):
            if len(data) % 2:
                raise RefusedError("message")
            return data
        try:
            return decode_client(data)
        except msgspec.DecodeError:
            raise RefusedError("message") from None

    async def _send(self, event: Event) -> None:
        await self._websocket.send_text(encode(event).decode())


def _is_allowed(line: Line, message: ClientEvent | bytes, now: float) -> bool:
    """Whether there may be so much more of what the service counts."""
    match message:
        case bytes():
            return line.sound_allowed.take(len(message) / 2 / line.rate, now)
        case Text():
            return line.lines_allowed.take(1, now)
        case Image():
            return line.pictures_allowed.take(1, now)
        case _:
            return True
