"""The loudspeaker."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Literal

import anyio
from anyio import to_thread
from msgspec import Meta

from pipeline import (
    AudioFrame,
    Duplex,
    Inbox,
    Interruption,
    Outbox,
    Playback,
    SettingError,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    Surroundings,
    TurnEnded,
    TurnStarted,
)
from processors.audio.devices.output import Loudspeaker, Output, Unheard
from processors.audio.devices.portaudio import check_format, find_device
from processors.audio.pcm import Samples
from processors.audio.playout.buffer import PlayoutBuffer
from processors.audio.playout.echo_reference import Played
from processors.audio.playout.playable import Piece, Playable
from processors.audio.playout.playhead import Playhead
from processors.audio.playout.response_time import ResponseTime

Takes = AudioFrame | TurnStarted | TurnEnded | SpeechStarted | SpeechEnded
Gives = Playback | Played | Interruption

NO_DEVICE = "none"
NO_DEVICE_RATE = 48_000
MS = 1_000_000
TICK_S = 0.02
REPORT_EVERY = 100 * MS
LOW_S, LATE = 0.04, 60 * MS
"""What a filter holds back has to come when so little is left to play, and nothing has come for so
long."""
LINGER = 300 * MS
"""For so long a turn that is not complete is said to be playing, though nothing is heard."""
MOST_BLOCKS = 500
DUCKED = 10 ** (-15 / 20)


class LoudSpeaker(Duplex):
    """Plays sound on a loudspeaker, and tells what is behind it how much has been heard.

    It falls silent at once when the model is interrupted: with a fade of 5 ms, within a block of
    10 ms. Sound of any rate is resampled to the device's. What belongs to a turn may come as fast
    as it will; what comes live, as from a microphone, is kept in step with the device's clock.

    It needs the extra `audio`: pip install 'live-pipeline[audio]'.

    device: the number of an output device, or words of its name; left out, the system's default.
      `none` plays in real time without one, unheard.
    rate: sample rate in Hz; left out, the device's own.
    channels: left out, two where the device has them.
    latency_ms: the device's own delay, as near to this as it offers. A higher one helps where the
      sound stutters, a lower one makes answers and interruptions heard a little sooner.
    buffer_s: seconds of sound that wait here at most to be played.
    prebuffer_ms: sound that it waits for before it begins, so that a little lateness is not heard.
    on_speech: what to do when a `vad_gate` that is wired to it hears the user speak: `ignore` it,
      `duck` the model's voice by 15 dB, `pause` it until the user has finished, or `stop` it for
      good. With all but `ignore`, the user's own sound, which the gate gives too, is not played.
    confirm_ms: how long `duck` and `pause` wait, at most, for the service to interrupt the model;
      if it does not, what was heard was nothing, and the model goes on.
    """

    device = "loudspeaker"

    def __init__(
        self,
        device: int | str | None = None,
        rate: Annotated[int, Meta(ge=8000, le=384_000)] | None = None,
        channels: Annotated[int, Meta(ge=1, le=2)] | None = None,
        latency_ms: Annotated[int, Meta(ge=1, le=1000)] = 50,
        buffer_s: Annotated[float, Meta(ge=1, le=3600)] = 120.0,
        prebuffer_ms: Annotated[int, Meta(ge=0, le=2000)] = 40,
        on_speech: Literal["ignore", "duck", "pause", "stop"] = "ignore",
        confirm_ms: Annotated[int, Meta(ge=100, le=30_000)] = 1500,
    ) -> None:
        self.output: Output | None = None
        """What plays instead of a device of this machine, if it is set before the run."""
        self.rate = rate
        self.channels = channels
        self.latency_ms = latency_ms
        self.buffer_s = buffer_s
        self.prebuffer_ms = prebuffer_ms
        self.on_speech = on_speech
        self.confirm_ms = confirm_ms
        self._wanted = device
        self._playhead = Playhead()
        self._response = ResponseTime()
        self._wake = anyio.Event()
        self._room = anyio.Event()
        self._resting = self._ending = False
        self._open: dict[int, int] = {}
        """Turns that came, and the media time up to which each has been heard."""
        self._cut: list[int] = []
        self._yielding_until: int | None = None
        self._last_came = 0
        self._last_report = Playback(0, False)
        self._dropped = 0
        self._played: deque[tuple[int, Samples]] | None = None

    def check(self) -> None:
        self._find_output()

    def check_graph(self, around: Surroundings) -> None:
        told = any(issubclass(SpeechStarted, kind) for kind in around.arriving)
        if self.on_speech != "ignore" and not told:
            raise SettingError(
                f"nothing tells it when the user speaks, so that it could {self.on_speech} the "
                "model's voice",
                setting="on_speech",
                hint="wire a vad_gate to it: `gate -> speaker`",
            )
        if any(issubclass(Played, kind) for kind in around.wanted):
            self._played = deque(maxlen=MOST_BLOCKS)

    async def lifespan(self) -> AsyncIterator[None]:
        self._output = output = await to_thread.run_sync(self._find_output)
        self._buffer = PlayoutBuffer(
            output.rate,
            output.channels,
            longest=int(self.buffer_s * output.rate),
            prebuffer=self.prebuffer_ms * output.rate // 1000,
        )
        self._playable = Playable(output.rate, output.channels, self.prebuffer_ms / 2000)
        async with output.playing(self._pull):
            yield
        if output.underflows:
            self.context.log.warning(
                "the device did not get its sound in time %d times: "
                "a higher `latency_ms` helps, 100 for instance",
                output.underflows,
            )

    def _find_output(self) -> Output:
        if self.output is not None:
            return self.output
        if self._wanted == NO_DEVICE:
            return Unheard(self.rate or NO_DEVICE_RATE, self.channels or 1)
        device = find_device(self._wanted, "output")
        rate, channels = self.rate or device.rate, self.channels or min(2, device.channels)
        check_format(device, rate, channels)
        return Loudspeaker(device, rate, channels, self.latency_ms / 1000)

    def _pull(self, count: int, at: int) -> Samples:
        """A block for the device, in the device's thread."""
        block = self._buffer.take(count, at)
        if self._played is not None and block.any():
            self._played.append((at, block))
        return block

    async def run(self, inbox: Inbox[Takes], outbox: Outbox[Gives]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._follow, outbox)
            async for frame in inbox:
                await self._take(frame, outbox)
            await self._put(self._playable.flush())
            for turn in self._open:
                self._buffer.complete(turn)
            self._ending = True
            self._wake.set()

    def interrupted(self, turn: int) -> None:
        self._buffer.cut(turn)
        self._playable.forget(turn)
        self._cut.append(turn)
        self._go_on()
        self._wake.set()
        self._room.set()

    # --- what comes in ---

    async def _take(self, frame: Takes, outbox: Outbox[Gives]) -> None:
        if isinstance(frame, AudioFrame):
            if self.on_speech == "ignore" or frame.speaker is not Speaker.USER:
                await self._play(frame)
        elif isinstance(frame, TurnStarted):
            self._open.setdefault(frame.turn, frame.pts)
            self._response.turn_started(frame)
        elif isinstance(frame, TurnEnded):
            await self._put(self._playable.flush())
            self._buffer.complete(frame.turn)
        elif isinstance(frame, SpeechStarted):
            await self._yield_to_user(outbox)
        else:
            self._go_on()

    async def _play(self, frame: AudioFrame) -> None:
        self._last_came = now = self.context.now()
        self._response.came(frame, now)
        self._open.setdefault(frame.turn, frame.pts)
        level = self._buffer.held / self._output.rate
        await self._put(self._playable.process(frame, level))

    async def _put(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            while not self._buffer.put(*piece):
                self._room = anyio.Event()
                await self._room.wait()
            if self._resting:
                self._wake.set()

    # --- when the user speaks ---

    async def _yield_to_user(self, outbox: Outbox[Gives]) -> None:
        if self.on_speech == "ignore" or not self._is_busy():
            return
        if self.on_speech == "stop":
            for turn in [turn for turn in self._open if turn]:
                self.interrupted(turn)
                await outbox.send(Interruption(pts=self.context.now(), turn=turn))
            return
        self._yielding_until = self.context.now() + self.confirm_ms * MS
        if self.on_speech == "duck":
            self._buffer.set_volume(DUCKED)
        else:
            self._buffer.pause(True)

    def _go_on(self) -> None:
        if self._yielding_until is not None:
            self._yielding_until = None
            self._buffer.set_volume(1.0)
            self._buffer.pause(False)

    # --- what has been heard ---

    def _is_busy(self) -> bool:
        return bool(self._buffer.held or self._playhead.busy or self._cut or self._played)

    async def _follow(self, outbox: Outbox[Gives]) -> None:
        """Look after what is played, for as long as there is something to play."""
        while True:
            if self._is_busy():
                with anyio.move_on_after(TICK_S):
                    await self._wake.wait()
            elif self._ending:
                return
            else:
                self._resting = True
                await self._wake.wait()
                self._resting = False
            if self._wake.is_set():
                self._wake = anyio.Event()
            await self._look_after(outbox)

    async def _look_after(self, outbox: Outbox[Gives]) -> None:
        self._output.check()
        buffer, now = self._buffer, self.context.now()
        until = self._yielding_until
        if until is not None and now >= until:
            self._go_on()
        if buffer.held < LOW_S * self._output.rate and now - self._last_came > LATE:
            for piece in self._playable.flush():
                buffer.put(*piece)
        await self._report(now, outbox)
        while buffer.underruns:
            self.context.measured("underrun", buffer.underruns.popleft())
        if buffer.dropped_chunks > self._dropped:
            self.context.dropped("interrupted", buffer.dropped_chunks - self._dropped)
            self._dropped = buffer.dropped_chunks
        self._room.set()

    async def _report(self, now: int, outbox: Outbox[Gives]) -> None:
        device_now = self._output.now()
        offset = now - device_now
        while self._buffer.played:
            stretch = self._buffer.played.popleft()
            self._playhead.add(stretch)
            for name, length in self._response.played(stretch, offset):
                self.context.measured(name, length, stretch.turn)
        while self._played:
            at, samples = self._played.popleft()
            await outbox.send(Played(samples, self._output.rate, pts=at + offset))
        cut, self._cut = self._cut, []
        for turn in cut:
            closed = self._playhead.close(turn)
            heard = self._open.pop(turn, None)
            if heard is not None:
                until = device_now
                if closed is not None:
                    heard, until = closed
                await self._send(Playback(heard, False, pts=until + offset, turn=turn), outbox)
        for position in self._playhead.advance(device_now, self._next_turn(device_now)):
            self._open = {t: m for t, m in self._open.items() if not t or t >= position.turn}
            self._open[position.turn] = position.heard
            frame = Playback(position.heard, position.playing, pts=now, turn=position.turn)
            last = self._last_report
            changed = (last.turn, last.playing) != (frame.turn, frame.playing)
            if changed or now - last.pts >= REPORT_EVERY:
                await self._send(frame, outbox)

    def _next_turn(self, now: int) -> int | None:
        """Whose sound is next. A turn that is not complete may only be late."""
        waiting, current = self._buffer.next_turn, self._playhead.turn
        if waiting is None and not self._buffer.is_complete(current):
            return current if self._playhead.silence(now) < LINGER else None
        return waiting

    async def _send(self, frame: Playback, outbox: Outbox[Gives]) -> None:
        self._last_report = frame
        await outbox.send(frame)
