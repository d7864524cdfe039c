"""`pipeline serve`: one configuration for many clients."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options

NO_TLS = (
    "--on ray goes without --tls-cert and --tls-key: Ray Serve speaks no TLS to clients. "
    "Put a load balancer that does in front of it"
)


@click.command()
@click.argument("config", type=click.Path())
@options.overrides
@options.env
@options.no_code
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--bind",
    "bind",
    multiple=True,
    metavar="NODE=DEVICE",
    help="Put the client's microphone, speaker, camera or keyboard in a node's place; repeatable.",
)
@click.option(
    "--files",
    type=click.Path(),
    default="runs/sessions",
    show_default=True,
    metavar="FOLDER",
    help="Each conversation has a folder in it for the files that it writes.",
)
@click.option(
    "--private",
    is_flag=True,
    help="Tell clients nothing of functions and their results, thoughts, code and searches.",
)
@click.option(
    "--max-sessions",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Conversations at a time.",
)
@click.option(
    "--queue",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Clients that may wait for a place; others are refused.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a client that has dropped out may take to come back.",
)
@click.option(
    "--idle",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="A conversation ends when nobody has said anything for so long.",
)
@click.option(
    "--longest",
    type=click.FloatRange(min=1),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="A conversation ends after so long.",
)
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long conversations may go on after the first signal to stop.",
)
@click.option(
    "--max-message",
    type=click.IntRange(min=4096),
    default=1 << 20,
    show_default=True,
    metavar="BYTES",
    help="The largest message that a client may send.",
)
@click.option(
    "--watchdog",
    type=click.FloatRange(min=0),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="Say which processor holds up all conversations for so long; 0 never says it.",
)
@click.option(
    "--token",
    envvar="PIPELINE_SERVE_TOKEN",
    default="",
    help="What clients have to know; better given in PIPELINE_SERVE_TOKEN. Needed where others "
    "can reach the server.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Pages of this origin may connect, besides the server's own; repeatable.",
)
@click.option(
    "--report",
    "pages",
    type=click.Path(),
    metavar="FOLDER",
    help="Write a page of each session when it is over, as `pipeline run --report` does.",
)
@click.option(
    "--keep-reports",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="How many of these pages stay; the oldest are removed. All, if not given.",
)
@click.option(
    "--otel/--no-otel",
    default=None,
    help="Tell OpenTelemetry what happens. If not given, as variables of the environment say.",
)
@click.option(
    "--otel-content", is_flag=True, help="Tell it what was said, too: this is personal data."
)
@click.option(
    "--control/--no-control",
    default=True,
    help="Let `pipeline top` and `pipeline tap` of the same user look; they may by default.",
)
@click.option("--tls-cert", type=click.Path(), help="PEM of the certificate and its chain.")
@click.option("--tls-key", type=click.Path(), help="PEM of its key.")
@click.option(
    "--on",
    type=click.Choice(["ray"]),
    help="Serve on a Ray cluster; --max-sessions counts those of all machines.",
)
@click.option(
    "--address",
    envvar="RAY_ADDRESS",
    metavar="HOST:PORT",
    help="Of the cluster; also RAY_ADDRESS. Left out, Ray is started on this machine.",
)
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="With --on: processes that serve, at most.",
)
@click.option(
    "--replica-sessions",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="With --on: conversations of one process, at most.",
)
def serve(
    config: str,
    overrides: tuple[str, ...],
    host: str,
    port: int,
    bind: tuple[str, ...],
    files: str,
    private: bool,
    max_sessions: int,
    queue: int,
    grace: float,
    idle: float,
    longest: float,
    drain: float,
    max_message: int,
    watchdog: float,
    token: str,
    origins: tuple[str, ...],
    pages: str | None,
    keep_reports: int | None,
    otel: bool | None,
    otel_content: bool,
    control: bool,
    tls_cert: str | None,
    tls_key: str | None,
    on: str | None,
    address: str | None,
    replicas: int,
    replica_sessions: int,
) -> None:
    """Serve CONFIG to many: each client that connects talks with a run of its own.

    The clients' microphones, loudspeakers, cameras and keyboards take the places of this machine's.
    There is a page to talk to at the address that is printed. The first signal lets conversations
    come to their end, the second stops at once.
    """
    try:
        from processors.serving.server import serve_config
    except ModuleNotFoundError as error:
        hint = "pip install 'live-pipeline[serve]'"
        raise click.UsageError(f"the package {error.name} is missing: {hint}") from None
    from pipeline import wants_telemetry
    from processors.serving.limits import Limits
    from processors.serving.onlookers import Watching

    if keep_reports and not pages:
        raise click.UsageError("--keep-reports goes with --report")
    watching = Watching(
        pages=Path(pages) if pages else None,
        keep=keep_reports,
        telemetry=wants_telemetry() if otel is None else otel,
        content=otel_content,
        control=control,
    )
    limits = Limits(
        sessions=max_sessions,
        queue=queue,
        grace_s=grace,
        idle_s=idle,
        longest_s=longest,
        drain_s=drain,
        message_bytes=max_message,
        hold_s=watchdog,
    )
    if on == "ray":
        if tls_cert or tls_key:
            raise click.UsageError(NO_TLS)
        try:
            from processors.serving.on_ray import Cluster, serve_on_ray
        except ModuleNotFoundError as error:
            hint = "pip install 'live-pipeline[ray]'"
            raise click.UsageError(f"the package {error.name} is missing: {hint}") from None
        status = serve_on_ray(
            config,
            Cluster(address, replicas, replica_sessions),
            host=host,
            port=port,
            bind=bind,
            files=files,
            overrides=overrides,
            private=private,
            limits=limits,
            token=token,
            origins=origins,
            watching=watching,
        )
        raise SystemExit(status)
    status = serve_config(
        config,
        host=host,
        port=port,
        bind=bind,
        files=files,
        overrides=overrides,
        private=private,
        limits=limits,
        token=token,
        origins=origins,
        cert=tls_cert,
        key=tls_key,
        watching=watching,
    )
    raise SystemExit(status)
