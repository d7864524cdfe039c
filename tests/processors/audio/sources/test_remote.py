"""Tests of reading addresses, against real servers on loopback."""

import socket
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme
from addresses import SECRET, body, http_server, websocket_server
from websockets.sync.server import ServerConnection

from pipeline import SettingError
from processors.audio.sources.remote import StreamError, parse_address, read_address


def read(url: str, headers: Mapping[str, str] = {}, timeout_s: float = 5) -> bytes:
    return b"".join(read_address(url, headers, timeout_s))


def chunked(handler: BaseHTTPRequestHandler, *chunks: bytes, end: bool = True) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for chunk in [*chunks, *([b""] if end else [])]:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))


# --- HTTP ---


def test_a_body_is_read_to_its_end() -> None:
    data = bytes(range(256)) * 100
    with http_server(body(data)) as url:
        assert read(url) == data
    with http_server(lambda handler: chunked(handler, data, b"more")) as url:
        assert read(url) == data + b"more"


def test_headers_are_sent() -> None:
    heard: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        heard.append(handler.headers.get("Authorization"))
        body(b"ok")(handler)

    with http_server(answer) as url:
        assert read(url, {"Authorization": "Bearer x"}) == b"ok"
    assert heard == ["Bearer x"]


def test_bytes_come_as_they_are_sent() -> None:
    go_on = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        chunked(handler, b"first", end=False)
        go_on.wait(5)
        handler.wfile.write(b"0\r\n\r\n")

    with http_server(answer) as url:
        chunks = read_address(url, {}, 5)
        assert next(chunks) == b"first"
        go_on.set()
        assert list(chunks) == []


def test_nothing_is_waited_for_for_ever() -> None:
    go_on = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        chunked(handler, b"first", end=False)
        go_on.wait(5)

    with http_server(answer) as url:
        with pytest.raises(StreamError, match=r"nothing came .* for 0\.1 s"):
            read(url, timeout_s=0.1)
        go_on.set()


@pytest.mark.parametrize("chunks", [False, True])
def test_what_breaks_off_is_no_end(chunks: bool) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if chunks:
            chunked(handler, b"first", end=False)
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", "100")
            handler.end_headers()
            handler.wfile.write(b"first")

    with http_server(answer) as url:
        came = read_address(url, {}, 5)
        assert next(came) == b"first"
        with pytest.raises(StreamError, match=r"broke off|IncompleteRead"):
            next(came)


def test_redirects_are_not_followed() -> None:
    followed: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        followed.append(handler.path)
        body(b"", 302, Location=f"https://example.org/new?key={SECRET}")(handler)

    with (
        http_server(answer) as url,
        pytest.raises(
            StreamError, match=r"has moved to https://example\.org/new: use that address"
        ),
    ):
        read(url, {"X-Key": "x"})
    assert len(followed) == 1


def test_refusals_are_told() -> None:
    with http_server(body(b"", 403)) as url, pytest.raises(StreamError) as caught:
        read(url)
    assert str(caught.value) == f"{url.partition('?')[0]} refuses: 403 Forbidden"


def test_nobody_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for scheme in ("http", "ws"):
        url = f"{scheme}://localhost:{port}/?key={SECRET}"
        with pytest.raises(StreamError, match=r"cannot read .*Connection refused") as caught:
            read(url)
        assert SECRET not in str(caught.value)


def test_what_is_no_http_is_refused() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"Hello?\r\n")

    with http_server(answer) as url, pytest.raises(StreamError, match="cannot read"):
        read(url)


def test_a_proxy_is_not_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with http_server(body(b"direct")) as url:
        assert read(url) == b"direct"


def test_certificates_are_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with http_server(body(b"secure"), context) as url:
        with pytest.raises(StreamError, match=r"cannot read .*certificate"):
            read(url)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert read(url) == b"secure"


# --- websockets ---


def test_binary_messages_are_read_to_the_end() -> None:
    def answer(socket: ServerConnection) -> None:
        for number in range(300):
            socket.send(bytes([number % 256]) * 100)

    with websocket_server(answer) as url:
        assert read(url) == b"".join(bytes([number % 256]) * 100 for number in range(300))


def test_text_is_no_sound() -> None:
    with (
        websocket_server(lambda socket: socket.send("no such room")) as url,
        pytest.raises(StreamError, match="sends text, not sound: 'no such room'"),
    ):
        read(url)


def test_a_websocket_that_breaks_off_is_no_end() -> None:
    def answer(socket: ServerConnection) -> None:
        socket.send(b"first")
        socket.close(1011, "overloaded")

    with websocket_server(answer) as url:
        came = read_address(url, {}, 5)
        assert next(came) == b"first"
        with pytest.raises(StreamError, match=r"broke off: .*overloaded"):
            next(came)


def test_messages_have_a_limit() -> None:
    with (
        websocket_server(lambda socket: socket.send(bytes(2**20 + 1))) as url,
        pytest.raises(StreamError, match=r"broke off: .*too big"),
    ):
        read(url)


def test_a_silent_websocket_is_not_waited_for() -> None:
    go_on = threading.Event()
    with websocket_server(lambda socket: go_on.wait(5)) as url:
        with pytest.raises(StreamError, match="nothing came"):
            read(url, timeout_s=0.1)
        go_on.set()


@pytest.mark.parametrize("status", [302, 401])
def test_a_websocket_that_is_refused(status: int) -> None:
    def refuse(socket: ServerConnection, request: Any) -> Any:
        response = socket.respond(status, "no")
        response.headers["Location"] = f"wss://example.org/new?key={SECRET}"
        return response

    with (
        websocket_server(lambda socket: None, process_request=refuse) as url,
        pytest.raises(StreamError, match="has moved to wss" if status == 302 else "401") as caught,
    ):
        read(url)
    assert SECRET not in str(caught.value)


# --- addresses ---


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "must begin with http://"),
        ("ftp://example.org/a.wav", "must begin with http://"),
        ("example.org/a.wav", "must begin with http://"),
        ("http://", "must begin with http://"),
        (f"https://me:{SECRET}@example.org/", "must not hold a name or a password"),
        ("http://example.org:port/", "this is no address"),
        ("http://[::1/", "this is no address"),
    ],
)
def test_addresses_that_cannot_be_used(url: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        parse_address(url)
    assert caught.value.setting == "url"
    assert SECRET not in str(caught.value)
