"""A WAV file that is valid on disk whenever the process may end."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Self

from processors.audio.pcm import Samples, silence


class WavFile:
    """16-bit PCM, written in pieces; the header always tells how much is there.

    Raises OSError where the file cannot be written.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rate = rate
        self.channels = channels
        self.written = 0
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

    def write(self, samples: Samples) -> None:
        """Append samples of shape (n, channels); they are with the system when it returns."""
        self._wave.writeframes(samples.tobytes())
        self._file.flush()
        self.written += len(samples)

    def close(self) -> None:
        """Close the file."""
        try:
            self._wave.close()
        finally:
            self._file.close()
