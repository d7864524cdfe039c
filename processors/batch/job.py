"""What a batch is made of: one job for each file."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the graph; all that a worker has to know, on whatever machine it is.

    file: the input, as it was given. name: what it is called in the results, and the folder for
    what the run writes. config: the configuration's file; overrides: settings that count instead of
    those in it. recipe: a digest of both, the input's own path aside. is_timed: the run is in real
    time, so that its latencies mean something.
    """

    file: str
    name: str
    config: str
    overrides: tuple[str, ...]
    folder: str
    recipe: str
    is_timed: bool


def names_of(files: Sequence[Path]) -> list[str]:
    """A name for each file, no two of them the same: its place below the folder they all are in,
    without the ending where that is enough to tell them apart.
    """
    whole = [Path(os.path.abspath(file)) for file in files]
    top = os.path.commonpath([file.parent for file in whole])
    below = [file.relative_to(top).as_posix() for file in whole]
    bare = [str(Path(name).with_suffix("").as_posix()) for name in below]
    # Names that differ in capitals alone are one file on some systems.
    times = Counter(name.casefold() for name in bare)
    taken = {name.casefold() for name in below}
    return [
        short if times[short.casefold()] == 1 and short.casefold() not in taken - {name.casefold()}
        else name
        for short, name in zip(bare, below, strict=True)
    ]  # fmt: skip


def digest_of_file(path: str | Path) -> str:
    """SHA-256 of what is in a file. Raises OSError."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(parts: Sequence[str]) -> str:
    """SHA-256 of texts."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
