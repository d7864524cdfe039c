"""Options of all commands that take a configuration, also of those from other packages."""

from __future__ import annotations

import click


def _take_variables(_: click.Context, __: click.Parameter, files: tuple[str, ...]) -> None:
    if files:
        from pipeline.cli.given import take_variables

        take_variables(files)


def _refuse_code(context: click.Context, _: click.Parameter, refused: bool) -> None:
    if refused:
        from pipeline.settings import code_refused

        context.with_resource(code_refused())


overrides = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NODE.SETTING=VALUE",
    help="A setting that counts instead of the one in the file; repeatable.",
)
"""Gives the command an argument `overrides`, texts that `pipeline.load` takes."""

env = click.option(
    "--env",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    expose_value=False,
    callback=_take_variables,
    help="Variables, NAME=value to a line; those of the environment count more. Repeatable.",
)
"""Puts the variables into the environment; the command has nothing to do about it."""

no_code = click.option(
    "--no-code",
    is_flag=True,
    expose_value=False,
    callback=_refuse_code,
    help="Refuse files and modules of code that the configuration names.",
)
"""While the command runs, what would load code raises SettingError."""
