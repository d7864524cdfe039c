"""Still pictures from files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Annotated

import anyio
from anyio import to_thread
from msgspec import Meta

from pipeline import SECOND, ImageFrame, InputPath, SettingError, Source

BEHIND = SECOND
"""Nanoseconds of pictures that are made up for at once, after something has held them up."""
HEAD_BYTES = 12
MAGIC = {
    "image/jpeg": (b"\xff\xd8\xff", 0),
    "image/png": (b"\x89PNG\r\n\x1a\n", 0),
    "image/webp": (b"WEBP", 8),
}
"""The bytes by which a kind of picture is known, and where they stand: ITU-T T.81, B.1.1.3 (SOI
and the first byte of a marker), the PNG specification, 5.2, and the WebP container, RFC 9649."""


class ImageSource(Source):
    """Gives still pictures, in the order of their names: JPEG, PNG and WebP, known by content.

    path: a file, a folder, or a pattern such as `slides/*.png`; hidden files are left out.
    interval_s: seconds from one picture to the next.
    loop: begin again after the last one, until the run is told to finish.
    """

    def __init__(
        self,
        path: InputPath,
        interval_s: Annotated[float, Meta(gt=0)] = 1.0,
        loop: bool = False,
    ) -> None:
        self.path = Path(path)
        self.interval_s = interval_s
        self.loop = loop
        self._progress: float | None = None if loop else 0.0

    def progress(self) -> float | None:
        return self._progress

    def check(self) -> None:
        for file in find_pictures(self.path):
            _mime_type_of(file, _read_head(file))

    async def frames(self) -> AsyncIterator[ImageFrame]:
        files = await to_thread.run_sync(find_pictures, self.path)
        due, interval = self.context.now(), round(self.interval_s * SECOND)
        for number in count():
            if number >= len(files) and not self.loop:
                return
            if (late := self.context.now() - due) > max(interval, BEHIND):
                self.context.measured("source.late", late)
                due += late  # it goes on from here, without a burst
            await anyio.sleep(max(0.0, (due - self.context.now()) / SECOND))
            file = files[number % len(files)]
            data = await to_thread.run_sync(file.read_bytes)
            if not self.loop:
                self._progress = (number + 1) / len(files)
            yield ImageFrame(data, _mime_type_of(file, data), pts=due)
            due += interval


def find_pictures(path: Path) -> list[Path]:
    """The files that a file name, a folder or a pattern stands for, sorted; at least one.

    Raises SettingError where there is none.
    """
    if path.is_file():
        return [path]
    folder = next(parent for parent in (path, *path.parents) if parent.is_dir())
    pattern = str(path.relative_to(folder)) if folder != path else "*"
    try:
        found = [file for file in folder.glob(pattern) if file.is_file()]
    except ValueError as error:
        raise SettingError(f"{path} is no pattern: {error}", setting="path") from None
    files = sorted(file for file in found if not file.name.startswith("."))
    if not files:
        what = f"there is no file in {path}" if folder == path else f"there is no file {path}"
        raise SettingError(what, setting="path")
    return files


def mime_type(head: bytes) -> str | None:
    """The type of a picture by its first 12 bytes; None for one that the Live API does not take."""
    for name, (magic, offset) in MAGIC.items():
        if head.startswith(magic, offset) and (not offset or head.startswith(b"RIFF")):
            return name
    return None


def _mime_type_of(file: Path, head: bytes) -> str:
    found = mime_type(head)
    if found is None:
        raise SettingError(
            f"{file} is not a JPEG, PNG or WebP picture",
            setting="path",
            hint="name the pictures by a pattern, such as folder/*.png",
        )
    return found


def _read_head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(HEAD_BYTES)
    except OSError as error:
        raise SettingError(f"cannot read {file}: {error.strerror}", setting="path") from None
