"""Standard streams whose readers may go away, not read, or never have been there."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

MOST = 1 << 22
"""Characters that wait for a reader."""
STANDARD = 3
"""Descriptors of the standard streams are below this."""


class Outlet(io.TextIOBase):
    """A text stream that is written by a thread of its own: who writes to it never waits.

    A terminal that was stopped, or a program that does not read, would else hold up a
    conversation. What finds no room is left out, and the next that finds some says how much that
    was. When nobody reads any more, the rest is left out without a word.

    stream: None stands for one that is closed. patience_s: how long `settle` waits for a reader, if
    there is an end to it. gone: told, in that thread, why nothing can be
    written any more.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        gone: Callable[[Exception], object] = lambda _: None,
        most: int = MOST,
    ) -> None:
        self.patience_s: float | None = None
        self._stream = stream
        self._told = gone
        self._most = most
        self._waiting: deque[str] = deque()
        self._size = 0
        self._left_out = 0
        self._is_gone = stream is None
        self._changed = threading.Condition()
        self._is_begun = False

    def offer(self, text: str) -> bool:
        """Write it, unless there is no room for it."""
        with self._changed:
            if self._is_gone:
                return True
            if self._waiting and self._size + len(text) > self._most:
                return False
            self._waiting.append(text)
            self._size += len(text)
            self._changed.notify_all()
            is_first, self._is_begun = not self._is_begun, True
        if is_first:
            try:
                threading.Thread(target=self._work, name="outlet", daemon=True).start()
            except RuntimeError:  # there are too many; this has to be said nevertheless
                self._is_begun = False
                self._write_out()
        return True

    def write(self, text: str) -> int:
        said = f"[{self._left_out} pieces of text are left out]\n" if self._left_out else ""
        if self.offer(said + text):
            self._left_out = 0
        else:
            self._left_out += 1
        return len(text)

    def settle(self) -> None:
        """Wait until all is written, or nobody reads any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._size or self._is_gone, self.patience_s)

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("closed")
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def _work(self) -> None:
        while not self._is_gone:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            self._write_out()

    def _write_out(self) -> None:
        assert self._stream is not None
        with self._changed:
            text = "".join(self._waiting)
            self._waiting.clear()
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError) as error:  # which is what a closed file says
            self._give_up(error)
        with self._changed:
            self._size -= len(text)
            self._changed.notify_all()

    def _give_up(self, error: Exception) -> None:
        assert self._stream is not None
        with suppress(OSError, ValueError):  # or Python complains of it when it ends
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        self._told(error)
        with self._changed:
            self._is_gone = True
            self._waiting.clear()
            self._changed.notify_all()


@contextmanager
def outlet(stream: TextIO | None) -> Iterator[Outlet]:
    """An outlet, all of which is written at its end if somebody reads it."""
    opened = Outlet(stream)
    try:
        yield opened
    finally:
        opened.settle()


def occupy_standard_streams() -> None:
    """If some are closed, keep files from getting their numbers: messages would go into them."""
    while (number := os.open(os.devnull, os.O_RDWR)) < STANDARD:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lasts
