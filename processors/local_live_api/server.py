"""The local Live API: a simulation of the Gemini Live API on loopback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import anyio
import msgspec
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from pipeline import Finding, SettingError
from processors.local_live_api.certificate import Certificate, certificate
from processors.local_live_api.connection import Connection
from processors.local_live_api.conversation import converse
from processors.local_live_api.endpoint import (
    TOKEN_PATHS,
    NotServedError,
    address,
    read_endpoint,
)
from processors.local_live_api.faults import Faults, load_faults
from processors.local_live_api.faulty_socket import faulty_socket
from processors.local_live_api.memory import Session
from processors.local_live_api.recognition import Recogniser, recogniser
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.replay import Replay
from processors.local_live_api.scenario import Scenario, Script
from processors.local_live_api.service import Service, log
from processors.local_live_api.switches import BackendName, Switches

LARGEST_MESSAGE = 64 * 2**20
UNREAD_FRAMES = 256
FAREWELL_S = 1.0
"""So long clients have to close their side when the server ends."""
SIMULATION = "this is a simulation of the Gemini Live API"

_quiet = logging.getLogger("local_live_api.websockets")
_quiet.setLevel(logging.CRITICAL)  # requests that are no websocket are no fault of ours


class LocalLiveApi:
    """A running server."""

    def __init__(
        self,
        server: Server,
        service: Service,
        backend: BackendName,
        tls: Certificate | None,
        replay: Replay | None = None,
    ) -> None:
        self._service = service
        self._replay = replay
        self._backend: BackendName = backend
        self._tls = tls
        self.port: int = next(iter(server.sockets)).getsockname()[1]

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where clients of its backend connect; every other path of the service works too."""
        return self.url_of(self._backend)

    def url_of(self, backend: BackendName) -> str:
        """Where clients of a backend connect."""
        return f"{'wss' if self._tls else 'ws'}://{self.address}{address(backend)}"

    @property
    def ca_file(self) -> Path | None:
        """PEM of the authority that clients have to trust; None without TLS."""
        return self._tls.ca_file if self._tls else None

    @property
    def sessions(self) -> list[Session]:
        """Every session so far, with its memory, and its journal if that is kept.

        Of more than 1,000, the oldest are forgotten when nobody can resume them any more.
        """
        return self._service.sessions.all

    @property
    def findings(self) -> list[Finding]:
        """What clients did otherwise than the scenario or the recording has it, so far."""
        return list(self._service.findings)

    def left_over(self) -> list[Finding]:
        """What of the scenario, or of the recording, no session has come to."""
        return self._service.left_over() if self._replay is None else self._replay.left_over()


