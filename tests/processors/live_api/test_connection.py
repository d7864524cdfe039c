"""Opening connections, reading their frames, and keeping secrets."""

import asyncio
import base64
import hashlib
import json
import logging
import re
import socket as sockets
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import anyio
import anyio.lowlevel
import google.auth
import google.auth.exceptions
import pytest
from anyio.abc import SocketAttribute, SocketStream
from live_bench import (
    DONE,
    HELLO,
    Handler,
    User,
    Wire,
    fails,
    in_turn,
    lines,
    of,
    run,
    service,
)
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pipeline import (
    ConfigError,
    ProcessorFailure,
    SessionEvent,
    TextFrame,
    TurnEnded,
    Usage,
)
from pipeline.testing import VirtualTimeLoop
from processors.live_api.backends import TOKEN_PATH, Backend, gemini_api, local
from processors.live_api.connection import (
    SEND_WITHIN_S,
    End,
    how_it_ended,
    open_connection,
    send,
)
from processors.live_api.recording import Closed, Opened, read_recording
from processors.live_api.settings import Reconnect, ResumptionSettings
from processors.live_api.transport import LiveApi
from processors.local_live_api.server import serve


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


KEY = "AIza-this-is-a-secret"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


# --- frames ---


@pytest.mark.parametrize(
    "write",
    [
        lambda message: json.dumps(message),
        lambda message: json.dumps(message).encode(),
        lambda message: json.dumps(message, indent=2).encode() + b"\n",
    ],
    ids=["text", "binary", "pretty binary"],
)
async def test_every_kind_of_frame_is_read(write: Callable[[Any], str | bytes]) -> None:
    odd = [
        {},
        {"serverContent": {}},
        {"somethingNew": {"a": [1]}},
        {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
        {"serverContent": {"groundingMetadata": {}, "turnCompleteReason": "NEW_REASON"}},
        {"goAway": {"timeLeft": "50s"}},
    ]
    text = {"serverContent": {"modelTurn": {"parts": [{"text": "Yes."}, {"fileData": {}}]}}}
    done = {
        "serverContent": {"turnComplete": True, "interactionStatus": "IDLE"},
        "usageMetadata": {"totalTokenCount": 7, "trafficType": "ON_DEMAND"},
    }

    async def answer(wire: Wire) -> None:
        assert "setup" in await wire.receive()
        for message in [{}, {"setupComplete": {"sessionId": "a", "new": 1}}, *odd]:
            await wire.send(write(message))
        await wire.receive()
        for message in [*odd, text, *odd, done]:
            await wire.send(write(message))

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url))
    assert lines(frames) == [("user", "Hello"), ("model", "Yes.")]
    assert [usage.total for usage in of(Usage, frames)] == [7]
    events = [(event.kind, event.detail) for event in of(SessionEvent, frames)]
    assert events == [("started", "a"), *[("go-away", "50s")] * 3]


# --- a service that does not read ---


