import asyncio
import time

import pytest

from benchmarks import backlog


def test_a_hold_is_seen() -> None:
    async def hold() -> float:
        async with backlog.watching() as watch:
            await asyncio.sleep(0)
            end = time.thread_time() + 0.02
            while time.thread_time() < end:
                pass
            await asyncio.sleep(0)
        return watch.longest

    assert 0.02 <= asyncio.run(hold()) < 0.2


@pytest.mark.parametrize("inbox", [None, 4])
def test_a_backlog_arrives(inbox: int | None) -> None:
    figures, work = backlog.graph(300, inbox)
    assert work == {"frames": 300}
    assert figures["longest hold"] > 0
