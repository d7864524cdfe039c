"""`pipeline expand`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from pipeline.cli.findings import refuse
from pipeline.config.reading import Reading
from pipeline.config.secrets import LOOKS, has_secret_name
from pipeline.config.typed import read_text
from pipeline.errors import ConfigError, errors_of
from pipeline.graph import Node
from pipeline.inbox import DEFAULT_FRAMES, InboxSettings
from pipeline.settings import FromVariable, Setting, convert, convert_value, read_settings
from pipeline.supervision import Supervision

REDACTED = "<redacted>"


def expand(path: str, overrides: Sequence[str] = ()) -> int:
    """Print a configuration with all that it leaves unsaid; the exit status."""
    try:
        shown, hidden = expanded(read_text(path), path, os.environ, overrides)
    except ConfigError as error:
        return refuse(error.findings)
    click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100), nl=False)
    if hidden:
        click.echo(f"redacted: {', '.join(hidden)}", err=True)
    return 0


def expanded(
    text: str, file: str, variables: Mapping[str, str], overrides: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The whole of the configuration that `text` is, and the settings that are hidden in it.

    What fragments bring is spelled out. Files are given by absolute paths where they are looked for
    beside a configuration, so that the result means the same wherever it stands.
    Raises ConfigError.
    """
    base = Path(file).parent
    reading = Reading(text, file, base, variables, overrides=overrides)
    errors = errors_of(reading.all_findings())
    if errors or reading.graph is None:
        raise ConfigError(errors)
    masked = Reading(text, file, base, _Masked(variables), overrides=overrides)
    hidden: list[str] = []
    processors = {}
    for name, (values, folder, bases) in reading.entries.items():
        bases = {key: base.resolve() for key, base in bases.items()}
        whole = _whole(values, reading.graph.nodes[name], folder.resolve(), bases)
        other = masked.entries[name].values if name in masked.entries else {}
        processors[name] = _redacted(whole, values, other, (name,), hidden)
    wires = [f"{wire.source} -> {wire.target}" for wire in reading.wires]
    return {"processors": processors, "flow": reading.chains or wires}, hidden


class _Masked(dict[str, str]):
    """Variables, but for the secret ones."""

    def get(self, name: str, default: Any = None) -> Any:
        return REDACTED if has_secret_name(name) else super().get(name, default)


def _whole(
    values: Mapping[str, Any], node: Node, base: Path, bases: Mapping[str, Path]
) -> dict[str, Any]:
    """An entry of `processors`: what it says, in its order, and then what it leaves unsaid."""
    kind = type(node.processor)
    settings = read_settings(kind)
    given = {name: value for name, value in values.items() if name in settings}
    arguments, _ = convert(kind, given, base, bases)
    unsaid = {
        name: default
        for name, setting in settings.items()
        if name not in values
        for default in _default(setting)
    }
    standard_input = {name: "-" for name, value in given.items() if value == "-"}
    inbox = {} if node.inbox is None else {"inbox": _bound(node.inbox)}
    supervision = {
        key: _plain(getattr(node.supervision, key))
        for key in Supervision.__struct_fields__
        if key in values
    }
    said = {
        "use": _use(values["use"], bases.get("use", base)),
        **_plain(arguments),
        **standard_input,
        **inbox,
        **supervision,
    }
    return {name: said[name] for name in values} | said | unsaid


def _use(use: str, base: Path) -> str:
    where, _, name = use.rpartition(":")
    return f"{base / where}:{name}" if where.endswith(".py") else str(use)


def _default(setting: Setting) -> list[Any]:
    """A setting's default, if there is one that can be written in YAML and means the same there."""
    if setting.required or (setting.is_input and setting.default is not None):
        return []
    default = _plain(setting.default)
    _, problem = convert_value(setting.annotation, default, setting.name)
    return [] if problem else [default]


def _bound(inbox: InboxSettings) -> dict[str, Any]:
    if inbox.policy == "latest":
        return {"policy": "latest"}
    bound = {"frames": inbox.frames or DEFAULT_FRAMES} if inbox.ms is None else {"ms": inbox.ms}
    return {**bound, "policy": inbox.policy}


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=str, str_keys=True)


def _redacted(
    shown: Any, real: Any, masked: Any, path: tuple[str | int, ...], hidden: list[str]
) -> Any:
    """A value as it may be shown; `real` and `masked` are what the file says without defaults.

    They differ where a secret variable has been put in. Dollar signs are doubled, or what came out
    of a variable could be taken for another.
    """
    if isinstance(shown, dict):
        real, masked = (each if isinstance(each, dict) else {} for each in (real, masked))
        in_order = [key for key in real if key in shown]
        in_order += [key for key in shown if key not in real]
        return {
            key: _redacted(shown[key], real.get(key), masked.get(key), (*path, key), hidden)
            for key in in_order
        }
    if isinstance(shown, list):
        said = (
            zip(real, masked, strict=True)
            if isinstance(real, list)
            else ((None, None),) * len(shown)
        )
        return [
            _redacted(item, *pair, (*path, index), hidden)
            for index, (item, pair) in enumerate(zip(shown, said, strict=True))
        ]
    name = next(part for part in reversed(path) if isinstance(part, str))
    is_text = isinstance(shown, str)
    if masked != real:
        shown = str(masked)
    elif has_secret_name(name) and (is_text or isinstance(real, FromVariable)):
        shown = REDACTED
    if is_text and any(re.search(look, shown) for look in LOOKS):
        shown = REDACTED
    if masked != real or shown is REDACTED:
        hidden.append(".".join(map(str, path)))
    return shown.replace("$", "$$") if isinstance(shown, str) else shown
