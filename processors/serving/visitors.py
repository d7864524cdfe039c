"""Connections that are not conversations: none may stay for long, nor too many at a time."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 200
"""Of them at a time, besides one for each place; for one more, the oldest has to go. Who comes to
talk is not here for long."""
PATIENCE_S = 20.0
"""From its beginning to the end of the answer, a request may take so long."""


class Visitor(H11Protocol):
    """A connection, until it becomes a websocket: then uvicorn gives it another protocol.

    uvicorn itself waits for a request for ever. h11 is what keeps its head short.
    """

    here: ClassVar[dict[Visitor, None]]
    """All of a server, in the order of their coming."""
    most: ClassVar[int]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.here[self] = None
        if len(self.here) > self.most:
            oldest = next(iter(self.here))
            oldest.leave()
            oldest.transport.abort()
        self._hurry()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:
            self._hurry()
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            self.leave()

    def on_response_complete(self) -> None:
        self._calm()  # uvicorn closes it if nothing more comes
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave()
        super().connection_lost(exc)

    def leave(self) -> None:
        """It is not counted any more."""
        self._calm()
        self.here.pop(self, None)

    def _hurry(self) -> None:
        self._calm()
        self._deadline = self.loop.call_later(PATIENCE_S, self.transport.abort)

    def _calm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def visitors(places: int) -> type[Visitor]:
    """HTTP/1.1 with limits of time and number, of a server of its own: `uvicorn.Config(http=)`.

    places: clients that can be there at a time; they may all come back at once.
    """

    class _Visitor(Visitor):
        here: ClassVar[dict[Visitor, None]] = {}
        most = MOST + places

    return _Visitor
