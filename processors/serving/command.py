"""`pipeline serve`: one configuration for many clients."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipeline.cli import options

NO_TLS = (
    "--on ray goes without --tls-cert and --tls-key: Ray Serve speaks no TLS to clients. "
    "Put a load balancer that does in front of it"
)
ORIGIN = re.compile(r"https?://[^/?#@\s]+/?")


def _check_origins(
    _: click.Context, __: click.Parameter, origins: tuple[str, ...]
) -> tuple[str, ...]:
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise click.BadParameter(f"{origin} is no origin: write https://talk.example.org")
    return origins


@click.command()
@options.config
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
@options.number("--max-sessions", 10, "Conversations at a time.")
@options.number("--queue", 0, "Clients that may wait for a place; others are refused.", least=0)
@options.seconds("--grace", 60.0, "How long a client that has dropped out may take to come back.")
@options.seconds(
    "--idle", 300.0, "A conversation ends when nobody has said anything for so long.", min=1
)
@options.seconds("--longest", 3600.0, "A conversation ends after so long.", min=1)
@options.seconds(
    "--drain", 30.0, "How long conversations may go on after the first signal to stop."
)
@click.option(
    "--max-message",
    type=click.IntRange(min=4096),
    default=1 << 20,
    show_default=True,
    metavar="BYTES",
    help="The largest message that a client may send.",
)
@options.watchdog
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
    callback=_check_origins,
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
@options.otel
@options.otel_content
@options.control
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
@options.number("--replicas", 4, "With --on: processes that serve, at most.")
@options.number("--replica-sessions", 50, "With --on: conversations of one process, at most.")
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
    with options.extra("serve"):
        from processors.serving.server import Service, serve_config
    from pipeline import wants_telemetry
    from processors.serving.limits import Limits
    from processors.serving.onlookers import Watching

    if keep_reports and not pages:
        raise click.UsageError("--keep-reports goes with --report")
    if tls_key and not tls_cert:
        raise click.UsageError("--tls-key goes with --tls-cert")
    if on and tls_cert:
        raise click.UsageError(NO_TLS)
    service = Service(
        config=config,
        host=host,
        port=port,
        bind=bind,
        files=files,
        overrides=overrides,
        private=private,
        token=token,
        origins=origins,
        cert=tls_cert,
        key=tls_key,
        limits=Limits(
            sessions=max_sessions,
            queue=queue,
            grace_s=grace,
            idle_s=idle,
            longest_s=longest,
            drain_s=drain,
            message_bytes=max_message,
            hold_s=watchdog,
        ),
        watching=Watching(
            pages=Path(pages) if pages else None,
            keep=keep_reports,
            telemetry=wants_telemetry() if otel is None else otel,
            content=otel_content,
            control=control,
        ),
    )
    if on == "ray":
        with options.extra("ray"):
            from processors.serving.on_ray import Cluster, serve_on_ray
        raise SystemExit(serve_on_ray(service, Cluster(address, replicas, replica_sessions)))
    raise SystemExit(serve_config(service))
