"""Commands that come with packages of processors: `simulate`, and those of anybody else."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.status import FAILED, STOPPED
from pipeline.cli.streams import occupy_standard_streams

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "pipeline.commands"
"""The entry point group: a name and a `click.Command`."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What keeps output from being written that is nobody's mistake."""
INSTEAD = {"help": "pipeline --help", "version": "pipeline --version"}
CONFIGURATIONS = (".yaml", ".yml", ".md")


class Commands(click.Group):
    """A group that finds further commands by entry point, and imports them only when needed."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As any command; what cannot be written is said, instead of raised."""
        occupy_standard_streams()
        if sys.stdout is None:  # it was closed: nobody wants to see anything
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lasts
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.filename is not None or error.errno not in FULL:
                raise
            click.echo(f"error: the output cannot be written: {error.strerror}", err=True)
            sys.exit(FAILED)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            self._suggest(ctx, *args)
            raise

    def _suggest(self, ctx: click.Context, word: str, *more: str) -> None:
        """What was meant by a word that is no command, if that is plain."""
        if word in INSTEAD:
            ctx.fail(f"there is no command {word}; write {INSTEAD[word]}")
        if word.lower().endswith(CONFIGURATIONS):
            command = more[0] if more and more[0] in self.list_commands(ctx) else "run"
            ctx.fail(f"the command comes first: pipeline {command} {word}")

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # before a command obeys signals by itself, or afterwards
            click.echo("\nAborted!", err=True)
            ctx.exit(STOPPED + signal.SIGINT)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_found()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in (found := _found()):
            return own
        entry = found[cmd_name]
        try:
            command = entry.load()
        except Exception as error:  # one broken package must not take the others' help away
            return _unavailable(entry, f"{type(error).__name__}: {error}")
        return command if isinstance(command, click.Command) else _unavailable(entry, "no command")


def _found() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _unavailable(entry: EntryPoint, why: str) -> click.Command:
    """What stands for a command that cannot be imported, and says so when it is run."""
    what = f"{entry.value} cannot be used: {why}"

    def fail() -> None:
        raise click.UsageError(what)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(entry.name, callback=fail, help=what, context_settings=settings)
