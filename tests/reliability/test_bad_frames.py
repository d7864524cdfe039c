"""What a peer can send that is no message: bombs, giants, and frames without end.

Each of the sockets of this project is tried: the client's, and those of `simulate` and `serve`.
"""

import base64
import hashlib
import json
import re
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from anyio.abc import SocketAttribute, SocketStream
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Graph, ProcessorFailure, Run, Source, TextFrame, TurnEnded
from pipeline.testing import Collect, VirtualTimeLoop
from processors.live_api.connection import LARGEST_MESSAGE, LiveApiError
from processors.live_api.messages import ClientMessage, ServerMessage, decode_server
from processors.live_api.settings import Reconnect
from processors.live_api.transport import LiveApi
from processors.local_live_api import serve
from processors.local_live_api.acts import acts_of
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.wire import decode_client

MIB = 2**20
PROTOCOL_ERROR, TOO_BIG = 1002, 1009
FIN, COMPRESSED, TEXT, CONTINUED = 0x80, 0x40, 0x01, 0x00
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n{headers}\r\n"
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def frame(first: int, payload: bytes, *, mask: bool, claims: int | None = None) -> bytes:
    """A websocket frame (RFC 6455, 5.2); a mask of zeros changes nothing."""
    length = len(payload) if claims is None else claims
    return (
        bytes([first, (0x80 if mask else 0) | 127])
        + struct.pack(">Q", length)
        + (bytes(4) if mask else b"")
        + payload
    )


def bomb() -> bytes:
    """64 MiB of zeros in 64 KiB."""
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(bytes(64 * MIB)) + deflate.flush(zlib.Z_SYNC_FLUSH)[:-4]


BOMB = bomb()
Attack = Callable[[SocketStream, bool], Any]


async def send_bomb(stream: SocketStream, mask: bool) -> None:
    await stream.send(frame(FIN | COMPRESSED | TEXT, BOMB, mask=mask))


async def claim_giant(stream: SocketStream, mask: bool) -> None:
    await stream.send(frame(FIN | TEXT, b"x" * 1000, mask=mask, claims=2**62))


async def send_without_end(stream: SocketStream, mask: bool) -> None:
    """Fragments of one message, and so much that nobody would want it."""
    first = TEXT
    for _ in range(2 * LARGEST_MESSAGE // MIB):
        await stream.send(frame(first, bytes(MIB), mask=mask))
        first = CONTINUED


ATTACKS: dict[str, tuple[Attack, int]] = {
    "decompression bomb": (send_bomb, PROTOCOL_ERROR),
    "giant frame": (claim_giant, TOO_BIG),
    "message without end": (send_without_end, TOO_BIG),
}


async def closed_with(stream: SocketStream) -> int | None:
    """The code of the close frame that comes; None where the connection just ends."""
    data = b""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            data += await stream.receive()
    found = re.search(rb"\x88[\x02-\x7d](..)", data, re.DOTALL)
    return int.from_bytes(found[1]) if found else None


async def attack(port: int, path: str, headers: str, name: str) -> int | None:
    """What a server says to it. Its memory is within bounds meanwhile."""
    strike, _ = ATTACKS[name]
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(HANDSHAKE.format(path=path, headers=headers).encode())
        answer = await stream.receive()
        assert answer.startswith(b"HTTP/1.1 101"), answer
        assert b"permessage-deflate" not in answer
        code: list[int | None] = []

        async def listen() -> None:
            code.append(await closed_with(stream))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                with suppress(anyio.BrokenResourceError):
                    await strike(stream, True)
        return code[0]


@asynccontextmanager
async def in_little_memory(most: int) -> AsyncIterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ATTACKS)
async def test_simulate_ends_the_connection_and_serves_the_next(name: str) -> None:
    path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k"
    async with serve(backend="gemini-api") as server:
        async with in_little_memory(2 * LARGEST_MESSAGE):
            assert await attack(server.port, path, "", name) in (ATTACKS[name][1], None)
        frames = await ask(server.url)
        assert any(isinstance(frame, TurnEnded) for frame in frames)