@asynccontextmanager
async def serve(
    *,
    scenario: Scenario | str | Path | None = None,
    port: int = 0,
    backend: BackendName | None = None,
    tls: bool = False,
    faults: Faults | str | Path | None = None,
    switches: Switches | None = None,
    phrases: Sequence[str] | None = None,
    journal: bool = False,
    replay: str | Path | None = None,
) -> AsyncIterator[LocalLiveApi]:
    """Serve on 127.0.0.1 until left.

    scenario: what it expects and does in every session; without one it follows rules.
    port: 0 for any free one. backend: the one whose paths it serves; both if None.
    tls: with a certificate of its own; the official SDK dials nothing else.
    faults: how it misbehaves. switches: how it behaves where the real service has several ways.
    phrases: the sentences that it understands; none for any, which errs a lot. It takes the extra
      `recognition`; without phrases it understands nothing that is spoken.
    journal: keep every message of clients in `sessions`.
    replay: a recording, whose service it plays instead; then there are no sessions.
    Raises ConfigError for files that cannot be read, SettingError for extras that are missing.
    """
    if replay is not None and scenario is not None:
        raise SettingError("a replay takes no scenario", setting="replay")
    if isinstance(scenario, str | Path):
        script: Script | None = Script.read(scenario)
    else:
        script = Script(scenario) if scenario is not None else None
    if isinstance(faults, str | Path):
        faults = load_faults(faults)
    faults = faults or Faults()
    service = Service(
        switches or Switches(),
        script,
        _recogniser(phrases) if phrases is not None else None,
        journal,
    )
    replayed = Replay(replay, service) if replay is not None else None

    def admit(connection: ServerConnection, request: Request) -> Response | None:
        assert isinstance(connection, Connection)
        if connection.posted is not None:
            return _issue_token(connection, request, service)
        try:
            endpoint = read_endpoint(request.path, request.headers, backend)
            if endpoint.backend == "vertex" and service.switches.credentials:
                endpoint.require_credential()
        except NotServedError as error:
            return connection.respond(error.status, f"{error.message}; {SIMULATION}\n")
        connection.endpoint = endpoint
        return None

    async def handle(connection: ServerConnection) -> None:
        assert isinstance(connection, Connection)
        assert connection.endpoint is not None
        plan = faults.plan()
        connection.handling = anyio.CancelScope()
        try:
            with connection.handling:
                async with faulty_socket(connection, plan) as socket:
                    if replayed is not None:
                        await replayed.play(socket)
                    else:
                        await converse(socket, service, connection.endpoint, plan)
        except Exception:
            log.exception("an error of the simulation itself ends a connection")
            raise

    connections: WeakSet[Connection] = WeakSet()

    def connect(*args: Any, **settings: Any) -> Connection:
        connection = Connection(*args, **settings)
        connections.add(connection)
        return connection

    with ExitStack() as stack:
        certified = stack.enter_context(certificate()) if tls else None
        with anyio.CancelScope(shield=True):  # asyncio would leave a listening socket behind
            server = await serve_websocket(
                handle,
                "127.0.0.1",
                port,
                process_request=admit,
                create_connection=cast(type[Connection], connect),  # any callable will do
                ssl=certified.context if certified else None,
                compression=None,
                max_size=LARGEST_MESSAGE,
                max_queue=UNREAD_FRAMES,
                ping_interval=None,  # the service was never seen to ping
                logger=_quiet,
            )
        try:
            yield LocalLiveApi(server, service, backend or "gemini-api", certified, replayed)
        finally:
            await _take_leave(server, connections)


async def _take_leave(server: Server, connections: Iterable[Connection]) -> None:
    """Close all connections, but do not wait long for those that do not answer."""
    server.close()
    with anyio.CancelScope(shield=True):
        try:
            with anyio.move_on_after(FAREWELL_S):
                await server.wait_closed()
        finally:
            for connection in list(connections):
                connection.break_off()
        await server.wait_closed()


def _recogniser(phrases: Sequence[str]) -> Recogniser:
    found = recogniser(phrases or None)
    if found is None:
        hint = "pip install 'live-pipeline[recognition]'"
        raise SettingError("there is no recogniser for these phrases", setting="phrases", hint=hint)
    return found


def _issue_token(connection: Connection, request: Request, service: Service) -> Response:
    """Answer `POST /{version}/auth_tokens`."""
    path = "/" + request.path.partition("?")[0].lstrip("/")
    if path not in TOKEN_PATHS:
        return connection.respond(HTTPStatus.NOT_FOUND, f"no such method; {SIMULATION}\n")
    try:
        token = service.tokens.issue(connection.posted or b"")
    except RefusedError as error:
        status = HTTPStatus.BAD_REQUEST
        problem = {"code": status, "message": error.reason, "status": "INVALID_ARGUMENT"}
        return _json(status, {"error": problem})
    return _json(HTTPStatus.OK, token)


def _json(status: HTTPStatus, value: object) -> Response:
    body = msgspec.json.encode(value)
    headers = Headers(
        {
            "Content-Type": "application/json; charset=UTF-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
    )
    return Response(status, status.phrase, headers, body)
