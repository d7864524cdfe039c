"""A processor that is restarted when it fails has several lives in one run."""

from __future__ import annotations

from collections import deque

import anyio

from pipeline.supervision import OnError


class Lives:
    """Where such a processor is, and how often it has been restarted.

    done: its work has come to its end. closed: nothing of it is left.
    """

    def __init__(self, policy: OnError) -> None:
        self.opened = False
        self.done = anyio.Event()
        self.closed = anyio.Event()
        self.scope = anyio.CancelScope()
        self._policy = policy
        self._restarts: deque[float] = deque()
        self._may_close = anyio.Event()

    def next_restart(self, now: float) -> float | None:
        """How long to wait before another restart, in seconds; None if it was restarted too often.

        now: in seconds, on a clock that never goes back.
        """
        while self._restarts and self._restarts[0] <= now - self._policy.within_s:
            self._restarts.popleft()
        count = len(self._restarts)
        if count >= self._policy.times:
            return None
        self._restarts.append(now)
        return self._policy.wait(count)

    async def wait_for_end(self) -> None:
        """Wait until it is its turn to close, also in a run that is cancelled."""
        with anyio.CancelScope(shield=True):
            await self._may_close.wait()

    async def end(self) -> None:
        """Let it close, and wait for that; what is still at work is cancelled."""
        self._may_close.set()
        if not self.done.is_set():
            self.scope.cancel()
        with anyio.CancelScope(shield=True):
            await self.closed.wait()
