"""Sound into a file, as a recording or as if it were played."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
from anyio import to_thread

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    InboxSettings,
    OutputPath,
    SettingError,
    Sink,
    TurnStarted,
)
from processors.arrays import np
from processors.audio.codecs import Encoding
from processors.audio.fade import FADE_MS, Fade
from processors.audio.files.raw_file import RawFile, is_standard_output, refuse_terminal
from processors.audio.files.sound_file import SoundFile, check_format, check_suffix, open_sound_file
from processors.audio.pcm import (
    Samples,
    count_of,
    first_audible,
    mix,
    nanoseconds_of,
    silence,
)
from processors.files import check_writable
from processors.threads import run_in_daemon_thread

SLICE_MS = 20
WRITE_SECONDS = 0.5
JITTER = 10_000_000
LONGEST_SILENCE = 3600 * SECOND
SILENCE_SECONDS = 10
"""Silence is written in pieces of this, to need little memory."""


class AudioSink(Sink):
    """Writes a sound file on the run's clock: a pause in media time is silence in the file.

    The end of the name says the format: .wav, .flac, .ogg or .opus (Ogg Opus), .mp3, or .raw for
    samples without a header. These go to standard output as well, from the first frame on, and
    without a break when `realtime` is set: `| aplay -t raw -f S16_LE -r 24000`.

    The file can be read at any moment, also if the process is killed, and is at most half a second
    behind, and what an encoder holds. Rate and channels are those of the first frame.

    path: the file, replaced if it exists, or `-` for standard output.
    realtime: true plays: every frame takes as long as it sounds, an interruption cuts it short
      with a fade of 5 ms, and the file holds what would have been heard. False records all that
      comes, at once.
    encoding: of samples without a header: 16-bit integers (`s16le`, also where it is left out),
      32-bit floats (`f32le`), or G.711 `mulaw` or `alaw` as in telephony.
    """

    inbox = InboxSettings(ms=120_000)

    def __init__(
        self, path: OutputPath, realtime: bool = False, encoding: Encoding | None = None
    ) -> None:
        self.path = Path(path)
        self._piped = is_standard_output(self.path)
        self._raw = self._piped or self.path.suffix.lower() == ".raw"
        if not self._raw:
            check_suffix(self.path)
            if encoding is not None:
                raise SettingError(
                    f"`encoding` is for samples without a header, not for {self.path}",
                    setting="encoding",
                    hint="let the name end in .raw, or leave it out",
                )
        self.realtime = realtime
        self.encoding: Encoding = encoding or "s16le"
        self.plays_media = realtime
        self._file: SoundFile | None = None
        self._unwritten: list[Samples] = []
        self._unwritten_count = 0
        self._appended = 0
        self._held = 0
        self._playing = 0
        self._left_out = 0
        self._played_until = 0
        self._asked: dict[int, int] = {}
        self._silenced = 0
        self._writing: anyio.Lock

    def check(self) -> None:
        if not self._piped:
            check_writable(self.path, pipes=self._raw)

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        check_format(self.path, incoming, "path")
        return incoming

    async def lifespan(self) -> AsyncIterator[None]:
        self._writing = anyio.Lock()
        if self._piped:
            refuse_terminal()
        else:
            self.path = self.context.claim(self.path)
            if self.path.is_file():
                self.path.unlink()
        try:
            async with anyio.create_task_group() as group:
                if self._piped and self.realtime:
                    group.start_soon(self._fill_pauses)
                try:
                    yield
                finally:
                    group.cancel_scope.cancel()
        finally:
            if self._file is not None:
                with self._file, self._counting_losses():
                    await self._write()

    async def consume(self, frame: AudioFrame | TurnStarted) -> None:
        if isinstance(frame, TurnStarted):
            if frame.asked is not None:
                self._asked = {frame.turn: frame.asked}
            return
        if self._file is None:
            self._file = self._open(frame)
        elif frame.rate != self._file.rate:
            raise SettingError(
                f"the file is at {self._file.rate} Hz, this frame at {frame.rate} Hz",
                hint="put a resampler before it",
            )
        samples = mix(frame.samples, self._file.channels)
        with self._counting_losses():
            if self.realtime:
                await self._play(frame, samples)
            else:
                await self._record(frame.pts, samples)
            self._held += 1

    def interrupted(self, turn: int) -> None:
        now = self.context.now()
        if turn == self._playing and self._played_until >= now:
            self._fade_out()
        self._silenced = turn
        self._played_until = min(self._played_until, now)

    def _open(self, frame: AudioFrame) -> SoundFile:
        self._may_wait = self._piped or self.path.is_fifo()
        if self._piped:
            begin = self.context.now() if self.realtime else frame.pts
            self._left_out = count_of(begin, frame.rate)
        else:
            self.context.wrote(str(self.path))
        if self._raw:
            return RawFile(self.path, self.encoding, frame.rate, frame.channels)
        check_format(self.path, AudioFormat(frame.rate, frame.channels))
        return open_sound_file(self.path, frame.rate, frame.channels)

    @contextmanager
    def _counting_losses(self) -> Iterator[None]:
        """The frames that waited to be written with one that failed are lost with it."""
        try:
            yield
        except OSError:
            self.context.dropped("not written", self._held)
            self._held = 0
            raise

    async def _fill_pauses(self) -> None:
        """A player that reads a pipe wants to be fed all the time."""
        while True:
            await anyio.sleep(SLICE_MS / 1000)
            now = self.context.now()
            if self._file is not None and now >= self._played_until:
                await self._record(now, silence(0, self._file.channels))

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
            self._playing = frame.turn
            self._measure(frame, part, start)
            await self._record(start, part)

    def _measure(self, frame: AudioFrame, part: Samples, start: int) -> None:
        """From the end of the user's speech to the first sample of the answer that can be heard."""
        if frame.turn in self._asked and (first := first_audible(part)) is not None:
            heard = start + nanoseconds_of(first, frame.rate)
            self.context.measured("response", heard - self._asked.pop(frame.turn), frame.turn)

    async def _record(self, pts: int, samples: Samples) -> None:
        assert self._file is not None
        rate = self._file.rate
        position = self._appended + self._left_out
        gap = count_of(pts, rate) - position
        if gap > count_of(LONGEST_SILENCE, rate):
            self.context.log.warning("a pause of more than an hour is left out")
            self._left_out += gap
        elif gap > count_of(JITTER, rate):
            piece = rate * SILENCE_SECONDS
            for begin in range(0, gap, piece):
                await self._append(silence(min(piece, gap - begin), self._file.channels))
        await self._append(samples)

    async def _append(self, samples: Samples) -> None:
        assert self._file is not None
        if not len(samples):
            return
        self._unwritten.append(samples)
        self._unwritten_count += len(samples)
        self._appended += len(samples)
        if self._piped or self._unwritten_count >= self._file.rate * WRITE_SECONDS:
            await self._write(but=1 if self.realtime else 0)

    def _fade_out(self) -> None:
        """End what is being played without a click."""
        if self._file is not None and self._unwritten:
            *_, last = self._unwritten
            count = min(len(last), self._file.rate * FADE_MS // 1000)
            fade = Fade()
            fade.to(0.0, count)
            end = fade.apply(last[len(last) - count :])
            self._unwritten[-1] = np.concatenate([last[: len(last) - count], end])

    async def _write(self, but: int = 0) -> None:
        """Write what waits, `but` for so many pieces, which may yet have to be faded."""
        async with self._writing:
            ready = self._unwritten[: len(self._unwritten) - but]
            if self._file is None or not ready:
                return
            del self._unwritten[: len(ready)]
            file, samples = self._file, np.concatenate(ready)
            self._unwritten_count -= len(samples)
            if self._may_wait:  # it may wait for a reader for ever
                await run_in_daemon_thread(lambda: file.write(samples))
            else:
                with anyio.CancelScope(shield=True):  # an interruption must not take what was heard
                    await to_thread.run_sync(file.write, samples)
            self._held = 0
