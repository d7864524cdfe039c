"""Examples: for a processor class, the smallest graph around it that passes the check.

Its neighbours are other processors that give what it takes and take what it gives.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.flow import parse_chain
from pipeline.frames import DeadLetter
from pipeline.graph import Graph
from pipeline.ports import overlap
from pipeline.processor import Duplex, Processor, Sink, Source
from pipeline.reference import Entry, Shape, read_reference
from pipeline.settings import convert

Kinds = Mapping[str, type[Processor]]

PLAIN: dict[str, Any] = {
    "boolean": True, "text": "hello", "mapping": {}, "any": "hello",
}  # fmt: skip

SUFFIXES = {"AudioFrame": "wav", "ImageFrame": "png"}
"""Of files with such frames."""

TYPICAL = {"Hz": 16000}
"""Numbers by their unit; others are 1, or as near to it as they may be."""

WITHIN: dict[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
    "multipleOf": lambda number, step: number % step == 0,
}


def example(use: str, kind: type[Processor], others: Kinds) -> dict[str, Any]:
    """A configuration with one processor of a class, `others` being there to feed and drain it.

    Files in it are `input.wav`, `output.wav` and the like. Without `flow`, and with this one
    processor only, where the others cannot make a graph of it.
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower() if ":" in use else use
    others = {key: other for key, other in others.items() if other is not kind and key != name}
    values = settings_of(kind) or {}
    if kind.ports().takes == (DeadLetter,):
        return _after_failures(name, {"use": use, **values}, others)
    before, after = _leading_to(kind, others), _leading_on(kind, others)
    if before is not None and after is not None:
        names = [*before, name, *after]
        kinds = {**others, name: kind}
        settings = {each: values if each == name else settings_of(kinds[each]) for each in names}
        chain = "".join(_arrows([(each, kinds[each]) for each in names]))
        if _is_graph(kinds, settings, chain):
            uses = {each: {"use": use if each == name else each} for each in names}
            return {
                "processors": {each: uses[each] | (settings[each] or {}) for each in names},
                "flow": [chain],
            }
    return {"processors": {name: {"use": use, **values}}}


def _after_failures(name: str, entry: dict[str, Any], others: Kinds) -> dict[str, Any]:
    """What takes dead letters, behind the plainest sink, which gives them."""
    sinks = (other for other in others if issubclass(others[other], Sink))
    failing = min(sinks, key=lambda other: (*_effort(others[other]), other))
    config = example(failing, others[failing], others)
    config["processors"][failing]["on_error"] = "skip"
    config["processors"][name] = entry
    return {**config, "flow": [*config.get("flow", ()), f"{failing} -> {name}"]}


def settings_of(kind: type[Processor]) -> dict[str, Any] | None:
    """The fewest settings that its constructor takes; None if more than one is to be guessed."""
    reference = read_reference(kind)
    suffix = next((s for frame, s in SUFFIXES.items() if frame in reference.gives), None)
    suffix = suffix or next((s for frame, s in SUFFIXES.items() if frame in reference.takes), "txt")
    samples = {entry.name: _sample(entry.shape, entry, suffix) for entry in reference.settings}
    needed = {entry.name: samples[entry.name] for entry in reference.settings if entry.required}
    candidates = [needed, *({**needed, name: value} for name, value in samples.items())]
    return next((values for values in candidates if _construct(kind, values) is not None), None)


def _construct(kind: type[Processor], values: dict[str, Any]) -> Processor | None:
    try:
        arguments, problems = convert(kind, values, Path())
        return None if problems else kind(**arguments)
    except Exception:  # whatever it is that somebody's constructor raises
        return None


def _is_graph(kinds: Kinds, settings: Mapping[str, dict[str, Any] | None], chain: str) -> bool:
    processors = {
        name: _construct(kinds[name], values)
        for name, values in settings.items()
        if values is not None
    }
    known = {name: processor for name, processor in processors.items() if processor is not None}
    try:
        Graph(known, [chain])
    except ConfigError:
        return False
    return {link.target for link in parse_chain(chain)} <= set(known)


# --- values ---


def _sample(shape: Shape, entry: Entry, suffix: str) -> Any:
    if shape.examples:
        return shape.examples[0]
    if shape.kind in ("integer", "number"):
        return _number(shape, TYPICAL.get(entry.unit, 1))
    if shape.kind == "choice":
        return shape.choices[0]
    if shape.kind == "code":
        return f"./{entry.name}.py"
    if shape.kind == "file":
        named = re.search(r"\.(\w+)\b", entry.meaning)
        return f"{'output' if shape.written else 'input'}.{named[1] if named else suffix}"
    if shape.kind == "list":
        return [_sample(shape.items, entry, suffix)] if shape.items else []
    if shape.kind == "group":
        return {
            field.name: _sample(field.shape, field, suffix)
            for field in shape.fields
            if field.required
        }
    return PLAIN[shape.kind]


def _number(shape: Shape, typical: float) -> float:
    """The first number that comes to mind and is within the limits; `typical` if none is."""
    ends = list(shape.limits.values())
    near = [end + step for step in (0, 1, -1) for end in ends]
    middle = [sum(ends) / len(ends)] if ends else []
    return next(
        (
            number
            for number in (typical, *near, *middle)
            if all(WITHIN[name](number, limit) for name, limit in shape.limits.items())
        ),
        typical,
    )


# --- neighbours ---


def _leading_to(kind: type[Processor], others: Kinds) -> list[str] | None:
    """The shortest way from a source; None if there is none."""
    way = _way(kind, others, Source, lambda near, far: _fits(far, near))
    return None if way is None else way[::-1]


def _leading_on(kind: type[Processor], others: Kinds) -> list[str] | None:
    """The shortest way to something that may stand at the end."""
    return _way(kind, others, (Sink, Duplex), _fits)


def _way(
    kind: type[Processor],
    others: Kinds,
    ends: type[Processor] | tuple[type[Processor], ...],
    fits: Callable[[type[Processor], type[Processor]], bool],
) -> list[str] | None:
    """The names from `kind`, which is not among them, to one of `ends`."""
    plainest = sorted(others, key=lambda name: (*_effort(others[name]), name))
    ways: list[tuple[type[Processor], list[str]]] = [(kind, [])]
    seen: set[str] = set()
    for near, way in ways:
        if issubclass(near, ends):
            return way
        for name in plainest:
            if name not in seen and fits(near, others[name]):
                seen.add(name)
                ways.append((others[name], [*way, name]))
    return None


def _effort(kind: type[Processor]) -> tuple[bool, bool, bool, int]:
    """Sinks come first; then what needs no device, and of sources what reads a file rather than
    makes something up; then what needs few settings.
    """
    entries = read_reference(kind).settings
    reads = any(entry.shape.kind == "file" and not entry.shape.written for entry in entries)
    return (
        not issubclass(kind, Sink),
        kind.device is not None,
        issubclass(kind, Source) and not reads,
        sum(entry.required for entry in entries),
    )


def _fits(source: type[Processor], target: type[Processor]) -> bool:
    return bool(overlap(source.ports().gives, target.ports().takes))


def _arrows(chain: list[tuple[str, type[Processor]]]) -> Iterator[str]:
    """The text of a chain, with arrows both ways between two that answer each other."""
    yield chain[0][0]
    for (_, left), (name, right) in pairwise(chain):
        both = issubclass(left, Duplex) and issubclass(right, Duplex) and _fits(right, left)
        yield f" {'<->' if both else '->'} {name}"
