"""What a processor can ask of the run that it is in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path

import anyio

from pipeline.frames import SECOND
from pipeline.runtime.observer import Observed
from pipeline.runtime.report import is_round
from pipeline.runtime.station import Station
from pipeline.runtime.wiring import Wiring

HELD = (
    '"%s" held the event loop for %.2f s, at %s: nothing else ran meanwhile. In an async method, '
    "await what it waits for, or give the work to a thread: `await anyio.to_thread.run_sync(...)`"
)
HELD_OFTEN = '"%s" has held the event loop %d times, for up to %.2f s; the last time at %s'
HOLDS = '"%s" has been holding the event loop for %.0f s, and still does, at %s: nothing else runs'


class RunContext:
    """What `Processor.context` is while a graph runs.

    now: the run's clock. finish: is set when the sources are told to end.
    """

    __slots__ = ("_claimed", "_finish", "_observed", "_station", "_wiring", "log", "name", "now")

    def __init__(
        self,
        station: Station,
        wiring: Wiring,
        observed: Observed,
        now: Callable[[], int],
        finish: anyio.Event,
    ) -> None:
        self.name = station.name
        self.log = logging.getLogger(f"pipeline.{station.name}")
        self.now = now
        self._station = station
        self._wiring = wiring
        self._observed = observed
        self._finish = finish
        self._claimed: set[Path] = set()

    @property
    def finishing(self) -> bool:
        return self._finish.is_set()

    def new_turn(self) -> int:
        wiring, station = self._wiring, self._station
        wiring.latest_turn += 1
        wiring.givers[wiring.latest_turn] = station
        station.latest_turn = wiring.latest_turn
        return station.latest_turn

    def measured(self, what: str, nanoseconds: int, turn: int = 0) -> None:
        self._wiring.report.measurements[what].append(nanoseconds)
        self._observed.measured(self.name, what, nanoseconds, turn)

    def held(self, where: str, nanoseconds: int) -> None:
        """It held the event loop, at a line such as `gain.py:12 in process`."""
        holds = self._wiring.report.holds[self.name]
        holds.append(nanoseconds)
        self._observed.held(self.name, where, nanoseconds)
        if len(holds) == 1:
            self._warn(HELD, self.name, nanoseconds / SECOND, where)
        elif is_round(len(holds)):
            self._warn(HELD_OFTEN, self.name, len(holds), max(holds) / SECOND, where)

    def is_holding(self, where: str, seconds: float) -> None:
        """It holds the event loop: said by a thread, since that cannot."""
        self._warn(HOLDS, self.name, seconds, where)

    def _warn(self, message: str, *values: object) -> None:
        """Log it as said in the run, in whatever task or thread this is called."""
        self._observed.context.copy().run(self.log.warning, message, *values)

    def dropped(self, reason: str, frames: int = 1) -> None:
        self._wiring.report.drops[self.name, reason] += frames

    def wrote(self, path: str) -> None:
        self._wiring.report.files.append(path)

    def claim(self, path: Path) -> Path:
        if path not in self._claimed or not path.is_file():  # a pipe is opened again
            self._claimed.add(path)
            return path
        others = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
        return self.claim(next(other for other in others if not other.exists()))
