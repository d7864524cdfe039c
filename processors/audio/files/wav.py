"""A WAV file that is valid on disk whenever the process may end."""

from __future__ import annotations

import errno
import wave
from pathlib import Path
from typing import Self

from processors.audio.pcm import Samples, silence
from processors.files import named

MOST_BYTES = 2**32 - 64
"""The header counts bytes in 32 bits."""


class WavFile:
    """16-bit PCM, written in pieces; the header always tells how much is there.

    Raises OSError, with the path, where the file cannot be written, or has become too long.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rate = rate
        self.channels = channels
        self.written = 0
        self._path = path
        self._file = path.open("wb")
        self._wave = wave.Wave_write(self._file)
        try:
            self._wave.setnchannels(channels)
            self._wave.setsampwidth(2)
            self._wave.setframerate(rate)
            self.write(silence(0, channels))
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
        return 44 + self.written * self.channels * 2

    def write(self, samples: Samples) -> None:
        """Append samples of shape (n, channels); they are with the system when it returns."""
        with named(self._path):
            if self.size + samples.nbytes > MOST_BYTES:
                raise OSError(errno.EFBIG, "a WAV file holds at most 4 GiB; write several, or FLAC")
            self._wave.writeframes(samples.tobytes())
            self._file.flush()
            self.written += len(samples)

    def close(self) -> None:
        """Close the file."""
        with named(self._path):
            try:
                self._wave.close()
            finally:
                self._file.close()
