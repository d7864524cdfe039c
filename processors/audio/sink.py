"""Sound into a file, as a recording or as if it were played."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import numpy as np
from anyio import to_thread

from pipeline import (
    SECOND,
    AudioFrame,
    InboxSettings,
    OutputPath,
    SettingError,
    Sink,
    TurnStarted,
)
from processors.audio.pcm import Samples, count_of, mix, nanoseconds_of, silence
from processors.audio.wav import WavFile
from processors.files import check_writable

SLICE_MS = 20
WRITE_SECONDS = 0.5
AUDIBLE = 100
"""Samples beyond this, about -50 dBFS, can be heard."""
JITTER = 10_000_000
LONGEST_SILENCE = 3600 * SECOND
SILENCE_SECONDS = 10
"""Silence is written in pieces of this, to need little memory."""


class AudioSink(Sink):
    """Writes a WAV file on the run's clock: a pause in media time is silence in the file.

    The file is valid and at most half a second behind at any moment, also if the process is
    killed. Rate and channels are those of the first frame.

    path: the file, replaced if it exists.
    realtime: true plays: every frame takes as long as it sounds, an interruption cuts it short,
      and the file holds what would have been heard. False records all that comes, at once.
    """

    inbox = InboxSettings(ms=120_000)

    def __init__(self, path: OutputPath, realtime: bool = False) -> None:
        if Path(path).suffix.lower() != ".wav":
            raise SettingError(f"{path} must end in .wav", setting="path")
        self.path = Path(path)
        self.realtime = realtime
        self.plays_media = realtime
        self._wav: WavFile | None = None
        self._unwritten: list[Samples] = []
        self._unwritten_count = 0
        self._left_out = 0
        self._played_until = 0
        self._asked: dict[int, int] = {}
        self._silenced = 0

    def check(self) -> None:
        check_writable(self.path)

    async def lifespan(self) -> AsyncIterator[None]:
        if self.path.is_file():
            self.path.unlink()
        try:
            yield
        finally:
            if self._wav is not None:
                with self._wav:
                    await self._write()

    async def consume(self, frame: AudioFrame | TurnStarted) -> None:
        if isinstance(frame, TurnStarted):
            if frame.asked is not None:
                self._asked = {frame.turn: frame.asked}
            return
        if self._wav is None:
            self._wav = WavFile(self.path, frame.rate, frame.channels)
            self.context.wrote(str(self.path))
        elif frame.rate != self._wav.rate:
            raise SettingError(
                f"the file is at {self._wav.rate} Hz, this frame at {frame.rate} Hz",
                hint="put a resampler before it",
            )
        samples = mix(frame.samples, self._wav.channels)
        if self.realtime:
            await self._play(frame, samples)
        else:
            await self._record(frame.pts, samples)

    def interrupted(self, turn: int) -> None:
        self._silenced = turn
        self._played_until = min(self._played_until, self.context.now())

    async def _play(self, frame: AudioFrame, samples: Samples) -> None:
        begin = max(self._played_until, self.context.now())
        size = frame.rate * SLICE_MS // 1000
        for offset in range(0, len(samples), size):
            part = samples[offset : offset + size]
            start = begin + nanoseconds_of(offset, frame.rate)
            delay = (start - self.context.now()) / SECOND
            if delay > 0:
                await anyio.sleep(delay)
            if frame.turn and frame.turn == self._silenced:
                return
            self._played_until = start + nanoseconds_of(len(part), frame.rate)
            self._measure(frame, part, start)
            await self._record(start, part)

    def _measure(self, frame: AudioFrame, part: Samples, start: int) -> None:
        """From the end of the user's speech to the first sample of the answer that can be heard."""
        if frame.turn in self._asked:
            audible = np.flatnonzero(np.abs(part.astype(np.int32)).max(axis=1) > AUDIBLE)
            if len(audible):
                heard = start + nanoseconds_of(int(audible[0]), frame.rate)
                self.context.measured("response", heard - self._asked.pop(frame.turn))

    async def _record(self, pts: int, samples: Samples) -> None:
        assert self._wav is not None
        rate = self._wav.rate
        position = self._wav.written + self._unwritten_count + self._left_out
        gap = count_of(pts, rate) - position
        if gap > count_of(LONGEST_SILENCE, rate):
            self.context.log.warning("a pause of more than an hour is left out")
            self._left_out += gap
        elif gap > count_of(JITTER, rate):
            piece = rate * SILENCE_SECONDS
            for begin in range(0, gap, piece):
                await self._append(silence(min(piece, gap - begin), self._wav.channels))
        await self._append(samples)

    async def _append(self, samples: Samples) -> None:
        assert self._wav is not None
        self._unwritten.append(samples)
        self._unwritten_count += len(samples)
        if self._unwritten_count >= self._wav.rate * WRITE_SECONDS:
            await self._write()

    async def _write(self) -> None:
        if self._wav is not None and self._unwritten:
            samples = np.concatenate(self._unwritten)
            self._unwritten, self._unwritten_count = [], 0
            with anyio.CancelScope(shield=True):  # an interruption must not take what was heard
                await to_thread.run_sync(self._wav.write, samples)
