"""Typed text."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import anyio
from anyio import to_thread
from msgspec import Meta

from pipeline import InputPath, SettingError, Source, TextFrame


class TextSource(Source):
    """Gives lines of text, as if the user had typed them. Empty lines are left out.

    lines: the lines themselves.
    path: a file with one to a line, instead; `-` for standard input.
    pause_ms: time between two lines, in milliseconds.
    """

    def __init__(
        self,
        lines: list[str] | None = None,
        path: InputPath | None = None,
        pause_ms: Annotated[int, Meta(ge=0)] = 0,
    ) -> None:
        if (lines is None) == (path is None):
            raise SettingError("give either `lines` or `path`")
        self.lines = lines
        self.path = path
        self.pause_ms = pause_ms

    def check(self) -> None:
        if self.path is not None and Path(self.path).name != "-" and not Path(self.path).is_file():
            raise SettingError(f"there is no file {self.path}", setting="path")

    async def frames(self) -> AsyncIterator[TextFrame]:
        first = True
        async for line in self._lines():
            if not line.strip():
                continue
            if not first and self.pause_ms:
                await anyio.sleep(self.pause_ms / 1000)
            first = False
            yield TextFrame(line.strip(), pts=self.context.now())

    async def _lines(self) -> AsyncIterator[str]:
        if self.path is None:
            for line in self.lines or ():
                yield line
            return
        with closing(_read_lines(self.path)) as lines:
            while line := await to_thread.run_sync(lambda: next(lines, ""), abandon_on_cancel=True):
                yield line


def _read_lines(path: str) -> Generator[str]:
    if Path(path).name == "-":
        yield from sys.stdin
    else:
        with open(path, encoding="utf-8") as file:
            yield from file
