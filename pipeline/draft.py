"""A configuration from a chain of processors, to be filled in.

    audio_source/resampler,vad_gate/live_api,tool_dispatcher/audio_sink,transcription_sink

Between `/` and `,` stand processors, each behind the one before it. What ends or begins a chain
stands side by side: sources feed the same processor, sinks are fed by the same one. Two duplex
processors of one stage, with `,` between them, are wired both ways.

    live_api <-> tool_dispatcher

A chain with arrows is as in `flow`, with processors instead of names; of several chains, the same
processor is the same node. `audio_sink_2` is another one.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.config.secrets import has_secret_name
from pipeline.errors import ConfigError, Finding, SettingError
from pipeline.examples import settings_of
from pipeline.flow import FlowSyntaxError, parse_chain
from pipeline.formats import carries_audio, formats_of
from pipeline.graph import Graph, Node
from pipeline.ports import FrameTypes
from pipeline.processor import AudioFormat, Duplex, Processor, Sink, Source
from pipeline.reference import Entry, read_reference
from pipeline.registry import find_processor, installed
from pipeline.settings import convert

CONVERTER = "resampler"
"""The processor that is put where sound may have the wrong format; it has `rate` and `channels`."""
WIDEST = 100
GUESSED = {"code", "text", "any"}
"""Kinds of settings whose value only the author of the configuration can know."""

Wire = tuple[str, str]


class Draft(NamedTuple):
    """text: the configuration. notes: what was added to the chain, and what is to be done."""

    text: str
    notes: tuple[str, ...]


class _Plan:
    """Nodes by name with their classes and settings, and the wires between them."""

    def __init__(self) -> None:
        self.uses: dict[str, str] = {}
        self.kinds: dict[str, type[Processor]] = {}
        self.settings: dict[str, dict[str, Any] | None] = {}
        self.wires: list[Wire] = []
        self.notes: list[str] = []

    def add(self, name: str, use: str, kind: type[Processor], *, before: str = "") -> str:
        """A node, which gets a number if its name is taken; in the file it comes before another."""
        if name in self.uses:
            name = next(n for n in (f"{name}_{k}" for k in count(2)) if n not in self.uses)
        behind = list(self.uses)[list(self.uses).index(before) :] if before else []
        self.uses[name], self.kinds[name] = use, kind
        for other in behind:
            self.uses[other] = self.uses.pop(other)
        self.settings[name] = _settings(name, kind)
        return name

    def graph(self) -> Graph:
        processors = {}
        for name, kind in self.kinds.items():
            arguments, problems = convert(kind, self.settings[name] or {}, Path())
            if problems:
                raise ConfigError([Finding(p.code, f'"{name}": {p.message}') for p in problems])
            processors[name] = kind(**arguments)
        return Graph(processors, self.flow())

    def flow(self) -> list[str]:
        """The wires as chains that go on to what is new; what goes both ways stands by itself."""
        left = list(dict.fromkeys(self.wires))
        seen: set[str] = set()
        chains = []
        while left:
            source, target = left.pop(0)
            if (target, source) in left:
                left.remove((target, source))
                chains.append(f"{source} <-> {target}")
                continue
            chain = [source, target]
            while chain[-1] not in seen and (following := _following(chain[-1], left)):
                seen.add(chain[-1])
                left.remove(following)
                chain.append(following[1])
            seen.update(chain)
            chains.append(" -> ".join(chain))
        return chains


def draft(chains: Sequence[str]) -> Draft:
    """A configuration for some chains, which can be loaded; its files may still be missing.

    Settings without a default get values that fit. Between what gives sound and what needs it in
    one format comes a resampler, unless the format is known to be right.
    What is called like a secret is taken from a variable.
    Raises ConfigError where a processor is not known, or the graph cannot be.
    """
    plan = _read(chains)
    if not plan.wires:
        message = f"{' and '.join(plan.uses)} alone is no graph"
        hint = "a chain has more: text_source/live_api/transcription_sink"
        raise ConfigError([Finding("flow-syntax", message, hint=hint)])
    open_nodes = [name for name, values in plan.settings.items() if values is None]
    if not open_nodes:
        _adapt(plan)
        plan.graph()
    for name in open_nodes:
        plan.notes.append(f"{name}: its settings cannot be guessed; fill in what is marked TODO")
    for name, values in plan.settings.items():
        for entry in read_reference(plan.kinds[name]).settings:
            if entry.name in (values or {}) and _is_secret(entry):
                plan.notes.append(f"{name}: set the variable {entry.name.upper()}")
    return Draft("\n".join(_lines(plan)) + "\n", tuple(plan.notes))


# --- chains ---


def _read(chains: Sequence[str]) -> _Plan:
    staged = [chain for chain in chains if "->" not in chain]
    if not staged:
        return _read_arrows(chains)
    if len(chains) > 1:
        message = f"{staged[0]!r} has no arrows: of several chains, each needs them"
        raise ConfigError([Finding("flow-syntax", message)])
    return _read_stages(chains[0])


def _read_arrows(chains: Sequence[str]) -> _Plan:
    plan = _Plan()
    try:
        links = [link for chain in chains for link in parse_chain(chain)]
    except FlowSyntaxError as error:
        raise ConfigError([Finding("flow-syntax", str(error))]) from None
    names = list(dict.fromkeys(name for link in links for name in (link.source, link.target)))
    uses = [n if n in installed() else re.sub(r"_\d+$", "", n) for n in names]
    for name, use, kind in zip(names, uses, _find(uses), strict=True):
        plan.add(name, use, kind)
    plan.wires = [(link.source, link.target) for link in links]
    return plan


def _read_stages(chain: str) -> _Plan:
    stages = [[use.strip() for use in stage.split(",")] for stage in chain.split("/")]
    if not all(use for stage in stages for use in stage):
        message = f"a processor is missing in {chain!r}"
        raise ConfigError([Finding("flow-syntax", message, hint="write source/transform/sink")])
    found = iter(_find([use for stage in stages for use in stage]))
    plan = _Plan()
    ends: list[str] = []
    """What the next processor is fed by."""
    for stage in stages:
        before = ""
        for use in stage:
            kind = next(found)
            name = plan.add(use, use, kind)
            both_ways = before and issubclass(kind, Duplex)
            if both_ways:
                plan.wires += [(before, name), (name, before)]
                continue
            if issubclass(kind, Source):
                ends.append(name)
                continue
            plan.wires += [(end, name) for end in ends]
            if not issubclass(kind, Sink):
                ends = [name]
            before = name if issubclass(kind, Duplex) else ""
    return plan


def _find(uses: list[str]) -> list[type[Processor]]:
    kinds, findings = [], []
    for use in uses:
        try:
            kinds.append(find_processor(use, Path()))
        except SettingError as error:
            findings.append(Finding("unknown-processor", str(error), hint=error.hint))
    if findings:
        raise ConfigError(findings)
    return kinds


def _following(name: str, wires: list[Wire]) -> Wire | None:
    """The next wire that goes on from a node, and does not come back."""
    onwards = (wire for wire in wires if wire[0] == name and wire[::-1] not in wires)
    return next(onwards, None)


# --- settings ---


def _settings(name: str, kind: type[Processor]) -> dict[str, Any] | None:
    """The fewest settings that it takes; files that are written are named after the node."""
    values = settings_of(kind)
    if values is None:
        return None
    written = {e.name for e in read_reference(kind).settings if e.shape.written}
    return {
        key: f"runs/{name}{Path(value).suffix}" if key in written else value
        for key, value in values.items()
    }


def _adapt(plan: _Plan) -> None:
    """Give converters the format that is needed behind them, and put some where one is missing."""
    for node in plan.graph().nodes.values():
        if plan.uses[node.name] == CONVERTER:
            needed = _needed_behind(node)
            plan.settings[node.name] = _conversion(needed) if needed else {"rate": 16000}
    if CONVERTER not in installed():
        return
    kind = find_processor(CONVERTER, Path())
    graph = plan.graph()
    formats = formats_of(graph)
    known: dict[str, FrameTypes] = {}
    made: dict[tuple[str, AudioFormat], str] = {}
    for edge in graph.edges:
        source, target, needed = edge.source, edge.target, edge.target.processor.audio_in()
        if not needed.rate or edge.feedback or not carries_audio(edge, known):
            continue
        if _is_certain(formats[source.name], needed):
            continue
        if (source.name, needed) not in made:
            name = f"to_{_thousands(needed.rate)}"
            name = plan.add(name, CONVERTER, kind, before=target.name)
            plan.settings[name] = _conversion(needed)
            made[source.name, needed] = name
            where = plan.wires.index((source.name, target.name))
            plan.wires[where:where] = [(source.name, name)]
            plan.notes.append(f"{name} is added: {target.name} takes {needed}")
        name = made[source.name, needed]
        where = plan.wires.index((source.name, target.name))
        plan.wires[where] = (name, target.name)


def _needed_behind(node: Node) -> AudioFormat | None:
    """What the first processors behind it that care need of sound."""
    seen = [node]
    for current in seen:
        for edge in current.outgoing:
            needed = edge.target.processor.audio_in()
            if needed.rate:
                return needed
            if edge.target.passes and edge.target not in seen:
                seen.append(edge.target)
    return None


def _conversion(needed: AudioFormat) -> dict[str, Any]:
    wanted = {"rate": needed.rate, "channels": needed.channels}
    return {key: value for key, value in wanted.items() if value}


def _is_certain(arriving: AudioFormat, needed: AudioFormat) -> bool:
    return arriving.rate == needed.rate and needed.channels in (None, arriving.channels)


def _thousands(rate: int) -> str:
    return f"{rate // 1000}k" if rate % 1000 == 0 else str(rate)


# --- text ---


def _lines(plan: _Plan) -> Iterator[str]:
    yield "processors:"
    for name, use in plan.uses.items():
        reference = read_reference(plan.kinds[name])
        yield from _comment(reference.summary, "  ")
        yield f"  {_yaml(name)}:"
        values = plan.settings[name]
        entries = {entry.name: entry for entry in reference.settings}
        rows = [(f"use: {_yaml(use)}", "")]
        if values is None:
            required = [entry for entry in reference.settings if entry.required]
            rows += [(f"# TODO {entry.name}:", entry.meaning) for entry in required]
        for key, value in (values or {}).items():
            entry = entries[key]
            text = f"${{{key.upper()}}}" if _is_secret(entry) else _yaml(value)
            rows.append((f"{_yaml(key)}: {text}", _remark(entry)))
        widest = max(len(text) for text, _ in rows)
        for text, remark in rows:
            line = f"    {text:{widest}}  # {remark}" if remark else f"    {text}"
            if len(line) <= WIDEST:
                yield line
            else:
                yield from (*_comment(remark, "    "), f"    {text}")
    yield ""
    yield "flow:"
    for chain in plan.flow():
        yield f"  - {chain}"


def _is_secret(entry: Entry) -> bool:
    return entry.shape.kind == "text" and has_secret_name(entry.name)


def _remark(entry: Entry) -> str:
    if _is_secret(entry):
        return entry.meaning
    shape = entry.shape
    while shape.items is not None:
        shape = shape.items
    is_guess = shape.kind in GUESSED or (shape.kind == "file" and not shape.written)
    return f"TODO: {entry.meaning or entry.name}" if is_guess else entry.meaning


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDEST, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
    )


def _yaml(value: Any) -> str:
    """A plain value on one line, as the loader reads it: with `$$` for a dollar sign."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("...\n").strip().replace("$", "$$")
