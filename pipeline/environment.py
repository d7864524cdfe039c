"""What keeps a graph from running: files, devices, surroundings, and formats that do not fit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.checks import emitted
from pipeline.errors import ConfigError, Finding, SettingError
from pipeline.formats import Formats, arriving, common
from pipeline.frames import AudioFrame
from pipeline.ports import FrameTypes, overlap
from pipeline.processor import AudioFormat, Processor, Sink, Source, Surroundings
from pipeline.settings import Setting, paths_within, read_settings

if TYPE_CHECKING:
    from pipeline.graph import Edge, Graph, Node

STANDARD = "-"
"""Stands for standard input, and for standard output."""


def check_machine(graph: Graph, *, offline: bool = False) -> list[Finding]:
    """Ask every processor whether it can run here; compare files, and formats along edges.

    offline: do not ask about the machine, and take the formats of sources as not known.
    """
    findings: list[Finding] = [*_check_files(graph), *check_surroundings(graph)]
    formats: Formats = {}
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        incoming = arriving(node, formats, known)
        formats[node.name] = AudioFormat()
        wrong = [] if offline else check_processor(node)
        if not wrong and not (offline and isinstance(node.processor, Source)):
            wrong, formats[node.name] = _check_format(node, incoming)
        findings += wrong
    return findings


def check_processor(node: Node) -> list[Finding]:
    """Ask one processor whether it can run here."""
    try:
        node.processor.check()
    except Exception as error:
        return list(_failed(node, error, "environment"))
    return []


def check_surroundings(graph: Graph, only: Node | None = None) -> Iterator[Finding]:
    """Tell the processors that want to know what is around them, or one that was made anew."""
    processors = {node.name: node.processor for node in graph.nodes.values()}
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        emitted(node, known)  # in this order it never has to look far
        if type(node.processor).check_graph is Processor.check_graph or only not in (None, node):
            continue
        kinds = (overlap(emitted(e.source, known), e.accepts) for e in node.incoming)
        around = Surroundings(
            tuple(dict.fromkeys(chain.from_iterable(kinds))),
            tuple(dict.fromkeys(kind for edge in node.outgoing for kind in edge.accepts)),
            {name: processors[name] for name in _reached(node, back=True)},
            {name: processors[name] for name in _reached(node, back=False)},
            processors,
        )
        try:
            node.processor.check_graph(around)
        except Exception as error:
            yield from _failed(node, error, "misplaced")


def _reached(node: Node, *, back: bool) -> list[str]:
    """All that edges lead to, or come from, through others or not; the node itself is left out."""
    found = dict.fromkeys([node.name])
    pending = [node]
    for current in pending:
        edges = current.incoming if back else current.outgoing
        for other in (edge.source if back else edge.target for edge in edges):
            if other.name not in found:
                found[other.name] = None
                pending.append(other)
    return list(found)[1:]


def _check_format(
    node: Node, incoming: list[tuple[Edge, AudioFormat]]
) -> tuple[list[Finding], AudioFormat]:
    """What does not fit, and the format that the node gives."""
    findings: list[Finding] = []
    try:
        if overlap((AudioFrame,), node.ports.takes):
            findings += _compare_formats(node, incoming)
        return findings, node.processor.audio_out(common([fmt for _, fmt in incoming]))
    except Exception as error:
        return [*findings, *_failed(node, error, "environment")], AudioFormat()


def _failed(node: Node, error: Exception, code: str) -> Iterator[Finding]:
    """What a processor's check raised, at the setting that it is about."""
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            yield from _failed(node, each, code)
    elif isinstance(error, ConfigError):  # in a file of its own, at a place of its own
        for finding in error.findings:
            place = finding.place or node.place_of(_file_setting(node, finding.message))
            yield msgspec.structs.replace(finding, place=place)
    elif isinstance(error, SettingError):
        message = f'"{node.name}": {error}'
        yield Finding(code, message, node.place_of(error.setting), error.hint, error.severity)
    elif isinstance(error, OSError) and error.filename is not None:
        message = f'"{node.name}": cannot use {error.filename}: {error.strerror}'
        yield Finding(code, message, node.place_of(_file_setting(node, message)))
    else:
        message = f'"{node.name}": its check failed: {type(error).__name__}: {error}'
        yield Finding(code, message, node.place)


def _file_setting(node: Node, message: str) -> str | None:
    """The setting that holds the file which a message is about."""
    for setting in _file_settings(type(node.processor)):
        path = getattr(node.processor, setting.name, None)
        if path and str(path) in message:
            return setting.name
    return None


@cache
def _settings(kind: type[Processor]) -> tuple[Setting, ...]:
    return tuple(read_settings(kind).values())


def _file_settings(kind: type[Processor]) -> tuple[Setting, ...]:
    return tuple(s for s in _settings(kind) if s.is_input or s.is_output)


def files_written(graph: Graph) -> dict[Path, list[tuple[Node, str]]]:
    """The files that settings name to be written, each with the nodes and the settings."""
    return _files(graph, "working directory")


def files_read(graph: Graph) -> dict[Path, list[tuple[Node, str]]]:
    """The files that settings name to be read, each with the nodes and the settings."""
    return _files(graph, "config")


def _files(graph: Graph, relative_to: str) -> dict[Path, list[tuple[Node, str]]]:
    found: dict[Path, list[tuple[Node, str]]] = {}
    for node in graph.nodes.values():
        for setting in _settings(type(node.processor)):
            value = getattr(node.processor, setting.name, None)
            for name, path in paths_within(setting.annotation, value, relative_to, setting.name):
                found.setdefault(Path(os.path.realpath(path)), []).append((node, name))
    return found


def _check_files(graph: Graph) -> Iterator[Finding]:
    """A file that is written must not be read, nor written, by anything else in the graph; and of
    standard input each byte is read by one."""
    written = files_written(graph)
    for path, ((first, _), *others) in written.items():
        for node, name in others:
            message = f'"{node.name}" and "{first.name}" would both write {_shown(path)}'
            yield Finding("same-file", message, node.place_of(name))
    for path, readers in files_read(graph).items():
        if path.name == STANDARD:
            (first, _), *others = readers
            for node, name in others:
                message = f'"{node.name}" and "{first.name}" would both read standard input'
                yield Finding("same-file", message, node.place_of(name))
        elif path in written:
            writer, name = written[path][0]
            for node, _ in readers:
                message = f'"{writer.name}" would overwrite {path}, which "{node.name}" reads'
                yield Finding("same-file", message, writer.place_of(name))


def _shown(path: Path) -> str:
    if path.name == STANDARD:
        return "standard output"
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _compare_formats(node: Node, incoming: list[tuple[Edge, AudioFormat]]) -> Iterator[Finding]:
    needed = node.processor.audio_in()
    one_rate = isinstance(node.processor, Sink) and not node.processor.mixes_rates
    for edge, fmt in incoming:
        if not fmt.fits(needed):
            yield _format_mismatch(edge, fmt, needed)
        elif one_rate and not fmt.fits(AudioFormat(incoming[0][1].rate)):
            yield _format_mismatch(edge, fmt, AudioFormat(incoming[0][1].rate))


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
