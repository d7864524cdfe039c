"""Settings from elsewhere, put over those of a file: `--set gate.threshold_db=8`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import msgspec
import yaml

from pipeline.config.document import Document, Given, is_fragment
from pipeline.config.secrets import HINT, Secret, by_look
from pipeline.errors import ConfigError, Finding, Place, did_you_mean

FORM = "write --set NODE.SETTING=VALUE"

_resolver: Any = yaml.resolver.Resolver()


class Override(NamedTuple):
    """A setting: the keys that lead to it, from a node or a parameter on, and its value.

    name: what messages call it, without the value, which could be a secret.
    """

    path: tuple[str, ...]
    value: Any
    name: str

    @property
    def place(self) -> Place:
        return Place(self.name, 0, 0)

    @property
    def given(self) -> Given:
        """As the value of a parameter."""
        return Given(self.value, self.place, self.place, FilePath())


def read_overrides(
    texts: Sequence[str], variables: Mapping[str, str]
) -> tuple[list[Override], list[Finding]]:
    """All that can be read, and what is wrong with the others."""
    overrides: list[Override] = []
    findings: list[Finding] = []
    for text in texts:
        try:
            overrides.append(read_override(text, variables))
        except ConfigError as error:
            findings += error.findings
    return overrides, findings


def read_override(text: str, variables: Mapping[str, str]) -> Override:
    """The dotted path and the value of `gate.threshold_db=8`.

    The value is a YAML scalar as it stands, whatever is in it, unless it begins with a bracket or
    a quotation mark: then it is read as YAML. Raises ConfigError, which does not repeat the value.
    """
    path, separator, value = text.partition("=")
    path = path.strip()
    if not separator or not all(path.split(".")):
        place = _place(path.split()[0] if path.split() else "")
        message = 'there is no "=" with a value behind it'
        if separator:
            message = 'there is no NODE.SETTING before the "="'
        raise ConfigError([Finding("override", message, place, FORM)])
    source: str | yaml.Node = value
    if value[:1] not in ("[", "{", '"', "'"):
        mark: Any = yaml.Mark("", 0, 0, 0, "", 0)
        tag = _resolver.resolve(yaml.ScalarNode, value, (True, False))
        source = yaml.ScalarNode(tag, value, mark, mark)
    try:
        value = Document(source, "", variables).data
    except ConfigError as error:
        raise ConfigError(
            [msgspec.structs.replace(f, place=_place(path)) for f in error.findings]
        ) from None
    return Override(tuple(path.split(".")), value, str(_place(path)))


def override(
    document: Document, overrides: Sequence[Override], inside: dict[str, list[Override]]
) -> Iterator[Finding]:
    """Put settings over those of a configuration, in this order, and say which cannot be.

    inside: gets what is for nodes of fragments, by the names under which they are included.
    """
    data = document.data
    nodes = data.get("processors") if isinstance(data, dict) else None
    if not isinstance(nodes, dict):
        return
    for item in overrides:
        ends = range(len(item.path) - 1, 0, -1)  # a name may have dots in it
        names = (".".join(item.path[:end]) for end in ends)
        name = next((name for name in names if name in nodes), None)
        if name is None:
            message = f'no processor is named "{item.path[0]}"'
            yield Finding("unknown-node", message, item.place, did_you_mean(item.path[0], nodes))
            continue
        keys = item.path[name.count(".") + 1 :]
        entry = nodes[name]
        use = entry.get("use") if isinstance(entry, dict) else None
        if len(keys) > 1 and isinstance(use, str) and is_fragment(use):
            inside.setdefault(name, []).append(item._replace(path=keys))
        elif isinstance(entry, dict):
            yield from _put(document, ("processors", name), keys, item.value, item.place)


def secrets_of(texts: Sequence[str]) -> Iterator[Secret]:
    """What looks like a secret in them."""
    for text in texts:
        for _, secret in by_look(text, ""):
            what = "a secret is written on the command line"
            place = _place(text.partition("=")[0])
            yield Secret(Finding("secret", what, place, HINT), secret)


def _put(
    document: Document, top: tuple[str, ...], keys: Sequence[str], value: Any, place: Place
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
