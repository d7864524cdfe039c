"""Commands that come with packages of processors: `simulate`, and those of anybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.streams import occupy_standard_streams

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "pipeline.commands"
"""The entry point group: a name and a `click.Command`."""


class Commands(click.Group):
    """A group that finds further commands by entry point, and imports them only when needed."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        occupy_standard_streams()
        return super().main(*args, **kwargs)

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
