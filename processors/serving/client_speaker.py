"""A client's loudspeaker, in the place of this machine's."""

from __future__ import annotations

import math
from typing import Literal

import anyio

from pipeline import (
    AudioFrame,
    Duplex,
    Inbox,
    InboxSettings,
    Interruption,
    Outbox,
    Playback,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TurnEnded,
    TurnStarted,
)
from processors.audio.pcm import mix
from processors.serving.line import Line
from processors.serving.protocol import Volume

MS = 1_000_000
VOLUMES = {"duck": 10 ** (-15 / 20), "pause": 0.0}

OnSpeech = Literal["ignore", "duck", "pause", "stop"]
Takes = AudioFrame | TurnStarted | TurnEnded | SpeechStarted | SpeechEnded
Gives = Playback | Interruption


class ClientSpeaker(Duplex):
    """The client's loudspeaker: sends sound, and says what of it has been heard.

    on_speech, confirm_ms: as of `speaker`: what to do when a gate that is wired to it hears the
      user speak.
    """

    device = "loudspeaker"
    inbox = InboxSettings(ms=120_000)

    def __init__(self, line: Line, on_speech: OnSpeech = "ignore", confirm_ms: int = 1500) -> None:
        self.line = line
        self.on_speech = on_speech
        self.confirm_ms = confirm_ms
        self._yielding_until = math.inf
        """When it goes on, whatever the service does; infinite while it does not yield."""
        self._changed = anyio.Event()

    async def run(self, inbox: Inbox[Takes], outbox: Outbox[Gives]) -> None:
        async with anyio.create_task_group() as watching:
            watching.start_soon(self._watch)
            async with anyio.create_task_group() as reporting:
                reporting.start_soon(self._report, outbox)
                async for frame in inbox:
                    await self._take(frame, outbox)
                await self.line.mailbox.all_played()
                self.line.played.close()
            watching.cancel_scope.cancel()

    def interrupted(self, turn: int) -> None:
        self.line.mailbox.interrupt(turn)
        self._go_on()

    async def _take(self, frame: Takes, outbox: Outbox[Gives]) -> None:
        if isinstance(frame, AudioFrame):
            if self.on_speech == "ignore" or frame.speaker is not Speaker.USER:
                await self._play(frame)
        elif isinstance(frame, SpeechStarted):
            await self._yield_to_user(outbox)
        elif isinstance(frame, SpeechEnded):
            self._go_on()

    async def _play(self, frame: AudioFrame) -> None:
        mailbox = self.line.mailbox
        await mailbox.room()
        if mailbox.was_cut(frame.turn):
            self.context.dropped("interrupted")
            return
        pcm = mix(frame.samples, 1).astype("<i2", copy=False).tobytes()
        mailbox.play(frame.turn, frame.rate, frame.pts / MS, pcm)

    async def _report(self, outbox: Outbox[Gives]) -> None:
        async for report in self.line.played:
            frame = Playback(
                turn=report.turn,
                heard=round(report.ms * MS),
                playing=report.playing,
                pts=self.context.now(),
            )
            await outbox.send(frame)

    # --- when the user speaks ---

    async def _yield_to_user(self, outbox: Outbox[Gives]) -> None:
        mailbox = self.line.mailbox
        if self.on_speech == "stop":
            for turn in mailbox.unplayed_turns:
                self.interrupted(turn)
                await outbox.send(Interruption(pts=self.context.now(), turn=turn))
        elif self.on_speech in VOLUMES and mailbox.unplayed_ms > 0:
            mailbox.tell(Volume(volume=VOLUMES[self.on_speech]))
            self._yielding_until = anyio.current_time() + self.confirm_ms / 1000
            self._changed.set()

    def _go_on(self) -> None:
        if self._yielding_until < math.inf:
            self._yielding_until = math.inf
            self.line.mailbox.tell(Volume(volume=1.0))

    async def _watch(self) -> None:
        """Go on when the service does not interrupt the model in time."""
        while True:
            self._changed = anyio.Event()
            with anyio.move_on_at(self._yielding_until):
                await self._changed.wait()
            if anyio.current_time() >= self._yielding_until:
                self._go_on()
