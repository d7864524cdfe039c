"""When the frames of a recording or of a stream are due."""

from __future__ import annotations

import anyio

from pipeline import SECOND, AudioFrame, Context
from processors.audio.pcm import Samples, nanoseconds_of


class Pace:
    """Makes frames of consecutive samples; the first begins at the moment when it comes.

    realtime: give each when it would be heard; otherwise at once.
    patience_ms: for what is live: samples that come later than this are no longer a part of what
      went before, but begin anew at the moment when they come. None keeps them together.
    """

    def __init__(
        self, context: Context, rate: int, *, realtime: bool, patience_ms: int | None = None
    ) -> None:
        self.pauses = 0
        """How often samples came later than that."""
        self._context = context
        self._rate = rate
        self._realtime = realtime
        self._patience = None if patience_ms is None else patience_ms * SECOND // 1000
        self._began: int | None = None
        self._count = 0

    async def frame(self, samples: Samples) -> AudioFrame:
        """The next frame, when it is due; one that is late comes at once."""
        now = self._context.now()
        if self._began is None:
            self._began = now
        elif self._patience is not None and now - self._due > self._patience:
            self.pauses += 1
            self._began, self._count = now, 0
        pts = self._due
        self._count += len(samples)
        await self._wait(pts)
        return AudioFrame(samples, self._rate, pts=pts)

    async def finish(self) -> None:
        """Wait until the last frame has been heard."""
        if self._began is not None:
            await self._wait(self._due)

    @property
    def _due(self) -> int:
        assert self._began is not None
        return self._began + nanoseconds_of(self._count, self._rate)

    async def _wait(self, moment: int) -> None:
        if self._realtime:
            delay = (moment - self._context.now()) / SECOND
            if delay > 0:
                await anyio.sleep(delay)
