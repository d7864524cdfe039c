"""What a client may be told instead of a welcome."""

from __future__ import annotations

REASONS = {
    "token": "The token is missing or wrong.",
    "guessing": "Too many wrong tokens came from your address. Please try again in a minute.",
    "full": "All places are taken. Please try again later.",
    "draining": "The server is stopping. Please try again later.",
    "unknown-session": "This conversation is over.",
    "lost": "The process that held this conversation is gone. Please begin a new one.",
    "start": "The first message has to be `start`, and in time.",
    "message": "A message could not be understood.",
    "size": "A message was too large.",
    "rate": "Too much at once.",
}
"""Why a connection is refused, and what its user is told."""


class RefusedError(Exception):
    """A client that may not talk; `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(REASONS[reason])


class ElsewhereError(Exception):
    """A client whose place is in another process.

    holder: that process. door: where it is, as host:port. ticket: by which a place is kept.
    """

    def __init__(self, holder: str, door: str, ticket: str = "") -> None:
        self.holder, self.door, self.ticket = holder, door, ticket
        super().__init__(f"at {door}")
