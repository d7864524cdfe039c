"""The local Live API: a simulation of the Gemini Live API on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.http11 import Request, Response

from processors.local_live_api.conversation import Conversation
from processors.local_live_api.scenario import Scenario, load_scenario

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
METHOD = "BidiGenerateContent"
LARGEST_MESSAGE = 64 * 2**20


class LocalLiveApi:
    """A running server; `url` is where clients connect."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port: int = next(iter(server.sockets)).getsockname()[1]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{PATH}"


@asynccontextmanager
async def serve(
    *, scenario: Scenario | str | Path | None = None, port: int = 0
) -> AsyncIterator[LocalLiveApi]:
    """Serve on 127.0.0.1 until left. Every connection begins the scenario anew.

    port: 0 for any free one. Raises SettingError for a scenario that cannot be read.
    """
    if isinstance(scenario, str | Path):
        scenario = load_scenario(scenario)

    async def converse(socket: ServerConnection) -> None:
        await Conversation(socket, scenario).run()

    async with serve_websocket(
        converse,
        "127.0.0.1",
        port,
        process_request=_check_path,
        compression=None,
        max_size=LARGEST_MESSAGE,
        max_queue=256,
        ping_timeout=None,
    ) as server:
        yield LocalLiveApi(server)


def _check_path(socket: ServerConnection, request: Request) -> Response | None:
    path = request.path.partition("?")[0]
    if path.endswith((f".{METHOD}", f"/{METHOD}", f"{METHOD}Constrained")):
        return None
    return socket.respond(HTTPStatus.NOT_FOUND, "this is a simulation of the Gemini Live API\n")
