"""A conversation in one sound file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Literal

import anyio
from anyio import to_thread
from msgspec import Meta

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    Gap,
    InboxSettings,
    OutputPath,
    Playback,
    Sink,
    Speaker,
    Surroundings,
    TurnEnded,
    TurnStarted,
)
from processors.audio.files.sound_file import check_format, check_suffix
from processors.audio.pcm import count_of, nanoseconds_of
from processors.audio.recording.both_sides import TAIL, BothSides
from processors.audio.recording.markers import Markers, beside
from processors.audio.recording.rotation import Rotation
from processors.audio.recording.track import JITTER
from processors.files import check_writable

EVERY = SECOND // 10
BEHIND = SECOND // 2
"""How far behind the clock it writes: frames come later than what they hold was heard."""
AHEAD = 300 * SECOND
"""The most sound that waits for its time, to need little memory."""
WRITE_SECONDS = 10

Recorded = AudioFrame | Playback | Gap | TurnStarted | TurnEnded


class Recorder(Sink):
    """Writes one file with both sides of a conversation, each sample where the clock had it.

    In stereo the user is on the left and the model on the right. The file begins when the run
    does, so that its times are those of the transcript; where nothing came there is silence. Sound
    of any rate goes in, and what overlaps on one side is added and clipped.

    Of the model it has what was heard: from a speaker that is wired to it (`speaker -> recorder`)
    it learns what came out of it and when; without one, a turn is taken to be heard as it comes,
    without a pause, until an interruption cuts it.

    A process that is killed loses at most the last second.

    path: the file; its end says the format: .wav, .flac, .ogg or .opus (Ogg Opus), or .mp3. It is
      replaced if it exists.
    layout: `stereo`, or `mono` with both sides in one channel.
    rate: sample rate of the file in Hz. Opus has 8000, 12000, 16000, 24000 and 48000.
    rotate_s: begin another file after so many seconds: name-001.wav, name-002.wav and so on.
    rotate_mb: begin another file after so many megabytes.
    markers: write gaps, turns and interruptions to `path` with `.markers.jsonl` added.
    """

    inbox = InboxSettings(ms=120_000)
    plays_media = False
    mixes_rates = True

    def __init__(
        self,
        path: OutputPath,
        layout: Literal["stereo", "mono"] = "stereo",
        rate: Annotated[int, Meta(ge=8000, le=192_000)] = 24_000,
        rotate_s: Annotated[float, Meta(ge=1)] | None = None,
        rotate_mb: Annotated[float, Meta(ge=0.1)] | None = None,
        markers: bool = True,
    ) -> None:
        self.path = Path(path)
        check_suffix(self.path)
        check_format(self.path, AudioFormat(rate), "rate")
        self.rate = rate
        self.markers = Markers(self.path) if markers else None
        self._channels = 2 if layout == "stereo" else 1
        self._sides = BothSides(rate, self._channels, reported=False)
        self._file = Rotation(
            *(self.path, rate, self._channels, self._claim, self._opened),
            seconds=rotate_s,
            megabytes=rotate_mb,
        )
        self._user_end: int | None = None
        self._new: list[tuple[Path, int]] = []
        self._late = False
        self._failure: OSError | None = None
        self._writing: anyio.Lock

    def check(self) -> None:
        check_writable(self.path)
        if self.markers is not None:
            check_writable(beside(self.path))

    def check_graph(self, around: Surroundings) -> None:
        self._sides = BothSides(self.rate, self._channels, reported=around.can_get(Playback))

    async def lifespan(self) -> AsyncIterator[None]:
        self._writing = anyio.Lock()
        if self.markers is not None:
            self.markers.path = self._claim(self.markers.path)
        whole = False
        try:
            await self._write(0)
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_writing)
                try:
                    yield
                    whole = True
                finally:
                    group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._finish(whole)

    async def consume(self, frame: Recorded) -> None:
        if self._failure is not None:
            raise self._failure
        if isinstance(frame, AudioFrame):
            if frame.speaker is Speaker.USER:
                self._mark_hole(frame)
            self._late_if_not(self._sides.add(frame))
            if self._sides.end - self._sides.taken > count_of(AHEAD, self.rate):
                await self._write(self._sides.end - count_of(AHEAD, self.rate))
        elif isinstance(frame, Playback):
            self._late_if_not(self._sides.hear(frame))
        elif isinstance(frame, Gap):
            self._mark(frame.pts, gap=_seconds(frame.duration), speaker=frame.speaker.value)
        elif isinstance(frame, TurnStarted):
            self._mark(frame.pts, turn=frame.turn, event="started")
        else:
            self._mark(frame.pts, turn=frame.turn, event="ended")

    def interrupted(self, turn: int) -> None:
        now = self.context.now()
        self._sides.cut(turn, now)
        self._mark(now, turn=turn, event="interrupted")

    def _late_if_not(self, on_time: bool) -> None:
        if on_time:
            return
        self.context.dropped("too late for the recording")
        if not self._late:
            self.context.log.warning(
                "sound came more than %g s late, and is not in the recording", BEHIND / SECOND
            )
        self._late = True

    def _mark_hole(self, frame: AudioFrame) -> None:
        if self._user_end is not None and frame.pts - self._user_end > JITTER:
            silence = _seconds(frame.pts - self._user_end)
            self._mark(self._user_end, silence=silence, speaker="user")
        self._user_end = max(frame.end, self._user_end or 0)

    async def _keep_writing(self) -> None:
        """Silence too is written when its time has come."""
        due = 0
        while self._failure is None:
            due += EVERY  # not the clock: when the loop was held up, frames wait to be taken
            await anyio.sleep(max(0, due - self.context.now()) / SECOND)
            self._late_if_not(self._sides.flush(due - BEHIND + TAIL))
            try:
                await self._write(count_of(due - BEHIND, self.rate))
            except OSError as error:
                self._failure = error

    async def _finish(self, whole: bool) -> None:
        """Write what is left: all of it, or when the run was cancelled, what is not to come."""
        try:
            if self._failure is not None:
                raise self._failure
            self._late_if_not(self._sides.flush())
            now = self._sides.end if whole else count_of(self.context.now(), self.rate)
            await self._write(min(now, self._sides.end))
        finally:
            if self.markers is not None:
                self.markers.close()
            await to_thread.run_sync(self._file.close)

    async def _write(self, until: int) -> None:
        async with self._writing:
            with anyio.CancelScope(shield=True):
                while True:
                    step = min(until, self._sides.taken + self.rate * WRITE_SECONDS)
                    samples = self._sides.take(step)
                    await to_thread.run_sync(self._file.write, samples)
                    self._name_files()
                    if step >= until:
                        return

    def _claim(self, path: Path) -> Path:
        return self.context.claim(path)

    def _opened(self, path: Path, position: int) -> None:
        """Called in the thread that writes."""
        self._new.append((path, position))

    def _name_files(self) -> None:
        while self._new:
            path, position = self._new.pop(0)
            self.context.wrote(str(path))
            if path != self.path:
                self._mark(nanoseconds_of(position, self.rate), file=path.name)

    def _mark(self, at: int, **what: object) -> None:
        if self.markers is not None:
            self.markers.mark(at, **what)


def _seconds(nanoseconds: int) -> float:
    return round(nanoseconds / SECOND, 4)
