"""The websocket of a client, between a real socket and an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect

pytest.importorskip("uvicorn", reason="needs the extra `serve`")

from processors.serving.limits import Limits
from processors.serving.server import listen, serving
from processors.serving.websocket import MOST_UNREAD, Websocket

LARGE, MANY = 1 << 18, 200


class Reader:
    """An application that takes messages when told to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.goes_on = anyio.Event()
        self.has_all = anyio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await self.goes_on.wait()
        while len(self.taken) < MANY:
            self.taken.append((await receive())["bytes"])
        self.has_all.set()
        await receive()


@asynccontextmanager
async def talking(reader: Reader) -> AsyncIterator[tuple[ClientConnection, Websocket]]:
    """A connection, both ends of it."""
    listener = listen("127.0.0.1", 0)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    limits = Limits(message_bytes=LARGE)
    async with serving(reader, listener, limits, lifespan="off") as server, connect(url) as client:
        (websocket,) = server.server_state.connections
        assert isinstance(websocket, Websocket)
        yield client, websocket


@pytest.fixture
def reads_stopped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each time that reading was stopped: how many messages waited."""
    stopped: list[int] = []
    original = Websocket.connection_made

    def connection_made(self: Websocket, transport: Any) -> None:
        original(self, transport)
        pause = transport.pause_reading
        monkeypatch.setattr(
            transport, "pause_reading", lambda: (stopped.append(self.queue.qsize()), pause())
        )

    monkeypatch.setattr(Websocket, "connection_made", connection_made)
    return stopped


async def test_what_is_received_as_it_comes_never_stops_the_reading(
    reads_stopped: list[int],
) -> None:
    reader = Reader()
    reader.goes_on.set()
    async with talking(reader) as (client, _):
        for number in range(MANY):
            await client.send(bytes([number]) * 640)
            while len(reader.taken) <= number:
                await anyio.lowlevel.checkpoint()
    assert reader.taken == [bytes([number]) * 640 for number in range(MANY)]
    assert not reads_stopped


async def test_of_what_is_not_received_no_more_is_read(reads_stopped: list[int]) -> None:
    reader = Reader()
    async with talking(reader) as (client, websocket), anyio.create_task_group() as group:

        async def send_all() -> None:
            for number in range(MANY):
                await client.send(bytes([number]) * LARGE)

        group.start_soon(send_all)
        while not websocket.read_paused:
            await anyio.lowlevel.checkpoint()
        assert websocket.queue.qsize() == MOST_UNREAD + 1
        reader.goes_on.set()
        await reader.has_all.wait()
    assert reader.taken == [bytes([number]) * LARGE for number in range(MANY)]
    assert set(reads_stopped) == {MOST_UNREAD + 1}
