"""`pipeline new`: a configuration from a chain, or a custom processor with its test."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

import click

from pipeline.cli.findings import refuse
from pipeline.errors import ConfigError


def new_config(chains: Sequence[str], output: str | None) -> int:
    """Print, or write to a new file, a configuration for some chains; the exit status."""
    from pipeline.draft import draft

    try:
        made = draft(chains)
    except ConfigError as error:
        return refuse(error.findings)
    if output is None:
        click.echo(made.text, nl=False)
    else:
        _write({Path(output): made.text})
    for note in made.notes:
        click.echo(note, err=True)
    return 0


def new_processor(name: str, role: str, folder: str | None) -> int:
    """Write a processor's file and its test's; the exit status."""
    from pipeline.cli.templates import TEMPLATES

    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    _check_name(name, module, Path(folder or "."))
    words = {"name": name, "module": module}
    code, test = (Template(text).substitute(words) for text in TEMPLATES[role])
    there = Path(folder or ".")
    _write({there / f"{module}.py": code, there / f"test_{module}.py": test})
    click.echo(f"in a configuration beside it: {{use: ./{module}.py:{name}}}", err=True)
    return 0


def _check_name(name: str, module: str, folder: Path) -> None:
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or keyword.iskeyword(module):
        raise click.UsageError(f"{name!r} is not the name of a class, such as MoodMeter")
    spec = importlib.util.find_spec(module)
    is_own = spec is not None and Path(spec.origin or "").parent == folder.resolve()
    if module in sys.stdlib_module_names or (spec is not None and not is_own):
        raise click.UsageError(f"{module}.py would hide the module {module}: choose another name")


def _write(files: Mapping[Path, str]) -> None:
    """All of them or none: what is there already is never replaced."""
    for path in files:
        if path.exists() or path.is_symlink():
            raise click.UsageError(f"{path} is there already, and is not replaced")
    for path, text in files.items():
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise click.UsageError(f"cannot write {path}: {error.strerror}") from None
        click.echo(f"wrote {path}", err=True)
