"""Wiring: a graph turned into plain function calls and inboxes.

For each processor there is one `push`: called with a frame, it hands it to every edge that carries
its type. What runs in-line is a function call away; a boundary is an inbox. Everything
up to the next boundary therefore runs at once, in the task of whoever pushes. Inboxes that are
full on the way are collected in `blocked`, and the task waits for them afterwards (`settle`), so
that none of the functions in between has to be a coroutine.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from pipeline.errors import PipelineError, TooManyFramesError
from pipeline.frames import Frame, Interruption
from pipeline.graph import Edge, Graph, Node
from pipeline.inbox import Inbox, InboxSettings
from pipeline.processor import Sink, Transform
from pipeline.runtime.report import EdgeCount, Report
from pipeline.runtime.station import Deliver, Station, Targets

MOST_GIVEN = 100_000
"""Frames that a plain transform may give for one: nothing else runs until it has given them all,
and they have to fit into memory."""

Tap = Callable[[str, Frame], None]
Taps = Mapping[type[Frame], Tap]
Selects = Callable[[str, type[Frame]], bool]
"""Whether to see frames of a type at a place: `node`, where it gives them, or an edge, `a -> b`."""


class _Routes(dict[type, Deliver]):
    """Where frames go, by type; found out when the first of a type comes."""

    __slots__ = ("_find", "_station")

    def __init__(
        self, station: Station, find: Callable[[Station, type], Iterable[Deliver]]
    ) -> None:
        self._station = station
        self._find = find

    def __missing__(self, kind: type) -> Deliver:
        self[kind] = deliver = _to_all(tuple(self._find(self._station, kind)))
        return deliver


class Wiring:
    """All stations of a run, connected.

    taps: see frames where they enter the graph. probes: see what leaves nodes and goes over edges,
    at the places that each selects; when they change, `reroute` has to be called.
    """

    def __init__(
        self,
        graph: Graph,
        report: Report,
        taps: Sequence[tuple[type[Frame], Tap]] = (),
        probes: Sequence[tuple[Selects, Tap]] = (),
    ) -> None:
        self.report = report
        self.blocked: list[tuple[Inbox[Frame], Frame]] = []
        self.cut: set[int] = set()
        self.latest_turn = 0
        self.givers: dict[int, Station] = {}
        """Whose each turn is."""
        self._taps = taps
        self._all_probes = probes
        self._counts = {id(edge): _count(edge, report) for edge in graph.edges}
        self.stations = {node.name: self._station(node) for node in graph.order}
        for station in self.stations.values():
            station.routes = _Routes(station, self._given)
            if station.node.passes:
                station.relays = _Routes(station, self._passed)
            if station.inbox is not None:
                if not station.open_feedback:
                    station.inbox.end_late()
                station.inbox.givers = tuple(node.ports.gives for node in _feeding(station.node))

    async def settle(self) -> None:
        """Wait until the inboxes that were full have taken their frames."""
        waiting = deque(self.blocked)
        self.blocked.clear()
        for inbox, _ in waiting:
            inbox.outside = False
        try:
            while waiting:
                inbox, frame = waiting[0]
                await inbox.put(frame)
                waiting.popleft()
        finally:
            for inbox, _ in waiting:
                inbox.count_drop("run stopped", 1)

    def reroute(self) -> None:
        """Find out anew where frames go."""
        for station in self.stations.values():
            for routes in (station.routes, station.relays):
                if isinstance(routes, _Routes):
                    routes.clear()

    def interrupt(self, origin: Station, turn: int) -> None:
        """Make `turn` stale and everything downstream of `origin` forget it, now; then also who
        gave the turn, and what is downstream of that."""
        downstream = self.downstream(origin)
        turn = turn or max(station.latest_turn for station in (origin, *downstream))
        if not turn or turn in self.cut:
            return
        self.cut.add(turn)
        giver = self.givers.get(turn, origin)
        if giver is not origin:
            told = dict.fromkeys((*downstream, giver, *self.downstream(giver)))
            downstream = [station for station in told if station is not origin]
        for station in downstream:  # silence first: all else takes a while
            try:
                station.processor.interrupted(turn)
            except Exception as error:
                station.cope(error)
        for station in downstream:
            if not station.processor.plays_media:
                continue
            if station.busy is not None and station.busy_turn == turn:
                station.busy.cancel()
            if station.inbox is not None:
                station.inbox.discard_stale()

    def _station(self, node: Node) -> Station:
        if node.inbox is None:
            return Station(node, None, self.report.drops)

        settings, drops = node.inbox, self.report.drops

        def count_drop(reason: str, frames: int) -> None:
            if reason == "inbox full" and not drops[node.name, reason]:
                _warn_of_overload(node.name, settings)
            drops[node.name, reason] += frames

        cut = self.cut if node.processor.plays_media else set[int]()
        return Station(node, Inbox(settings, cut, count_drop), drops)

    def downstream(self, station: Station) -> list[Station]:
        """Every station behind this one, the nearest first."""
        found = {station.name: station}
        pending = [station]
        for current in pending:
            for edge in current.node.outgoing:
                if edge.target.name not in found:
                    pending.append(self.stations[edge.target.name])
                    found[edge.target.name] = pending[-1]
        return pending[1:]

    def _given(self, station: Station, kind: type) -> Iterable[Deliver]:
        """Where frames of a type go that the processor itself gives."""
        if not issubclass(kind, Frame):
            raise PipelineError(f"it gave a {kind.__name__}, which is not a frame")
        if issubclass(kind, Interruption):
            probes = self._probes(station.name, kind)
            return [*probes, lambda frame: self.interrupt(station, frame.turn)]
        changed = station.node.passes and issubclass(kind, station.node.ports.takes)
        seen = () if changed else self._taps  # what a transform makes of a frame is no new one
        taps = [_to_tap(tap, station.name) for tapped, tap in seen if issubclass(kind, tapped)]
        return [*taps, *self._probes(station.name, kind), *self._passed(station, kind)]

    def _passed(self, station: Station, kind: type) -> Iterable[Deliver]:
        """Where frames of a type go that leave it."""
        carrying = (edge for edge in station.node.outgoing if issubclass(kind, edge.accepts))
        delivered: list[Deliver] = []
        for edge in carrying:
            delivered += self._probes(f"{edge.source.name} -> {edge.target.name}", kind)
            delivered.append(self._deliver(edge, kind))
        return delivered

    def _probes(self, place: str, kind: type[Frame]) -> list[Deliver]:
        return [_to_tap(tap, place) for selects, tap in self._all_probes if selects(place, kind)]

    def _deliver(self, edge: Edge, kind: type[Frame]) -> Deliver:
        target = self.stations[edge.target.name]
        count = self._counts[id(edge)]
        if target.inbox is not None:
            return _to_inbox(target.inbox, count, self.blocked)
        if isinstance(target.processor, Sink):
            cut = self.cut if target.processor.plays_media else set[int]()
            return _into_sink(target, count, cut)
        return _into_transform(target, kind, count)

    def entrance(self, station: Station) -> Targets:
        """What a plain transform with an inbox of its own does with each type of frame."""
        taken = EdgeCount("inbox", station.name)
        return _Routes(station, lambda _, kind: [_into_transform(station, kind, taken)])


def _feeding(node: Node) -> list[Node]:
    """Every node whose frames reach `node`, directly or past transforms."""
    found = dict.fromkeys(edge.source for edge in node.incoming)
    pending = list(found)
    for feeder in pending:
        if feeder.passes:
            new = [edge.source for edge in feeder.incoming if edge.source not in found]
            found.update(dict.fromkeys(new))
            pending += new
    return pending


def _warn_of_overload(name: str, settings: InboxSettings) -> None:
    if settings.policy != "latest":  # where dropping is what it is for
        logging.getLogger(f"pipeline.{name}").warning(
            "frames come faster than it takes them: its inbox (%s) has begun to drop", settings
        )


def too_many(most: int, occasion: str) -> TooManyFramesError:
    """A transform has given so many at once, and goes on."""
    return TooManyFramesError(
        f"it gave more than {most:,} frames for {occasion}, and nothing else ran meanwhile: does a "
        "loop in it never end? What gives so many has to be an `async def`, which others interrupt"
    )


def _to_all(targets: tuple[Deliver, ...]) -> Deliver:
    if len(targets) == 1:
        return targets[0]

    def deliver_to_all(frame: Frame) -> None:
        for deliver in targets:
            deliver(frame)

    return deliver_to_all


def _to_inbox(
    inbox: Inbox[Frame], count: EdgeCount, blocked: list[tuple[Inbox[Frame], Frame]]
) -> Deliver:
    offer = inbox.offer

    def deliver(frame: Frame) -> None:
        count.frames += 1
        if inbox.outside or not offer(frame):  # it must not overtake those that wait
            inbox.outside = True
            blocked.append((inbox, frame))

    return deliver


def _into_transform(target: Station, kind: type[Frame], count: EdgeCount) -> Deliver:
    """Through the transform if it takes this type, else past it."""
    process = cast(Callable[[Frame], Iterable[Frame]], cast(Transform, target.processor).process)
    routes, relays = target.routes, target.relays

    def through(frame: Frame) -> None:
        count.frames += 1
        items = 0
        try:
            for given in process(frame):
                routes[type(given)](given)
                items += 1
                if items > MOST_GIVEN:
                    raise too_many(MOST_GIVEN, "one frame")
        except Exception as error:
            target.cope(error, frame)

    def past(frame: Frame) -> None:
        count.frames += 1
        relays[kind](frame)

    return through if issubclass(kind, target.node.ports.takes) else past


def _into_sink(target: Station, count: EdgeCount, cut: set[int]) -> Deliver:
    """Into a plain sink, unless the frame is media of an interrupted turn."""
    consume = cast(Sink, target.processor).consume

    def into(frame: Frame) -> None:
        count.frames += 1
        if cut and frame.turn in cut and frame.media:
            target.drops[target.name, "interrupted"] += 1
            return
        try:
            consume(frame)
        except Exception as error:
            target.cope(error, frame)

    return into


def _to_tap(tap: Tap, name: str) -> Deliver:
    return lambda frame: tap(name, frame)


def _count(edge: Edge, report: Report) -> EdgeCount:
    count = EdgeCount(edge.source.name, edge.target.name)
    report.edges.append(count)
    return count
