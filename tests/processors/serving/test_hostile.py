"""Clients that mean harm, or know no better, over real sockets: all others go on."""

import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream, TaskStatus
from serving_bench import Served, served, silence, talking
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from processors.serving.client import RefusedError, connect
from processors.serving.protocol import SUBPROTOCOL, Start, Text, encode

PROTOCOLS: Any = [SUBPROTOCOL]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """Nobody can fill the log with tracebacks."""
    yield
    assert [record for record in caplog.records if record.exc_info] == []


@asynccontextmanager
async def wire(server: Served) -> AsyncIterator[SocketStream]:
    port = int(server.http.rpartition(":")[2])
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        yield stream


async def until_closed(stream: SocketStream) -> bytes:
    said = b""
    try:
        while True:
            said += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return said


async def asks(server: Served, request: bytes) -> tuple[int, bytes]:
    """The status, and all that is answered."""
    async with wire(server) as stream:
        await stream.send(request)
        said = await until_closed(stream)
    return int(said.split()[1]), said


def get(path: bytes, *headers: bytes) -> bytes:
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", b""])


async def works(server: Served) -> None:
    """Somebody else can talk."""
    async with talking(server.url) as talk:
        await talk.client.type("Hello.")
        await talk.until(lambda: "ended" in talk.turns)
        await talk.client.leave()


# --- before there is a websocket ---


@pytest.mark.parametrize("dribble", [b"", b"GET / HTTP/1.1\r\nX: ", b"GET /session HTTP/1.1\r\n"])
async def test_who_does_not_ask_for_anything_is_not_waited_for(
    tmp_path: Path, dribble: bytes
) -> None:
    async with served(tmp_path) as server, wire(server) as stream:
        began = anyio.current_time()
        async with anyio.create_task_group() as group:

            async def slowly() -> None:
                await stream.send(dribble)
                while True:
                    await anyio.sleep(1)
                    await stream.send(b"x")

            if dribble:
                group.start_soon(slowly)
            await until_closed(stream)
            group.cancel_scope.cancel()
        assert anyio.current_time() - began == pytest.approx(20, abs=2)


async def test_who_has_asked_once_is_not_waited_for_either(tmp_path: Path) -> None:
    async with served(tmp_path) as server, wire(server) as stream:
        await stream.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"ok" in await stream.receive()
        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            await stream.send(b"GET / HTTP/1.1\r\nX: ")

            async def slowly() -> None:
                while True:
                    await anyio.sleep(1)
                    await stream.send(b"x")

            group.start_soon(slowly)
            await until_closed(stream)
            group.cancel_scope.cancel()
        assert anyio.current_time() - began < 25


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00"])
async def test_who_does_not_end_a_handshake_is_not_waited_for(tmp_path: Path, hello: bytes) -> None:
    trustme = pytest.importorskip("trustme", reason="needs the extra `simulate`")
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    async with (
        served(tmp_path, cert=str(tmp_path / "server.pem")) as server,
        wire(server) as stream,
    ):
        began = anyio.current_time()
        if hello:
            await stream.send(hello)
        await until_closed(stream)
        assert anyio.current_time() - began == pytest.approx(10, abs=1)


async def test_a_thousand_that_never_ask_keep_nobody_out(tmp_path: Path) -> None:
    async with served(tmp_path) as server, anyio.create_task_group() as group:
        for _ in range(1000):
            await group.start(_sit, server)
        await works(server)
        assert len(server.connections) < 300
        group.cancel_scope.cancel()


async def _sit(server: Served, *, task_status: TaskStatus[None]) -> None:
    async with wire(server) as stream:
        task_status.started()
        await until_closed(stream)


async def test_a_thousand_that_never_say_hello_keep_nobody_out(tmp_path: Path) -> None:
    async with served(tmp_path) as server, anyio.create_task_group() as group:
        for _ in range(1000):
            await group.start(_say_nothing, server)
        await works(server)
        assert len(server.connections) < 300
        await anyio.sleep(30)
        assert not server.connections
        group.cancel_scope.cancel()


async def _say_nothing(server: Served, *, task_status: TaskStatus[None]) -> None:
    with suppress(ConnectionClosed):
        async with websocket(server) as socket:
            task_status.started()
            await socket.recv()
            await socket.recv()


@asynccontextmanager
async def websocket(server: Served, start: Start | None = None) -> AsyncIterator[ClientConnection]:
    async with connect_websocket(
        server.url, subprotocols=PROTOCOLS, proxy=None, ping_interval=None, close_timeout=1
    ) as socket:
        if start is not None:
            await socket.send(encode(start).decode())
            assert json.loads(await socket.recv())["type"] == "welcome"
        yield socket


async def test_headers_without_end_are_cut_off(tmp_path: Path) -> None:
    async with served(tmp_path) as server, wire(server) as stream:
        sent = 0
        await stream.send(b"GET / HTTP/1.1\r\n")
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):  # noqa: PT012
            while True:
                await stream.send(b"X: " + b"y" * 1000 + b"\r\n")
                sent += 1000
                assert sent < 10_000_000


