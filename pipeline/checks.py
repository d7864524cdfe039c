"""What can be known to be wrong with a graph before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cycles import blocking_cycle, mark_feedback
from pipeline.errors import ConfigError, Finding, SettingError
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
    """What an edge into `node` carries: what it takes, or something behind it does.

    Like `emitted`, it is asked in the order that leaves it little to look up further on.
    """
    if node.name not in known:
        types = dict.fromkeys(node.ports.takes)
        if node.passes:
            for edge in node.outgoing:
                types.update(dict.fromkeys(accepted(edge.target, known)))
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
        except ConfigError as error:
            findings += error.findings  # in a file of its own, at a place of its own
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
