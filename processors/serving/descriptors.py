"""How many connections and files a server may have open."""

from __future__ import annotations

from contextlib import suppress

MOST = 65_536


def allow_many(most: int = MOST) -> None:
    """Raise the limit of this process, as far as the system lets it.

    It is 1,024 on many systems, which is little where each conversation has several, and where a
    crowd of connections that say nothing is to keep nobody out.
    """
    try:
        import resource
    except ModuleNotFoundError:  # Windows knows no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # then it stays as it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
