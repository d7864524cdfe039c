"""Files that processors and graphs write."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline import Graph, SettingError


def check_writable(path: Path) -> None:
    """Raise SettingError unless a file can be made, or replaced, at `path`; changes nothing."""
    if path.is_dir():
        raise SettingError(f"{path} is a folder", setting="path")
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


def names_of_files(graph: Graph) -> Iterator[tuple[str, str]]:
    """The settings that name files to be written, and what these are called in a folder of theirs:
    by their names, or where two have the same, by the nodes'.
    """
    written = graph.files_written()
    names = Counter(file.name for file in written)
    for file, [(node, setting), *_] in written.items():
        name = file.name if names[file.name] == 1 else f"{node.name}-{file.name}"
        yield f"{node.name}.{setting}", name
