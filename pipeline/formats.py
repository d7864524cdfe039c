"""Audio formats along a graph, as far as they can be told without asking the machine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pipeline.checks import emitted
from pipeline.frames import AudioFrame
from pipeline.ports import FrameTypes, overlap
from pipeline.processor import AudioFormat

if TYPE_CHECKING:
    from pipeline.graph import Edge, Graph, Node

Formats = dict[str, AudioFormat]
"""What sound comes out of each node, by name."""


def carries_audio(edge: Edge, known: dict[str, FrameTypes]) -> bool:
    """Whether sound can flow along an edge. `known` is that of `checks.emitted`."""
    return bool(
        overlap(emitted(edge.source, known), (AudioFrame,)) and overlap(edge.accepts, (AudioFrame,))
    )


def arriving(
    node: Node, formats: Formats, known: dict[str, FrameTypes]
) -> list[tuple[Edge, AudioFormat]]:
    """The edges that bring sound to a node, and in which format; what closes a cycle is left out.

    formats: at least those of the nodes before it.
    """
    emitted(node, known)  # in the order of the graph it never has to look far
    edges = (e for e in node.incoming if not e.feedback and carries_audio(e, known))
    return [(edge, formats[edge.source.name]) for edge in edges]


def common(formats: list[AudioFormat]) -> AudioFormat:
    """What is the same in all of them."""
    rates, channels = {f.rate for f in formats}, {f.channels for f in formats}
    return AudioFormat(
        rates.pop() if len(rates) == 1 else None, channels.pop() if len(channels) == 1 else None
    )


def formats_of(graph: Graph) -> Formats:
    """What sound comes out of each node, by name; what cannot be told is None in it.

    The header of a sound file is read where there is one; where there is none, that is no error.
    """
    formats: Formats = {}
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        incoming = common([fmt for _, fmt in arriving(node, formats, known)])
        formats[node.name] = AudioFormat()
        with contextlib.suppress(Exception):  # what is wrong is for the check to say
            formats[node.name] = node.processor.audio_out(incoming)
    return formats