@pytest.mark.parametrize(
    "path",
    [
        b"/../application.py",
        b"/..%2fapplication.py",
        b"/%2e%2e/application.py",
        b"/%2e%2e%2fapplication.py",
        b"/..\\application.py",
        b"//etc/passwd",
        b"/./../../../../../../etc/passwd",
        b"/page.js%00.css",
        b"/" + b"a" * 5000,
        b"/%ff%fe",
    ],
)
async def test_nothing_but_the_page_is_served(tmp_path: Path, path: bytes) -> None:
    async with served(tmp_path) as server:
        status, said = await asks(server, get(path))
    assert status in (400, 404), said[:200]
    assert b"import" not in said
    assert b"root:" not in said


async def test_what_is_asked_for_is_not_put_into_headers(tmp_path: Path) -> None:
    async with served(tmp_path, origins=["https://a.example"]) as server:
        for request in (
            get(b"/%0d%0aSet-Cookie:%20a=b"),
            get(b"/?%0d%0aSet-Cookie:%20a=b"),
            get(b"/", b"Origin: https://b.example"),
            get(b"/").replace(b"localhost", b"evil.example;script-src *"),
            get(b"/").replace(b"localhost", b"evil.example script-src"),
        ):
            _, said = await asks(server, request)
            head = said.partition(b"\r\n\r\n")[0].lower()
            assert b"set-cookie" not in head
            assert b"b.example" not in head
            assert b"script-src *" not in head
            assert b"evil.example" not in head


@pytest.mark.parametrize("origin", [b"http://[", b"null", b"\xff", b"http://localhost@evil", b":"])
async def test_odd_origins_are_refused(tmp_path: Path, origin: bytes) -> None:
    async with served(tmp_path) as server:
        assert (await asks(server, _handshake(b"Origin: " + origin)))[0] == 403


@pytest.mark.parametrize("host", [b"[", b"[::1", b"localhost.evil", b"evil:80", b"", b"\xff"])
async def test_odd_hosts_are_refused(tmp_path: Path, host: bytes) -> None:
    async with served(tmp_path) as server:
        request = _handshake().replace(b"Host: localhost", b"Host: " + host)
        assert (await asks(server, request))[0] in (400, 403)


def _handshake(*headers: bytes) -> bytes:
    request = get(
        b"/session",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        b"Sec-WebSocket-Protocol: " + SUBPROTOCOL.encode(),
        *headers,
    )
    return request.replace(b"Connection: close", b"Connection: Upgrade")


