"""`pipeline completion`, and what is completed beside options and names of files."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

VARIABLE = "_PIPELINE_COMPLETE"
"""What the scripts set when they ask for completions; click derives it from the command's name."""


def print_script(shell: str, command: click.Command) -> None:
    """Print what makes a shell complete the command."""
    kind = get_completion_class(shell)
    assert kind is not None  # the command line takes no other
    click.echo(kind(command, {}, "pipeline", VARIABLE).source())


def processors(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of installed processors, and files."""
    from pipeline.registry import installed

    names = [name for name in sorted(installed()) if name.startswith(incomplete)]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def codes(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Codes that can be explained."""
    from pipeline.cli.explain import all_explanations

    return [CompletionItem(c) for c in sorted(all_explanations()) if c.startswith(incomplete)]


def chain(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of processors behind what a chain has already."""
    from pipeline.registry import installed

    at = max(incomplete.rfind(mark) for mark in "/, >") + 1
    begun, word = incomplete[:at], incomplete[at:]
    return [CompletionItem(begun + n) for n in sorted(installed()) if n.startswith(word)]
