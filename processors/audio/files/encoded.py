"""A compressed sound file that can be read whenever the process may end."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from processors.audio.pcm import Samples
from processors.files import named

OPUS_RATES = (8000, 12_000, 16_000, 24_000, 48_000)
MP3_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
PAGE_MS = 200.0
"""An Ogg page is written when it is this long: a reader sees only whole pages."""
SET_OGG_PAGE_LATENCY_MS = 0x1302
SMALL_BLOCKS = {"compression_level": 0.2}
"""FLAC in blocks of 1152 samples instead of 4096."""
CONSTANT = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
"""80 kbit/s at 24 kHz. Readers infer the length of an MP3 that was not closed from its bit rate:
of a variable one they would leave out the end."""


class Encoding(NamedTuple):
    """What soundfile wants to know of a format, which sample rates it has (none: all), and how many
    channels at most (none: any)."""

    format: str
    subtype: str
    rates: tuple[int, ...] = ()
    options: Mapping[str, Any] = {}
    most_channels: int | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.subtype.title() if self.format == "OGG" else self.format


ENCODINGS = {
    ".flac": Encoding("FLAC", "PCM_16", most_channels=8),
    ".mp3": Encoding("MP3", "MPEG_LAYER_III", MP3_RATES, CONSTANT, most_channels=2),
    ".ogg": Encoding("OGG", "OPUS", OPUS_RATES),
    ".opus": Encoding("OGG", "OPUS", OPUS_RATES),
}
"""By the end of a file's name."""


class EncodedFile:
    """FLAC, Ogg Opus or MP3, written in pieces.

    What the encoder still holds back is lost with the process: in FLAC one block (at most 0.26 s
    from 16 kHz up, 0.15 s below), in Opus 0.23 s, in MP3 0.1 s. FLAC's header always tells how
    much is there. Raises OSError, with the path, where the file cannot be written.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        import soundfile

        path.parent.mkdir(parents=True, exist_ok=True)
        encoding = ENCODINGS[path.suffix.lower()]
        self.rate = rate
        self.channels = channels
        self.written = 0
        self._path = path
        self._is_flac = encoding.format == "FLAC"
        self._target = _Target(path.open("w+b", buffering=0))
        options = SMALL_BLOCKS if self._is_flac and rate < 16_000 else encoding.options
        try:
            self._sound = soundfile.SoundFile(
                self._target,
                "w",
                samplerate=rate,
                channels=channels,
                format=encoding.format,
                subtype=encoding.subtype,
                **options,
            )
            if encoding.format == "OGG":
                _shorten_pages(self._sound)
        except BaseException:
            self._target.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return os.fstat(self._target.file.fileno()).st_size

    def write(self, samples: Samples) -> None:
        """Append samples of shape (n, channels); full blocks are with the system on return."""
        with named(self._path):
            self._target.watch(self._sound.write, samples)
            self.written += len(samples)
            if self._is_flac:
                self._target.count_flac(self.written)

    def close(self) -> None:
        """Write what the encoder holds and close the file."""
        if self._target.file.closed:
            return
        try:
            with named(self._path):
                self._target.watch(self._sound.close)
        finally:
            self._target.file.close()


class _Target:
    """The file as libsndfile sees it, which does not tell why a write has failed."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._error: OSError | None = None

    def watch(self, call: Any, *arguments: Any) -> None:
        """Call a function of soundfile. Raises what the system said where it could not write."""
        import soundfile

        try:
            call(*arguments)
        except (AssertionError, soundfile.SoundFileError):
            if self._error is None:
                raise
        if self._error is not None:
            raise self._error

    def count_flac(self, written: int) -> None:
        """Note the number of samples in FLAC's header, where libsndfile does so at the end only.

        The encoder writes a block when it has the first sample of the next. In the header, from
        byte 18 on, are rate, channels, resolution, and in the last 36 bits this number (RFC 9639).
        """
        if self._error is None:
            place = self.file.tell()
            self.file.seek(0)
            header = self.file.read(26)
            block = int.from_bytes(header[10:12])  # nothing is there before the first block
            if block and (count := max(0, written - 1) // block * block):
                self.file.seek(18)
                self.file.write((int.from_bytes(header[18:26]) >> 36 << 36 | count).to_bytes(8))
            self.file.seek(place)

    # --- what libsndfile calls ---

    def write(self, data: bytes) -> int:
        """All of it, or fewer bytes than that where the system refuses."""
        left = memoryview(data)
        while left and self._error is None:
            try:
                left = left[self.file.write(left) :]
            except OSError as error:
                self._error = error
        return len(data) - len(left)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def readinto(self, buffer: Any) -> int:
        return self.file.readinto(buffer)  # type: ignore[attr-defined, no-any-return]


def _shorten_pages(sound: Any) -> None:
    """soundfile has no name for this command; without it a page is a second long."""
    import soundfile

    library, types = getattr(soundfile, "_snd", None), getattr(soundfile, "_ffi", None)
    if library is not None and types is not None:
        latency = types.new("double *", PAGE_MS)
        library.sf_command(sound._file, SET_OGG_PAGE_LATENCY_MS, latency, types.sizeof("double"))
