"""Pipecat's counterparts of the shared processors, and a run of a pipeline."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from loguru import logger

warnings.simplefilter("ignore")
logger.remove()

from pipecat.frames.frames import (  # noqa: E402 its import already logs
    Frame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineWorker  # noqa: E402
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

logger.remove()

RATE = 16_000
SOUND = bytes(640)
ROUTES = {"system": InputAudioRawFrame, "data": OutputAudioRawFrame}
"""Its two ways for audio: past the queue of data frames, as a microphone's, or through it."""


class Head(FrameProcessor):
    """Where frames are pushed from."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass what the worker sends."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Identity(FrameProcessor):
    """Passes every frame."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass it."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Tail(FrameProcessor):
    """Hands audio frames to a function, and passes all others."""

    def __init__(self, kind: type[Frame], take: Callable[[Frame], Awaitable[None] | None]) -> None:
        super().__init__()
        self._kind, self._take = kind, take

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, self._kind):
            unfinished = self._take(frame)
            if unfinished is not None:
                await unfinished
        else:
            await self.push_frame(frame, direction)


def make(kind: type[Frame], number: int, sound: bytes = SOUND, rate: int = RATE) -> Frame:
    """A frame with its number as its presentation time."""
    frame = kind(audio=sound, sample_rate=rate, num_channels=1)
    frame.pts = number
    return frame


def worker_of(processors: Sequence[FrameProcessor], *, shipped: bool) -> PipelineWorker:
    """A pipeline as it ships, or lean."""
    lean = {"enable_rtvi": False, "enable_turn_tracking": False, "idle_timeout_secs": None}
    return PipelineWorker(Pipeline(list(processors)), **({} if shipped else lean))


@asynccontextmanager
async def running(workers: Sequence[PipelineWorker]) -> AsyncIterator[None]:
    """While they run: from when all have started until they are cancelled."""
    runner = WorkerRunner(handle_sigint=False)
    started = []
    for worker in workers:
        event = asyncio.Event()
        started.append(event)

        async def on_started(_worker: PipelineWorker, _frame: Frame, event=event) -> None:
            event.set()

        worker.add_event_handler("on_pipeline_started", on_started)
    await runner.add_workers(*workers)
    task = asyncio.create_task(runner.run())
    try:
        for event in started:
            await event.wait()
        yield
    finally:
        await runner.cancel()
        await task
