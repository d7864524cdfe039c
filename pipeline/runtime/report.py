"""What a run counted and measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from pipeline.errors import ProcessorFailure


@dataclass(eq=False, slots=True)
class EdgeCount:
    """Frames that went over one edge."""

    source: str
    target: str
    frames: int = 0


@dataclass
class Report:
    """The account of a run. Counts fill while it goes on; what is about the whole comes at its end.

    drops: frames by (processor, reason). measurements: nanoseconds by name, in order.
    high_water: the most frames that waited in each inbox. files: what was written.
    restarts: of processors that failed. failures: of those that were taken out.
    holds: nanoseconds for which each processor held the event loop, where a `Watchdog` noticed.
    """

    edges: list[EdgeCount] = field(default_factory=list)
    drops: Counter[tuple[str, str]] = field(default_factory=Counter)
    measurements: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    high_water: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    restarts: Counter[str] = field(default_factory=Counter)
    holds: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    failures: list[ProcessorFailure] = field(default_factory=list)
    seconds: float = 0.0
    completed: bool = False
    """False when the run was cut short before everything in it was delivered."""

    def frames(self, source: str, target: str) -> int:
        """Frames that went from one processor to another."""
        return sum(e.frames for e in self.edges if (e.source, e.target) == (source, target))


def is_round(count: int) -> bool:
    """1, 10, 100, ...: what happens again and again is not said every time."""
    return count > 0 and count == 10 ** (len(str(count)) - 1)
