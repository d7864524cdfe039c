"""Files that processors and graphs write."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipeline import Graph, SettingError


def check_writable(path: Path, *, pipes: bool = False) -> None:
    """Raise SettingError unless a file can be made, or replaced, at `path`; changes nothing.

    pipes: it may be a named pipe, too.
    """
    if path.is_dir():
        raise SettingError(f"{path} is a folder", setting="path")
    if not pipes and path.is_fifo():
        hint = "a pipe takes .raw and .jsonl; other forms have to go back in what they have written"
        raise SettingError(f"{path} is a pipe", setting="path", hint=hint)
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise SettingError(f"cannot write {path}: {folder} is not a folder", setting="path")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise SettingError(f"cannot write {path}: permission denied", setting="path")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An OSError that comes from within says which file it is about."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def create(path: Path) -> IO[bytes]:
    """Begin a file, with its folder, in the place of one that was there; it has no buffer.

    A named pipe is opened if somebody reads it, and never waited for. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_fifo():
        return path.open("wb", buffering=0)
    with named(path):
        return open(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "wb", buffering=0)


def append(file: IO[bytes], data: bytes | memoryview, *, unit: int = 0) -> None:
    """Write all of it at the place where a file without a buffer is, or no part of it.

    unit: where the system refuses, keep as many units of so many bytes as it has taken; for what is
    of use in part. What cannot be cut, such as a pipe, keeps all that it has. Raises OSError.
    """
    left = memoryview(data)
    try:
        while left:
            count: int | None = file.write(left)
            if count is None:  # a pipe that is full
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            left = left[count:]
    except OSError:
        done = len(data) - len(left)
        torn = done % unit if unit else done
        with suppress(OSError):
            file.truncate(file.seek(-torn, os.SEEK_CUR))
        raise


def replace_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file in one step, with its folder: others see the one of before, or all of the new.

    mode: who may do what with it, but for what the process's own mask takes away. Raises OSError,
    with the path.
    """
    path = path.resolve()
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # a pipe, or a device
            path.write_bytes(data)
            return
        part = path.with_name(f"{path.name}.part")
        try:
            with suppress(FileNotFoundError):
                part.unlink()  # what a process has left that was killed, and whose mode it has
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(descriptor, "wb") as file:
                file.write(data)
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise OSError(error.errno, error.strerror, str(path)) from None


def names_of_files(graph: Graph) -> Iterator[tuple[str, str]]:
    """The settings that name files to be written, and what these are called in a folder of theirs:
    by their names, or where two have the same, by the nodes'.
    """
    written = graph.files_written()
    names = Counter(file.name for file in written)
    for file, [(node, setting), *_] in written.items():
        name = file.name if names[file.name] == 1 else f"{node.name}-{file.name}"
        yield f"{node.name}.{setting}", name
