"""Fragments: files that are included in a configuration as if they were one processor.

    parameters:
      rate: 8000
    processors:
      to_line: {use: resampler, rate: "${rate}"}
      line: {use: audio_sink, path: line.wav}
    flow:
      - input -> to_line -> line

`{use: ./line.yaml, rate: 16000}` includes it. `input` and `output` are its open ends.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config.document import Given
from pipeline.config.overrides import Override
from pipeline.errors import Finding, Place
from pipeline.flow import Wire
from pipeline.frames import Frame
from pipeline.processor import Sink, Source

INPUT, OUTPUT = "input", "output"
DEEPEST = 8
"""Fragments within each other."""
MOST = 1_000
"""Fragments in one configuration: a bound against those that multiply."""


class Section(NamedTuple):
    """A file on its way into a graph.

    prefix: before the names of its nodes. within: the files around it, and itself. place: where it
    is included. given: its parameters.
    """

    text: str
    file: str
    base: Path
    prefix: str = ""
    within: tuple[str, ...] = ()
    place: Place | None = None
    given: Mapping[str, Given] = {}
    overrides: Sequence[Override] = ()


class Ends(NamedTuple):
    """The nodes that an arrow to and from a name leads to. file: of a fragment."""

    inputs: list[str]
    outputs: list[str]
    file: str = ""


class Input(Source):
    """Stands for what leads into a fragment that is looked at by itself."""

    async def frames(self) -> AsyncIterator[Frame]:
        return
        yield


class Output(Sink):
    """Stands for what a fragment leads to."""

    async def consume(self, frame: Frame) -> None: ...


def real_path(path: Path | str) -> str:
    """By which a file is known again, whatever it is called."""
    return os.path.realpath(path)


def shown_path(path: Path) -> str:
    """What messages call it."""
    return os.path.normpath(path)


class Join:
    """Arrows between names, taken to the nodes behind them.

    names: what each stands for; None for what is not known. open_ends: which of `input` and
    `output` are names here, too. wires: the arrows between nodes. ends: what is open here.
    """

    def __init__(
        self, names: Mapping[str, Ends | None], open_ends: set[str], prefix: str, file: str
    ) -> None:
        self.wires: list[Wire] = []
        self.ends = Ends([], [], file)
        self._names = names
        self._open = open_ends
        self._prefix = prefix

    def add(self, wire: Wire) -> Iterator[Finding]:
        """An arrow, and what is wrong with it."""
        source, target, place = wire
        if target in self._open and target == INPUT:
            yield Finding("open-end", "`input` is where a fragment begins", place)
        elif source in self._open and source == OUTPUT:
            yield Finding("open-end", "`output` is where a fragment ends", place)
        elif source in self._open and target in self._open:
            yield Finding("open-end", "there is nothing between `input` and `output`", place)
        elif source in self._open:
            yield from self._lead(self._inputs(target), self.ends.inputs, wire)
            yield from self._closed(target, self._inputs(target), INPUT, place)
        elif target in self._open:
            yield from self._lead(self._outputs(source), self.ends.outputs, wire)
            yield from self._closed(source, self._outputs(source), OUTPUT, place)
        else:
            outputs, inputs = self._outputs(source), self._inputs(target)
            yield from self._closed(source, outputs, OUTPUT, place)
            yield from self._closed(target, inputs, INPUT, place)
            self.wires += [Wire(a, b, place) for a in outputs or () for b in inputs or ()]

    def _inputs(self, name: str) -> list[str] | None:
        ends = self._names[name]
        return ends and ends.inputs

    def _outputs(self, name: str) -> list[str] | None:
        ends = self._names[name]
        return ends and ends.outputs

    def _lead(self, nodes: list[str] | None, ends: list[str], wire: Wire) -> Iterator[Finding]:
        for node in nodes or ():
            if node in ends:
                message = f'"{wire.source} -> {wire.target}" is there already'
                yield Finding("connected-twice", message, wire.place)
            else:
                ends.append(node)

    def _closed(
        self, name: str, nodes: list[str] | None, end: str, place: Place | None
    ) -> Iterator[Finding]:
        """A fragment that an arrow leads to, or from, where it has no open end."""
        ends = self._names[name]
        if ends is not None and nodes == []:
            way = "begins with `input`" if end == INPUT else "ends with `output`"
            message = f'"{self._prefix}{name}" has no {end}: no chain in {ends.file} {way}'
            yield Finding("open-end", message, place)
