"""Sound from a file, or from standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from msgspec import Meta

from pipeline import AudioFormat, AudioFrame, InputPath, SettingError, Source, no_file
from processors.audio.codecs import Encoding
from processors.audio.pcm import Channels, Rate, Samples, from_float, is_workable
from processors.audio.sources.pace import Pace
from processors.audio.sources.pcm_reader import PcmReader, layout_of, read_blocks
from processors.threads import Followed, follow

READ_SECONDS = 1
READ_BYTES = 4096
PATIENCE_MS = 200
SUBTYPES: dict[Encoding, str] = {
    "s16le": "PCM_16",
    "f32le": "FLOAT",
    "mulaw": "ULAW",
    "alaw": "ALAW",
}
"""What libsndfile calls them."""
EXACT = ("PCM_16", "ULAW", "ALAW")


class AudioSource(Source):
    """Plays a sound file into the graph: WAV, FLAC, Ogg, MP3 and whatever else soundfile reads; or
    what comes in at standard input.

    path: the file; `-` is standard input, with a WAV header in front, or without one if `rate` is
      given.
    frame_ms: length of a frame in milliseconds; the last one may be shorter.
    realtime: true gives each frame when it would be heard, false as fast as the graph takes them.
    encoding: of samples without a header: 16-bit integers (`s16le`, also where it is left out at
      standard input), 32-bit floats (`f32le`), or G.711 `mulaw` or `alaw` as in telephony.
    rate: of samples without a header, in Hz.
    channels: of samples without a header; 1 if left out.
    """

    def __init__(
        self,
        path: InputPath,
        frame_ms: Annotated[int, Meta(ge=1, le=1000)] = 20,
        realtime: bool = True,
        encoding: Encoding | None = None,
        rate: Rate | None = None,
        channels: Channels | None = None,
    ) -> None:
        self.path = Path(path)
        self.frame_ms = frame_ms
        self.realtime = realtime
        self.layout = layout_of(encoding, rate, channels, assumed="s16le" if self._piped else None)
        self._chunks: Followed[bytes] | None = None
        self._given, self._total = 0, 0

    def progress(self) -> float | None:
        return self._given / self._total if self._total else None

    def check(self) -> None:
        if not self._piped:
            self._info()

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        if self.layout is not None:
            return AudioFormat(self.layout.rate, self.layout.channels)
        if self._piped:
            return AudioFormat()
        info = self._info()
        return AudioFormat(info.samplerate, info.channels)

    async def lifespan(self) -> AsyncIterator[None]:
        if not self._piped:
            yield
            return
        _refuse_terminal()
        async with follow(_piped_bytes, "standard input") as self._chunks:
            yield

    async def frames(self) -> AsyncIterator[AudioFrame]:
        if self._chunks is None:
            blocks = self._read_file()
        else:
            blocks = read_blocks(self._chunks, PcmReader(self.layout), self.frame_ms)
        pace: Pace | None = None
        async with aclosing(blocks):
            async for samples, rate in blocks:
                if pace is None:
                    patience = PATIENCE_MS if self._piped and self.realtime else None
                    pace = Pace(self.context, rate, realtime=self.realtime, patience_ms=patience)
                yield await pace.frame(samples)
        if pace is not None:
            await pace.finish()

    async def _read_file(self) -> AsyncGenerator[tuple[Samples, int]]:
        info = await to_thread.run_sync(self._info)
        rate: int = info.samplerate
        self._total = info.frames
        size = max(1, rate * self.frame_ms // 1000)
        ahead = size * max(1, READ_SECONDS * 1000 // self.frame_ms)
        with closing(_blocks(self.path, ahead, self._raw)) as blocks:
            while (block := await to_thread.run_sync(next, blocks, None)) is not None:
                for begin in range(0, len(block), size):
                    yield block[begin : begin + size], rate
                    self._given += len(block[begin : begin + size])

    @property
    def _piped(self) -> bool:
        return self.path.name == "-"

    @property
    def _raw(self) -> dict[str, Any]:
        """What soundfile has to be told of a file without a header."""
        if self.layout is None:
            return {}
        return {
            "samplerate": self.layout.rate,
            "channels": self.layout.channels,
            "subtype": SUBTYPES[self.layout.encoding],
            "format": "RAW",
            "endian": "LITTLE",
        }

    def _info(self) -> Any:
        import soundfile

        if not self.path.is_file():
            raise no_file(self.path, "path")
        try:
            with soundfile.SoundFile(str(self.path), **self._raw) as file:
                rate, channels = file.samplerate, file.channels
                if not is_workable(rate, channels):
                    raise RuntimeError(f"it says {channels} channels at {rate} Hz")
                return file
        except (soundfile.SoundFileError, RuntimeError) as error:
            reason = str(error).rpartition(": ")[2].rstrip(".")
            raise SettingError(
                f"cannot read {self.path} as sound: {reason}", setting="path"
            ) from None
        except TypeError:  # soundfile wants to be told what is in a .raw file
            raise SettingError(
                f"cannot read {self.path} as sound: raw samples do not say their rate",
                setting="path",
                hint="give `encoding` and `rate`",
            ) from None


def _blocks(path: Path, size: int, raw: dict[str, Any]) -> Generator[Samples]:
    """The samples of a file, `size` at a time.

    Only what fits into 16 bits is read as such: libsndfile does not scale floats to integers, and
    cuts finer resolutions instead of rounding them.
    """
    import soundfile

    with soundfile.SoundFile(str(path), **raw) as file:
        exact = file.subtype in EXACT
        while True:
            block = file.read(size, dtype="int16" if exact else "float32", always_2d=True)
            if not len(block):
                return
            yield block if exact else from_float(block)


def _refuse_terminal() -> None:
    if sys.stdin is None or sys.stdin.closed:
        raise SettingError("standard input is closed", setting="path")
    if sys.stdin.isatty():
        raise SettingError(
            "standard input is a terminal, not sound",
            setting="path",
            hint="pipe sound into it: arecord -t raw -f S16_LE -r 16000 | pipeline run ...",
        )


def _piped_bytes() -> Iterator[bytes]:
    """As they come: less than asked for is given, not waited for."""
    while data := os.read(sys.stdin.fileno(), READ_BYTES):
        yield data
