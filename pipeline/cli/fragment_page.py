"""What `pipeline describe` says of a fragment: its parameters, and what flows in and out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.checks import emitted
from pipeline.config.document import PARAMETERS, UNKNOWN, Document
from pipeline.config.fragments import INPUT, OUTPUT
from pipeline.config.reading import Reading
from pipeline.config.typed import read_text
from pipeline.errors import ConfigError, errors_of
from pipeline.graph import Graph
from pipeline.ports import overlap
from pipeline.reference import in_yaml

STAND_INS = ("word", "word.wav", "word.jsonl", "16000")
TYPES = {bool: "true or false", int: "integer", float: "number", list: "list", dict: "mapping"}


def read_page(path: str) -> dict[str, Any]:
    """Everything about a fragment, in plain values. Raises ConfigError for what is none.

    takes, gives: None where that cannot be told as long as a parameter has no value.
    """
    text = read_text(path)
    reading = Reading(text, path, Path(path).parent, os.environ, part=True)
    if errors := errors_of(reading.all_findings()):
        raise ConfigError(errors)
    document = Document(text, path, os.environ, strict=False, parameters={})
    parameters = [
        {
            "name": name,
            "required": given.value is UNKNOWN,
            "default": None if given.value is UNKNOWN else given.value,
        }
        for name, given in document.parameters.items()
    ]
    required = [name for name, given in document.parameters.items() if given.value is UNKNOWN]
    graph = next(filter(None, _filled(text, path, required)), None)
    takes, gives = _frames(graph)
    return {
        "name": path,
        "role": "fragment",
        "summary": _comment(text),
        PARAMETERS: parameters,
        "takes": takes,
        "gives": gives,
    }


def lines_of(page: dict[str, Any]) -> Iterator[str]:
    """The page for a person."""
    yield f"{page['name']}: fragment"
    if page["summary"]:
        yield f"\n{page['summary']}"
    yield ""
    for what in ("takes", "gives"):
        frames = page[what]
        unknown = "what its parameters decide"
        yield f"{what}  {unknown if frames is None else ', '.join(frames) or 'nothing'}"
    if page[PARAMETERS]:
        yield "\nParameters"
    for parameter in page[PARAMETERS]:
        default = parameter["default"]
        kind = TYPES.get(type(default), "text")
        facts = f"{kind}; default {in_yaml(default)}" if default is not None else "may be left out"
        yield f"  {parameter['name']}: {'required' if parameter['required'] else facts}"
    given = {p["name"]: "..." for p in page[PARAMETERS] if p["required"]}
    yield "\nExample"
    yield f"  processors: {{part: {in_yaml({'use': page['name'], **given})}}}"


def _filled(text: str, path: str, required: list[str]) -> Iterator[Graph | None]:
    """The graph with something in the place of what has to be given; frames do not depend on it."""
    for value in STAND_INS:
        overrides = [f"{name}={value}" for name in required]
        base = Path(path).parent
        yield Reading(text, path, base, os.environ, overrides=overrides, part=True).graph


def _comment(text: str) -> str:
    """What the file says of itself at its top."""
    comments: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server:"):
            comments.append(line.lstrip("#").strip())
    return " ".join(comments).strip()


def _frames(graph: Graph | None) -> tuple[list[str] | None, list[str] | None]:
    if graph is None:
        return None, None
    known: dict[str, Any] = {}
    for node in graph.order:
        emitted(node, known)
    found: dict[str, list[str]] = {INPUT: [], OUTPUT: []}
    for edge in graph.edges:
        carried = overlap(emitted(edge.source, known), edge.accepts)
        if edge.source.name == INPUT:
            found[INPUT] += [kind.__name__ for kind in edge.accepts]
        elif edge.target.name == OUTPUT:
            found[OUTPUT] += [kind.__name__ for kind in carried]
    takes, gives = (sorted(set(names) - {"Frame"}) for names in found.values())
    return takes, gives
