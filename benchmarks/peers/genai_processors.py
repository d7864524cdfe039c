"""The same chain with genai-processors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

from genai_processors import content_api, processor

from benchmarks.chain import LENGTH
from benchmarks.parts import Measured, Stopwatch

MIME = "audio/l16;rate=16000"
SOUND = bytes(640)


class Whole(processor.Processor):
    """Passes a stream."""

    async def call(self, content: AsyncIterable) -> AsyncIterable:
        """Part after part."""
        async for part in content:
            yield part


def chain(frames: int, length: int = LENGTH) -> Measured:
    """Through so many processors."""

    async def given() -> AsyncIterable:
        for number in range(frames):
            yield content_api.ProcessorPart(SOUND, mimetype=MIME, metadata={"pts": number})

    async def timed() -> Measured:
        whole = Whole()
        for _ in range(length - 1):
            whole = whole + Whole()
        count = 0
        watch = Stopwatch()
        async for part in whole.to_processor()(given()):
            assert part.metadata["pts"] == count
            count += 1
        assert count == frames
        return watch.per_frame(count, length + 1)

    return asyncio.run(timed())
