"""A graph: processors by name, the edges between them, and what follows from both.

Building one checks its structure and its frame types without touching the machine; `check` then
asks every processor whether it can run here, and compares audio formats along the edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pipeline import checks, environment
from pipeline.cycles import downstream_order
from pipeline.errors import (
    ConfigError,
    Finding,
    Place,
    SettingError,
    did_you_mean,
    nearest_place,
)
from pipeline.flow import FlowSyntaxError, Wire, parse_chain
from pipeline.frames import DeadLetter, Frame
from pipeline.inbox import InboxSettings
from pipeline.ports import FrameTypes, Ports
from pipeline.processor import Processor, Sink, Source, Transform, is_plain
from pipeline.supervision import UNSUPERVISED, Supervision

LONGEST_INLINE = 256
"""Processors that run inside each other; Python allows some 900 nested calls."""


@dataclass(eq=False, slots=True)
class Node:
    """A processor in its place in the graph."""

    name: str
    processor: Processor
    ports: Ports
    inbox: InboxSettings | None
    """None where it has no inbox: sources, and what runs in-line."""
    place: Place | None = None
    setting_places: Mapping[str, Place] = field(default_factory=dict)
    incoming: list[Edge] = field(default_factory=list)
    outgoing: list[Edge] = field(default_factory=list)
    supervision: Supervision = UNSUPERVISED

    @property
    def inline(self) -> bool:
        """A plain transform or sink, inside the task of whatever feeds it."""
        return self.inbox is None and isinstance(self.processor, Transform | Sink)

    @property
    def passes(self) -> bool:
        """Whether what it does not take goes through it."""
        return isinstance(self.processor, Transform)

    def place_of(self, setting: str | None) -> Place | None:
        """Where a setting stands; one that is not written, what is around it."""
        return nearest_place(self.setting_places, setting) or self.place


@dataclass(eq=False, slots=True)
class Edge:
    """Carries what the target, or something behind it, takes."""

    source: Node
    target: Node
    place: Place | None = None
    feedback: bool = False
    """It closes a cycle, and so does not hold the target's end of stream open."""
    accepts: FrameTypes = ()

    def __str__(self) -> str:
        return f"{self.source.name} -> {self.target.name}"


