"""A resumption handle in a file, so that a program that is started again can go on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from processors.files import replace_file

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
    """Replace the file in one step; nobody but its owner may read it. Raises OSError."""
    replace_file(path, msgspec.json.encode(SavedHandle(handle, model, now)), mode=0o600)
