"""What can be known to be wrong with a graph before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.cycles import blocking_cycle, mark_feedback
from pipeline.errors import Finding
from pipeline.frames import AudioFrame, DeadLetter, Frame, ToolCall, ToolResult
from pipeline.ports import FrameTypes, overlap
from pipeline.processor import Duplex, Sink, Source, Transform, is_plain

if TYPE_CHECKING:
    from pipeline.graph import Graph, Node

LETTERS = "a node gives dead letters when its `on_error` is skip, restart or detach"

# --- structure ---


def check_structure(graph: Graph) -> list[Finding]:
    """Nodes without a way in or out, arrows that cannot be, cycles that could block.

    Marks the feedback edges of the cycles that are allowed.
    """
    findings = [finding for node in graph.nodes.values() for finding in _check_ends(node)]
    cycle = blocking_cycle(graph)
    if cycle:
        names = " -> ".join(edge.source.name for edge in cycle)
        findings.append(
            Finding(
                "cycle",
                f"{names} -> {cycle[0].source.name} is a cycle that could block: each waits for "
                "the next",
                cycle[-1].place,
                "only a duplex processor, which reads and writes independently, may close a cycle",
            )
        )
    else:
        mark_feedback(graph)
        fed = {id(node) for node in _reachable(graph)}
        findings += [
            Finding("unreachable", f'no source leads to "{node.name}"', node.place)
            for node in graph.nodes.values()
            if id(node) not in fed and node.incoming
        ]
    return findings


def _check_ends(node: Node) -> Iterator[Finding]:
    role = node.processor
    if not node.incoming and not node.outgoing:
        yield Finding(
            "unused",
            f'"{node.name}" is not in the flow',
            node.place,
            "add it to a chain or delete it",
        )
        return
    if isinstance(role, Source):
        for edge in node.incoming:
            yield Finding(
                "into-source", f'"{node.name}" is a source: nothing can flow into it', edge.place
            )
    elif not node.incoming:
        yield Finding("no-input", f'nothing flows into "{node.name}"', node.place)
    if isinstance(role, Sink) and node.supervision.policy.do == "stop":
        for edge in node.outgoing:
            yield Finding(
                "out-of-sink",
                f'"{node.name}" is a sink: nothing flows out of it',
                edge.place,
                LETTERS if DeadLetter in edge.target.ports.takes else "",
            )
    elif not node.outgoing and not isinstance(role, Duplex | Sink):
        yield Finding(
            "dead-end",
            f'what "{node.name}" gives goes nowhere',
            node.place,
            "end the chain in a sink",
        )


def _reachable(graph: Graph) -> list[Node]:
    found = [node for node in graph.nodes.values() if isinstance(node.processor, Source)]
    seen = {id(node) for node in found}
    for node in found:
        for edge in node.outgoing:
            if id(edge.target) not in seen:
                seen.add(id(edge.target))
                found.append(edge.target)
    return found


# --- frame types ---


def accepted(node: Node, known: dict[str, FrameTypes]) -> FrameTypes:
    """What an edge into `node` carries: what it takes, or something behind it does. Dead letters go
    straight to what takes them, since who fails is wired to that.

    Like `emitted`, it is asked in the order that leaves it little to look up further on.
    """
    if node.name not in known:
        types = dict.fromkeys(node.ports.takes)
        if node.passes:
            for edge in node.outgoing:
                behind = accepted(edge.target, known)
                types.update(dict.fromkeys(kind for kind in behind if kind is not DeadLetter))
        known[node.name] = tuple(types)
    return known[node.name]


def emitted(node: Node, known: dict[str, FrameTypes]) -> FrameTypes:
    """What can come out of `node`: what it gives, and what passes it."""
    if node.name not in known:
        types = dict.fromkeys(node.ports.gives)
        if node.passes:
            for edge in node.incoming:
                arriving = overlap(emitted(edge.source, known), edge.accepts)
                types.update(
                    dict.fromkeys(t for t in arriving if not issubclass(t, node.ports.takes))
                )
        known[node.name] = tuple(types)
    return known[node.name]


def check_types(graph: Graph) -> list[Finding]:
    """Edges that could never carry a frame, and transforms that could never be given one."""
    findings = []
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        arriving = [t for edge in node.incoming for t in emitted(edge.source, known)]
        if node.passes and arriving and not overlap(tuple(arriving), node.ports.takes):
            message = (
                f'"{node.name}" would never be given a frame: it takes {_names(node.ports.takes)}, '
                f"and what comes to it is {_names(tuple(arriving))}"
            )
            findings.append(Finding("never-fed", message, node.place))
    for edge in graph.edges:
        given = emitted(edge.source, known)
        if not overlap(given, edge.accepts):
            findings.append(
                Finding(
                    "type-mismatch",
                    f'"{edge}" can carry nothing: {edge.source.name} gives {_names(given)}, '
                    f"{edge.target.name} takes {_names(edge.accepts)}",
                    edge.place,
                    LETTERS if DeadLetter in edge.accepts else "",
                )
            )
    return findings


def _names(types: FrameTypes) -> str:
    return " and ".join(sorted({kind.__name__ for kind in types})) or "nothing"


# --- inboxes ---


def check_inboxes(graph: Graph) -> list[Finding]:
    """Bounds and policies that make no sense for what comes to an inbox."""
    known: dict[str, FrameTypes] = {}
    return [finding for node in graph.order for finding in _check_inbox(node, known)]


def _check_inbox(node: Node, known: dict[str, FrameTypes]) -> Iterator[Finding]:
    arriving = tuple(
        kind
        for edge in node.incoming
        for kind in overlap(emitted(edge.source, known), edge.accepts)
    )
    inbox = node.inbox
    if inbox is None or inbox is node.processor.inbox or not arriving:
        return
    what = f"what comes to it is {_names(arriving)}"
    sound = any(issubclass(kind, AudioFrame) for kind in arriving)
    if inbox.policy != "block" and not any(map(_may_be_media, arriving)):
        yield Finding(
            "inbox",
            f'"{node.name}": {inbox.policy} drops sound and pictures only, and {what}',
            node.place_of("inbox.policy"),
            "leave the policy out: the sender waits",
        )
    elif inbox.policy == "latest" and sound and not isinstance(node.processor, Sink):
        yield Finding(
            "inbox",
            f'"{node.name}": latest would keep one frame of sound and drop what is before it',
            node.place_of("inbox.policy"),
            "write {ms: 400, policy: drop_oldest}",
        )
    if inbox.ms is not None and not overlap(arriving, (AudioFrame,)):
        yield Finding(
            "inbox",
            f'"{node.name}": a bound in ms is for sound, and {what}',
            node.place_of("inbox.ms"),
            "give the bound in frames",
        )


def _may_be_media(kind: type[Frame]) -> bool:
    """A base class stands for all that is derived from it."""
    return kind.media or issubclass(AudioFrame, kind)


# --- supervision ---


def check_supervision(graph: Graph) -> Iterator[Finding]:
    """What cannot be done with a processor of its role when it fails."""
    for node in graph.nodes.values():
        role, supervision = node.processor, node.supervision
        if supervision.policy.do == "skip" and isinstance(role, Source | Duplex):
            yield Finding(
                "supervision",
                f'"{node.name}": only what takes one frame at a time can skip the one that failed',
                node.place_of("on_error.do"),
                "write `on_error: restart`",
            )
        if supervision.frame_timeout_s is not None and (
            is_plain(role) or not isinstance(role, Sink | Transform)
        ):
            yield Finding(
                "supervision",
                f'"{node.name}": a time limit on a frame is for `async` sinks and transforms, '
                "whose work can be cancelled",
                node.place_of("frame_timeout_s"),
                "leave `frame_timeout_s` out",
            )


# --- calls ---


def check_answers(graph: Graph) -> list[Finding]:
    """Processors that answer calls, but not to the one that makes them."""
    findings = []
    answering = [node for node in graph.nodes.values() if _trades(node, ToolCall, ToolResult)]
    for caller in graph.nodes.values():
        if not answering or not _trades(caller, ToolResult, ToolCall):
            continue
        called = _carried(caller, ToolCall)
        for node in answering:
            if node in called and caller not in _carried(node, ToolResult):
                message = f'"{node.name}" answers "{caller.name}", but its answers never get there'
                hint = f"write {caller.name} <-> {node.name}"
                findings.append(Finding("no-answer", message, node.incoming[0].place, hint))
    return findings


def _trades(node: Node, taken: type[Frame], given: type[Frame]) -> bool:
    return taken in node.ports.takes and given in node.ports.gives


def _carried(node: Node, kind: type[Frame]) -> dict[Node, None]:
    """The nodes that frames of a type come to from a node, through others or not."""
    found = dict.fromkeys([node])
    reached: dict[Node, None] = {}
    pending = [node]
    for current in pending:
        for edge in current.outgoing:
            if overlap((kind,), edge.accepts):
                reached[edge.target] = None
                if edge.target.passes and edge.target not in found:
                    found[edge.target] = None
                    pending.append(edge.target)
    return reached
