"""How the service refuses: a close code and a reason, which websockets limit to 123 bytes."""

from __future__ import annotations

INVALID, POLICY, INTERNAL = 1007, 1008, 1011
LONGEST_REASON = 123
UNSENDABLE = {1004, 1005, 1006, 1015}
"""Close codes that stand for what no close frame says (RFC 6455, 7.4.1)."""

INVALID_ARGUMENT = "Request contains an invalid argument."
INTERNAL_ERROR = "Internal error encountered."
SETUP_FIRST = "setup must be the first message and only the first"


class RefusedError(Exception):
    """The connection ends with this close code and reason."""

    def __init__(self, reason: str, code: int = INVALID) -> None:
        self.code = code
        self.reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        super().__init__(reason)


def is_sendable(code: int) -> bool:
    """Whether a close frame can have this code, 1000 to 4999."""
    return code not in UNSENDABLE and not 1016 <= code < 3000


def check_close(code: int, reason: str) -> None:
    """Raise ValueError for what no close frame can say."""
    if not is_sendable(code):
        instead = "; `cut` resets TCP" if code == 1006 else ""
        raise ValueError(f"no close frame can have the code {code}{instead}")
    if len(reason.encode()) > LONGEST_REASON:
        raise ValueError(f"a reason has at most {LONGEST_REASON} bytes")
