"""`pipeline explain`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pipeline.cli.status import WRONG_INPUT
from pipeline.errors import did_you_mean
from pipeline.explanations import EXPLANATIONS

GROUP = "pipeline.explanations"
"""The entry point group: a name, and a mapping from codes to texts."""


def all_explanations() -> Mapping[str, str]:
    """Those of the framework and of every installed package, by code."""
    from importlib.metadata import entry_points

    texts: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        try:
            texts |= entry.load()
        except Exception as error:  # one broken package must not take the others' away
            click.echo(f"{entry.value} cannot be used: {type(error).__name__}: {error}", err=True)
    return texts | {code: str(explanation) for code, explanation in EXPLANATIONS.items()}


def explain_code(code: str) -> int:
    """Print what is known of a code; the exit status."""
    texts = all_explanations()
    if code not in texts:
        hint = did_you_mean(code, texts)
        click.echo(f'there is no code "{code}"; {hint}', err=True)
        return WRONG_INPUT
    click.echo(texts[code], nl=False)
    return 0
