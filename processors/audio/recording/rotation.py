"""A recording that goes on from file to file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from processors.audio.files.sound_file import SoundFile, open_sound_file
from processors.audio.pcm import Samples


class Rotation:
    """Sound appended to one file, or to `name-001.wav`, `name-002.wav` and so on.

    Each file is whole in itself, and each sample is in exactly one of them.

    seconds: after how much sound the next file begins, to the sample.
    megabytes: how much a file may hold, in millions of bytes; what an encoder holds back when the
      file ends comes on top.
    claim: given where a file is to be, says where it may be. opened: told of every file, and of the
      position of its first sample.
    """

    def __init__(
        self,
        path: Path,
        rate: int,
        channels: int,
        claim: Callable[[Path], Path],
        opened: Callable[[Path, int], None],
        *,
        seconds: float | None = None,
        megabytes: float | None = None,
    ) -> None:
        self.path = path
        self.rate = rate
        self.channels = channels
        self.written = 0
        self._claim = claim
        self._opened = opened
        self._most_samples = None if seconds is None else max(1, round(seconds * rate))
        self._most_bytes = None if megabytes is None else round(megabytes * 1_000_000)
        self._number = 0
        self._file: SoundFile | None = None

    def write(self, samples: Samples) -> None:
        """Append samples of shape (n, channels). Raises OSError with path and reason."""
        while True:
            if self._file is None:
                self._file = self._open()
            room = self._room(self._file, len(samples))
            if room > 0 or not self._file.written:  # one sample at least, so that it ends
                part = samples[: max(1, room)]
                self._file.write(part)
                self.written += len(part)
                samples = samples[len(part) :]
            if not len(samples):
                return
            self.close()

    def close(self) -> None:
        """Close the file. Raises OSError with path and reason."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _open(self) -> SoundFile:
        path = self.path
        if self._most_samples or self._most_bytes:
            self._number += 1
            path = path.with_stem(f"{path.stem}-{self._number:03}")
        path = self._claim(path)
        file = open_sound_file(path, self.rate, self.channels)
        self._opened(path, self.written)
        return file

    def _room(self, file: SoundFile, count: int) -> int:
        """How many of `count` more samples belong into this file."""
        room = count
        if self._most_samples is not None:
            room = min(room, self._most_samples - file.written)
        if self._most_bytes is not None:
            each = file.size / file.written if file.written else 2 * self.channels
            room = min(room, int((self._most_bytes - file.size) / each))
        return room
