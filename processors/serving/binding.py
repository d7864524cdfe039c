"""A configuration for a client: its devices in the places of this machine's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from pipeline import (
    AudioFormat,
    AudioFrame,
    ConfigError,
    Device,
    Finding,
    Frame,
    Graph,
    ImageFrame,
    PipelineError,
    Processor,
    Sink,
    Source,
    TextFrame,
    did_you_mean,
    load,
)
from processors.files import names_of_files
from processors.serving.client_sources import ClientCamera, ClientKeyboard, ClientMicrophone
from processors.serving.client_speaker import ClientSpeaker
from processors.serving.line import Line

RATE = 16_000
"""Of a microphone where the configuration leaves it to the device; the Live API takes it."""
SOURCES: dict[Device, type[Frame]] = {
    "microphone": AudioFrame,
    "camera": ImageFrame,
    "keyboard": TextFrame,
}

DEVICES: dict[str, Device] = {
    "microphone": "microphone",
    "speaker": "loudspeaker",
    "loudspeaker": "loudspeaker",
    "camera": "camera",
    "keyboard": "keyboard",
}
"""What can be written in a binding."""

CLIENT_SOURCES = (ClientMicrophone, ClientKeyboard, ClientCamera)
CLIENT_NODES = (*CLIENT_SOURCES, ClientSpeaker)

Bindings = Mapping[str, Device]
"""Nodes by name, and the device of the client that takes their place."""


class Offer:
    """A configuration that clients are given, each a graph of its own.

    bound: nodes whose place a device of the client takes, besides those that speak with a device
    by themselves. files: a folder, in which each session has one for the files that it writes.
    overrides: settings that count instead of the file's.
    private: clients are told nothing of functions, thoughts, code and searches.
    """

    def __init__(
        self,
        config: Path,
        bound: Bindings,
        files: Path,
        *,
        overrides: Sequence[str] = (),
        private: bool = False,
    ) -> None:
        self.private = private
        self.config = config
        self.bound = bound
        self.files = files
        self.overrides = tuple(overrides)

    @cached_property
    def devices(self) -> list[Device]:
        """What it uses of a client. Raises ConfigError."""
        line = Line(RATE)
        self._load(line, ())
        return sorted(line.devices)

    @cached_property
    def _written(self) -> list[tuple[str, str]]:
        return [*names_of_files(self._load(Line(RATE), ()))]

    def graph(self, line: Line, session: str) -> Graph:
        """The graph for a client. Raises ConfigError."""
        folder = self.files / session
        paths = ((setting, str(folder / name)) for setting, name in self._written)
        return self._load(line, [f"{key}={path.replace('$', '$$')}" for key, path in paths])

    def check(self) -> list[Finding]:
        """Everything that keeps it from being served. Raises ConfigError."""
        first, second = (self.graph(Line(RATE), name) for name in ("a", "b"))
        findings = [*self._check_bindings(first), *first.check()]
        again = second.files_written()
        for file, [(node, setting), *_] in first.files_written().items():
            if file in again:
                message = f'"{node.name}": every session would write {file}'
                findings.append(Finding("same-file", message, node.place_of(setting)))
        return findings

    def _load(self, line: Line, overrides: Sequence[str]) -> Graph:
        def replace(name: str, processor: Processor) -> Processor:
            device = self.bound.get(name, processor.device)
            if device is None:
                return processor
            line.devices.add(device)
            return _client_node(device, processor, line)

        return load(self.config, overrides=[*self.overrides, *overrides], replace=replace)

    def _check_bindings(self, graph: Graph) -> Iterator[Finding]:
        for name in self.bound:
            if name not in graph.nodes:
                hint = did_you_mean(name, graph.nodes)
                yield Finding("binding", f'--bind: no processor is named "{name}"', hint=hint)
        nodes = defaultdict[str, list[str]](list)
        for name, node in graph.nodes.items():
            if isinstance(node.processor, CLIENT_NODES):
                nodes[node.processor.device].append(name)
        for device, names in nodes.items():
            if len(names) > 1:
                both = " and ".join(f'"{name}"' for name in names)
                yield Finding(
                    "binding",
                    f"{both} would share the {device} of a client, who has one",
                    graph.nodes[names[1]].place,
                    hint="leave one node of them, and let its arrows go where those of both went",
                )
        if any(isinstance(node.processor, CLIENT_SOURCES) for node in graph.nodes.values()):
            return
        could = [f"--bind {name}={device}" for name, device in _candidates(graph)]
        yield Finding(
            "binding",
            f"{self.config}: no node of it listens to a device, so a client could say nothing",
            hint=f"use `microphone` or `camera`, or bind what there is: {', '.join(could)}"
            if could
            else 'use `microphone`, `camera`, or a `text_source` with `path: "-"`',
        )


def read_bindings(texts: Sequence[str]) -> Bindings:
    """`node=microphone`. Raises ConfigError."""
    bound: dict[str, Device] = {}
    for text in texts:
        node, _, name = text.partition("=")
        device = DEVICES.get(name)
        if not node or device is None:
            hint = did_you_mean(name, DEVICES) if name else "write --bind node=microphone"
            raise ConfigError([Finding("binding", f"cannot read --bind {text}", hint=hint)])
        bound[node] = device
    return bound


def _client_node(device: Device, processor: Processor, line: Line) -> Processor:
    if device == "microphone":
        wanted = _format(processor)
        return ClientMicrophone(line, wanted.rate or RATE, wanted.channels or 1)
    if device == "loudspeaker":
        return ClientSpeaker(
            line,
            getattr(processor, "on_speech", "ignore"),
            getattr(processor, "confirm_ms", 1500),
        )
    if device == "camera":
        return ClientCamera(line)
    return ClientKeyboard(line)


def _format(processor: Processor) -> AudioFormat:
    """The format that a node has in the configuration, whatever devices this machine has."""
    if processor.device is not None:
        rate, channels = getattr(processor, "rate", None), getattr(processor, "channels", None)
        return AudioFormat(rate, channels)
    try:
        return processor.audio_out(AudioFormat())
    except (PipelineError, OSError):
        return AudioFormat()


def _candidates(graph: Graph) -> Iterator[tuple[str, Device]]:
    """Nodes that a device of a client could take the place of."""
    for node in graph.nodes.values():
        if isinstance(node.processor, Source):
            for device, kind in SOURCES.items():
                if any(issubclass(given, kind) for given in node.ports.gives):
                    yield node.name, device
        elif isinstance(node.processor, Sink) and AudioFrame in node.ports.takes:
            yield node.name, "loudspeaker"
