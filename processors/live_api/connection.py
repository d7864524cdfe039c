"""The websocket to the service: opening it, and what its frames and its end mean."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    InvalidHandshake,
    InvalidHeader,
    InvalidStatus,
    InvalidURI,
    SecurityError,
)
from websockets.protocol import State

from pipeline import PipelineError
from processors.live_api.backends import Backend
from processors.live_api.closing import CLOSE_WITHIN_S, EndsInTime
from processors.live_api.endings import NO_CLOSE_FRAME
from processors.live_api.messages import ServerMessage, decode_server
from processors.live_api.recording import Side
from processors.loopback import is_loopback

LARGEST_MESSAGE = 64 * 2**20
TOO_BIG = 1009
UNREAD_FRAMES = 4096
PING_INTERVAL_S, PONG_WITHIN_S = 20, 60
"""Pongs of this service come up to 30 s late, which is no reason to hang up."""
SEND_WITHIN_S = 60
"""A peer that reads nothing for so long is lost."""
WRITE_LIMIT = 32 * 2**10
"""Bytes that wait in this process to be written; with more, `send` waits."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""HTTP statuses that may be gone at the next attempt."""


class LiveApiError(PipelineError):
    """The service could not be reached, or ended the session.

    passing: another attempt may succeed.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        self.passing = passing
        super().__init__(message)


class ConnectError(LiveApiError):
    """A connection could not be opened. answered: somebody is there, and has refused."""

    def __init__(self, message: str, *, passing: bool, answered: bool = False) -> None:
        self.answered = answered
        super().__init__(message, passing=passing)


class _Connection(EndsInTime, ClientConnection):
    """The client's."""


class _Connect(connect):
    """Follows no redirects: the key in the headers is for nobody else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def require_asyncio() -> None:
    """Raise LiveApiError on another back end: this side of websockets needs asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise LiveApiError("it runs on anyio's asyncio back end only") from None


@asynccontextmanager
async def open_connection(
    backend: Backend, ca_file: Path | None = None
) -> AsyncIterator[ClientConnection]:
    """An open websocket, closed on leaving. Raises ConnectError.

    ca_file: PEM of an authority to trust instead of the system's.
    """
    host, where = _host(backend.url)
    secure = backend.url.lower().startswith("wss:")
    problem: ConnectError | None = None
    try:
        socket = await _Connect(
            backend.url,
            create_connection=_Connection,
            additional_headers=dict(backend.headers),
            proxy=None if is_loopback(host) else True,
            compression=None,
            max_size=LARGEST_MESSAGE,
            max_queue=UNREAD_FRAMES,
            write_limit=WRITE_LIMIT,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PONG_WITHIN_S,
            close_timeout=CLOSE_WITHIN_S,
            ssl=await to_thread.run_sync(_trust, ca_file) if secure else None,
        )
    except (OSError, InvalidHandshake, InvalidURI, ValueError) as error:
        problem = _problem(error, where)
    if problem is not None:  # raised here, lest it drag along what shows all of the address
        raise problem
    try:
        yield socket
    finally:
        await hang_up(socket)


def _problem(error: Exception, where: str) -> ConnectError:
    if not isinstance(error, OSError | InvalidHandshake):
        return ConnectError(f"cannot connect to {where}: no such address", passing=False)
    status = error.response.status_code if isinstance(error, InvalidStatus) else None
    lasting = isinstance(error, ssl.SSLCertVerificationError | SecurityError | InvalidHeader)
    passing = status in PASSING if status else not lasting
    why = f"invalid {error.name} header" if isinstance(error, InvalidHeader) else error
    return ConnectError(
        f"cannot connect to {where}: {why}", passing=passing, answered=status is not None
    )


def _host(url: str) -> tuple[str | None, str]:
    """The host, and what may be shown of an address: neither its query nor a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None, "the given url"
    return parts.hostname, parts.netloc.rpartition("@")[2] or url.partition("?")[0]


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Whom to trust: this authority only, or those of the system."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        why = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConnectError(f"cannot read {ca_file}: {why}", passing=False) from None


async def send(socket: ClientConnection, data: bytes) -> None:
    """Send a text frame. A peer that does not take it within SEND_WITHIN_S is cut off.

    Raises ConnectionClosed. The keepalive does not find such a peer: its ping would wait, too.
    """
    with _lost_as_closed:
        if _takes_at_once(socket, len(data)):  # half of the time of `send`, which prepares to wait
            socket.protocol.send_text(data)
            socket.send_data()
            return
        with anyio.move_on_after(SEND_WITHIN_S) as waiting:
            await socket.send(data, text=True)
        if waiting.cancelled_caught:
            socket.transport.abort()


def _takes_at_once(socket: ClientConnection, size: int) -> bool:
    is_well = socket.state is State.OPEN and not socket.transport.is_closing()
    return is_well and not socket.paused and size < WRITE_LIMIT


async def hang_up(socket: ClientConnection) -> None:
    """Close a connection, by force if the peer does not react, or reads no more."""
    with suppress(ConnectionClosed), _lost_as_closed:
        with anyio.move_on_after(2 * CLOSE_WITHIN_S, shield=True) as closing:
            await socket.close()
        if closing.cancelled_caught:
            socket.transport.abort()


class _LostAsClosed:
    """Where the peer has gone while a large frame was sent to it, asyncio forgets its event loop,
    and what websockets does then ends in an AttributeError."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, AttributeError) and error.obj is None and error.name is not None:
            raise ConnectionClosedError(None, None) from None


_lost_as_closed = _LostAsClosed()


def decode(data: bytes | str) -> ServerMessage:
    """A frame from the service; an empty one says nothing. Raises msgspec.DecodeError."""
    return decode_server(data) if data else ServerMessage()


class End(NamedTuple):
    """Close code and reason of a connection, and who closed it; 1006 where no close frame came."""

    code: int = NO_CLOSE_FRAME
    reason: str = ""
    by: Side = "nobody"


LEFT = End(1000, "", "client")


def how_it_ended(error: ConnectionClosed) -> End:
    """What the service, or this side, said at the end."""
    if error.sent is not None and not error.rcvd_then_sent:
        return End(error.sent.code, error.sent.reason, "client")
    if error.rcvd is None:
        return End()
    return End(error.rcvd.code, error.rcvd.reason, "server")
