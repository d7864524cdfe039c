"""Samples without a header, into a file or to standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Self

from pipeline import PipelineError
from processors.audio.codecs import Encoding, encode
from processors.audio.pcm import Samples
from processors.files import append, create, named


class RawFile:
    """Interleaved samples in an encoding, each with the system as soon as it is written.

    path: a file, or `-` for standard output, whose bytes go past Python's own buffer. Raises
    OSError, with the path, where it cannot be written, and PipelineError when nobody reads standard
    output any more.
    """

    def __init__(self, path: Path, encoding: Encoding, rate: int, channels: int) -> None:
        self.rate = rate
        self.channels = channels
        self.written = 0
        self.size = 0
        self._path = path
        self._encoding = encoding
        self._file: IO[bytes]
        if is_standard_output(path):
            if sys.stdout is None:
                raise PipelineError("standard output is closed")
            self._file = os.fdopen(sys.stdout.fileno(), "wb", buffering=0, closefd=False)
        else:
            self._file = create(path)
            if path.is_fifo():
                os.set_blocking(self._file.fileno(), True)  # a thread may wait for a reader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, samples: Samples) -> None:
        """Append samples of shape (n, channels); waits while a pipe is full."""
        data = encode(samples, self._encoding)
        self.size += len(data)
        try:
            with named(self._path):
                append(self._file, data, unit=len(data) // max(1, len(samples)))
        except BrokenPipeError:
            if not is_standard_output(self._path):
                raise
            raise PipelineError("nobody reads standard output any more") from None
        self.written += len(samples)

    def close(self) -> None:
        """Close the file; standard output stays open."""
        self._file.close()


def is_standard_output(path: Path) -> bool:
    """Whether a path stands for standard output."""
    return path.name == "-"


def refuse_terminal() -> None:
    """Raise PipelineError where standard output shows bytes as characters."""
    if sys.stdout is not None and os.isatty(sys.stdout.fileno()):
        raise PipelineError(
            "standard output is a terminal; write to a file, or pipe it into a player: | aplay ..."
        )
