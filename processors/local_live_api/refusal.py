"""How the service refuses: a close code and a reason, which websockets limit to 123 bytes."""

from __future__ import annotations

INVALID, POLICY, INTERNAL = 1007, 1008, 1011
LONGEST_REASON = 123

INVALID_ARGUMENT = "Request contains an invalid argument."
SETUP_FIRST = "setup must be the first message and only the first"


class RefusedError(Exception):
    """The connection ends with this close code and reason."""

    def __init__(self, reason: str, code: int = INVALID) -> None:
        self.code = code
        self.reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        super().__init__(reason)
