"""Sound files to write, by the end of their names."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

from pipeline import AudioFormat, SettingError
from processors.audio.files.encoded import ENCODINGS, EncodedFile
from processors.audio.files.wav import WavFile
from processors.audio.pcm import Samples

SUFFIXES = (".wav", *sorted(ENCODINGS))


class SoundFile(Protocol):
    """A file that sound is appended to, in 16 bits or what they are compressed to.

    It can be read at any moment, also after the process was killed. `written` counts samples.
    """

    rate: int
    channels: int
    written: int

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    @property
    def size(self) -> int:
        """Bytes so far."""

    def write(self, samples: Samples) -> None:
        """Append samples of shape (n, channels). Raises OSError with path and reason."""

    def close(self) -> None:
        """Write what is held back and close the file. Raises OSError likewise."""


def open_sound_file(path: Path, rate: int, channels: int) -> SoundFile:
    """A new file, with its folders, in the place of one that was there. Raises OSError."""
    kind = WavFile if path.suffix.lower() == ".wav" else EncodedFile
    return kind(path, rate, channels)


def check_suffix(path: Path) -> None:
    """Raise SettingError if no format belongs to the end of the name."""
    if path.suffix.lower() not in SUFFIXES:
        names = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise SettingError(f"{path} must end in {names}", setting="path")


def check_format(path: Path, wanted: AudioFormat, setting: str | None = None) -> None:
    """Raise SettingError if the format that belongs to the name does not know this one of sound."""
    encoding = ENCODINGS.get(path.suffix.lower())
    if encoding is None:
        return
    rate, channels, most = wanted.rate, wanted.channels, encoding.most_channels
    if rate is not None and encoding.rates and rate not in encoding.rates:
        what, have = f"be at {rate} Hz", f"{', '.join(map(str, encoding.rates))} Hz"
    elif channels is not None and most is not None and channels > most:
        what, have = f"have {channels} channels", f"{most} at most"
    else:
        return
    raise SettingError(f"{path} cannot {what}", setting=setting, hint=f"{encoding.name} has {have}")
