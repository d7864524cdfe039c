"""Sound from a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import anyio
from anyio import to_thread
from msgspec import Meta

from pipeline import AudioFormat, AudioFrame, InputPath, SettingError, Source
from processors.audio.pcm import Samples, from_float, nanoseconds_of

READ_SECONDS = 1


class AudioSource(Source):
    """Plays a sound file into the graph: WAV, FLAC, Ogg, MP3 and whatever else soundfile reads.

    path: the file.
    frame_ms: length of a frame in milliseconds; the last one may be shorter.
    realtime: true gives each frame when it would be heard, false as fast as the graph takes them.
    """

    def __init__(
        self,
        path: InputPath,
        frame_ms: Annotated[int, Meta(ge=1, le=1000)] = 20,
        realtime: bool = True,
    ) -> None:
        self.path = Path(path)
        self.frame_ms = frame_ms
        self.realtime = realtime

    def check(self) -> None:
        self._info()

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        info = self._info()
        return AudioFormat(info.samplerate, info.channels)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        info = await to_thread.run_sync(self._info)
        rate: int = info.samplerate
        size = max(1, rate * self.frame_ms // 1000)
        started = self.context.now()
        position = 0
        with closing(
            _blocks(self.path, size * max(1, READ_SECONDS * 1000 // self.frame_ms))
        ) as blocks:
            while (block := await to_thread.run_sync(next, blocks, None)) is not None:
                for begin in range(0, len(block), size):
                    pts = started + nanoseconds_of(position, rate)
                    if self.realtime:
                        await self._wait_until(pts)
                    samples = block[begin : begin + size]
                    yield AudioFrame(samples, rate, pts=pts)
                    position += len(samples)
        if self.realtime:  # the end comes when the last frame has been heard
            await self._wait_until(started + nanoseconds_of(position, rate))

    async def _wait_until(self, moment: int) -> None:
        """A frame that is late comes at once, so that the file keeps its length."""
        delay = (moment - self.context.now()) / 1e9
        if delay > 0:
            await anyio.sleep(delay)

    def _info(self) -> Any:
        import soundfile

        if not self.path.is_file():
            raise SettingError(f"there is no file {self.path}", setting="path")
        try:
            return soundfile.info(str(self.path))
        except (soundfile.SoundFileError, RuntimeError) as error:
            reason = str(error).rpartition(": ")[2].rstrip(".")
            raise SettingError(
                f"cannot read {self.path} as sound: {reason}", setting="path"
            ) from None
        except TypeError:  # soundfile wants to be told what is in a .raw file
            raise SettingError(
                f"cannot read {self.path} as sound: raw samples do not say their rate",
                setting="path",
                hint="give the file a header: make it a WAV",
            ) from None


def _blocks(path: Path, size: int) -> Generator[Samples]:
    """The samples of a file, `size` at a time.

    Only 16-bit files are read as integers: libsndfile does not scale floats to them, and cuts
    finer resolutions instead of rounding them.
    """
    import soundfile

    with soundfile.SoundFile(str(path)) as file:
        exact = file.subtype == "PCM_16"
        while True:
            block = file.read(size, dtype="int16" if exact else "float32", always_2d=True)
            if not len(block):
                return
            yield block if exact else from_float(block)
