"""Websockets that do not outlive their end."""

from __future__ import annotations

import asyncio

from websockets.asyncio.connection import Connection
from websockets.protocol import State

CLOSE_WITHIN_S = 2


class EndsInTime(Connection):
    """Gives the peer CLOSE_WITHIN_S to end TCP, once either side has said that this is the end.

    websockets itself waits for it without limit where nobody calls `close`: `recv` would hang.
    """

    _last_moment: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.state is State.CLOSING and self._last_moment is None:
            self._last_moment = self.loop.call_later(CLOSE_WITHIN_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._last_moment is not None:
            self._last_moment.cancel()
