"""The other end of the Live API for load: it counts, and answers without a thought.

It runs in a process of its own, on other cores than what is measured if there are any. In the
first eight bytes of its sound every message says when it was due, so that the server can tell how
late it is; to every second message it answers with 40 ms of sound. It speaks TLS, since the
official SDK does nothing else.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import re
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from time import perf_counter_ns
from typing import NamedTuple

import anyio
import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.harness import machine
from processors.local_live_api.certificate import certificate

DATA = re.compile(rb'"data": ?"([A-Za-z0-9+/_-]{12})')
BLOB = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(bytes(1920)).decode()}
ANSWER = json.dumps({"serverContent": {"modelTurn": {"parts": [{"inlineData": BLOB}]}}})
OVER = json.dumps({"serverContent": {"generationComplete": True, "turnComplete": True}})


class Received(NamedTuple):
    """What came in: lateness in nanoseconds, in the order of arrival."""

    lateness: list[int]
    sessions: int


def sound(due: int) -> bytes:
    """20 ms at 16 kHz that say when they were due."""
    return struct.pack("<q", due) + _REST


_REST = bytes(632)


def samples(due: int) -> np.ndarray:
    """The same, of shape (320, 1)."""
    return np.frombuffer(sound(due), np.int16).reshape(-1, 1)


def due_of(message: bytes) -> int | None:
    """When a message was due; None if there is no sound in it."""
    found = DATA.search(message)
    if found is None:
        return None
    return struct.unpack("<q", base64.b64decode(found[1].translate(_STANDARD))[:8])[0]


_STANDARD = bytes.maketrans(b"-_", b"+/")


def _serve(pipe: Connection, frames: int) -> None:
    """Serve until told; a turn is over after so many messages."""
    machine.elsewhere()
    lateness: list[int] = []
    sessions = 0

    async def handle(connection: ServerConnection) -> None:
        nonlocal sessions
        await connection.recv()
        await connection.send(json.dumps({"setupComplete": {}}))
        sessions += 1
        count = 0
        try:
            async for message in _raw(connection):
                due = due_of(message)
                if due is None:
                    continue
                lateness.append(perf_counter_ns() - due)
                count += 1
                if count % 2 == 0:
                    await connection.send(ANSWER)
                if count == frames:
                    await connection.send(OVER)
        except ConnectionClosed:
            return

    async def run() -> None:
        plain = {"compression": None, "ping_interval": None, "open_timeout": None}
        with certificate() as (context, ca_file):
            async with serve(handle, "127.0.0.1", 0, ssl=context, backlog=1024, **plain) as server:
                pipe.send((server.sockets[0].getsockname()[1], ca_file))
                await anyio.to_thread.run_sync(pipe.recv)
                pipe.send(Received(lateness, sessions))

    anyio.run(run)


async def _raw(connection: ServerConnection) -> AsyncIterator[bytes]:
    """Messages without decoding their text."""
    while True:
        yield await connection.recv(decode=False)


class LiveServer:
    """A running one, seen from here."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        port, self.ca_file = pipe.recv()
        self.address = f"127.0.0.1:{port}"

    def end(self) -> Received:
        """Stop it; what it received."""
        self._pipe.send(None)
        received: Received = self._pipe.recv()
        return received


@contextmanager
def live_server(frames: int) -> Iterator[LiveServer]:
    """Run a server for sessions of so many messages each."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, frames), daemon=True)
    process.start()
    theirs.close()
    try:
        yield LiveServer(ours)
    finally:
        process.kill()
        process.join()
