"""The option of commands that refuses a configuration's own code."""

from __future__ import annotations

import click


def _refuse(context: click.Context, _: click.Parameter, refused: bool) -> None:
    if refused:
        from pipeline import code_refused

        context.with_resource(code_refused())


no_code = click.option(
    "--no-code",
    is_flag=True,
    expose_value=False,
    callback=_refuse,
    help="Refuse files and modules of code that the configuration names.",
)
