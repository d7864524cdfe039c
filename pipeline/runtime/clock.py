"""The clock of the event loop, for what is asked for the time with every frame."""

from __future__ import annotations

from collections.abc import Callable

import anyio


def event_loop_clock() -> Callable[[], float]:
    """What `anyio.current_time` reads: finding it takes longer than reading it, so find it once.

    Seconds since some moment. To be called in the event loop that it is for.
    """
    import asyncio  # takes long, and is for runs only

    try:
        return asyncio.get_running_loop().time if asyncio.current_task() else anyio.current_time
    except RuntimeError:  # another loop than that of asyncio
        return anyio.current_time
