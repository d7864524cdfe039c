"""How a connection grows old: `goAway` some time before its end, then the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from processors.live_api.messages import GoAway, ServerMessage, format_duration
from processors.local_live_api.refusal import POLICY, RefusedError
from processors.local_live_api.switches import BackendName, Switches

NORMAL = 1000
END: dict[BackendName, tuple[int, str]] = {
    "vertex": (NORMAL, "The operation was cancelled."),
    "gemini-api": (
        POLICY,
        "Connection aborted because the client failed to close the connection after receiving a "
        "GoAway signal once the session durat",
    ),
}


class Lifetime:
    """The clock of one connection. Its end can be brought forward."""

    def __init__(
        self,
        switches: Switches,
        backend: BackendName,
        send: Callable[[ServerMessage], Awaitable[None]],
    ) -> None:
        self._send = send
        self._end = END[backend]
        self._warning_s = switches.go_away_s / switches.time_scale
        self._ends = anyio.current_time() + switches.connection_s / switches.time_scale
        self._moved = anyio.Event()
        self._announced = False

    async def run(self) -> None:
        """Warn, and end the connection by raising RefusedError."""
        while True:
            self._moved = anyio.Event()
            now = anyio.current_time()
            due = self._ends if self._announced else self._ends - self._warning_s
            with anyio.move_on_after(due - now):
                await self._moved.wait()
                continue
            if self._announced:
                code, reason = self._end
                raise RefusedError(reason, code)
            await self._announce()

    async def bring_forward(self, seconds: float) -> None:
        """Announce now that the connection ends in `seconds`."""
        self._ends = anyio.current_time() + seconds
        await self._announce()
        self._moved.set()

    async def _announce(self) -> None:
        self._announced = True
        left = max(0.0, self._ends - anyio.current_time())
        time_left = format_duration(round(left, 3))
        await self._send(ServerMessage(go_away=GoAway(time_left=time_left)))
