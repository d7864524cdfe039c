"""Its sessions in real time."""

from __future__ import annotations

import asyncio

import numpy as np
from pipecat.audio.resamplers.soxr_stream_resampler import SOXRStreamAudioResampler
from pipecat.frames.frames import Frame, InputAudioRawFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from benchmarks.harness import machine
from benchmarks.parts import Measured
from benchmarks.peers.pipecat.parts import Head, Identity, Tail, make, running, worker_of
from benchmarks.sessions import PASSES, RATE, SOUND, TO, Load
from processors.audio.resampling.stream import open_stream

FORGETS_AFTER_MS = 200
"""Its resampler gives up what it holds when so much time has passed since the last call."""
BYTES = [frame.tobytes() for frame in SOUND]


class Resample(FrameProcessor):
    """Resamples microphone frames: with pipecat's own resampler, or with ours."""

    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self._own = SOXRStreamAudioResampler() if own else None
        self._ours = open_stream(RATE, TO, 1, "live")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass what has come out of it."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
            return
        if self._own is not None:
            sound = await self._own.resample(frame.audio, RATE, TO)
        else:
            samples = np.frombuffer(frame.audio, np.int16).reshape(-1, 1)
            sound = self._ours.push(samples).tobytes()
        if sound:
            await self.push_frame(make(InputAudioRawFrame, frame.pts, sound, TO))


def _session(
    load: Load, number: int, *, shipped: bool, resample: bool
) -> tuple[Head, PipelineWorker]:
    head = Head()
    middle = Resample(own=shipped) if resample else Identity()
    tail = Tail(InputAudioRawFrame, lambda frame: load.arrived(number, frame.pts, frame.audio))
    passes = (Identity() for _ in range(PASSES))
    return head, worker_of([head, middle, *passes, tail], shipped=shipped)


async def _speak(load: Load, number: int, head: Head) -> None:
    load.ready()
    await load.started.wait()
    for frame in range(load.frames):
        due = await load.until_due(number, frame)
        await head.push_frame(make(InputAudioRawFrame, due, BYTES[frame % 50], RATE))


def pipelines(sessions: int, seconds: float, shipped: bool) -> Measured:
    """So many pipelines; a presentation time is when a frame was due."""

    async def timed() -> Measured:
        load = Load(sessions, seconds)
        made = [_session(load, n, shipped=shipped, resample=True) for n in range(sessions)]
        async with running([worker for _, worker in made]):
            async with asyncio.TaskGroup() as group:
                for number, (head, _) in enumerate(made):
                    group.create_task(_speak(load, number, head))
            await load.drained()
            figures = load.figures()
        if not shipped or figures["p99"] < FORGETS_AFTER_MS:
            load.check()
        return figures, {} if shipped else load.work()

    return asyncio.run(timed())


def memory(sessions: int, shipped: bool) -> dict[str, float]:
    """Of a session without the resampler, after a second of sound."""

    async def held(count: int) -> float:
        load = Load(count, 1.0)
        before = machine.resident_mib()
        made = [_session(load, n, shipped=shipped, resample=False) for n in range(count)]
        async with running([worker for _, worker in made]):
            async with asyncio.TaskGroup() as group:
                for number, (head, _) in enumerate(made):
                    group.create_task(_speak(load, number, head))
            return machine.resident_mib() - before

    async def timed() -> float:
        await held(1)
        return await held(sessions)

    return {"memory": asyncio.run(timed()) * 1024 / sessions}
