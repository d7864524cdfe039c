"""Every fault as a client sees it, over loopback: `FaultySocket` around a server that echoes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.fault_kinds import (
    AnyFault,
    Close,
    Cut,
    Delay,
    Duplicate,
    EmptyFrames,
    LateAudio,
    LatePongs,
    Malform,
    PhantomInterrupted,
    RefuseResumes,
    Silence,
    SlowReads,
    Truncate,
    UnknownFields,
)
from processors.local_live_api.faults import Faults
from processors.local_live_api.faulty_socket import FaultySocket, faulty_socket

CALM = b'{"serverContent": {"turnComplete": true}}'
INTERRUPTED = b'{"serverContent": {"interrupted": true}}'


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Server:
    """Sends back what it receives, as bytes; says on which codes its connections ended."""

    def __init__(self) -> None:
        self.port = 0
        self.received = 0
        self.ends: list[tuple[int | None, str | None]] = []

    async def echo(self, socket: FaultySocket) -> None:
        async for data in socket:
            self.received += 1
            await socket.send(data.encode() if isinstance(data, str) else data)

    async def connect(self, **options: Any) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}"
        return await connect(url, proxy=None, ping_interval=None, compression=None, **options)


@asynccontextmanager
async def serving(*faults: AnyFault, **options: Any) -> AsyncIterator[Server]:
    server, behaviour = Server(), Faults(faults)

    async def handle(connection: ServerConnection) -> None:
        async with faulty_socket(connection, behaviour.plan()) as socket:
            try:
                await server.echo(socket)
            except ConnectionClosed:
                pass
            finally:
                server.ends.append((socket.close_code, socket.close_reason))

    async with serve(handle, "127.0.0.1", 0, compression=None, **options) as running:
        server.port = next(iter(running.sockets)).getsockname()[1]
        yield server


async def echoes(socket: ClientConnection, count: int, data: bytes = CALM) -> int:
    """How many of so many messages come back before the connection ends."""
    for done in range(count):
        try:
            await socket.send(data)
            assert await socket.recv() == data
        except ConnectionClosed:
            return done
    return count


async def waited(socket: ClientConnection) -> tuple[float, bytes | str]:
    """The next message, and how long it took to come."""
    began = anyio.current_time()
    data = await socket.recv()
    return anyio.current_time() - began, data


async def test_without_faults_it_is_as_any_other() -> None:
    async with serving() as server, await server.connect() as socket:
        assert await echoes(socket, 20) == 20
        assert await (await socket.ping()) < 1
        await socket.close(1000, "bye")
    assert server.ends == [(1000, "bye")]


async def test_a_cut_is_a_connection_without_a_close_frame() -> None:
    async with serving(Cut(after_received=4)) as server, await server.connect() as socket:
        assert await echoes(socket, 9) == 3
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1006, "")
    assert server.ends == [(1006, "")]


async def test_a_cut_at_a_time_needs_no_messages() -> None:
    async with serving(Cut(at_s=30)) as server, await server.connect() as socket:
        began = anyio.current_time()
        with pytest.raises(ConnectionClosedError, match="no close frame"):
            await socket.recv()
        assert anyio.current_time() - began == pytest.approx(30)


async def test_a_cut_at_the_opening() -> None:
    async with (
        serving(Cut(connections=(2,))) as server,
        await server.connect() as first,
        await server.connect() as second,
    ):
        assert await echoes(second, 1) == 0
        assert await echoes(first, 5) == 5


@pytest.mark.parametrize("when", [{"at_s": 12}, {"after_sent": 2}, {"after_received": 3}])
async def test_a_close_has_its_code_and_reason(when: dict[str, Any]) -> None:
    fault = Close(1008, "The operation was aborted.", **when)
    async with serving(fault) as server, await server.connect() as socket:
        assert await echoes(socket, 2) == 2
        with suppress(ConnectionClosed):
            await socket.send(CALM)
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1008, "The operation was aborted.")
    assert server.ends == [(1008, "The operation was aborted.")]


async def test_what_is_due_in_a_silence_comes_after_it() -> None:
    async with serving(Silence(5, after_sent=2)) as server, await server.connect() as socket:
        assert await echoes(socket, 2) == 2
        for number in range(3):
            await socket.send(b"%d" % number)
        took, first = await waited(socket)
        assert took == pytest.approx(5)
        assert [first, await socket.recv(), await socket.recv()] == [b"0", b"1", b"2"]
        assert await (await socket.ping()) < 1


async def test_a_silence_does_not_hold_up_the_clock() -> None:
    faults = (Silence(60, at_s=1), PhantomInterrupted(at_s=2), Close(at_s=4))
    async with serving(*faults) as server, await server.connect() as socket:
        began = anyio.current_time()
        await anyio.sleep(1.5)
        await socket.send(CALM)
        await socket.wait_closed()
        assert anyio.current_time() - began == pytest.approx(4)
        assert socket.close_code == 1011


async def test_a_send_that_is_cancelled_in_a_silence_has_sent_nothing() -> None:
    async def speak(socket: FaultySocket) -> None:
        with anyio.move_on_after(1):
            await socket.send(b"withdrawn")
        await socket.send(b"said")
        await socket.wait_closed()

    async with serving(Silence(5)) as server:
        server.echo = speak  # type: ignore[method-assign]
        async with await server.connect() as socket:
            took, data = await waited(socket)
            assert data == b"said"
            assert took == pytest.approx(5)


async def test_slow_reads_reach_the_client_as_back_pressure() -> None:
    async with (
        serving(SlowReads(50), max_queue=4) as server,
        await server.connect(write_limit=1024) as socket,
        anyio.create_task_group() as group,
    ):
        began = anyio.current_time()
        assert await echoes(socket, 1) == 1
        assert anyio.current_time() - began == pytest.approx(0.05)
        group.start_soon(drop_all, socket)
        for _ in range(60):
            await socket.send(b" " * 500_000)
        assert anyio.current_time() - began > 1, "sending had to wait"
        assert 60 - server.received < 40
        group.cancel_scope.cancel()


async def drop_all(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


async def test_slow_reads_end_in_time() -> None:
    async with serving(SlowReads(1000, for_s=3)) as server, await server.connect() as socket:
        times = []
        for _ in range(6):
            began = anyio.current_time()
            assert await echoes(socket, 1) == 1
            times.append(anyio.current_time() - began)
        assert times[:3] == pytest.approx([1, 1, 1])
        assert times[4:] == pytest.approx([0, 0], abs=1e-3)


async def test_late_pongs_and_messages_in_time() -> None:
    async with serving(LatePongs(9000, for_s=20)) as server, await server.connect() as socket:
        first = await socket.ping()
        await anyio.sleep(1)
        second = await socket.ping()
        began = anyio.current_time()
        assert await echoes(socket, 5) == 5
        assert anyio.current_time() - began < 1
        assert await first == pytest.approx(9)
        assert await second == pytest.approx(9)
        await anyio.sleep(15)
        assert await (await socket.ping()) < 1


async def test_a_client_with_a_short_keepalive_leaves_for_late_pongs() -> None:
    async with serving(LatePongs(9000)) as server:
        url = f"ws://127.0.0.1:{server.port}"
        async with connect(url, proxy=None, ping_interval=2, ping_timeout=5) as socket:
            with pytest.raises(ConnectionClosedError, match="keepalive ping timeout"):
                await socket.recv()


async def test_a_flood_of_pings_is_not_kept() -> None:
    async with serving(LatePongs(9000)) as server, await server.connect() as socket:
        answers = [await socket.ping() for _ in range(500)]
        await anyio.sleep(10)
        assert 0 < sum(answer.done() for answer in answers) < 100  # type: ignore[attr-defined]
        assert await echoes(socket, 1) == 1


async def test_a_duplicate() -> None:
    async with serving(Duplicate(every=2)) as server, await server.connect() as socket:
        for data in (b"1", b"2", b"3"):
            await socket.send(data)
        assert [await socket.recv() for _ in range(4)] == [b"1", b"2", b"2", b"3"]


async def test_a_delay_keeps_the_order() -> None:
    fault = Delay(300, after_sent=1)
    async with serving(fault) as server, await server.connect() as socket:
        for data in (b"1", b"2", b"3"):
            await socket.send(data)
        waits = [await waited(socket) for _ in range(3)]
        assert [data for _, data in waits] == [b"1", b"2", b"3"]
        assert [took for took, _ in waits] == pytest.approx([0, 0.3, 0], abs=1e-3)


@pytest.mark.parametrize("fault", [Truncate(), Malform(), Malform("not_utf8")])
async def test_messages_that_are_no_json(fault: AnyFault) -> None:
    async with serving(fault) as server, await server.connect() as socket:
        await socket.send(CALM)
        data = await socket.recv()
        assert isinstance(data, bytes)
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|can't decode"):
            json.loads(data)


async def test_messages_that_are_json_but_strange() -> None:
    faults = (Malform("wrong_types", after_sent=1), UnknownFields(after_sent=2))
    async with serving(*faults) as server, await server.connect() as socket:
        assert await echoes(socket, 1) == 1
        await socket.send(CALM)
        assert json.loads(await socket.recv()) == {"serverContent": 0}
        await socket.send(CALM)
        assert json.loads(await socket.recv())["serverContent"]["turnComplete"] is True


async def test_frames_that_nobody_asked_for() -> None:
    faults = (EmptyFrames(at_s=1), PhantomInterrupted(at_s=2))
    async with serving(*faults) as server, await server.connect() as socket:
        assert [await socket.recv(), await socket.recv()] == [b"", b"{}"]
        took, data = await waited(socket)
        assert took == pytest.approx(1)
        assert json.loads(data) == {"serverContent": {"interrupted": True}}
        assert await echoes(socket, 3) == 3


async def test_audio_that_comes_too_late() -> None:
    blob = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA"}}
    audio = json.dumps({"serverContent": {"modelTurn": {"parts": [blob]}}}).encode()
    async with serving(LateAudio(5)) as server, await server.connect() as socket:
        assert await echoes(socket, 3, audio) == 3
        assert await echoes(socket, 1, INTERRUPTED) == 1
        assert [await socket.recv() for _ in range(3)] == [audio] * 3
        assert await echoes(socket, 2) == 2


async def test_a_server_of_text_frames_stays_one() -> None:
    async def speak(socket: FaultySocket) -> None:
        await socket.send(CALM.decode())
        await socket.wait_closed()

    async with serving(Malform("not_utf8"), EmptyFrames(at_s=1)) as server:
        server.echo = speak  # type: ignore[method-assign]
        async with await server.connect() as socket:
            assert await socket.recv() == "\ufffd" + CALM.decode()
            assert [await socket.recv(), await socket.recv()] == ["", "{}"]


async def test_refused_resumes_are_the_servers_affair() -> None:
    async with serving(RefuseResumes()) as server, await server.connect() as socket:
        assert await echoes(socket, 3) == 3


async def test_leaving_ends_what_was_planned() -> None:
    faults = (Silence(1000, at_s=1), EmptyFrames(at_s=2), Cut(at_s=500), LatePongs(9000))
    async with serving(*faults) as server:
        began = anyio.current_time()
        async with await server.connect() as socket:
            await anyio.sleep(3)
            await socket.ping()
        assert anyio.current_time() - began < 30
    assert server.ends == [(1000, "")]
