"""Audio formats along a graph, as far as they can be told without asking the machine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pipeline.checks import emitted
from pipeline.frames import AudioFrame
from pipeline.ports import FrameTypes, overlap
from pipeline.processor import AudioFormat

if TYPE_CHECKING:
    from pipeline.graph import Edge, Graph


def carries_audio(edge: Edge, known: dict[str, FrameTypes]) -> bool:
    """Whether sound can flow along an edge. `known` is that of `checks.emitted`."""
    return bool(
        overlap(emitted(edge.source, known), (AudioFrame,)) and overlap(edge.accepts, (AudioFrame,))
    )


def formats_of(graph: Graph) -> dict[str, AudioFormat]:
    """What sound comes out of each node, by name; what cannot be told is None in it.

    The header of a sound file is read where there is one; where there is none, that is no error.
    """
    formats: dict[str, AudioFormat] = {}
    known: dict[str, FrameTypes] = {}
    for node in graph.order:
        emitted(node, known)  # in this order it never has to look far
        edges = [edge for edge in node.incoming if not edge.feedback and carries_audio(edge, known)]
        arriving = {formats[edge.source.name] for edge in edges}
        incoming = arriving.pop() if len(arriving) == 1 else AudioFormat()
        formats[node.name] = AudioFormat()
        with contextlib.suppress(Exception):  # what is wrong is for the check to say
            formats[node.name] = node.processor.audio_out(incoming)
    return formats
