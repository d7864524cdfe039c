"""What can be known to be wrong with a graph before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Finding, SettingError
from pipeline.frames import AudioFrame
from pipeline.ports import FrameTypes, overlap
from pipeline.processor import AudioFormat, Duplex, Sink, Source
from pipeline.settings import read_settings

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
    """Where a cycle is entered from outside, its own edges into that node are feedback.

    That leaves no cycle, and does not depend on the order in which anything was written.
    """
    _mark_within(list(graph.nodes.values()))


def _mark_within(nodes: list[Node]) -> None:
    for group in _cycles(nodes):
        inside = set(map(id, group))

        def is_inner(edge: Edge, inside: set[int] = inside) -> bool:
            return id(edge.source) in inside and not edge.feedback

        entries = [node for node in group if any(not is_inner(e) for e in node.incoming)]
        for node in entries:
            for edge in node.incoming:
                edge.feedback = edge.feedback or is_inner(edge)
        if entries:
            _mark_within(group)


def _cycles(nodes: list[Node]) -> list[list[Node]]:
    """Groups of nodes that lead to each other; feedback edges do not count."""
    inside = set(map(id, nodes))

    def behind(node: Node) -> set[int]:
        found: dict[int, Node] = {}
        pending = [node]
        for current in pending:
            for edge in current.outgoing:
                target = edge.target
                if not edge.feedback and id(target) in inside and id(target) not in found:
                    found[id(target)] = target
                    pending.append(target)
        return set(found)

    waiting = {
        id(n): sum(not e.feedback and id(e.source) in inside for e in n.incoming) for n in nodes
    }
    free = [node for node in nodes if not waiting[id(node)]]
    for node in free:  # what no cycle feeds is in none: most graphs end here
        for edge in node.outgoing:
            if not edge.feedback and id(edge.target) in inside:
                waiting[id(edge.target)] -= 1
                if not waiting[id(edge.target)]:
                    free.append(edge.target)
    rest = [node for node in nodes if waiting[id(node)]]
    reach = {id(node): behind(node) for node in rest}
    groups: list[list[Node]] = []
    placed: set[int] = set()
    for node in rest:
        if id(node) not in placed and id(node) in reach[id(node)]:
            group = [n for n in rest if id(n) in reach[id(node)] and id(node) in reach[id(n)]]
            placed.update(map(id, group))
            groups.append(group)
    return groups


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
    """Edges that could never carry a frame, and transforms that could never be given one."""
    findings = []
    known: dict[str, FrameTypes] = {}
    for node in graph.nodes.values():
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
                )
            )
    return findings


def _names(types: FrameTypes) -> str:
    return " and ".join(sorted({kind.__name__ for kind in types})) or "nothing"


# --- the machine ---


def check_machine(graph: Graph) -> list[Finding]:
    """Ask every processor whether it can run here; compare formats along edges, and files."""
    findings: list[Finding] = list(_check_files(graph))
    formats: dict[str, AudioFormat] = {}
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        arriving = [
            (edge, formats[edge.source.name])
            for edge in node.incoming
            if not edge.feedback and overlap(emitted(edge.source, known), (AudioFrame,))
        ]
        formats[node.name] = AudioFormat()
        try:
            node.processor.check()
            if overlap((AudioFrame,), node.ports.takes):
                findings += _compare_formats(node, arriving)
            formats[node.name] = node.processor.audio_out(_common([fmt for _, fmt in arriving]))
        except SettingError as error:
            message = f'"{node.name}": {error}'
            findings.append(Finding("environment", message, node.place, error.hint))
        except Exception as error:
            message = f'"{node.name}": its check failed: {type(error).__name__}: {error}'
            findings.append(Finding("environment", message, node.place))
    return findings


def _check_files(graph: Graph) -> Iterator[Finding]:
    """A file that is written must not be read, nor written, by anything else in the graph."""
    written: dict[Path, Node] = {}
    read: list[tuple[Path, Node]] = []
    for node in graph.nodes.values():
        for setting in read_settings(type(node.processor)).values():
            value = getattr(node.processor, setting.name, None)
            if not isinstance(value, str | Path):
                continue
            path = Path(value).resolve()
            if setting.is_input:
                read.append((path, node))
            elif setting.is_output and path in written:
                message = f'"{node.name}" and "{written[path].name}" would both write {value}'
                yield Finding("same-file", message, node.place)
            elif setting.is_output:
                written[path] = node
    for path, node in read:
        if path in written:
            message = f'"{written[path].name}" would overwrite {path}, which "{node.name}" reads'
            yield Finding("same-file", message, written[path].place)


def _common(formats: list[AudioFormat]) -> AudioFormat:
    """What is the same in all of them."""
    rates, channels = {f.rate for f in formats}, {f.channels for f in formats}
    return AudioFormat(
        rates.pop() if len(rates) == 1 else None, channels.pop() if len(channels) == 1 else None
    )


def _compare_formats(node: Node, arriving: list[tuple[Edge, AudioFormat]]) -> Iterator[Finding]:
    needed = node.processor.audio_in()
    for edge, fmt in arriving:
        if not fmt.fits(needed):
            yield _format_mismatch(edge, fmt, needed)
        elif isinstance(node.processor, Sink) and not fmt.fits(AudioFormat(arriving[0][1].rate)):
            yield _format_mismatch(edge, fmt, AudioFormat(arriving[0][1].rate))


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
