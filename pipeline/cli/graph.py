"""`pipeline graph`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import click

from pipeline.cli.findings import refuse
from pipeline.config import load
from pipeline.drawing.sketch import Sketch, sketch
from pipeline.errors import ConfigError


def draw_graph(path: str, form: str, *, ascii_only: bool, overrides: Sequence[str] = ()) -> int:
    """Print a drawing of a configuration's graph; the exit status."""
    try:
        drawing = _draw(sketch(load(path, overrides=overrides)), form, ascii_only)
    except ConfigError as error:
        return refuse(error.findings)
    click.echo(drawing, nl=False)
    return 0


def _draw(drawn: Sketch, form: str, ascii_only: bool) -> str:
    if form == "mermaid":
        from pipeline.drawing.markup import draw_mermaid

        return draw_mermaid(drawn)
    if form == "dot":
        from pipeline.drawing.markup import draw_dot

        return draw_dot(drawn)
    if form == "svg":
        from pipeline.drawing.svg import draw_svg

        return draw_svg(drawn)
    from pipeline.drawing.tree import draw_tree

    width = shutil.get_terminal_size().columns
    text = draw_tree(drawn, width=width, ascii_only=ascii_only)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return draw_tree(drawn, width=width, ascii_only=True)
    return text
