"""What can be known to be wrong with a graph before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.errors import Finding, SettingError
from pipeline.frames import AudioFrame
from pipeline.ports import FrameTypes, overlap
from pipeline.processor import AudioFormat, Duplex, Sink, Source

if TYPE_CHECKING:
    from pipeline.graph import Edge, Graph, Node

# --- structure ---


def check_structure(graph: Graph) -> list[Finding]:
    """Nodes without a way in or out, arrows that cannot be, cycles that could block.

    Marks the feedback edges of the cycles that are allowed.
    """
    findings = [finding for node in graph.nodes.values() for finding in _check_ends(node)]
    cycle = _blocking_cycle(graph)
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
        _mark_feedback(graph)
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
    if isinstance(role, Sink):
        for edge in node.outgoing:
            yield Finding(
                "out-of-sink", f'"{node.name}" is a sink: nothing flows out of it', edge.place
            )
    elif not node.outgoing and not isinstance(role, Duplex):
        yield Finding(
            "dead-end",
            f'what "{node.name}" gives goes nowhere',
            node.place,
            "end the chain in a sink",
        )


def _blocking_cycle(graph: Graph) -> list[Edge] | None:
    """A cycle in which no duplex processor stands."""
    done: set[str] = set()
    for start in graph.nodes.values():
        path: list[Edge] = []
        stack = [iter(start.outgoing)]
        if start.name in done or isinstance(start.processor, Duplex):
            continue
        on_path = {start.name: 0}
        while stack:
            edge = next(stack[-1], None)
            if edge is None:
                stack.pop()
                name = path.pop().target.name if path else start.name
                done.add(name)
                on_path.pop(name, None)
            elif edge.target.name in on_path:
                return [*path[on_path[edge.target.name] :], edge]
            elif edge.target.name not in done and not isinstance(edge.target.processor, Duplex):
                path.append(edge)
                on_path[edge.target.name] = len(path)
                stack.append(iter(edge.target.outgoing))
    return None


def _mark_feedback(graph: Graph) -> None:
    """An edge is feedback if it leads back to a node on the way from a source to it."""
    state: dict[str, bool] = {}  # True while on the path, False when done
    for start in graph.nodes.values():
        if not isinstance(start.processor, Source):
            continue
        state[start.name] = True
        stack = [(start, iter(start.outgoing))]
        while stack:
            node, edges = stack[-1]
            edge = next(edges, None)
            if edge is None:
                state[node.name] = False
                stack.pop()
            elif edge.target.name not in state:
                state[edge.target.name] = True
                stack.append((edge.target, iter(edge.target.outgoing)))
            else:
                edge.feedback = state[edge.target.name]


def _reachable(graph: Graph) -> list[Node]:
    found = [node for node in graph.nodes.values() if isinstance(node.processor, Source)]
    seen = {id(node) for node in found}
    for node in found:
        for edge in node.outgoing:
            if id(edge.target) not in seen:
                seen.add(id(edge.target))
                found.append(edge.target)
    return found


def downstream_order(graph: Graph) -> list[Node]:
    """Every node behind all that feed it; feedback edges do not count."""
    waiting = {
        name: sum(not edge.feedback for edge in node.incoming) for name, node in graph.nodes.items()
    }
    order = [node for name, node in graph.nodes.items() if not waiting[name]]
    for node in order:
        for edge in node.outgoing:
            if not edge.feedback:
                waiting[edge.target.name] -= 1
                if not waiting[edge.target.name]:
                    order.append(edge.target)
    return order


# --- frame types ---


def accepted(node: Node) -> FrameTypes:
    """What an edge into `node` carries: what it takes, or something behind it does."""
    types = dict.fromkeys(node.ports.takes)
    pending = [node]
    seen = {id(node)}
    for passing in pending:
        if passing.passes:
            for edge in passing.outgoing:
                types.update(dict.fromkeys(edge.target.ports.takes))
                if id(edge.target) not in seen:
                    seen.add(id(edge.target))
                    pending.append(edge.target)
    return tuple(types)


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
    """Edges that could never carry a frame."""
    findings = []
    known: dict[str, FrameTypes] = {}
    for edge in graph.edges:
        given = emitted(edge.source, known)
        if not overlap(given, edge.accepts):
            findings.append(
                Finding(
                    "type-mismatch",
                    f'"{edge}" can carry nothing: {edge.source.name} gives {_names(given)}, '
                    f"{edge.target.name} takes {_names(edge.accepts)}",
                    edge.place,
                )
            )
    return findings


def _names(types: FrameTypes) -> str:
    return " and ".join(sorted(kind.__name__ for kind in types)) or "nothing"


# --- the machine ---


def check_machine(graph: Graph) -> list[Finding]:
    """Ask every processor whether it can run here, and compare audio formats along the edges."""
    findings: list[Finding] = []
    formats: dict[str, AudioFormat] = {}
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        arriving = AudioFormat()
        for edge in node.incoming:
            if not edge.feedback and overlap(emitted(edge.source, known), (AudioFrame,)):
                fmt = formats[edge.source.name]
                needed = node.processor.audio_in()
                if overlap((AudioFrame,), node.ports.takes) and not fmt.fits(needed):
                    findings.append(_format_mismatch(edge, fmt, needed))
                arriving = fmt
        try:
            node.processor.check()
            formats[node.name] = node.processor.audio_out(arriving)
        except SettingError as error:
            formats[node.name] = AudioFormat()
            findings.append(
                Finding("environment", f'"{node.name}": {error}', node.place, error.hint)
            )
    return findings


def _format_mismatch(edge: Edge, fmt: AudioFormat, needed: AudioFormat) -> Finding:
    wanted = ", ".join(
        f"{key}: {value}"
        for key, value in (("rate", needed.rate), ("channels", needed.channels))
        if value
    )
    return Finding(
        "format-mismatch",
        f'"{edge}": {edge.source.name} gives audio of {fmt}, {edge.target.name} takes {needed}',
        edge.place,
        f"put a resampler between them: {{use: resampler, {wanted}}}",
    )
