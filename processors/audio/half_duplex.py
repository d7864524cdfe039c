"""A microphone that is closed while the loudspeaker plays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Literal

from msgspec import Meta

from pipeline import AudioFrame, Playback, Surroundings, Transform
from processors.arrays import np

MS = 1_000_000
LEASE = 1000 * MS
"""A speaker that has not said for so long that it still plays has ended."""


class HalfDuplex(Transform):
    """Lets the user be heard only while the model is silent, so that it does not hear itself.

    For loudspeakers in a room, where there is no headset and no echo canceller. The model cannot be
    interrupted by voice then. It stands behind the microphone, and the speaker is wired back to it:

      mic -> half_duplex -> gemini -> speaker -> half_duplex

    tail_ms: for how long it stays closed when the loudspeaker has fallen silent, while the room
      still sounds.
    closed: what becomes of the sound meanwhile: `silence` in its place, or nothing (`drop`).
    """

    def __init__(
        self,
        tail_ms: Annotated[int, Meta(ge=0, le=5000)] = 200,
        closed: Literal["silence", "drop"] = "silence",
    ) -> None:
        self.tail_ms = tail_ms
        self.closed = closed
        self._closed_from = 0
        self._closed_until = 0
        self._has_speaker = True

    def check_graph(self, around: Surroundings) -> None:
        self._has_speaker = around.can_get(Playback)

    async def lifespan(self) -> AsyncIterator[None]:
        if not self._has_speaker:
            self.context.log.warning(
                "it never closes: no speaker is wired to it, to say when it plays"
            )
        yield

    def process(self, frame: AudioFrame | Playback) -> Iterator[AudioFrame]:
        if isinstance(frame, Playback):
            self._hear_of(frame)
        elif self._closed_from < frame.end and frame.pts < self._closed_until:
            if self.closed == "silence":
                yield frame.replace(samples=np.zeros_like(frame.samples))
            else:
                self.context.dropped("the loudspeaker plays")
        else:
            yield frame

    def _hear_of(self, report: Playback) -> None:
        if report.pts >= self._closed_until:
            self._closed_from = report.pts
        self._closed_until = report.pts + self.tail_ms * MS + (LEASE if report.playing else 0)
