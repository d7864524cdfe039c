"""A websocket server's connection that also takes small POST requests at the same port."""

from __future__ import annotations

import re

import anyio
from websockets.asyncio.server import ServerConnection

from processors.live_api.closing import EndsInTime
from processors.local_live_api.endpoint import Endpoint

LARGEST_REQUEST = 1 << 20
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d+)[ \t]*\r?$")
_BODY_HEADERS = re.compile(rb"(?im)^(?:content-length|transfer-encoding|expect):.*\r\n")


class Connection(EndsInTime, ServerConnection):
    """Gives `process_request` the body of a POST in `posted`; websockets itself reads GET only.

    A POST is held until it is complete, and passed on as a GET without a body.
    """

    endpoint: Endpoint | None = None
    """What the client has dialled, once that is known."""
    posted: bytes | None = None
    handling: anyio.CancelScope | None = None
    """Around what is done with it, once it is open."""
    _held: bytes | None = b""

    def break_off(self) -> None:
        """End it now, in whatever state it is, without waiting for the client."""
        if hasattr(self, "transport"):  # which comes a moment after the connection
            self.transport.abort()
        if self.handling is not None:
            self.handling.cancel()

    def data_received(self, data: bytes) -> None:
        if self._held is None:
            super().data_received(data)
            return
        held = self._held + data
        if len(held) < 4 and b"POST".startswith(held):
            self._held = held
            return
        if not held.startswith(b"POST"):
            self._held = None
            super().data_received(held)
            return
        head, separator, body = held.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        wanted = int(length[1]) if length else 0
        if len(held) > LARGEST_REQUEST or wanted > LARGEST_REQUEST:
            self.transport.abort()
        elif not separator or len(body) < wanted:
            self._held = held
        else:
            self._held = None
            self.posted = body[:wanted]
            head = _BODY_HEADERS.sub(b"", head + b"\r\n")
            super().data_received(head.replace(b"POST", b"GET", 1) + b"\r\n")
