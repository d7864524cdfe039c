"""The clock that frames are timed by is that of the event loop."""

import anyio

from pipeline.runtime.clock import event_loop_clock


async def test_it_is_the_event_loops_own() -> None:
    clock = event_loop_clock()
    assert clock() == anyio.current_time()
    await anyio.sleep(1000)  # virtual time, on both back ends
    assert clock() == anyio.current_time()
