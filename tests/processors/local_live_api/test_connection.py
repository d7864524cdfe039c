"""Small POST requests at the port of the websocket server, however they are cut up."""

import json
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.connection import LARGEST_REQUEST
from processors.local_live_api.server import serve

BODY = b'{"uses": 3}'
HEAD = b"POST /v1beta/auth_tokens HTTP/1.1\r\nHost: x\r\nCONTENT-length: %d\r\n"
REQUEST = HEAD % len(BODY) + b"Expect: 100-continue\r\n\r\n" + BODY


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def exchange(port: int, *chunks: bytes) -> bytes:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        answer = b""
        try:
            for chunk in chunks:
                await stream.send(chunk)
                await anyio.sleep(0.01)
            async for data in stream:
                answer += data
        except anyio.BrokenResourceError:
            pass
        return answer


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 40, 1000])
async def test_a_request_may_come_in_pieces(size: int) -> None:
    pieces = [REQUEST[i : i + size] for i in range(0, len(REQUEST), size)]
    async with serve() as server:
        answer = await exchange(server.port, *pieces)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert json.loads(body)["uses"] == 3


async def test_a_websocket_may_come_in_pieces_too() -> None:
    request = (
        b"GET /ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent?key=k "
        b"HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with serve() as server, await anyio.connect_tcp("127.0.0.1", server.port) as stream:
        for byte in request:
            await stream.send(bytes([byte]))
        assert (await stream.receive()).startswith(b"HTTP/1.1 101")


async def test_another_address_is_not_found() -> None:
    async with serve() as server:
        answer = await exchange(server.port, b"POST /tokens HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404")


async def test_no_body_is_a_body() -> None:
    async with serve() as server:
        request = b"POST /v1/auth_tokens HTTP/1.1\r\nHost: x\r\n\r\n"
        assert (await exchange(server.port, request)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("request_", [HEAD % (LARGEST_REQUEST + 1) + b"\r\n", b"POST /" * 200_000])
async def test_too_large_a_request_is_cut_off(request_: bytes) -> None:
    async with serve() as server:
        assert await exchange(server.port, request_) == b""


async def test_a_request_that_never_ends_is_given_up() -> None:
    async with serve() as server:
        began = anyio.current_time()
        await exchange(server.port, REQUEST[:-1])
        assert anyio.current_time() - began == pytest.approx(10, abs=1)
        async with connect(server.url, additional_headers={"x-goog-api-key": "k"}) as socket:
            await socket.close()