async def test_the_page_allows_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        status, said = await asks(server, get(b"/"))
    assert status == 200
    head = {
        name.lower(): value
        for name, _, value in (
            line.partition(": ") for line in said.decode().partition("\r\n\r\n")[0].split("\r\n")
        )
    }
    policy = dict(part.strip().split(" ", 1) for part in head["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://localhost wss://localhost"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert head["x-content-type-options"] == "nosniff"
    assert head["x-frame-options"] == "DENY"
    assert head["cross-origin-opener-policy"] == "same-origin"
    assert head["referrer-policy"] == "no-referrer"
    assert "server" not in head


# --- over a websocket ---

DEEP = '{"type": "text", "text": "a", "more": ' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    "message",
    [
        DEEP,
        '{"type": "start", "token": "\\ud800"}',
        '{"type": "text", "text": "\\ud800"}',
        '{"type": "played", "turn": 1, "ms": 1e999}',
        '{"type": "played", "turn": 1, "ms": 1e300}',
        '{"type": "played", "turn": 1, "ms": -1}',
        '{"type": "played", "turn": 99999999999999999999, "ms": 1}',
        '{"type": "lost", "ms": 1e300}',
        '{"type": "image", "data": "AAAA", "mime_type": "text/html"}',
        '{"type": "image", "data": "!"}',
        '{"type": "text", "text": 5}',
        '{"type": "nothing"}',
        "[]",
        "null",
        "",
        b"\0",
    ],
)
async def test_malformed_messages_end_their_own_connection_only(
    tmp_path: Path, message: str | bytes
) -> None:
    async with served(tmp_path) as server:
        async with websocket(server, Start()) as socket:
            await socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
                while True:
                    await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code in (1002, 1008)
        await works(server)


async def test_empty_and_tiny_sounds_do_no_harm(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        for _ in range(50):
            await talk.client.speak(b"")
            await talk.client.speak(b"\0\0")
        await talk.client.type("Hello.")
        await talk.until(lambda: "ended" in talk.turns)
        await talk.client.leave()


async def test_a_great_piece_of_sound_is_taken_in_small_ones(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        await talk.client.speak(silence(20))
        await talk.client.type("Hello.")
        await talk.until(lambda: "ended" in talk.turns)
        [session] = server.lobby._sessions.values()
        assert session.line.captured_ms == 20_000
        assert session.turns == 0
        await talk.client.leave()


async def test_sound_faster_than_it_can_be_spoken_is_refused_however_often_one_comes_back(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server:
        async with websocket(server) as socket:
            await socket.send(encode(Start()).decode())
            welcome = json.loads(await socket.recv())
            await socket.close(3000)
        back = Start(session=welcome["session"], resume=welcome["resume"])
        reasons = []
        for _ in range(10):
            async with websocket(server, back) as socket:
                [session] = server.lobby._sessions.values()
                with suppress(ConnectionClosed):
                    for _ in range(20):
                        await socket.send(silence(1))
                with anyio.move_on_after(0.1):
                    await socket.wait_closed()
                reasons.append(socket.close_reason)
                await socket.close(3000)
        assert reasons[:2] == [None, None]
        assert set(reasons[3:]) == {"rate"}
        assert 40_000 <= session.line.captured_ms < 50_000


async def test_time_that_is_said_to_be_lost_cannot_lie_ahead(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        await talk.client.speak(silence(0.02))
        for _ in range(20):
            await talk.client.lost(86_400_000)
            await talk.client.speak(silence(0.02))
        await anyio.sleep(1)
        [session] = server.lobby._sessions.values()
        at, _ = session.line._anchor
        assert at < 60e9
        await talk.client.leave()


@pytest.mark.parametrize("guess", ["", "-", "AAAA", "\0", "é"])
async def test_a_session_is_not_taken_over_by_who_knows_its_name(
    tmp_path: Path, guess: str
) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        start = Start(session=talk.client.welcome.session, resume=guess)
        async with connect_websocket(server.url, subprotocols=PROTOCOLS, proxy=None) as socket:
            await socket.send(encode(start).decode())
            assert json.loads(await socket.recv())["reason"] == "unknown-session"
        await talk.client.type("Hello.")
        await talk.until(lambda: "ended" in talk.turns)
        await talk.client.leave()


async def test_tokens_and_secrets_are_not_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = "a-token-that-nobody-should-see"
    async with served(tmp_path, token=token) as server:
        async with talking(server.url, token=token) as talk:
            secret = talk.client.welcome.resume
            await talk.client.type("Hello.")
            await talk.until(lambda: "ended" in talk.turns)
            await talk.client.leave()
        status, said = await asks(server, get(b"/metrics?token=" + token.encode()))
        assert status == 401
        for wrong in (token[:-1], token + "x", "\x00", "é"):
            status, said = await asks(server, get(b"/metrics", f"Authorization: {wrong}".encode()))
            assert status in (400, 401), said
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("websockets")]
    assert any(talk.client.welcome.session in line for line in ours)
    assert not any(token in line or secret in line for line in ours)


async def test_who_tries_one_token_after_the_other_is_not_listened_to_for_a_while(
    tmp_path: Path,
) -> None:
    token = "the right one"

    async def tries(guess: str) -> str:
        with pytest.raises(RefusedError) as refused:
            async with connect(server.url, token=guess):
                pass
        return refused.value.reason

    async with served(tmp_path, token=token) as server:
        async with talking(server.url, token=token) as talk:
            reasons = [await tries(f"guess {n}") for n in range(5)]
            for n in range(5):
                status, _ = await asks(server, get(b"/metrics", b"Authorization: Bearer %d" % n))
                assert status == 401
            assert reasons == ["token"] * 5
            assert await tries("another") == await tries(token) == "guessing"
            status, said = await asks(server, get(b"/metrics", b"Authorization: Bearer right"))
            assert status == 429
            assert b"Too many wrong tokens" in said
            await anyio.sleep(60)
            async with connect(server.url, token=token):
                pass
            await talk.client.type("Hello.")
            await talk.until(lambda: "ended" in talk.turns)
            await talk.client.leave()
        text = server.lobby.metrics.text().decode()
    assert 'connections_refused_total{reason="token"} 10.0' in text
    assert 'connections_refused_total{reason="guessing"} 3.0' in text


async def test_behind_a_proxy_on_this_machine_guesses_are_those_of_its_client(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, token="secret") as server:

        async def tries(client: bytes) -> int:
            forwarded = b"X-Forwarded-For: 198.51.100.9, " + client
            guess = b"Authorization: Bearer guess"
            return (await asks(server, get(b"/metrics", guess, forwarded)))[0]

        assert [await tries(b"192.0.2.1") for _ in range(11)] == [401] * 10 + [429]
        assert await tries(b"192.0.2.2") == 401


@pytest.mark.slow
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # in real time, which the system counts
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such limit")
async def test_who_never_reads_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.serving.server.STUCK_MS", 1500)
    async with served(tmp_path) as server:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            port = int(server.http.rpartition(":")[2])
            await anyio.to_thread.run_sync(deaf.connect, ("127.0.0.1", port))
            deaf.sendall(_handshake())
            for text in (encode(Start()), encode(Text("Count to 70."))):
                head = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0])  # masked with zeros
                await anyio.sleep(0.5)
                deaf.sendall(head + text)
            with anyio.fail_after(5):
                while not server.lobby.open:  # noqa: ASYNC110
                    await anyio.sleep(0.05)
            with anyio.fail_after(15):
                while server.connections:  # noqa: ASYNC110
                    await anyio.sleep(0.1)
        await works(server)