class Graph:
    """Processors wired by chains such as `"microphone -> to_16k -> gemini -> speaker"`.

    processors: by name. flow: chains, or single wires with their places. inboxes: settings for
    processors that should not get their default inbox; a plain transform named here gets a task
    and a channel of its own. supervision: what is done when one fails, if not to stop; a transform
    that can be restarted, or taken out, gets a task and a channel of its own, too.
    places: where each comes from, for messages. advice: what is to be said of it besides.
    setting_places: where the settings of a processor stand; `inbox.ms` is within `inbox`.
    Raises ConfigError with everything that is wrong.
    """

    def __init__(
        self,
        processors: Mapping[str, Processor],
        flow: Sequence[str | Wire],
        *,
        inboxes: Mapping[str, InboxSettings] | None = None,
        supervision: Mapping[str, Supervision] | None = None,
        places: Mapping[str, Place] | None = None,
        setting_places: Mapping[str, Mapping[str, Place]] | None = None,
        advice: Sequence[Finding] = (),
    ) -> None:
        flow = [flow] if isinstance(flow, str) else flow
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self._connected = set[tuple[str, str]]()
        self.advice = advice
        self.used = False
        """Processors keep state, so a graph runs once."""
        findings: list[Finding] = []
        names: dict[int, str] = {}
        for name, processor in processors.items():
            place = (places or {}).get(name)
            if not isinstance(processor, Processor):
                raise TypeError(f'"{name}" is {processor!r}, not a processor')
            twin = names.setdefault(id(processor), name)
            if twin != name:
                message = f'"{name}" is the same object as "{twin}": make one for each'
                findings.append(Finding("same-object", message, place))
            chosen = (inboxes or {}).get(name)
            settings = (setting_places or {}).get(name, {})
            if chosen is not None and isinstance(processor, Source):
                message = f'"{name}" is a source and has no inbox'
                findings.append(Finding("inbox-of-source", message, settings.get("inbox", place)))
            supervised = (supervision or {}).get(name, UNSUPERVISED)
            inbox = chosen if chosen is not None else _default_inbox(processor, supervised)
            try:
                ports = _ports_of(type(processor))
            except SettingError as error:
                where = settings.get("use", place)
                findings.append(Finding("annotations", str(error), where, error.hint))
                ports = Ports((Frame,), (Frame,))
            if supervised.policy.do != "stop":
                ports = ports._replace(gives=(*ports.gives, DeadLetter))
            self.nodes[name] = Node(
                name, processor, ports, inbox, place, settings, supervision=supervised
            )
        for item in flow:
            wires, unread = ([item], []) if isinstance(item, Wire) else read_chain(item, self.nodes)
            findings += unread
            for wire in wires:
                findings += self._connect(wire)
        if not findings:  # what cannot be read or found would look unused as well
            findings += checks.check_structure(self)
        if findings:
            raise ConfigError(findings)
        self.order = downstream_order(self)
        """Every node behind all that feed it, feedback edges aside."""
        _part_long_stretches(self.order)
        known: dict[str, FrameTypes] = {}
        for node in reversed(self.order):
            for edge in node.incoming:
                edge.accepts = checks.accepted(node, known)
        findings = [*checks.check_types(self), *checks.check_inboxes(self)]
        findings += checks.check_supervision(self)
        findings += checks.check_answers(self)
        if findings:
            raise ConfigError(findings)

    def check(self, *, offline: bool = False) -> list[Finding]:
        """What keeps it from running on this machine, audio formats that do not fit, and advice.

        offline: look at nothing outside the graph; compare formats as far as they are then known.
        """
        return [*self.advice, *environment.check_machine(self, offline=offline)]

    def files_written(self) -> dict[Path, list[tuple[Node, str]]]:
        """The files that it would write, as far as settings say: by which nodes and settings."""
        return environment.files_written(self)

    def files_read(self) -> dict[Path, list[tuple[Node, str]]]:
        """The files that settings name to be read: by which nodes and settings."""
        return environment.files_read(self)

    def _connect(self, wire: Wire) -> Iterator[Finding]:
        edge = Edge(self.nodes[wire.source], self.nodes[wire.target], wire.place)
        if (wire.source, wire.target) in self._connected:
            yield Finding("connected-twice", f'"{edge}" is there already', wire.place)
            return
        self._connected.add((wire.source, wire.target))
        self.edges.append(edge)
        edge.source.outgoing.append(edge)
        edge.target.incoming.append(edge)


def read_chain(
    chain: str, names: Iterable[str], place: Place | None = None
) -> tuple[list[Wire], list[Finding]]:
    """The wires of a chain between known names, and what else is in it."""
    known = set(names)
    try:
        links = parse_chain(chain)
    except FlowSyntaxError as error:
        return [], [Finding("flow-syntax", str(error), _moved(place, error.at))]
    ends = [
        end
        for link in links
        for end in ((link.source_at, link.source), (link.target_at, link.target))
    ]
    unknown = {at: name for at, name in sorted(ends) if name not in known}
    findings = [
        Finding(
            "unknown-node",
            f'no processor is named "{name}"',
            _moved(place, at),
            did_you_mean(name, known),
        )
        for at, name in unknown.items()
    ]
    wires = [
        Wire(link.source, link.target, _moved(place, link.target_at))
        for link in links
        if {link.source, link.target} <= known
    ]
    return wires, findings


def _part_long_stretches(order: list[Node]) -> None:
    """Give one an inbox wherever too many would run inside each other."""
    depth: dict[str, int] = {}
    for node in order:
        if node.inline:
            depth[node.name] = 1 + max(depth.get(edge.source.name, 0) for edge in node.incoming)
            if depth[node.name] > LONGEST_INLINE:
                node.inbox, depth[node.name] = node.processor.inbox, 0


@lru_cache(maxsize=1024)
def _ports_of(kind: type[Processor]) -> Ports:
    """Read once for each class: that takes longer than all else about a node."""
    return kind.ports()


def _moved(place: Place | None, columns: int) -> Place | None:
    return place._replace(column=place.column + columns) if place else None


def _default_inbox(processor: Processor, supervision: Supervision) -> InboxSettings | None:
    if isinstance(processor, Source):
        return None
    has_task = supervision.policy.do in ("restart", "detach")
    return processor.inbox if has_task or not is_plain(processor) else None
