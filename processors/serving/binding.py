"""A configuration for a client: its devices in the places of this machine's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
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
from processors.serving.client_sources import ClientCamera, ClientKeyboard, ClientMicrophone
from processors.serving.client_speaker import ClientSpeaker
from processors.serving.line import Line

RATE = 16_000
"""Of a microphone where the configuration leaves it to the device; the Live API takes it."""
SESSION = "SESSION"
"""The variable that has a session's name."""
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

Bindings = Mapping[str, Device]
"""Nodes by name, and the device of the client that takes their place."""


def load_for_client(path: Path, bound: Bindings, line: Line, session: str) -> Graph:
    """The graph of a configuration, bound to a client. Raises ConfigError.

    bound: besides the nodes that speak with a device by themselves.
    """

    def replace(name: str, processor: Processor) -> Processor:
        device = bound.get(name, processor.device)
        if device is None:
            return processor
        line.devices.add(device)
        return _client_node(device, processor, line)

    return load(path, variables={**os.environ, SESSION: session}, replace=replace)


def check_config(path: Path, bound: Bindings) -> list[Finding]:
    """Everything that keeps a configuration from being served. Raises ConfigError."""
    first, second = (load_for_client(path, bound, Line(RATE), name) for name in ("a", "b"))
    findings = [*_check_bindings(first, path, bound), *first.check()]
    again = second.files_written()
    for file, [(node, setting), *_] in first.files_written().items():
        if file in again:
            message = f'"{node.name}": every session would write {file}'
            hint = f"put ${{{SESSION}:-local}} into the path: it is each session's name"
            findings.append(Finding("same-file", message, node.place_of(setting), hint))
    return findings


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


def _check_bindings(graph: Graph, path: Path, bound: Bindings) -> Iterator[Finding]:
    for name in bound:
        if name not in graph.nodes:
            hint = did_you_mean(name, graph.nodes)
            yield Finding("binding", f'--bind: no processor is named "{name}"', hint=hint)
    clients = (ClientMicrophone, ClientKeyboard, ClientCamera, ClientSpeaker)
    used = {type(node.processor) for node in graph.nodes.values()}
    if used & set(clients[:3]):
        return
    could = [f"--bind {name}={device}" for name, device in _candidates(graph)]
    yield Finding(
        "binding",
        f"{path}: no node of it listens to a device, so a client could say nothing",
        hint=f"use `microphone` or `camera`, or bind what there is: {', '.join(could)}"
        if could
        else 'use `microphone`, `camera`, or a `text_source` with `path: "-"`',
    )


def _candidates(graph: Graph) -> Iterator[tuple[str, Device]]:
    """Nodes that a device of a client could take the place of."""
    for node in graph.nodes.values():
        if isinstance(node.processor, Source):
            for device, kind in SOURCES.items():
                if any(issubclass(given, kind) for given in node.ports.gives):
                    yield node.name, device
        elif isinstance(node.processor, Sink) and AudioFrame in node.ports.takes:
            yield node.name, "loudspeaker"
