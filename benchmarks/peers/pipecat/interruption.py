"""Its interruption, in the same cases."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import perf_counter_ns

from pipecat.frames.frames import Frame, InputAudioRawFrame, InterruptionFrame, TTSAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from benchmarks.interruption import FRAME_MS, Figures, figures
from benchmarks.peers.pipecat.parts import Head, Identity, make, running, worker_of

QUIET_S = 0.1


class Busy(FrameProcessor):
    """Takes so many seconds for each audio frame, and passes it, or plays it."""

    def __init__(self, kind: type[Frame], seconds: float) -> None:
        super().__init__()
        self._kind, self._seconds = kind, seconds

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Work, and pass it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, self._kind):
            await asyncio.sleep(self._seconds)
        await self.push_frame(frame, direction)


class Player(FrameProcessor):
    """Plays each frame for its length; counts those of turns that it knows to be interrupted."""

    def __init__(self, kind: type[Frame], seconds: float) -> None:
        super().__init__()
        self._kind, self._seconds = kind, seconds
        self.silent = asyncio.Event()
        self.begun = asyncio.Event()
        self.silent_at = self.interruptions = self.stale = 0
        self.interrupted_turn = -1

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self.silent_at = perf_counter_ns()
            self.interruptions += 1
            self.silent.set()
        elif isinstance(frame, self._kind):
            self.begun.set()
            self.stale += frame.pts <= self.interrupted_turn
            await asyncio.sleep(self._seconds)
        else:
            await self.push_frame(frame, direction)


def pipeline(
    times: int, frames: int, room: int = 0, slow: bool = False, late: float = 0
) -> Figures:
    """One of the cases; with `room`, a processor that takes 20 ms a frame stands for a block."""
    kind = InputAudioRawFrame if slow else TTSAudioRawFrame
    play = 0.0 if slow else FRAME_MS / 1000
    silent: list[float] = []

    async def turn(number: int, head: Head, player: Player) -> None:
        player.silent.clear()
        for _ in range(frames):
            await head.push_frame(make(kind, number))
        await asyncio.sleep(0.005 if slow else 0.05)
        player.interrupted_turn = -1 if slow else number  # it means to keep a microphone's
        began = perf_counter_ns()
        await head.broadcast_interruption()
        await player.silent.wait()
        silent.append((player.silent_at - began) / 1000)
        for _ in range(int(late * 1000 / FRAME_MS)):
            await head.push_frame(make(kind, number))
            await asyncio.sleep(FRAME_MS / 1000 / 4)
        with suppress(TimeoutError):
            while True:  # until nothing has been played for a while
                player.begun.clear()
                await asyncio.wait_for(player.begun.wait(), QUIET_S)

    async def timed() -> Figures:
        head, player = Head(), Player(kind, play)
        busy = [Busy(kind, 0.02)] if room else [Busy(kind, 0.001)] if slow else []
        passes = (Identity() for _ in range(4 - len(busy)))
        async with running([worker_of([head, *busy, *passes, player], shipped=False)]):
            for number in range(times):
                await turn(number, head, player)
        if player.interruptions != times:
            raise AssertionError(f"{player.interruptions} of {times} interruptions came")
        return figures(silent, player.stale, times)

    return asyncio.run(timed())