@pytest.mark.parametrize("name", ATTACKS)
async def test_serve_ends_the_connection_and_serves_the_next(name: str, tmp_path: Path) -> None:
    for package in ("starlette", "uvicorn", "prometheus_client"):
        pytest.importorskip(package, reason="needs the extra `serve`")
    from processors.serving.application import Application
    from processors.serving.binding import Offer
    from processors.serving.protocol import SUBPROTOCOL
    from processors.serving.server import listen, serving

    config = tmp_path / "talk.yaml"
    config.write_text(
        "processors:\n  typed: {use: text_source, lines: [Hello]}\n  gemini: {use: live_api}\n"
        "  words: {use: transcription_sink, path: words.txt}\nflow: [typed -> gemini -> words]\n"
    )
    application = Application(Offer(config, {"typed": "keyboard"}, tmp_path), loopback=True)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    headers = f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nOrigin: http://127.0.0.1\r\n"
    async with serving(application, listener, application.lobby.limits):
        async with in_little_memory(30 * MIB):
            code = await attack(port, "/session", headers, name)
            assert code in (ATTACKS[name][1], None)
        assert await attack(port, "/session", headers, "giant frame") in (TOO_BIG, None)


# --- the client ---


class Question(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        yield TextFrame("Hello")


async def ask(url: str) -> list[Any]:
    output = Collect()
    live = LiveApi("local", url=url, reconnect=Reconnect(for_s=0), patience_s=5)
    graph = Graph({"user": Question(), "live": live, "out": output}, ["user -> live -> out"])
    with anyio.fail_after(20):
        await Run(graph).execute()
    return output.frames


@asynccontextmanager
async def hostile_service(strike: Attack) -> AsyncIterator[str]:
    """Takes a websocket's handshake and a frame, and does that; with headers of its own."""

    async def answer(stream: SocketStream) -> None:
        async with stream:
            asked = await stream.receive()
            found = re.search(rb"(?i)sec-websocket-key: *(\S+)", asked)
            assert found is not None
            accept = base64.b64encode(hashlib.sha1(found[1] + GUID).digest()).decode()
            await stream.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n" % accept.encode()
            )
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                await stream.receive()
                await strike(stream, False)
                while True:
                    await stream.receive()

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, answer)
        yield f"ws://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/ws"
        group.cancel_scope.cancel()


@pytest.mark.parametrize("name", ATTACKS)
async def test_the_client_ends_with_an_error_in_little_memory(name: str) -> None:
    async with hostile_service(ATTACKS[name][0]) as url, in_little_memory(2 * LARGEST_MESSAGE):
        with pytest.raises(ProcessorFailure) as raised:
            await ask(url)
    assert isinstance(raised.value.__cause__, LiveApiError)
    assert len(str(raised.value)) < 500


# --- the decoders ---

KEYS = st.sampled_from(
    [
        *("setup", "clientContent", "realtimeInput", "realtime_input", "toolResponse", "audio"),
        *("serverContent", "toolCall", "data", "mimeType", "turns", "parts", "text", "id", "name"),
        *("functionResponses", "response", "tools", "model", "generationConfig", "modelTurn"),
        *("inlineData", "usageMetadata", "totalTokenCount", "goAway", "timeLeft", "args"),
    ]
)
TEXTS = st.text(max_size=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
FRAMES = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())


@given(data=FRAMES)
@settings(max_examples=150)
def test_any_frame_is_a_message_or_refused(data: bytes) -> None:
    for content in (data, data.decode(errors="surrogateescape")):
        with suppress(msgspec.DecodeError):
            assert isinstance(decode_server(content), ServerMessage)
        with suppress(RefusedError):
            assert isinstance(decode_client(content), ClientMessage)
        assert isinstance(acts_of(content), list)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * MIB,
        b'{"a":' * MIB,
        b'{"setup":' * MIB,
        b"9" * MIB,
        b'{"usageMetadata":{"totalTokenCount":"' + b"9" * MIB + b'"}}',
        b'{"setup":{"generationConfig":{"temperature":1e999}}}',
        b'{"setup":{"tools":[{"functionDeclarations":[{"name":"x","parameters":'
        + b'{"properties":{"a":' * 400
        + b"{}"
        + b"}}" * 400
        + b"}]}]}}",
        b'{"clientContent":{"turns":' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"toolCall":{"functionCalls":[{"args":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]}}",
        b'"' + b"\\ud800" * 1000 + b'"',
    ],
    ids=lambda data: f"{data[:24]!r} {len(data)}",
)
def test_a_bomb_is_a_message_or_refused_in_a_sentence(data: bytes) -> None:
    for decode in (decode_server, decode_client, acts_of):
        try:
            decode(data)
        except (msgspec.DecodeError, RefusedError) as error:
            assert len(str(error)) < 300
