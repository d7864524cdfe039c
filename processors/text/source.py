"""Typed text."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, TextIO

import anyio
from anyio import to_thread
from msgspec import Meta

from pipeline import InputPath, SettingError, Source, TextFrame, no_file
from processors.threads import Followed, follow


class TextSource(Source):
    """Gives lines of text, as if the user had typed them. Empty lines are left out.

    lines: the lines themselves.
    path: a file with one to a line, instead; `-` for standard input.
    pause_ms: time between two lines, in milliseconds.
    ends_on: lines that end the input instead of being given, whatever their case, such as `quit`.
    """

    def __init__(
        self,
        lines: list[str] | None = None,
        path: InputPath | None = None,
        pause_ms: Annotated[int, Meta(ge=0)] = 0,
        ends_on: list[str] | None = None,
    ) -> None:
        if (lines is None) == (path is None):
            raise SettingError("give either `lines` or `path`")
        self.lines = lines
        self.path = path
        self.pause_ms = pause_ms
        self.ends_on = ends_on
        self.device = "keyboard" if self._is_stdin else None
        self._typed: Followed[str] | None = None
        self._given = 0

    def progress(self) -> float | None:
        return self._given / len(self.lines) if self.lines else None

    def check(self) -> None:
        if self.path is not None and not self._is_stdin and not Path(self.path).is_file():
            raise no_file(self.path, "path")

    async def lifespan(self) -> AsyncIterator[None]:
        if not self._is_stdin:
            yield
            return
        # in a daemon thread, for one of `to_thread` would keep the process until a line is typed
        async with follow(_typed_lines, "standard input") as self._typed:
            yield

    async def frames(self) -> AsyncIterator[TextFrame]:
        first = True
        last = {word.strip().casefold() for word in self.ends_on or ()}
        async with aclosing(self._lines()) as lines:
            async for line in lines:
                if not line.strip():
                    continue
                if line.strip().casefold() in last:
                    return
                if not first and self.pause_ms:
                    await anyio.sleep(self.pause_ms / 1000)
                first = False
                yield TextFrame(line.strip(), pts=self.context.now())

    async def _lines(self) -> AsyncGenerator[str]:
        if self._typed is not None:
            async for line in self._typed:
                yield line
        elif self.path is not None:
            with await to_thread.run_sync(_open, self.path) as file:
                while line := await to_thread.run_sync(_read_line, file):
                    yield line
        else:
            for line in self.lines or ():
                yield line
                self._given += 1

    @property
    def _is_stdin(self) -> bool:
        return self.path is not None and Path(self.path).name == "-"


def _open(path: str) -> TextIO:
    return open(path, encoding="utf-8-sig")


def _read_line(file: TextIO) -> str:
    try:
        return file.readline()
    except UnicodeDecodeError as error:
        raise SettingError(f"{file.name} is not UTF-8: {error.reason}", setting="path") from None


def _typed_lines() -> Iterator[str]:
    """Through a file of its own: while a thread waits in `sys.stdin`, Python cannot end."""
    stdin = sys.stdin
    with open(stdin.fileno(), encoding=stdin.encoding, errors="replace", closefd=False) as file:
        yield from file
