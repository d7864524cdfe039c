"""The websocket to the service: opening it, and what its frames and its end mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from pipeline import PipelineError
from processors.live_api.backends import Backend
from processors.live_api.messages import ServerMessage, decode_server

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LARGEST_MESSAGE = 64 * 2**20
UNREAD_FRAMES = 4096


class LiveApiError(PipelineError):
    """The service could not be reached, or ended the session."""


def require_asyncio() -> None:
    """Raise LiveApiError on another back end: this side of websockets needs asyncio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise LiveApiError("it runs on anyio's asyncio back end only") from None


@asynccontextmanager
async def open_connection(backend: Backend) -> AsyncIterator[ClientConnection]:
    """An open websocket. Late pongs are normal on this service and no reason to hang up."""
    loopback = urlsplit(backend.url).hostname in LOOPBACK
    try:
        socket = await connect(
            backend.url,
            additional_headers=dict(backend.headers),
            proxy=None if loopback else True,
            compression=None,
            max_size=LARGEST_MESSAGE,
            max_queue=UNREAD_FRAMES,
            ping_timeout=60,
        )
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        where = urlsplit(backend.url).netloc or backend.url
        raise LiveApiError(f"cannot connect to {where}: {error}") from None
    async with socket:
        yield socket


def decode(data: bytes | str) -> ServerMessage:
    """A frame from the service; an empty one says nothing. Raises LiveApiError."""
    try:
        return decode_server(data) if data else ServerMessage()
    except msgspec.DecodeError as error:
        raise LiveApiError(f"the service sent what is no Live API message: {error}") from None


def refusal(error: ConnectionClosed, what: str) -> LiveApiError:
    """The end of a connection as an error: what the service did, its code and its reason."""
    if error.rcvd is None:
        return LiveApiError("the connection to the service was lost")
    return LiveApiError(f"the service {what}: {error.rcvd.code} {error.rcvd.reason}".rstrip())
