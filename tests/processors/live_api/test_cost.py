"""What a frame costs on its way to the service, in numbers that no machine changes."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import numpy as np
import pytest
from live_bench import RATE, User, Wire, run, service

from pipeline import SECOND, AudioFrame
from pipeline.testing import VirtualTimeLoop
from processors.live_api.transport import LiveApi


class CountingLoop(VirtualTimeLoop):
    """Counts the timers that are set, and the steps of tasks."""

    timers = steps = 0

    def call_at(self, *args: Any, **kwargs: Any) -> Any:
        CountingLoop.timers += 1
        return super().call_at(*args, **kwargs)

    def call_soon(self, *args: Any, **kwargs: Any) -> Any:
        CountingLoop.steps += 1
        return super().call_soon(*args, **kwargs)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": CountingLoop}


async def test_a_frame_in_real_time_sets_no_timer_but_that_of_its_source() -> None:
    """Neither the wait for it nor its sending has a time limit that is set anew each time."""
    samples = np.zeros((RATE // 50, 1), np.int16)
    timers, steps = [], []

    async def speak() -> AsyncIterator[AudioFrame]:
        for number in range(400):
            if number in (100, 300):
                timers.append(CountingLoop.timers)
                steps.append(CountingLoop.steps)
            yield AudioFrame(samples, RATE, pts=number * SECOND // 50)
            await anyio.sleep(0.02)

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.listen()

    async with service(answer) as (url, wires):
        await run(User(script=speak), LiveApi(url=url, patience_s=1))
    assert len(wires[0].received) > 400
    assert (timers[1] - timers[0]) / 200 == pytest.approx(1, abs=0.15)
    assert (steps[1] - steps[0]) / 200 == pytest.approx(3.4, abs=0.5)
