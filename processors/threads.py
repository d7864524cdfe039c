"""Threads that the end of the process does not wait for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from importlib import import_module
from threading import Thread
from typing import Generic, TypeVar

import anyio
from anyio import BrokenResourceError, ClosedResourceError, EndOfStream, to_thread
from anyio.from_thread import BlockingPortal
from anyio.streams.memory import MemoryObjectReceiveStream

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


_imported: set[str] = set()


async def import_in_thread(*names: str) -> None:
    """Import modules while the event loop goes on with what else it has to do.

    A module that is slow to import would hold up everybody's sound for some tenths of a second.
    """
    for name in names:
        if name not in _imported:  # `sys.modules` has it before it can be used
            await run_in_daemon_thread(partial(import_module, name))
            _imported.add(name)


class Followed(Generic[T]):
    """An asynchronous iterator over what a thread reads; it raises what the thread raised."""

    def __init__(
        self, receiver: MemoryObjectReceiveStream[T], failure: list[BaseException]
    ) -> None:
        self._receiver = receiver
        self._failure = failure

    def __aiter__(self) -> Followed[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._receiver.receive()
        except EndOfStream:
            if self._failure:
                raise self._failure.pop() from None
            raise StopAsyncIteration from None


@asynccontextmanager
async def follow(items: Callable[[], Iterable[T]], name: str) -> AsyncIterator[Followed[T]]:
    """What a blocking iterable gives, read in a daemon thread called `name`, one item ahead.

    When the context ends, the thread is left to itself: it ends with the next item, or with the
    process.
    """
    sender, receiver = anyio.create_memory_object_stream[T]()
    failure: list[BaseException] = []

    def give(item: T) -> bool:
        try:
            portal.call(sender.send, item)
        except NOBODY_LISTENS:
            return False
        return True

    def read() -> None:
        try:
            for item in items():
                if not give(item):
                    return
        except BaseException as error:
            failure.append(error)
        with suppress(*NOBODY_LISTENS):
            portal.call(sender.aclose)

    async with BlockingPortal() as portal, sender, receiver:
        Thread(target=read, name=name, daemon=True).start()
        yield Followed(receiver, failure)
