"""How many sessions are open at a time, over all graphs of an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import RunVar

from pipeline import PipelineError
from processors.live_api.settings import Limit


class TooManySessionsError(PipelineError):
    """One session more than allowed."""


class _Account:
    """The open sessions of one project."""

    def __init__(self) -> None:
        self.open = 0
        self.left = anyio.Event()


_accounts: RunVar[dict[str, _Account]] = RunVar("live_api_sessions")


@asynccontextmanager
async def session_slot(
    account: str, limit: Limit, waits: Callable[[int], Awaitable[None]] | None = None
) -> AsyncIterator[None]:
    """Hold one of the sessions of an account; wait for it, or raise TooManySessionsError.

    waits: told once, before a wait, how many sessions are open.
    """
    try:
        accounts = _accounts.get()
    except LookupError:
        accounts = {}
        _accounts.set(accounts)
    own = accounts.setdefault(account, _Account())
    while own.open >= limit.sessions:
        if limit.when_full == "refuse":
            raise TooManySessionsError(
                f"{own.open} sessions are open already, and no more than {limit.sessions} are "
                "allowed: see the setting `limit`"
            )
        if waits is None:
            await own.left.wait()
        else:
            await waits(own.open)
            waits = None
    own.open += 1
    try:
        yield
    finally:
        own.open -= 1
        own.left.set()
        own.left = anyio.Event()
