"""The websocket of a client, as uvicorn's server reads it."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MOST_UNREAD = 8
"""Messages that may wait to be received, besides those that came together with the last."""


class Websocket(WebSocketsSansIOProtocol):
    """Reads on until several messages wait.

    uvicorn's own stops reading at each message and starts again when it has been received: with
    50 of them a second from each client, a seventh of all that the server has to do.
    """

    def send_receive_event_to_app(self) -> None:
        paused, self.read_paused = self.read_paused, True  # so that it does not pause
        super().send_receive_event_to_app()
        self.read_paused = paused or self.queue.qsize() > MOST_UNREAD
        if self.read_paused and not paused:
            self.transport.pause_reading()
