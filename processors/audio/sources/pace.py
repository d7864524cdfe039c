"""When the frames of a recording or of a stream are due."""

from __future__ import annotations

import anyio

from pipeline import SECOND, AudioFrame, Context
from processors.audio.pcm import Samples, nanoseconds_of

BEHIND_MS = 1000
"""How much of a recording is made up for at once, after something has held it up."""


class Pace:
    """Makes frames of consecutive samples; the first begins at the moment when it comes.

    Samples that are late come at once, and what was held up for a moment is made up for. What is
    later than that begins anew at the moment when it comes: a recording goes on from where it is,
    without a burst, when the machine has slept or the event loop was held; that is measured as
    `source.late`. In a live stream it is a pause.

    realtime: give each when it would be heard; otherwise at once.
    patience_ms: how late what is live may be; None for a recording.
    """

    def __init__(
        self, context: Context, rate: int, *, realtime: bool, patience_ms: int | None = None
    ) -> None:
        self._context = context
        self._rate = rate
        self._realtime = realtime
        self._live = patience_ms is not None
        if patience_ms is None and realtime:
            patience_ms = BEHIND_MS
        self._patience = None if patience_ms is None else patience_ms * SECOND // 1000
        self._began: int | None = None
        self._count = 0

    async def frame(self, samples: Samples) -> AudioFrame:
        """The next frame, when it is due; one that is late comes at once."""
        now = self._context.now()
        if self._began is None:
            self._began = now
        elif self._patience is not None and (late := now - self._due) > self._patience:
            self._began, self._count = now, 0
            if not self._live:
                self._context.measured("source.late", late)
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
