"""Draws `layout_pipeline.svg` and `layout_processors.svg`: what imports what, from the code itself.

Run from the repository's root: `python docs/draw_layout.py`. A box is a folder, or a module that
is in none. An arrow leads from what is imported to what imports it. One that others imply, by a way
over a third box, is left out; where two boxes import from each other, the fewer imports are dashed.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from pipeline.drawing.sketch import Arrow, Box, Sketch
from pipeline.drawing.svg import draw_svg

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PUBLIC = "pipeline"
"""The public interface: the names in `pipeline/__init__.py`."""

Uses = dict[str, set[str]]
"""For each box those that it imports from."""


def box_of(module: str) -> str:
    """Where a module is drawn: `pipeline.config`, `pipeline.frames`, `processors.audio`."""
    return ".".join(module.split(".")[:2])


def imports() -> Counter[tuple[str, str]]:
    """How many imports there are from one box into another, also those within functions."""
    files = {
        name.removesuffix(".__init__"): file
        for package in ("pipeline", "processors")
        for file in sorted((ROOT / package).rglob("*.py"))
        if file.name != "__main__.py"
        for name in [".".join(file.relative_to(ROOT).with_suffix("").parts)]
    }
    return Counter(
        (box_of(module), box_of(used))
        for module, file in files.items()
        for used in imported(ast.parse(file.read_text("utf-8")), set(files))
        if box_of(used) != box_of(module)
    )


def imported(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """The modules of this project that run with a module; not those for its types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (names & known) or ({node.module} & known)
        yield from imported(node, known)


def both_ways(counts: Counter[tuple[str, str]]) -> tuple[Uses, list[tuple[str, str]]]:
    """The imports without those that go against more of them, and those."""
    uses: Uses = {box: set() for pair in counts for box in pair}
    against = []
    for (box, used), count in sorted(counts.items()):
        if count < counts[used, box]:
            against.append((box, used))
        else:
            uses[box].add(used)
    return uses, against


def sketch_of(package: str) -> Sketch:
    """The boxes of one package, and the public interface."""
    uses, against = both_ways(imports())
    needs: Uses = {}
    order = list(TopologicalSorter({box: sorted(uses[box]) for box in sorted(uses)}).static_order())
    for box in order:
        needs[box] = set().union(*({used} | needs[used] for used in uses[box]))
    shown = [box for box in order if box == PUBLIC or box.startswith(f"{package}.")]
    arrows = [
        (used, box, False)
        for box in shown
        for used in sorted(uses[box])
        if not any(used in needs[other] for other in uses[box])
    ] + [(used, box, True) for box, used in against]
    number = {box: index for index, box in enumerate(shown)}
    return Sketch(
        tuple(Box(box.removeprefix(f"{package}."), kind(box), role(box), False) for box in shown),
        tuple(
            Arrow(number[used], number[box], ("",), "", back)
            for used, box, back in arrows
            if used in number and box in number
        ),
    )


def kind(box: str) -> str:
    """What stands under its name."""
    if box == PUBLIC:
        return "the public interface"
    return "folder" if (ROOT / box.replace(".", "/")).is_dir() else "module"


def role(box: str) -> str:
    """Which tells its colour."""
    if box == PUBLIC:
        return "source"
    return "duplex" if (ROOT / box.replace(".", "/")).is_dir() else "transform"


def draw(package: str) -> str:
    """The picture as SVG text."""
    return draw_svg(sketch_of(package))


if __name__ == "__main__":
    for package in ("pipeline", "processors"):
        path = DOCS / f"layout_{package}.svg"
        path.write_text(draw(package), encoding="utf-8")
