"""Its source and sink of unequal speed."""

from __future__ import annotations

import asyncio

from benchmarks.peers.pipecat.parts import ROUTES, Head, Tail, make, running, worker_of
from benchmarks.slow_sink import watch


def pipeline(seconds: float, route: str) -> dict[str, float]:
    """For so long."""
    kind, sent, taken = ROUTES[route], 0, 0

    async def take(frame) -> None:
        nonlocal taken
        assert frame.pts == taken
        taken += 1
        await asyncio.sleep(0.001)

    async def flood(head: Head) -> None:
        nonlocal sent
        while True:
            await head.push_frame(make(kind, sent, bytes(bytearray(640))))
            sent += 1
            await asyncio.sleep(0)

    async def timed() -> dict[str, float]:
        head = Head()
        async with running([worker_of([head, Tail(kind, take)], shipped=False)]):
            flooding = asyncio.create_task(flood(head))
            growth = await watch(seconds)
            flooding.cancel()
            figures = {"grows": growth.per_second, "sent": sent, "taken": taken}
        return figures | {"dropped": 0, "left": figures["sent"] - figures["taken"]}

    return asyncio.run(timed())
