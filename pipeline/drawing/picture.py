"""A graph as a picture, in one step."""

from __future__ import annotations

from pipeline.drawing.sketch import sketch
from pipeline.drawing.svg import draw_svg
from pipeline.graph import Graph


def draw_graph(graph: Graph) -> str:
    """The graph as an SVG document: what flows where, and what waits in which inbox."""
    return draw_svg(sketch(graph))
