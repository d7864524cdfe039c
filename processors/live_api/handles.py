"""A resumption handle in a file, so that a program that is started again can go on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

GOOD_FOR_S = 24 * 3600
"""What Vertex documents; the service itself says if it has forgotten earlier."""


class SavedHandle(msgspec.Struct, frozen=True):
    """saved: seconds since the epoch. model: the handle is good for no other."""

    handle: str
    model: str
    saved: float


def load_handle(path: Path, model: str, now: float) -> str | None:
    """The handle that was saved for a model, unless it is too old. A damaged file is none."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=SavedHandle)
    except (OSError, msgspec.DecodeError):
        return None
    fits = saved.model == model and 0 <= now - saved.saved < GOOD_FOR_S
    return saved.handle if fits else None


def save_handle(path: Path, handle: str, model: str, now: float) -> None:
    """Replace the file in one step; nobody but its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.encode(SavedHandle(handle, model, now)))
    os.replace(temporary, path)


class HandleFile:
    """The handle of one conversation, on disk. Its methods block: call them in a thread."""

    def __init__(self, path: Path, model: str) -> None:
        self._path, self._model = path, model
        self._saved: str | None = None

    def load(self) -> str | None:
        """What an earlier run has left, if it is still good."""
        self._saved = load_handle(self._path, self._model, time.time())
        return self._saved

    def save(self, handle: str | None) -> None:
        """Keep the latest handle; nothing is written if it is the one that is there."""
        if handle is not None and handle != self._saved:
            save_handle(self._path, handle, self._model, time.time())
            self._saved = handle
