"""The application on a server of its own, with signals and a way to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import click
import uvicorn
from rich.console import Console
from starlette.types import ASGIApp

from pipeline import ConfigError, Finding, SettingError
from pipeline.cli.findings import print_findings
from pipeline.cli.garbage import sparing_what_is_loaded
from pipeline.cli.status import DONE, STOPPED, WRONG_INPUT
from pipeline.cli.stopping import obeying_signals
from processors.loopback import is_loopback
from processors.serving.application import Application
from processors.serving.binding import Offer, read_bindings
from processors.serving.descriptors import allow_many
from processors.serving.limits import Limits
from processors.serving.onlookers import Watching
from processors.serving.session import current, log
from processors.serving.visitors import visitors
from processors.serving.websocket import Websocket

BACKLOG = 512
GOOD_TOKEN = 16
"""Characters; of fewer one is warned where others can try."""
STUCK_MS = 30_000
"""A connection of which nothing gets through for so long is given up by the system."""
FAREWELL_S = 3
"""So long connections may take to close when the server ends."""
HANDSHAKE_S = 10.0
"""Of TLS; asyncio itself waits for a minute."""


@dataclass(frozen=True)
class Service:
    """What `pipeline serve` was asked for: see its options."""

    config: str
    host: str
    port: int
    bind: Sequence[str]
    files: str
    overrides: Sequence[str]
    private: bool
    limits: Limits
    token: str
    origins: Sequence[str]
    watching: Watching
    cert: str | None = None
    key: str | None = None


@asynccontextmanager
async def serving(
    application: ASGIApp,
    listener: socket.socket,
    limits: Limits,
    *,
    lifespan: Literal["on", "off"] = "on",
    cert: str | None = None,
    key: str | None = None,
) -> AsyncIterator[uvicorn.Server]:
    """Serve on a socket until left; with `force_exit` of what it gives, no farewell is waited for.

    limits: of messages, and of those who may be there. Raises OSError for TLS files that cannot be
    read.
    """
    config = uvicorn.Config(
        application,
        http=visitors(limits.places),
        ws=Websocket,
        ws_max_size=limits.message_bytes,
        ws_per_message_deflate=False,  # PCM does not get smaller
        ssl_certfile=cert,
        ssl_keyfile=key,
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FAREWELL_S,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # These are the steps of `Server.serve` without its signals, and with a limit for handshakes.
    await server.startup([])
    with sparing_what_is_loaded():
        async with anyio.create_task_group() as group:
            group.start_soon(server.main_loop)
            try:
                server.servers.append(await _accepting(server, listener))
                yield server
            finally:
                group.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await server.shutdown([listener])
                    if server.force_exit:
                        await server.lifespan.shutdown()


async def _accepting(server: uvicorn.Server, listener: socket.socket) -> asyncio.Server:
    config = server.config

    def visitor() -> asyncio.Protocol:
        return config.http_protocol_class(  # type: ignore[call-arg]
            config=config, server_state=server.server_state, app_state=server.lifespan.state
        )

    return await asyncio.get_running_loop().create_server(
        visitor,
        sock=listener,
        backlog=BACKLOG,
        ssl=config.ssl,
        ssl_handshake_timeout=HANDSHAKE_S if config.ssl else None,
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on. Raises OSError."""
    family, kind, protocol, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )[0]
    # The protocol has to be named: asyncio sends small messages at once (TCP_NODELAY) only then.
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # what is accepted inherits it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_MS)
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def address(host: str, listener: socket.socket, *, tls: bool = False) -> str:
    """Where a browser finds it."""
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    return f"http{'s' if tls else ''}://{shown}:{port}/"


def serve_config(service: Service) -> int:
    """`pipeline serve`; the exit status."""
    offer = prepare(service)
    if offer is None:
        return WRONG_INPUT
    host, port, cert = service.host, service.port, service.cert
    try:
        application = Application(
            offer,
            service.limits,
            token=service.token,
            origins=service.origins,
            loopback=is_loopback(host),
            watching=service.watching,
        )
    except SettingError as error:
        click.echo("; ".join(filter(None, (f"error: {error}", error.hint))), err=True)
        return WRONG_INPUT
    try:
        listener = listen(host, port)
    except OSError as error:
        click.echo(f"error: cannot listen on {host} port {port}: {error.strerror}", err=True)
        return WRONG_INPUT
    where = address(host, listener, tls=cert is not None)
    allow_many()
    with listener, _logging():
        try:
            return anyio.run(_run, application, listener, where, cert, service.key)
        except ssl.SSLError as error:
            what = f"{cert} and {service.key}" if service.key else cert
            hint = "they have to be PEM, the certificate and its own key"
            click.echo(f"error: cannot use {what}: {error.strerror}; {hint}", err=True)
            return WRONG_INPUT
        except OSError as error:
            click.echo(f"error: cannot use {error.filename or cert}: {error.strerror}", err=True)
            return WRONG_INPUT


def prepare(service: Service) -> Offer | None:
    """What is to be served; None if something is wrong, which is said."""
    offer: Offer | None
    try:
        offer = Offer(
            Path(service.config),
            read_bindings(service.bind),
            Path(service.files),
            overrides=service.overrides,
            private=service.private,
        )
        findings = offer.check()
    except ConfigError as error:
        offer, findings = None, list(error.findings)
    findings += _check_reach(service.host, service.token)
    print_findings(findings, Console(stderr=True, highlight=False))
    return None if any(finding.severity == "error" for finding in findings) else offer


async def _run(
    application: Application, listener: socket.socket, where: str, cert: str | None, key: str | None
) -> int:
    """Serve until a signal; the exit status."""
    lobby = application.lobby
    told, at_once = anyio.Event(), anyio.CancelScope()
    servers: list[uvicorn.Server] = []

    def cancel() -> None:
        at_once.cancel()
        for server in servers:
            server.force_exit = True

    drain_s = lobby.longest_drain_s + FAREWELL_S
    with obeying_signals(told.set, cancel, drain_seconds=drain_s) as stopped_by:
        async with serving(application, listener, lobby.limits, cert=cert, key=key) as server:
            servers.append(server)
            log.info("serving at %s", where)
            with at_once:
                await told.wait()
                if lobby.open:
                    what = "no more conversations; %d may go on for %g s, a signal stops them"
                    log.info(what, lobby.open, lobby.limits.drain_s)
                await lobby.drain()
    return STOPPED + stopped_by[-1] if at_once.cancel_called else DONE


def _check_reach(host: str, token: str) -> Iterator[Finding]:
    if is_loopback(host):
        return
    if not token:
        hint = "set PIPELINE_SERVE_TOKEN, or give --token"
        yield Finding(
            "token", f"--host {host} can be reached by others: it needs a token", hint=hint
        )
    elif len(token) < GOOD_TOKEN:
        yield Finding(
            "token",
            f"--host {host} can be reached by others, and {len(token)} characters can be guessed",
            hint=f"take {GOOD_TOKEN} random ones or more, such as `openssl rand -hex 16` makes",
            severity="warning",
        )


class _Named(logging.Filter):
    """Puts the session's name before what is logged in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.session = f"[{current.get()}] " if current.get() else ""
        return True


@contextmanager
def _logging() -> Iterator[None]:
    handler = logging.StreamHandler()
    handler.addFilter(_Named())
    handler.setFormatter(logging.Formatter("%(asctime)s %(session)s%(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logger = logging.getLogger("pipeline")
    logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
