"""Who has how many places in a cluster, who waits for one, and where each process is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from processors.serving.places import State

LEASE_S = 10.0
"""A process that has said nothing for so long is gone, and its places are free."""
PATIENCE_S = 3.0
"""Somebody who waits and has not asked for so long is gone."""


class Report(NamedTuple):
    """What a process says of itself.

    door: where others find it, as host:port. generation: of the deployment, when it was deployed.
    limit, queue: of the whole cluster. each: conversations that one process may have.
    taken: those that it has. closed: whether it takes no more.
    """

    holder: str
    door: str
    generation: float
    limit: int
    queue: int
    each: int
    taken: int
    closed: bool = False


class Answer(NamedTuple):
    """Whether there is a place.

    kind: `here`, and it is taken; `elsewhere`, at `door` of `holder`; `wait` at `position`; `soon`,
    when a process has been started that takes new clients; `full`; or `draining`.
    """

    kind: Literal["here", "elsewhere", "wait", "soon", "full", "draining"]
    position: int = 0
    holder: str = ""
    door: str = ""


class Orders(NamedTuple):
    """What a process has to do with the conversations that it has, and the state of all places."""

    stop: Literal["no", "drain", "now"]
    state: State


class _Entry(NamedTuple):
    report: Report
    seen: float

    @property
    def room(self) -> int:
        return self.report.each - self.report.taken


class Ledger:
    """The places of all processes of a cluster. No more than `Report.limit` are given away.

    A process always says how many it has in all, not how many more: so an entry that was lost, or
    came twice, is put right by the next. The same goes for the ledger: one that was started anew
    hears of everybody again. The limits are those of the newest generation; what is older drains.

    key: a secret that the processes share.
    """

    def __init__(self, key: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._clock = clock
        self._began = clock()
        self._announced = 0.0
        self._stop: Literal["no", "drain", "now"] = "no"
        self._entries: dict[str, _Entry] = {}
        self._waiting: dict[str, float] = {}

    # --- for the processes ---

    def key(self) -> str:
        """The secret."""
        return self._key

    def place(self, report: Report, ticket: str, settle: bool = False) -> Answer:
        """Whether somebody may begin a conversation, in this process or another.

        ticket: under which somebody is known who asks again. settle: in this one or not at all.
        """
        self._hear(report)
        if self._stop != "no":
            return Answer("draining")
        choices = [
            entry
            for entry in self._entries.values()
            if entry.report.generation == self.newest() and not entry.report.closed
        ]
        if not choices:
            return Answer("soon")
        newest = choices[0].report
        waiting = list(self._waiting)
        ahead = waiting.index(ticket) if ticket in self._waiting else len(waiting)
        if newest.limit - self.taken() > ahead:
            rooms = [entry for entry in choices if entry.room > 0]
            if any(entry.report.holder == report.holder for entry in rooms):
                self._waiting.pop(ticket, None)
                self._hear(report._replace(taken=report.taken + 1))
                return Answer("here")
            if rooms and not settle:
                best = max(rooms, key=lambda entry: entry.room).report
                self._waiting[ticket] = self._clock()  # the place is kept until it has gone there
                return Answer("elsewhere", holder=best.holder, door=best.door)
        if ticket in self._waiting or len(waiting) < newest.queue:
            self._waiting[ticket] = self._clock()
            return Answer("wait", ahead + 1)
        return Answer("full")

    def cancel(self, ticket: str) -> None:
        """Somebody does not wait any more."""
        self._waiting.pop(ticket, None)

    def hold(self, report: Report) -> Orders:
        """A process has so many, whatever is allowed."""
        self._hear(report)
        stop = self._stop
        if stop == "no" and report.generation < self.newest():
            stop = "drain"
        return Orders(stop, self.state())

    def leave(self, holder: str) -> None:
        """A process has ended, or cannot be reached; one that can be will be heard of again."""
        self._entries.pop(holder, None)

    def door(self, holder: str) -> str | None:
        """Where a process is; empty if it is gone; None while that is not known."""
        self._expire()
        if holder in self._entries:
            return self._entries[holder].report.door
        return None if self._clock() - self._began < LEASE_S else ""

    def doors(self) -> dict[str, str]:
        """Where each process is, by name."""
        self._expire()
        return {holder: entry.report.door for holder, entry in self._entries.items()}

    # --- for those who deploy ---

    def announce(self, generation: float) -> None:
        """There is a new deployment: the processes of those before it drain."""
        self._announced = max(self._announced, generation)
        self._stop = "no"

    def newest(self) -> float:
        """The newest generation that was heard of."""
        known = (entry.report.generation for entry in self._entries.values())
        return max([self._announced, *known])

    def stop(self, generation: float, now: bool) -> int:
        """All have to drain, or to stop, unless there is a newer generation.

        How many conversations there are that have to end.
        """
        if self.newest() > generation:
            return 0
        self._stop = "now" if now else "drain"
        return self.taken()

    # --- both ---

    def taken(self) -> int:
        """Places in use."""
        self._expire()
        return sum(entry.report.taken for entry in self._entries.values())

    def state(self) -> State:
        """All places, by the limits of the newest generation."""
        taken, newest = self.taken(), self.newest()
        reports = [entry.report for entry in self._entries.values()]
        limits = [(r.limit, r.queue) for r in reports if r.generation == newest]
        limit, queue = limits[0] if limits else (0, 0)
        return State(taken, limit, len(self._waiting), queue)

    def _hear(self, report: Report) -> None:
        self._expire()
        self._entries[report.holder] = _Entry(report, self._clock())

    def _expire(self) -> None:
        now = self._clock()
        for holder, entry in list(self._entries.items()):
            if now - entry.seen > LEASE_S:
                del self._entries[holder]
        for ticket, seen in list(self._waiting.items()):
            if now - seen > PATIENCE_S:
                del self._waiting[ticket]
