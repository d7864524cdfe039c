"""Says when the first frame is in the sink of a pipeline of three processors; run by "start"."""

from __future__ import annotations

import asyncio
import time

from pipecat.frames.frames import TextFrame

from benchmarks.peers.pipecat.parts import Head, Identity, Tail, running, worker_of


async def main() -> None:
    """Run the pipeline."""
    arrived = asyncio.Event()

    def say(frame: TextFrame) -> None:
        print("first frame at", time.perf_counter_ns(), flush=True)
        arrived.set()

    head = Head()
    async with running([worker_of([head, Identity(), Tail(TextFrame, say)], shipped=True)]):
        await head.push_frame(TextFrame("hello"))
        await arrived.wait()


if __name__ == "__main__":
    asyncio.run(main())
