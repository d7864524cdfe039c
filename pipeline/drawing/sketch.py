"""What a drawing of a graph shows, whatever its form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from pipeline.checks import emitted
from pipeline.formats import formats_of
from pipeline.frames import AudioFrame, Frame
from pipeline.inbox import DEFAULT_FRAMES, InboxSettings
from pipeline.ports import FrameTypes
from pipeline.processor import AudioFormat, Duplex, Processor, Sink, Source

if TYPE_CHECKING:
    from pipeline.graph import Graph

CHANNELS = {1: "mono", 2: "stereo"}
LABEL_WIDTH = 24
"""Characters in a line of an arrow's label in a picture, where words allow it."""


class Box(NamedTuple):
    """A node: its name, its class, its role; `inline` if it runs in the task of what feeds it."""

    name: str
    kind: str
    role: str
    inline: bool

    @property
    def group(self) -> str:
        """The fragment that it is in; empty where it is in none."""
        return self.name.rpartition(".")[0]


class Arrow(NamedTuple):
    """An edge between two boxes, by their numbers.

    carries: the frame types that can really flow, sound with its format as far as it is known.
    inbox: bound and policy of what it leads into; empty where there is none.
    feedback: it closes a cycle.
    """

    source: int
    target: int
    carries: tuple[str, ...]
    inbox: str
    feedback: bool


class Sketch(NamedTuple):
    """The boxes of a graph, each behind all that feed it, and the arrows in the flow's order."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def sketch(graph: Graph) -> Sketch:
    """What is to be drawn of a graph. Of files, headers may be read; nothing has to be there."""
    number = {node.name: index for index, node in enumerate(graph.order)}
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        emitted(node, known)  # in this order it never has to look far
    formats = formats_of(graph)
    boxes = tuple(
        Box(node.name, type(node.processor).__name__, _role(node.processor), node.inline)
        for node in graph.order
    )
    arrows = tuple(
        Arrow(
            number[edge.source.name],
            number[edge.target.name],
            _carried(emitted(edge.source, known), edge.accepts, formats[edge.source.name]),
            "" if edge.target.inbox is None else _inbox(edge.target.inbox),
            edge.feedback,
        )
        for edge in graph.edges
    )
    return Sketch(boxes, arrows)


def wrapped(words: Iterable[str], width: int) -> list[str]:
    """Words joined with commas, in lines of at most `width` characters where words allow it."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 3 <= width:  # ", " before, "," behind
            lines[-1] += f", {word}"
        else:
            lines[-1:] = [f"{line}," for line in lines[-1:]]
            lines.append(word)
    return lines


def _role(processor: Processor) -> str:
    roles = {Source: "source", Sink: "sink", Duplex: "duplex"}
    return next((word for kind, word in roles.items() if isinstance(processor, kind)), "transform")


def _carried(given: FrameTypes, accepted: FrameTypes, audio: AudioFormat) -> tuple[str, ...]:
    """The narrower of what is given and what is accepted, by name."""
    types: dict[type[Frame], None] = {}
    for kind in given:
        for wanted in accepted:
            if issubclass(kind, wanted):
                types[kind] = None
            elif issubclass(wanted, kind):
                types[wanted] = None
    sound = " ".join(filter(None, (_rate(audio.rate), _channels(audio.channels))))
    return tuple(
        f"{kind.__name__} {sound}".rstrip() if issubclass(kind, AudioFrame) else kind.__name__
        for kind in types
    )


def _rate(rate: int | None) -> str:
    return f"{rate / 1000:g} kHz" if rate else ""


def _channels(channels: int | None) -> str:
    return CHANNELS.get(channels, f"{channels} channels") if channels else ""


def _inbox(inbox: InboxSettings) -> str:
    if inbox.policy == "latest":
        return "latest"
    if inbox.ms is None:
        count = inbox.frames or DEFAULT_FRAMES
        bound = "1 frame" if count == 1 else f"{count} frames"
    else:
        bound = f"{inbox.ms // 1000} s" if inbox.ms % 1000 == 0 else f"{inbox.ms} ms"
    return f"{bound}, {inbox.policy}"
