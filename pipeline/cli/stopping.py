"""Signals that are heard whatever the event loop does, and an end that comes whatever hangs.

For all commands that run until they are told to stop, those of other packages included.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context

from pipeline.cli.status import STOPPED
from pipeline.runtime.blame import any_work

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LEAVE_SCREEN = b"\x1b[?1049l\x1b[?25h"
"""Shows what was there before the live view, and the cursor (xterm's control sequences)."""
PATIENCE_S = 1.0
"""How long after the limit the process is still there at the most."""
LAST_WORDS_S = 0.2
LONGEST_WAIT_S = 3600.0


@contextmanager
def obeying_signals(
    finish: Callable[[], object],
    cancel: Callable[[], object],
    *,
    drain_seconds: float,
    stop_seconds: float = 0.0,
) -> Iterator[list[int]]:
    """While it lasts, the first SIGINT or SIGTERM calls `finish` in the event loop, each further
    one `cancel`. Gives the numbers of the signals that were heard; the list grows.

    They are heard in a thread of their own. `drain_seconds` and a second after the first one, or
    `stop_seconds` and a second after the second one, the process is ended by force if this still
    lasts, with the status 128 and the signal's number: also when the event loop hangs in a call, or
    Python waits for threads at its end.

    For the main thread of a process, in an event loop of asyncio.
    """
    import asyncio  # takes a while

    loop, context = asyncio.get_running_loop(), copy_context()

    def call(function: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the event loop has ended already
            loop.call_soon_threadsafe(function, context=context)

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    seconds = drain_seconds, stop_seconds
    guard = _Guard((reader, writer), lambda: call(finish), lambda: call(cancel), seconds)
    try:
        guard.start()
    except RuntimeError:  # there are too many threads
        reader.close()
        writer.close()
        raise
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield guard.heard
    finally:
        others = [
            thread
            for thread in threading.enumerate()
            if not thread.daemon and thread is not threading.main_thread()
        ]
        if not (guard.heard and others):  # otherwise it stays until Python has waited for these
            signal.set_wakeup_fd(fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            writer.close()
            guard.join()
            reader.close()


class _Guard(threading.Thread):
    """Hears of signals by what Python writes into a socket for each, at once."""

    def __init__(
        self,
        sockets: tuple[socket.socket, socket.socket],
        finish: Callable[[], None],
        cancel: Callable[[], None],
        seconds: tuple[float, float],
    ) -> None:
        super().__init__(name="signals", daemon=True)
        self.heard: list[int] = []
        self._reader, self._writer = sockets  # which is closed when nobody has it any more
        self._finish = finish
        self._cancel = cancel
        self._drain_seconds, self._stop_seconds = seconds
        self._main = threading.get_ident()

    def run(self) -> None:
        limit: float | None = None
        while True:
            left = LONGEST_WAIT_S if limit is None else limit - time.monotonic()
            self._reader.settimeout(min(max(left, 0.001), LONGEST_WAIT_S))
            try:
                numbers = self._reader.recv(64)
            except TimeoutError:
                if limit is not None and time.monotonic() >= limit:
                    self._end()
                continue
            if not numbers:
                return
            for number in filter(SIGNALS.__contains__, numbers):
                seconds = self._stop_seconds if self.heard else self._drain_seconds
                at = time.monotonic() + seconds + PATIENCE_S
                limit = at if limit is None else min(limit, at)
                self.heard.append(number)
                (self._finish if len(self.heard) == 1 else self._cancel)()

    def _end(self) -> None:
        try:  # it may be standard error that everything waits for
            words = threading.Thread(target=self._say, daemon=True)
            words.start()
            words.join(LAST_WORDS_S)
        finally:
            os._exit(STOPPED + self.heard[-1])

    def _say(self) -> None:
        work = any_work(self._main)
        who = "something"
        if work is not None and work.processor is not None:
            who = f'"{work.processor.context.name}" ({work.where})'
        if os.isatty(2):
            os.write(2, LEAVE_SCREEN)
        os.write(2, f"\n{who} does not come to its end: stopped by force\n".encode())
