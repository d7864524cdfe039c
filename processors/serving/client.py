"""A client for programs: tests, load generators, telephone bridges.

    async with connect("ws://127.0.0.1:8000/session") as client:
        await client.speak(pcm)
        async for message in client:
            ...  # `protocol.Sound` or one of the events of `protocol`

It runs on asyncio and needs only `websockets`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Self

import anyio
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from pipeline import PipelineError
from processors.serving.protocol import (
    SUBPROTOCOL,
    ClientMessage,
    Close,
    End,
    Ended,
    Image,
    ImageType,
    Interrupted,
    Lost,
    Played,
    Refused,
    ServerEvent,
    Sound,
    Start,
    Text,
    Waiting,
    Welcome,
    decode_server,
    decode_sound,
    encode,
)

LARGEST_MESSAGE = 16 << 20
KEPT_LINES = 100
REPORT_MS = 100.0
"""How often an `Ear` says what it has heard."""


class RefusedError(PipelineError):
    """The server does not take this client; `reason` is a stable word."""

    def __init__(self, refused: Refused) -> None:
        self.reason = refused.reason
        super().__init__(f"{refused.reason}: {refused.message}")


class Client:
    """A connection to a server, as an async iterator of what it says.

    The iteration ends when the conversation is over, or the connection is gone: `ended` tells.
    welcome: what the server said first. received: the number of the last message.
    positions: the places in the queue that it was told.
    before: whose conversation it goes on with; lines that were typed there and have not arrived
    are sent again.
    """

    def __init__(self, socket: ClientConnection, before: Client | None = None) -> None:
        self.welcome = Welcome()
        self.received = 0
        self.positions: list[int] = []
        self.ended: Ended | None = None
        self._socket = socket
        self._typed: int = before._typed if before else 0
        self._lines: deque[tuple[int, str]] = deque(before._lines if before else (), KEPT_LINES)

    async def start(self, start: Start) -> None:
        """Introduce itself, and wait for a place. Raises RefusedError, ConnectionClosed."""
        self.received = start.received
        await self._send(start)
        while True:
            event = decode_server(await self._socket.recv())
            if isinstance(event, Refused):
                raise RefusedError(event)
            if isinstance(event, Waiting):
                self.positions.append(event.position)
            if isinstance(event, Welcome):
                self.welcome = event
                self._typed = max(self._typed, event.texts)
                await self._type_again(event.texts)
                return

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerEvent | Sound:
        message = None
        while message is None:  # what a later version may say is left out
            try:
                data = await self._socket.recv()
            except ConnectionClosed:
                raise StopAsyncIteration from None
            message = decode_sound(data) if isinstance(data, bytes) else decode_server(data)
        self.received = message.n or self.received
        if isinstance(message, Refused):
            raise RefusedError(message)
        if isinstance(message, Ended):
            self.ended = message
        return message

    async def speak(self, pcm: bytes) -> None:
        """Sound of the microphone: int16 PCM, mono, little-endian."""
        await self._socket.send(pcm)

    async def type(self, text: str) -> None:
        """A typed line. One that is lost with the connection is sent by who resumes: do not repeat
        it. Raises ConnectionClosed.
        """
        self._typed += 1
        self._lines.append((self._typed, text))
        await self._send(Text(text))

    async def show(self, data: bytes, mime_type: ImageType = "image/jpeg") -> None:
        """A picture."""
        await self._send(Image(data, mime_type))

    async def played(self, turn: int, ms: float, *, playing: bool) -> None:
        """What has been heard of a turn."""
        await self._send(Played(turn, ms, playing))

    async def lost(self, ms: float) -> None:
        """So much of the microphone's sound is missing before the next."""
        await self._send(Lost(ms))

    async def end(self) -> None:
        """Nothing more will be said; answers that are under way still come."""
        await self._send(End())

    async def leave(self) -> None:
        """Go, and do not come back."""
        await self._socket.close(Close.OVER)

    async def send(self, message: str | bytes) -> None:
        """Anything, as it is."""
        await self._socket.send(message)

    @property
    def close_code(self) -> int | None:
        """With which the websocket was closed, if it was."""
        return self._socket.close_code

    def drop(self) -> None:
        """Break the connection off, as a network does."""
        self._socket.transport.abort()

    async def _type_again(self, arrived: int) -> None:
        while self._lines and self._lines[0][0] <= arrived:
            self._lines.popleft()
        for _, text in self._lines:
            await self._send(Text(text))

    async def _send(self, message: ClientMessage) -> None:
        await self._socket.send(encode(message).decode())


@asynccontextmanager
async def connect(
    url: str,
    *,
    rate: int = 16_000,
    token: str = "",
    resume: Client | None = None,
    afresh: bool = False,
    origin: str | None = None,
    ssl: SSLContext | None = None,
) -> AsyncIterator[Client]:
    """A conversation, until left; leaving breaks the connection off.

    rate: of the microphone's sound, in Hz. resume: go on where this client was; `afresh` as if it
    had forgotten all that it was told. Raises RefusedError, OSError and websockets' exceptions.
    """
    start = Start(rate=rate, token=token)
    if resume is not None:
        welcome = resume.welcome
        received = 0 if afresh else resume.received
        start = Start(rate, token, welcome.session, welcome.resume, received)
    async with connect_websocket(
        url,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        origin=origin,  # type: ignore[arg-type] # it is a NewType of str
        compression=None,
        max_size=LARGEST_MESSAGE,
        max_queue=None,
        proxy=None,
        ssl=ssl,
        close_timeout=1,
    ) as socket:
        client = Client(socket, None if afresh else resume)
        try:
            await client.start(start)
            yield client
        finally:  # also where it is cancelled, which leaves no time for a farewell
            client.drop()


class Ear:
    """Plays what comes in real time, and tells the server what has been heard.

    heard: sounds, each with the time (`anyio.current_time`) at which it began to be heard.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[Sound, float]] = []
        self._queue: deque[Sound] = deque()
        self._cut: set[int] = set()
        self._changed = anyio.Event()

    def take(self, message: ServerEvent | Sound) -> None:
        """Queue sound; an interruption empties the queue."""
        if isinstance(message, Sound):
            self._queue.append(message)
        elif isinstance(message, Interrupted):
            self._cut.add(message.turn)
            self._queue = deque(s for s in self._queue if s.turn != message.turn)
        self._changed.set()

    async def play(self, client: Client) -> None:
        """Runs until cancelled, or the connection is gone."""
        reported = 0.0
        until = anyio.current_time()
        while True:
            while not self._queue:
                self._changed = anyio.Event()
                await self._changed.wait()
            sound = self._queue.popleft()
            begin = max(until, anyio.current_time())
            await anyio.sleep_until(begin)
            until = begin + sound.duration_ms / 1000
            self.heard.append((sound, begin))
            with anyio.move_on_at(until):
                await self._until_cut(sound.turn)
            end = sound.ms + min(sound.duration_ms, (anyio.current_time() - begin) * 1000)
            until = min(until, anyio.current_time())
            follows = bool(self._queue) and self._queue[0].turn == sound.turn
            if not follows or end - reported >= REPORT_MS or end < reported:
                reported = end
                try:
                    await client.played(sound.turn, end, playing=follows)
                except ConnectionClosed:
                    return

    async def _until_cut(self, turn: int) -> None:
        while turn not in self._cut:
            self._changed = anyio.Event()
            await self._changed.wait()
