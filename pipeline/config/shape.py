"""Whether a text has the shape of a configuration: its keys at the top, its names, its entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config.document import PARAMETERS, Document
from pipeline.errors import Finding, did_you_mean
from pipeline.flow import is_name
from pipeline.registry import installed

TOP = {"processors": dict, "flow": list}
SAMPLE = {"processors": "name: {use: resampler, ...}", "flow": "- one -> another"}
"""How a line below each of the keys looks."""


def check_top(document: Document) -> Iterator[Finding]:
    """What is wrong with the keys at the top, without what only follows from that."""
    data = document.data
    whole = "a configuration has `processors:` and `flow:`"
    if not isinstance(data, dict):
        yield Finding("config", whole, document.place(), "`pipeline new` begins one")
        return
    known = {*TOP, PARAMETERS}
    unknown = [key for key in data if key not in known]
    if unknown and not TOP.keys() & data.keys() and not any(map(_nearest, unknown)):
        message = f"{whole}; here is {', '.join(map(str, unknown[:5]))}"
        yield Finding("config", message, document.key_place(unknown[0]))
        return
    nodes = [key for key in unknown if _is_entry(data[key])]
    if nodes and not data.get("processors"):
        message = f'"{nodes[0]}" is not below `processors:`'
        place = document.key_place(nodes[0])
        yield Finding("config", message, place, "indent the processors by two spaces")
        unknown = [key for key in unknown if key not in nodes]
    meant = {_nearest(key) for key in unknown}
    for key in unknown:
        message = f'no key "{key}" here'
        yield Finding("unknown-key", message, document.key_place(key), did_you_mean(key, known))
    if not isinstance(data.get(PARAMETERS, {}), dict):
        message = f"`{PARAMETERS}:` must be names with their values, or {{}}"
        yield Finding("config", message, document.place(PARAMETERS))
    for key, kind in TOP.items():
        if key in meant or (key == "processors" and nodes):
            continue
        if key not in data:
            yield Finding("config", f"`{key}:` is missing", document.place())
        elif not document.is_unreadable(key) and (not isinstance(data[key], kind) or not data[key]):
            what = "names with their settings" if kind is dict else "a list of chains"
            place = document.key_place(key) if data[key] is None else document.place(key)
            yield Finding("config", f"`{key}:` must be {what}", place, _sample(key, data[key]))
        elif isinstance(data[key], list):
            yield from _check_chains(document, data[key])


def _check_chains(document: Document, chains: list[Any]) -> Iterator[Finding]:
    for index, chain in enumerate(chains):
        if not isinstance(chain, str) and not document.is_unreadable("flow", index):
            message = "a chain is text: `a -> b -> c`"
            yield Finding("flow-syntax", message, document.place("flow", index))


def check_names(document: Document) -> Iterator[Finding]:
    """Names of processors that no chain could have."""
    for name in processors_of(document):
        if not is_name(name):
            message = f'"{name}" is not a name: letters, digits, _ and -, a letter first'
            place = document.key_place("processors", name)
            yield Finding("node-name", message, place, "give it another one")


def are_names_known(document: Document) -> bool:
    """Whether a name that `processors` does not have is missing for no other reason."""
    nodes = processors_of(document)
    doubtful = any(path[:1] == ("processors",) and len(path) < 3 for path, _ in document.findings)
    return bool(nodes) and all(map(is_name, nodes)) and not doubtful


def processors_of(document: Document) -> dict[str, Any]:
    """The entries of `processors`, if there are any."""
    found = document.data.get("processors") if isinstance(document.data, dict) else None
    return found if isinstance(found, dict) else {}


def missing_use(document: Document, full: str, name: str, values: Any) -> Iterator[Finding]:
    """What to write in an entry that does not say which processor it is."""
    top = ("processors", name)
    if document.is_unreadable(*top):
        return
    place = document.place(*top, *(["use"] if isinstance(values, dict) else []))
    hint = "write {use: resampler, ...}"
    if isinstance(values, str) and values:
        hint = f"write {{use: {values}}}"
    elif isinstance(values, dict):
        stuck = next((key for key in values if key.startswith("use:")), "")
        other = next((k for k, v in values.items() if isinstance(v, str) and v in installed()), "")
        if stuck:
            place, hint = document.key_place(*top, stuck), "put a space behind the colon"
        elif other:
            place = document.key_place(*top, other)
            hint = f"write `use: {values[other]}` instead of `{other}: {values[other]}`"
    message = f'"{full}" needs `use:` with the name of a processor'
    yield Finding("missing-use", message, place, hint)


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and "use" in value


def _nearest(key: str) -> str:
    """The key at the top that was meant, if one is near."""
    hint = did_you_mean(key, TOP)
    return hint.split('"')[1] if hint.startswith("did you mean") else ""


def _sample(key: str, value: Any) -> str:
    if key == "processors" and isinstance(value, list):
        return "leave the dashes out: `name: {use: resampler, ...}`"
    if key == "flow" and isinstance(value, str) and value:
        return f"write it below, behind a dash: `- {value}`"
    return f"below it, indented: `{SAMPLE[key]}`"
