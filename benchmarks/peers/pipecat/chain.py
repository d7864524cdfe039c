"""Its chain, saturated; how long it holds the event loop; and its latency."""

from __future__ import annotations

import asyncio
from time import perf_counter, perf_counter_ns

from benchmarks.backlog import COLUMN, watching
from benchmarks.chain import LENGTH
from benchmarks.latency import figures
from benchmarks.parts import Measured, Stopwatch
from benchmarks.peers.pipecat.parts import ROUTES, Head, Identity, Tail, make, running, worker_of

IN_FLIGHT = 32


def chain(
    frames: int, length: int = LENGTH, route: str = "system", shipped: bool = False
) -> Measured:
    """Through identities; at most 32 frames at a time between the ends."""
    kind, count = ROUTES[route], 0
    room = asyncio.Semaphore(IN_FLIGHT)
    arrived = asyncio.Event()

    def take(frame) -> None:
        nonlocal count
        assert frame.pts == count
        count += 1
        room.release()
        if count == frames:
            arrived.set()

    async def timed() -> Measured:
        head = Head()
        tail = Tail(kind, take)
        worker = worker_of([head, *(Identity() for _ in range(length)), tail], shipped=shipped)
        async with running([worker]):
            watch = Stopwatch()
            for number in range(frames):
                await room.acquire()
                await head.push_frame(make(kind, number))
            await arrived.wait()
            return watch.per_frame(count, length + 1)

    return asyncio.run(timed())


def backlog(frames: int, route: str) -> tuple[dict[str, float], dict[str, int]]:
    """All frames queued at once; from then on the longest hold of the loop."""
    kind, count = ROUTES[route], 0
    arrived = asyncio.Event()

    def take(frame) -> None:
        nonlocal count
        assert frame.pts == count
        count += 1
        if count == frames:
            arrived.set()

    async def timed() -> float:
        head = Head()
        passes = (Identity() for _ in range(LENGTH))
        async with running([worker_of([head, *passes, Tail(kind, take)], shipped=False)]):
            for number in range(frames):
                await head.push_frame(make(kind, number))
            async with watching() as watch:
                await arrived.wait()
            return watch.longest

    longest = asyncio.run(timed())
    return {COLUMN: longest * 1000}, {"frames": count}


def paced(
    sizes: list[tuple[int, float]], route: str, shipped: bool
) -> tuple[dict[str, float], dict[str, int]]:
    """Frames at a pace; sizes: numbers of frames, and seconds between them."""
    kind, found, total = ROUTES[route], {}, 0

    async def timed(frames: int, pace: float) -> list[int]:
        made, taken = [], []
        arrived = asyncio.Event()

        def take(frame) -> None:
            taken.append(perf_counter_ns() - made[frame.pts])
            if len(taken) == frames:
                arrived.set()

        head = Head()
        passes = (Identity() for _ in range(LENGTH))
        async with running([worker_of([head, *passes, Tail(kind, take)], shipped=shipped)]):
            began = perf_counter()
            for number in range(frames):
                await asyncio.sleep(max(0.0, began + number * pace - perf_counter()))
                made.append(perf_counter_ns())
                await head.push_frame(make(kind, number))
            await arrived.wait()
        return taken

    for frames, pace in sizes:
        taken = asyncio.run(timed(frames, pace))
        found |= figures(taken, pace)
        total += len(taken)
    return found, {"frames": total}
