"""How long the user waits for an answer, at the ear."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import AudioFrame, TurnStarted
from processors.audio.pcm import first_audible, nanoseconds_of
from processors.audio.playout.buffer import Stretch


class ResponseTime:
    """Waits for the first sample of an answer that can be heard. Times are on the run's clock."""

    def __init__(self) -> None:
        self._asked: dict[int, int] = {}
        self._came: int | None = None
        self._audible: int | None = None

    def turn_started(self, frame: TurnStarted) -> None:
        """A turn that answers what the user asked is the one to wait for."""
        if frame.asked is not None:
            self._asked, self._came, self._audible = {frame.turn: frame.asked}, None, None

    def came(self, frame: AudioFrame, now: int) -> None:
        """Sound has come, to be played."""
        if frame.turn not in self._asked or self._audible is not None:
            return
        self._came = now if self._came is None else self._came
        first = first_audible(frame.samples)
        if first is not None:
            self._audible = frame.pts + nanoseconds_of(first, frame.rate)

    def played(self, stretch: Stretch, offset: int) -> Iterator[tuple[str, int]]:
        """Sound goes to the loudspeaker; `offset` takes its clock to the run's. Gives what is to
        be measured, when the answer is heard: nanoseconds by name."""
        if self._audible is None or self._came is None or stretch.turn not in self._asked:
            return
        if stretch.end > self._audible:
            heard = stretch.at + offset + max(0, self._audible - stretch.pts)
            yield "response", heard - self._asked.pop(stretch.turn)
            yield "response.playout", heard - self._came
