"""Running the local Live API for a person at a terminal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import anyio
import click
import msgspec
import yaml

from pipeline import ConfigError, Finding, SettingError
from pipeline.cli.status import DONE, FAILED, STOPPED, WRONG_INPUT
from pipeline.cli.stopping import obeying_signals
from processors.local_live_api.server import FAREWELL_S, LocalLiveApi, serve
from processors.local_live_api.switches import Switches


def simulate(*, switches: Sequence[str], phrases: Sequence[str], **settings: Any) -> int:
    """Serve until a signal; the exit status. `settings` are those of `serve`."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    logging.getLogger("websockets").setLevel(logging.WARNING)
    try:
        return anyio.run(
            _run, {**settings, "switches": read_switches(switches), "phrases": phrases or None}
        )
    except ConfigError as error:
        for finding in error.findings:
            click.echo(str(finding), err=True)
    except SettingError as error:
        said = str(error) if "error[" in str(error) else f"error: {error}"  # a place comes first
        click.echo(f"{said}{f'; {error.hint}' if error.hint else ''}", err=True)
    except OSError as error:
        click.echo(f"error: cannot listen on port {settings['port']}: {error.strerror}", err=True)
    return WRONG_INPUT


def read_switches(texts: Sequence[str]) -> Switches:
    """`NAME=VALUE`, values as in YAML. Raises SettingError."""
    values = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise SettingError(f"--switch {text}: write NAME=VALUE")
        try:
            values[name] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):  # of a date that is none, or too many digits
            raise SettingError(f"--switch {text}: the value is no valid YAML") from None
    try:
        return msgspec.convert(values, Switches)
    except msgspec.ValidationError as error:
        hint = f"there are: {', '.join(Switches.__struct_fields__)}"
        what = str(error).replace("`", "")
        raise SettingError(f"--switch: {what}", hint=hint) from None


async def _run(settings: dict[str, Any]) -> int:
    findings: list[Finding] = []
    told, at_once = anyio.Event(), anyio.CancelScope()
    with obeying_signals(told.set, at_once.cancel, drain_seconds=FAREWELL_S) as stopped_by, at_once:
        async with serve(**settings) as server:
            _introduce(server)
            await told.wait()
            findings = server.findings + server.left_over()
            for finding in server.left_over():
                click.echo(str(finding), err=True)
    if at_once.cancel_called:
        return STOPPED + stopped_by[-1]
    return FAILED if findings else DONE


def _introduce(server: LocalLiveApi) -> None:
    said = "This is a simulation of the Gemini Live API. No data leaves this machine."
    if server.ca_file is not None:
        said += f"\nClients have to trust its certificate: SSL_CERT_FILE={server.ca_file}"
    click.echo(said, err=True)
    click.echo(server.url)
