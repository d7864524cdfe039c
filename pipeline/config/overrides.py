"""Settings from elsewhere, put over those of a file: `--set gate.threshold_db=8`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from pipeline.config.document import Document
from pipeline.config.secrets import HINT, Secret, by_look
from pipeline.errors import ConfigError, Finding, Place, did_you_mean

FORM = "write --set NODE.SETTING=VALUE"

_resolver: Any = yaml.resolver.Resolver()


def read_override(text: str, variables: Mapping[str, str]) -> tuple[str, Any]:
    """The dotted path and the value of `gate.threshold_db=8`.

    The value is a YAML scalar as it stands, whatever is in it, unless it begins with a bracket or
    a quotation mark: then it is read as YAML. Raises ConfigError, which does not repeat the value.
    """
    path, separator, value = text.partition("=")
    path = path.strip()
    if not separator or not all(path.split(".")):
        place = _place(path.split()[0] if path.split() else "")
        raise ConfigError([Finding("override", "there is no NODE.SETTING=VALUE", place, FORM)])
    source: str | yaml.Node = value
    if value[:1] not in ("[", "{", '"', "'"):
        mark: Any = yaml.Mark("", 0, 0, 0, "", 0)
        tag = _resolver.resolve(yaml.ScalarNode, value, (True, False))
        source = yaml.ScalarNode(tag, value, mark, mark)
    try:
        return path, Document(source, "", variables).data
    except ConfigError as error:
        raise ConfigError(
            [msgspec.structs.replace(f, place=_place(path)) for f in error.findings]
        ) from None


def override(
    document: Document, texts: Sequence[str], variables: Mapping[str, str]
) -> Iterator[Finding]:
    """Put settings over those of a configuration, in this order, and say which cannot be."""
    data = document.data
    nodes = data.get("processors") if isinstance(data, dict) else None
    for text in texts:
        try:
            path, value = read_override(text, variables)
        except ConfigError as error:
            yield from error.findings
            continue
        if not isinstance(nodes, dict):
            return
        node, *keys = path.split(".")
        place = _place(path)
        if node not in nodes:
            hint = did_you_mean(node, nodes)
            yield Finding("unknown-node", f'no processor is named "{node}"', place, hint)
        elif not keys:
            yield Finding("override", f'"{node}" is a processor, not a setting', place, FORM)
        elif isinstance(nodes[node], dict):
            yield from _put(document, ("processors", node), keys, value, place)


def secrets_of(texts: Sequence[str]) -> Iterator[Secret]:
    """What looks like a secret in them."""
    for text in texts:
        for _, secret in by_look(text, ""):
            what = "a secret is written on the command line"
            place = _place(text.partition("=")[0])
            yield Secret(Finding("secret", what, place, HINT), secret)


def _put(
    document: Document, top: tuple[str, ...], keys: list[str], value: Any, place: Place
) -> Iterator[Finding]:
    """At the end of `keys`; what is missing on the way is made."""
    path: tuple[str | int, ...] = top
    parent = document.data
    for key in top:
        parent = parent[key]
    for depth, key in enumerate(keys):
        where = ".".join(keys[:depth])
        if isinstance(parent, list):
            if not (key.isdecimal() and int(key) < len(parent)):
                message = f"{where} is a list without an item {key}"
                yield Finding("override", message, place, f"it has {len(parent)}, from 0 on")
                return
            path, inner = (*path, int(key)), parent[int(key)]
        elif isinstance(parent, dict):
            path, inner = (*path, key), parent.get(key)
        else:
            yield Finding("override", f"{where} has no settings within it", place)
            return
        if inner is None and depth < len(keys) - 1:
            inner = {}
            document.put(path, inner, place)
        parent = inner
    document.put(path, value, place)


def _place(path: str) -> Place:
    """No value is in it, for it could be a secret."""
    return Place(f"--set {path}".rstrip(), 0, 0)
