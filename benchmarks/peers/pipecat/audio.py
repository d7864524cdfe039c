"""Its resampler."""

from __future__ import annotations

import asyncio
from time import process_time

from pipecat.audio.resamplers.soxr_stream_resampler import SOXRStreamAudioResampler

from benchmarks.audio import RATE, TO, chunks


def resampler(seconds: int) -> dict[str, float]:
    """As it ships: soxr's VHQ, on bytes."""

    async def timed() -> tuple[float, int]:
        stream, given = SOXRStreamAudioResampler(), 0
        sound = [samples.tobytes() for samples in chunks(RATE)]
        for chunk in sound:
            given += len(await stream.resample(chunk, RATE, TO))
        began = process_time()
        for number in range(50, 50 * seconds):
            given += len(await stream.resample(sound[number % 50], RATE, TO))
        cost = (process_time() - began) / (50 * (seconds - 1)) * 1e6
        return cost, given + len(await stream.flush())

    cost, given = asyncio.run(timed())
    if abs(given // 2 - seconds * TO) > 1:
        raise AssertionError(f"{given // 2} samples instead of {seconds * TO}")
    return {"a chunk": cost}
