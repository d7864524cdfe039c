"""Whether a host is this machine itself."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str | None) -> bool:
    """Whether a name or an address is for this machine alone, and reached by no proxy."""
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
