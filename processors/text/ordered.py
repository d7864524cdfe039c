"""A file whose entries are in the order of their times, whenever each of them becomes known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from typing import IO

REMEMBERED = 256
"""Entries before which a late one can still be put."""


class OrderedFile:
    """Entries with times; a late one is put before those that belong behind it.

    Each time, everything from there on is written in one call, so that the file is whole at any
    moment, also if the process is killed.

    render: an entry as text, given its number, from 1 on.
    """

    def __init__(self, file: IO[bytes], head: str, render: Callable[[int, str], str]) -> None:
        self._file = file
        self._render = render
        self._times: list[int] = []
        self._entries: list[str] = []
        self._offsets: list[int] = []
        self._before = 0
        self._write(0, head.encode())
        self._end = len(head.encode())

    def add(self, time: int, entry: str) -> None:
        """Put an entry at its time, after those of the same time.

        Raises OSError where it finds no room; then the file is as it was before.
        """
        at = bisect_right(self._times, time)
        offset = self._offsets[at] if at < len(self._offsets) else self._end
        self._times.insert(at, time)
        self._entries.insert(at, entry)
        try:
            self._write_entries(at, offset)
        except OSError:
            del self._times[at], self._entries[at]
            with suppress(OSError):
                self._write_entries(at, offset)
                self._file.truncate(self._end)
            raise
        if len(self._times) > 2 * REMEMBERED:
            for known in (self._times, self._entries, self._offsets):
                del known[:REMEMBERED]
            self._before += REMEMBERED

    def _write_entries(self, at: int, offset: int) -> None:
        """Write those from an index on at an offset."""
        del self._offsets[at:]
        texts = []
        end = offset
        for number, each in enumerate(self._entries[at:], self._before + at + 1):
            self._offsets.append(end)
            texts.append(self._render(number, each).encode())
            end += len(texts[-1])
        self._write(offset, b"".join(texts))
        self._end = end

    def _write(self, offset: int, data: bytes) -> None:
        self._file.seek(offset)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
