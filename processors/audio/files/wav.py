"""A WAV file that is valid on disk whenever the process may end."""

from __future__ import annotations

import errno
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Self

from processors.audio.pcm import Samples
from processors.files import append, named

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
"""`RIFF` and the chunks `fmt ` and `data`, as in the Multimedia Programming Interface of 1991."""
PCM = 1
MOST_BYTES = 2**32 - 64
"""The header counts bytes in 32 bits."""


class WavFile:
    """16-bit PCM, written in pieces; the header always tells how much is there.

    If the process is killed within `write`, there may be samples behind those that it tells of.
    Raises OSError, with the path, where the file cannot be written, or has become too long: what
    has found room of the samples is kept.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rate = rate
        self.channels = channels
        self.written = 0
        self._path = path
        self._file = path.open("wb", buffering=0)
        try:
            with named(path):
                self._write_header()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return HEADER.size + self.written * self.channels * 2

    def write(self, samples: Samples) -> None:
        """Append samples of shape (n, channels); they are with the system when it returns."""
        with named(self._path):
            if self.size + samples.nbytes > MOST_BYTES:
                raise OSError(errno.EFBIG, "a WAV file holds at most 4 GiB; write several, or FLAC")
            each = self.channels * 2
            try:
                append(self._file, samples.astype("<i2").tobytes(), unit=each)
            except OSError:
                with suppress(OSError):
                    self.written = (self._file.tell() - HEADER.size) // each
                    self._write_header()
                raise
            self.written += len(samples)
            self._write_header()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write_header(self) -> None:
        each = self.channels * 2
        count = self.written * each
        self._file.seek(0)
        header = HEADER.pack(
            *(b"RIFF", HEADER.size - 8 + count, b"WAVE"),
            *(b"fmt ", 16, PCM, self.channels, self.rate, self.rate * each, each, 16),
            *(b"data", count),
        )
        append(self._file, header)
        self._file.seek(0, os.SEEK_END)
