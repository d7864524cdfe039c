"""The token that clients have to know, and what becomes of those who guess at it."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network

import anyio

from processors.serving.limits import Allowance
from processors.serving.refusal import RefusedError

MOST_WRONG, PARDON_S = 10, 60.0
"""Wrong tokens that an address may try at once, and after how long it may try one more."""
MOST_ADDRESSES = 10_000
"""That are remembered; of more, the one that has not tried for the longest is forgotten."""


class TokenCheck:
    """Compares in constant time. token: empty if everyone may come in.

    by_address: after too many wrong ones, nothing that an address says is compared for a while.
    Leave that out where all clients seem to have the address of a proxy.
    """

    def __init__(self, token: str, *, by_address: bool = True) -> None:
        self._token = token.encode()
        self._by_address = by_address
        self._guesses: OrderedDict[str, Allowance] = OrderedDict()

    def check(self, given: str, address: str) -> None:
        """Raises RefusedError: `token` if it is missing or wrong, `guessing` for too many."""
        if not self._token:
            return
        network, now = _network(address), anyio.current_time()
        guesses = self._guesses.get(network)
        if guesses is not None and guesses.left(now) < 1:
            raise RefusedError("guessing")
        if hmac.compare_digest(given.encode(), self._token):
            return
        if given and self._by_address:
            guesses = self._guesses.setdefault(network, Allowance(1 / PARDON_S, MOST_WRONG))
            guesses.take(1, now)
            self._guesses.move_to_end(network)
            if len(self._guesses) > MOST_ADDRESSES:
                self._guesses.popitem(last=False)
        raise RefusedError("token")


def _network(address: str) -> str:
    """Whose an address is: of IPv6, each client has a whole /64 of them."""
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
