"""Signals that are heard whatever the event loop does, and an end that comes whatever hangs."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.runtime.blame import any_work

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPED = 128
"""Plus the number of the signal: the exit status, as a shell would say it."""
LEAVE_SCREEN = b"\x1b[?1049l\x1b[?25h"
"""Shows what was there before the live view, and the cursor (xterm's control sequences)."""
PATIENCE_S = 1.0
"""How long after the limit the process is still there at the most."""


@contextmanager
def obeying_signals(heed: Callable[[int], None], drain_seconds: float) -> Iterator[None]:
    """While it lasts, `heed` is called with each SIGINT and SIGTERM, in a thread of its own.

    `drain_seconds` and a second after the first signal, or a second after the second one, the
    process is ended by force if it is still there, also when the main thread hangs in a call, or
    Python waits for threads at its end. For the main thread of a process.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    guard = _Guard(reader, heed, drain_seconds)
    guard.start()
    try:
        yield
    finally:
        others = [
            thread
            for thread in threading.enumerate()
            if not thread.daemon and thread is not threading.main_thread()
        ]
        if not (guard.heard and others):  # otherwise it stays until Python has waited for these
            writer.close()
            guard.join()
            reader.close()
        signal.set_wakeup_fd(fd)
        for number, handler in before.items():
            signal.signal(number, handler)


class _Guard(threading.Thread):
    """Hears of signals by what Python writes into a socket for each, at once."""

    def __init__(
        self, reader: socket.socket, heed: Callable[[int], None], drain_seconds: float
    ) -> None:
        super().__init__(name="signals", daemon=True)
        self.heard: list[int] = []
        self._reader = reader
        self._heed = heed
        self._drain_seconds = drain_seconds
        self._main = threading.get_ident()

    def run(self) -> None:
        limit: float | None = None
        while True:
            self._reader.settimeout(None if limit is None else max(limit - time.monotonic(), 0.001))
            try:
                numbers = self._reader.recv(64)
            except TimeoutError:
                self._end()
            if not numbers:
                return
            for number in filter(SIGNALS.__contains__, numbers):
                drain = 0 if self.heard else self._drain_seconds
                self.heard.append(number)
                at = time.monotonic() + drain + PATIENCE_S
                limit = at if limit is None else min(limit, at)
                self._heed(number)

    def _end(self) -> None:
        work = any_work(self._main)
        who = "something"
        if work is not None and work.processor is not None:
            who = f'"{work.processor.context.name}" ({work.where})'
        if os.isatty(2):
            os.write(2, LEAVE_SCREEN)
        os.write(2, f"\n{who} does not come to its end: stopped by force\n".encode())
        os._exit(STOPPED + self.heard[-1])
