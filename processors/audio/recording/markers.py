"""Marks beside a recording: what happened when."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import msgspec

from pipeline import SECOND
from processors.files import append, named


class Markers:
    """One JSON object per line in `FILE.markers.jsonl`, each with the system when `mark` returns.

    Raises OSError with path and reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = beside(path)
        self._file: IO[bytes] | None = None

    def mark(self, at: int, **what: Any) -> None:
        """Note what there is at a media time in nanoseconds."""
        with named(self.path):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("wb", buffering=0)
            row = {"at": round(at / SECOND, 4), **what}
            append(self._file, msgspec.json.encode(row) + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def beside(path: Path) -> Path:
    """The file for the marks of a recording."""
    return path.with_name(f"{path.name}.markers.jsonl")
