"""Options of all commands that take a configuration, also of those from other packages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


def _take_variables(_: click.Context, __: click.Parameter, files: tuple[str, ...]) -> None:
    if files:
        from pipeline.cli.given import take_variables

        take_variables(files)


def _refuse_code(context: click.Context, _: click.Parameter, refused: bool) -> None:
    if refused:
        from pipeline.settings import code_refused

        context.with_resource(code_refused())


class _Seconds(click.FloatRange):
    """A time. `nan` is within all limits, since it is not below any."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        time = float(super().convert(value, param, ctx))
        if math.isnan(time):
            self.fail(f"{value!r} is not a time.", param, ctx)
        return time


def seconds(name: str, default: float, help: str, **limits: Any) -> Callable[..., Any]:
    """An option that is a time. limits: as of `click.FloatRange`; from 0, if there are none."""
    return click.option(
        name,
        type=_Seconds(**(limits or {"min": 0})),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=help,
    )


def number(name: str, default: int, help: str, *, least: int = 1) -> Callable[..., Any]:
    """An option that is a number of something."""
    return click.option(
        name, type=click.IntRange(min=least), default=default, show_default=True, help=help
    )


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


def config(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command an argument `config`, the name of a file, and the three options above."""
    for option in (no_code, env, overrides, click.argument("config", type=click.Path())):
        command = option(command)
    return command


watchdog = seconds(
    "--watchdog", 0.2, "Say which processor holds up all others for so long; 0 never says it."
)
"""Gives `watchdog`, for `pipeline.Watchdog`."""

otel = click.option(
    "--otel/--no-otel",
    default=None,
    help="Tell OpenTelemetry what happens. If not given, as variables of the environment say.",
)
"""Gives `otel`, None where nothing was said: then `pipeline.wants_telemetry` tells."""

otel_content = click.option(
    "--otel-content", is_flag=True, help="Tell it what was said, too: this is personal data."
)
"""Gives `otel_content`."""

control = click.option(
    "--control/--no-control",
    default=True,
    help="Let `pipeline top` and `pipeline tap` of the same user look at it; they may by default.",
)
"""Gives `control`, for `pipeline.Control`."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """What is imported in it comes with an extra of this package, and may be missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        hint = f"pip install 'live-pipeline[{name}]'"
        raise click.UsageError(f"the package {error.name} is missing: {hint}") from None
