"""Two applications in one loop that share their places, as two processes would."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from serving_bench import served, talking

from processors.serving.client import RefusedError, connect
from processors.serving.places import Ledger


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Shared:
    """A part in a ledger of the same process."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.ledger, self.name = ledger, name

    async def claim(self, taken: int) -> bool:
        return self.ledger.claim(self.name, taken)

    async def hold(self, taken: Callable[[], int]) -> None:
        while True:
            self.ledger.hold(self.name, taken())
            await anyio.sleep(0.01)


async def test_conversations_of_all_processes_count(tmp_path: Path) -> None:
    ledger = Ledger(2)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    limits = {"grace_s": 0.1}
    async with (
        served(tmp_path / "a", limits=limits, places=Shared(ledger, "a")) as a,
        served(tmp_path / "b", limits=limits, places=Shared(ledger, "b")) as b,
    ):
        async with talking(a.url), talking(b.url):
            assert await refusal(b.url) == "full"
            assert (a.lobby.open, b.lobby.open) == (1, 1)
        with anyio.fail_after(10):
            while ledger.taken():  # noqa: ASYNC110 the ledger tells nobody
                await anyio.sleep(0.02)
        async with talking(b.url):
            assert b.lobby.open == 1


async def refusal(url: str) -> str:
    try:
        async with connect(url):
            return ""
    except RefusedError as refused:
        return refused.reason
