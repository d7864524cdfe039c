"""How connections grow old, in virtual time."""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from processors.live_api.messages import ServerMessage
from processors.local_live_api.lifetime import Lifetime
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.switches import BackendName, Switches

GO_AWAY = (
    "Connection aborted because the client failed to close the connection after receiving a GoAway "
    "signal once the session durat"
)


class Watched:
    """A lifetime, and what was said and when, in seconds since it began."""

    def __init__(self, backend: BackendName = "vertex", **switches: Any) -> None:
        self.began = anyio.current_time()
        self.said: list[tuple[float, str]] = []
        self.lifetime = Lifetime(Switches(**switches), backend, self._send)

    @property
    def now(self) -> float:
        return round(anyio.current_time() - self.began, 3)

    async def _send(self, message: ServerMessage) -> None:
        assert message.go_away is not None
        self.said.append((self.now, message.go_away.time_left))

    async def end(self, *during: Callable[[], Coroutine[Any, Any, None]]) -> RefusedError:
        """Live on to the end, while something else happens."""
        with pytest.raises(ExceptionGroup) as raised:
            await self._together(self.lifetime.run, *during)
        [error] = raised.value.exceptions
        assert isinstance(error, RefusedError)
        return error

    async def _together(self, *tasks: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with anyio.create_task_group() as group:
            for task in tasks:
                group.start_soon(task)


@pytest.mark.parametrize(
    ("backend", "code", "reason"),
    [("vertex", 1000, "The operation was cancelled."), ("gemini-api", 1008, GO_AWAY)],
)
async def test_a_connection_is_warned_a_minute_before_its_end(
    backend: BackendName, code: int, reason: str
) -> None:
    watched = Watched(backend)
    error = await watched.end()
    assert watched.said == [(540.0, "60s")]
    assert watched.now == 600.0
    assert (error.code, error.reason) == (code, reason)


@pytest.mark.parametrize(
    ("switches", "said", "end"),
    [
        ({"connection_s": 591, "go_away_s": 50}, (541.0, "50s"), 591.0),
        ({"time_scale": 60}, (9.0, "1s"), 10.0),
        ({"time_scale": 240}, (2.25, "0.250s"), 2.5),
        ({"connection_s": 20}, (0.0, "20s"), 20.0),
    ],
)
async def test_lifetimes_of_other_lengths(
    switches: dict[str, Any], said: tuple[float, str], end: float
) -> None:
    watched = Watched(**switches)
    await watched.end()
    assert watched.said == [said]
    assert watched.now == end


async def test_the_end_can_be_brought_forward() -> None:
    watched = Watched()

    async def hurry() -> None:
        await anyio.sleep(100)
        await watched.lifetime.bring_forward(2.5)

    await watched.end(hurry)
    assert watched.said == [(100.0, "2.500s")]
    assert watched.now == 102.5


async def test_and_again_after_the_warning() -> None:
    watched = Watched()

    async def hurry() -> None:
        await anyio.sleep(550)
        await watched.lifetime.bring_forward(5)
        await anyio.sleep(2)
        await watched.lifetime.bring_forward(0)

    await watched.end(hurry)
    assert watched.said == [(540.0, "60s"), (550.0, "5s"), (552.0, "0s")]
    assert watched.now == 552.0


async def test_it_can_be_brought_forward_before_the_clock_has_started() -> None:
    watched = Watched()
    await watched.lifetime.bring_forward(1)
    await watched.end()
    assert watched.said == [(0.0, "1s")]
    assert watched.now == 1.0
