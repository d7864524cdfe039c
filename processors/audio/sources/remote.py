"""Bytes from an address: the body of an HTTP response, or the messages of a websocket.

What is here blocks, and is for a thread of its own. Certificates are verified, by the system's
authorities or those of `SSL_CERT_FILE`; redirects are not followed, for headers may hold secrets.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from pipeline import PipelineError, SettingError
from processors.loopback import is_loopback

SCHEMES = ("http", "https", "ws", "wss")
CHUNK = 4096
LARGEST_MESSAGE = 2**20
UNREAD_MESSAGES = 64
PASSED_ON = (301, 302, 303, 307, 308)


class StreamError(PipelineError):
    """An address gives no sound, or no more."""


def parse_address(url: str) -> SplitResult:
    """Raise SettingError for an address that cannot be used; messages do not repeat secrets."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError as error:
        raise SettingError(f"this is no address: {error}", setting="url") from None
    if parts.scheme.lower() not in SCHEMES or not parts.hostname:
        raise SettingError(
            "the address must begin with http://, https://, ws:// or wss://", setting="url"
        )
    if parts.username or parts.password:
        raise SettingError(
            "the address must not hold a name or a password",
            setting="url",
            hint="send them as a header: {Authorization: ...}",
        )
    return parts


def read_address(url: str, headers: Mapping[str, str], timeout_s: float) -> Iterator[bytes]:
    """The bytes that come, as they come: less than could be is given, not waited for.

    Raises StreamError if the address cannot be reached or refuses, if nothing comes for `timeout_s`
    seconds, or if it breaks off.
    """
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a secret
    read = _read_messages if parts.scheme.lower() in ("ws", "wss") else _read_body
    try:
        yield from read(url, parts, headers, timeout_s, where)
    except TimeoutError:
        raise StreamError(f"nothing came from {where} for {timeout_s:g} s") from None
    except (OSError, HTTPException, ValueError) as error:
        raise StreamError(f"cannot read {where}: {_reason(error)}") from None


def _read_body(
    url: str, parts: SplitResult, headers: Mapping[str, str], timeout_s: float, where: str
) -> Iterator[bytes]:
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    proxies = [ProxyHandler({})] if is_loopback(parts.hostname) else []
    try:
        response = build_opener(Stay, *proxies).open(
            Request(url, headers=dict(headers)), None, timeout_s
        )
    except HTTPError as error:
        with error:
            _refused(where, error.code, error.reason, error.headers.get("Location"))
    with response:
        while data := response.read1(CHUNK):
            yield data
        if response.length:
            raise StreamError(f"{where} broke off: {response.length} bytes are missing")


def _read_messages(
    url: str, parts: SplitResult, headers: Mapping[str, str], timeout_s: float, where: str
) -> Iterator[bytes]:
    from websockets.exceptions import (
        ConnectionClosedError,
        ConnectionClosedOK,
        InvalidHandshake,
        InvalidStatus,
    )
    from websockets.sync.client import ClientConnection, connect

    class Stay(ClientConnection):
        def handshake(self, *arguments: Any, **named: Any) -> None:
            try:
                super().handshake(*arguments, **named)
            except InvalidStatus as error:
                answer = error.response
                location = answer.headers.get("Location")
                _refused(where, answer.status_code, answer.reason_phrase, location)

    try:
        with connect(
            url,
            create_connection=Stay,
            additional_headers=dict(headers),
            proxy=None if is_loopback(parts.hostname) else True,
            compression=None,
            max_size=LARGEST_MESSAGE,
            max_queue=UNREAD_MESSAGES,
            open_timeout=timeout_s,
            close_timeout=1,
        ) as socket:
            while True:
                message = socket.recv(timeout_s)
                if isinstance(message, str):
                    raise StreamError(f"{where} sends text, not sound: {message[:60]!r}")
                yield message
    except ConnectionClosedOK:
        return
    except ConnectionClosedError as error:
        raise StreamError(f"{where} broke off: {error}") from None
    except InvalidHandshake as error:
        raise StreamError(f"cannot read {where}: {error}") from None


def _refused(where: str, status: int, reason: str, location: str | None) -> NoReturn:
    if status in PASSED_ON and location:
        raise StreamError(f"{where} has moved to {location.partition('?')[0]}: use that address")
    raise StreamError(f"{where} refuses: {status} {reason}")


def _reason(error: Exception) -> str:
    error = getattr(error, "reason", None) or error  # what URLError wraps
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
