"""`pipeline simulate`: the local Live API as a process of its own."""

from __future__ import annotations

import click


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Any free one by default.")
@click.option(
    "--backend",
    type=click.Choice(["vertex", "gemini-api"]),
    help="Serve the paths of this one only, not of both.",
)
@click.option("--scenario", type=click.Path(), help="What it expects and does; rules by default.")
@click.option("--faults", type=click.Path(), help="How it misbehaves.")
@click.option("--replay", type=click.Path(), help="Play a recorded session back.")
@click.option("--tls", is_flag=True, help="With a certificate of its own, as the SDK wants it.")
@click.option(
    "--phrase",
    "phrases",
    multiple=True,
    metavar="TEXT",
    help="A sentence that it understands when it is spoken; repeatable.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="How it behaves where the service has several ways, such as sessions=100; repeatable.",
)
def simulate(
    port: int,
    backend: str | None,
    scenario: str | None,
    faults: str | None,
    replay: str | None,
    tls: bool,
    phrases: tuple[str, ...],
    switches: tuple[str, ...],
) -> None:
    """Serve a simulation of the Gemini Live API on loopback, until Ctrl-C.

    The exit status is 1 if a client did otherwise than the scenario or the recording expects.
    """
    from processors.local_live_api.simulation import simulate as run

    raise SystemExit(
        run(
            port=port,
            backend=backend,
            scenario=scenario,
            faults=faults,
            replay=replay,
            tls=tls,
            phrases=phrases,
            switches=switches,
        )
    )