@pytest.mark.parametrize("size", [1_000, 15_000, 40_000])
async def test_who_reads_no_more_is_cut_off_whatever_the_size_of_messages(size: int) -> None:
    """Small ones are handed over without a time limit, as long as few of them wait."""

    async def deaf(socket: ServerConnection) -> None:
        socket.transport.pause_reading()
        await anyio.sleep(1000)

    async def go_on(socket: ClientConnection) -> None:
        while True:
            await send(socket, bytes(size))

    async with serve_websocket(deaf, "127.0.0.1", 0, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with open_connection(local(f"ws://127.0.0.1:{port}/", None)) as socket:
            began = anyio.current_time()
            with pytest.raises(ConnectionClosed), anyio.fail_after(SEND_WITHIN_S + 10):
                await go_on(socket)
            assert anyio.current_time() - began == pytest.approx(SEND_WITHIN_S, abs=0.1)


# --- no service at all ---


async def test_a_refused_connection_is_one_clear_message() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    message = await fails(User(HELLO), LiveApi(url=f"ws://127.0.0.1:{port}/ws"))
    assert message.startswith(f'processor "live" failed: cannot connect to 127.0.0.1:{port}: ')


async def test_a_server_that_is_another_one_is_one_clear_message() -> None:
    async with serve() as server:
        url = f"ws://127.0.0.1:{server.port}/elsewhere"
        message = await fails(User(HELLO), LiveApi(url=url))
    assert f"cannot connect to 127.0.0.1:{server.port}: " in message
    assert "404" in message


async def test_a_server_that_speaks_something_else_is_one_clear_message() -> None:
    async def hang_up(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"220 mail.example.com ESMTP\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, hang_up)
        message = await fails(User(HELLO), LiveApi(url=f"ws://127.0.0.1:{port}/ws"))
        group.cancel_scope.cancel()
    assert f"cannot connect to 127.0.0.1:{port}: " in message


@pytest.mark.parametrize("url", ["http//nowhere", "http://nowhere/"])
async def test_an_address_of_another_kind_is_found_before_it_runs(url: str) -> None:
    with pytest.raises(ConfigError, match="the address does not begin with ws:// or wss://"):
        await run(User(HELLO), LiveApi(url=url))


@pytest.mark.parametrize("url", ["ws://", "ws://127.0.0.1:x/"])
async def test_an_address_that_is_none_is_one_clear_message(url: str) -> None:
    message = await fails(User(HELLO), LiveApi(url=url))
    assert message.startswith('processor "live" failed: cannot connect to ')
    assert message.endswith(": no such address")


@pytest.mark.parametrize("key", ["two\nlines", "caf\u00e9 \u20ac"])
async def test_a_key_that_cannot_be_sent_is_not_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", key)

    async def answer(wire: Wire) -> None:
        raise AssertionError("it has connected")

    async with service(answer) as (url, _):
        message = await fails(User(HELLO), LiveApi("gemini_api", url=url))
    assert message.endswith("invalid x-goog-api-key header")


async def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is for the service, not for whomever an answer names."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)

    async def elsewhere(wire: Wire) -> None:
        raise AssertionError("the key went elsewhere")

    async with service(elsewhere) as (other, wires):

        def redirect(connection: ServerConnection, request: Request) -> Response:
            response = connection.respond(302, "")
            response.headers["Location"] = other
            return response

        async with serve_websocket(
            lambda socket: anyio.lowlevel.checkpoint(), "127.0.0.1", 0, process_request=redirect
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            live = LiveApi("gemini_api", url=f"ws://127.0.0.1:{port}/")
            message = await fails(User(HELLO), live)
    assert "302" in message
    assert not wires


@pytest.mark.parametrize(
    ("status", "again"), [(401, False), (403, False), (429, True), (503, True)]
)
async def test_some_refusals_to_reconnect_pass(status: int, again: bool) -> None:
    opened: list[int] = []

    async def handle(socket: ServerConnection) -> None:
        wire = Wire(socket)
        await wire.set_up()
        await wire.until("clientContent")
        if len(opened) == 1:
            wire.cut()
            return
        await wire.send_text("Good.")
        await wire.send(DONE)
        await wire.listen()

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        opened.append(1)
        return connection.respond(status, "") if len(opened) in (2, 3) else None

    async with serve_websocket(handle, "127.0.0.1", 0, process_request=admit) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        live = LiveApi(url=f"ws://127.0.0.1:{port}/")
        if again:
            frames, _ = await run(User(HELLO), live)
            assert lines(frames)[-1] == ("model", "Good.")
        else:
            assert str(status) in await fails(User(HELLO), live)
    assert len(opened) == (4 if again else 2)


async def test_the_local_machine_is_reached_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ws_proxy", "http://127.0.0.1:1")
    frames, _ = await run(User(HELLO), LiveApi(modality="text"))
    assert len(of(TurnEnded, frames)) == 1


# --- credentials ---


async def test_the_gemini_api_gets_the_key_in_a_header_and_text_as_it_is_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)

    async def answer(wire: Wire) -> None:
        assert wire.socket.request is not None
        assert wire.socket.request.headers["x-goog-api-key"] == KEY
        assert KEY not in wire.socket.request.path
        assert (await wire.set_up())["model"] == "models/gemini-x"
        assert await wire.receive() == {"realtimeInput": {"text": "Hello"}}
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        await run(User(HELLO), LiveApi("gemini_api", "gemini-x", url=url))
    assert KEY not in json.dumps(wires[0].received)


async def test_vertex_gets_a_token_a_full_name_and_whole_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Credentials:
        token = KEY

        def refresh(self, request: object) -> None:
            pass

    async def answer(wire: Wire) -> None:
        assert wire.socket.request is not None
        assert wire.socket.request.headers["Authorization"] == f"Bearer {KEY}"
        name = (await wire.set_up())["model"]
        assert name == "projects/p/locations/europe-west4/publishers/google/models/m"
        assert "clientContent" in await wire.receive()
        await wire.socket.close(1011, "Internal error encountered.")

    monkeypatch.setattr(google.auth, "default", lambda scopes: (Credentials(), "other"))
    async with service(answer) as (url, _):
        live = LiveApi(
            "vertex",
            "m",
            project="p",
            location="europe-west4",
            url=url,
            reconnect=Reconnect(for_s=3),
        )
        with pytest.raises(ProcessorFailure, match="1011") as raised:
            await run(User(HELLO), live)
    check_secret(raised.value)


async def test_vertex_without_credentials_is_one_clear_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def default(scopes: list[str]) -> NoReturn:
        raise google.auth.exceptions.DefaultCredentialsError("none found")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", default)
    message = await fails(User(HELLO), LiveApi("vertex"))
    assert "no Google credentials: none found" in message


async def refuse(wire: Wire) -> None:
    await wire.receive()
    await wire.socket.close(1007, "API key not valid. Please pass a valid API key.")


async def lose(wire: Wire) -> None:
    wire.cut()


async def mumble(wire: Wire) -> None:
    for _ in range(200):
        await wire.send("?")


@pytest.mark.parametrize("handler", [refuse, lose, mumble])
async def test_nothing_shows_the_key(
    handler: Handler,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    record = tmp_path / "recording.jsonl"

    def live() -> LiveApi:
        return LiveApi(
            "gemini_api", url=f"{url}?key={KEY}", reconnect=Reconnect(for_s=3), record=str(record)
        )

    async with service(handler) as (url, wires):
        with pytest.raises(ProcessorFailure) as raised:
            await run(User(HELLO), live())
    check_secret(raised.value)
    assert wires
    assert '"event":"close"' in record.read_text()
    assert KEY not in record.read_text()
    with pytest.raises(ProcessorFailure, match="cannot connect") as raised:
        await run(User(HELLO), live())
    check_secret(raised.value)
    logged = [record for record in caplog.records if record.name.startswith("pipeline")]
    assert KEY not in "".join(record.getMessage() for record in logged)


@pytest.mark.parametrize(
    "url",
    [
        f"http://u:{KEY}@localhost/?key={KEY}",
        f"ws://u:{KEY}@127.0.0.1:1/?key={KEY}",
        f"ws://u:{KEY}@127.0.0.1:99999/",
        f"ws://[::1?key={KEY}",
        f"?key={KEY}",
    ],
)
async def test_an_address_with_a_secret_is_not_shown(url: str) -> None:
    what = "cannot connect to |the address does not begin"
    with pytest.raises((ProcessorFailure, ConfigError), match=what) as raised:
        await run(User(HELLO), LiveApi(url=url))
    check_secret(raised.value)


def check_secret(error: BaseException | None) -> None:
    assert error is not None
    assert KEY not in "".join(traceback.format_exception(error))
    while error is not None:
        assert KEY not in repr(error)
        assert KEY not in str(error.args)
        error = error.__cause__ or error.__context__


async def test_an_ephemeral_token_is_taken_instead_of_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    monkeypatch.setenv("GEMINI_EPHEMERAL_TOKEN", f"auth_tokens/{KEY}")

    async def answer(wire: Wire) -> None:
        assert wire.socket.request is not None
        headers = wire.socket.request.headers
        assert headers["Authorization"] == f"Token auth_tokens/{KEY}"
        assert "x-goog-api-key" not in headers
        assert KEY not in wire.socket.request.path
        await wire.set_up()

    async with service(answer) as (url, wires):
        await run(User(), LiveApi("gemini_api", url=url))
    assert len(wires) == 1
    assert gemini_api(None).url.endswith(TOKEN_PATH)


async def test_a_conversation_by_an_ephemeral_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"POST /v1alpha/auth_tokens HTTP/1.1\r\nHost: localhost\r\nx-goog-api-key: k\r\n"
            b'Content-Length: 11\r\n\r\n{"uses": 2}'
        )
        issued = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
        writer.close()
        monkeypatch.setenv("GEMINI_EPHEMERAL_TOKEN", issued["name"])
        url = f"ws://127.0.0.1:{server.port}{TOKEN_PATH}"
        frames, _ = await run(User(HELLO), LiveApi("gemini_api", url=url))
    assert len(lines(frames)) == 2


# --- TLS ---


async def test_an_address_of_ones_own_over_tls() -> None:
    async with serve(tls=True) as server:
        live = LiveApi(url=server.url, ca_file=str(server.ca_file), modality="text")
        frames, _ = await run(User(HELLO), live)
        assert len(lines(frames)) == 2
        message = await fails(User(HELLO), LiveApi(url=server.url))
    assert "certificate verify failed" in message


async def test_an_authority_that_cannot_be_read_is_one_clear_message(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    message = await fails(User(HELLO), LiveApi(url="wss://127.0.0.1:1/", ca_file=str(broken)))
    assert f"cannot read {broken}: no certificate in it" in message
    missing = LiveApi(url="wss://127.0.0.1:1/", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"there is no file .*none\.pem"):
        await run(User(HELLO), missing)


# --- raw fields and recordings ---


async def test_raw_fields_are_in_every_setup() -> None:
    async def lose_it(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        wire.cut()

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.send(DONE)

    raw = {"generationConfig": {"newField": 1, "temperature": 0.1}, "tools": None, "other": [2]}
    async with service(in_turn(lose_it, answer)) as (url, wires):
        live = LiveApi(url=url, setup=raw, temperature=0.5, google_search=True)
        await run(User(HELLO), live)
    for wire in wires:
        setup = wire.received[0]["setup"]
        assert setup["generationConfig"]["newField"] == 1
        assert setup["generationConfig"]["temperature"] == 0.1
        assert setup["other"] == [2]
        assert "tools" not in setup


async def test_a_recording_has_every_connection_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Credentials:
        token = KEY

        def refresh(self, request: object) -> None:
            pass

    async def leave(wire: Wire) -> None:
        await wire.set_up("secret-handle-1")
        await wire.go_away(50)

    async def lose_it(wire: Wire) -> None:
        await wire.set_up("secret-handle-2")
        await wire.until("clientContent")
        wire.cut()

    async def answer(wire: Wire) -> None:
        await wire.set_up("secret-handle-3")
        await wire.until("clientContent")
        await wire.send_text("Good.")
        await wire.send(DONE)

    async def script() -> AsyncIterator[TextFrame]:
        await anyio.sleep(1)
        yield HELLO

    record = tmp_path / "talk.jsonl"
    monkeypatch.setattr(google.auth, "default", lambda scopes: (Credentials(), "p"))
    async with service(in_turn(leave, lose_it, answer)) as (url, _):
        live = LiveApi(
            "vertex",
            url=f"{url}?access_token={KEY}",
            project="my-secret-project",
            resumption=ResumptionSettings(),
            record=str(record),
        )
        await run(User(script=script), live)
    text = record.read_text()
    for secret in (KEY, "secret-handle", "my-secret-project"):
        assert secret not in text
    recorded = [line.event for line in read_recording(record)]
    opened = [event for event in recorded if isinstance(event, Opened)]
    assert [event.backend for event in opened] == ["vertex"] * 3
    closed = [event for event in recorded if isinstance(event, Closed)]
    assert [(event.code, event.by) for event in closed] == [
        (1000, "client"),
        (1006, "nobody"),
        (1000, "client"),
    ]


async def test_a_recorded_conversation_can_be_played_again(tmp_path: Path) -> None:
    record = tmp_path / "talk.jsonl"
    live = LiveApi(modality="text", record=str(record), resumption=ResumptionSettings())
    first, _ = await run(User(TextFrame("What is 2 times 7?")), live)
    async with serve(replay=record) as server:
        live = LiveApi(url=server.url, modality="text", resumption=ResumptionSettings())
        again, _ = await run(User(TextFrame("What is 2 times 7?")), live)
        assert server.findings == server.left_over() == []
    assert lines(again) == lines(first)


async def test_a_peer_that_never_hangs_up_does_not_hold_the_connection() -> None:
    async def say_goodbye(stream: SocketStream) -> None:
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", await stream.receive())
        assert key is not None
        accept = base64.b64encode(hashlib.sha1(key[1] + WEBSOCKET_GUID).digest())
        await stream.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n\x88\x02\x03\xf3" % accept
        )
        async with stream:
            await anyio.sleep(3600)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, say_goodbye)
        url = f"ws://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/"
        began = anyio.current_time()
        async with open_connection(Backend(url, {}, "m")) as socket:
            with pytest.raises(ConnectionClosed) as raised:
                await socket.recv()
        assert how_it_ended(raised.value) == End(1011, "", "server")
        assert anyio.current_time() - began < 10
        group.cancel_scope.cancel()


@pytest.mark.parametrize("size", [1 << 22, 1 << 25])
async def test_a_peer_that_goes_while_a_large_frame_is_sent_is_a_closed_connection(
    size: int,
) -> None:
    async def refuse(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def talk(port: int) -> None:
        async with open_connection(local(f"ws://127.0.0.1:{port}/", None), None) as connection:
            for _ in range(3):
                await send(connection, b"x" * size)

    limits = {"max_size": 1 << 16, "close_timeout": 1}
    async with serve_websocket(refuse, "127.0.0.1", 0, **limits) as server:  # type: ignore[arg-type]
        with pytest.raises(ConnectionClosed):
            await talk(next(iter(server.sockets)).getsockname()[1])
