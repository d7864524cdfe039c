"""Threads that the end of the process does not wait for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

import anyio
from anyio import BrokenResourceError, ClosedResourceError, to_thread
from anyio.from_thread import BlockingPortal

T = TypeVar("T")

NOBODY_LISTENS = (RuntimeError, CancelledError, BrokenResourceError, ClosedResourceError)
"""What a thread may get that calls into an event loop after its listener has gone."""


async def run_in_daemon_thread(function: Callable[[], T]) -> T:
    """Like `anyio.to_thread.run_sync`, but when cancelled, the thread is left to itself.

    Python waits at its end for the threads of `to_thread`: one that hangs would keep the process.
    It counts against the same limit on threads while somebody waits for it.
    """
    outcome: list[T | BaseException] = []
    done = anyio.Event()
    context = copy_context()

    def work() -> None:
        try:
            outcome.append(context.run(function))
        except BaseException as error:
            outcome.append(error)
        with suppress(*NOBODY_LISTENS):
            portal.call(done.set)

    limiter, borrower = to_thread.current_default_thread_limiter(), object()
    await limiter.acquire_on_behalf_of(borrower)
    try:
        async with BlockingPortal() as portal:
            Thread(target=work, daemon=True).start()
            await done.wait()
    finally:
        limiter.release_on_behalf_of(borrower)
    [result] = outcome
    if isinstance(result, BaseException):
        raise result
    return result
