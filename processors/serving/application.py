"""The ASGI application: a page, a websocket for each conversation, and what operators ask."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from processors.loopback import is_loopback
from processors.serving.binding import Offer
from processors.serving.connection import GONE, Connection
from processors.serving.door import SENT_HERE
from processors.serving.limits import Limits
from processors.serving.lobby import Lobby
from processors.serving.metrics import CONTENT_TYPE
from processors.serving.onlookers import Onlookers, Watching
from processors.serving.places import Places
from processors.serving.protocol import SUBPROTOCOL, Start
from processors.serving.refusal import RefusedError
from processors.serving.tokens import TokenCheck

PAGE = Path(__file__).parent / "page"
PATH = "/session"
MOST_STRANGERS = 100
"""Connections at a time that have not said yet who they are, besides one for each place: all may
come back at once. For one more, the oldest has to go."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'{websockets}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""What the page may do. Not every browser takes 'self' to be its websockets as well."""
HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "microphone=(self), camera=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Application:
    """Serves a configuration to many. Call it as ASGI; its conversations are in `lobby`.

    offer: the configuration, run anew for each client.
    token: what clients have to know. origins: of pages on other hosts that may connect.
    loopback: it is reached on this machine only; then a page has to come from it, too.
    places: shared with other processes that serve the same; key: that they know.
    watching: who looks at sessions. Raises SettingError if they cannot be looked at so.
    """

    def __init__(
        self,
        offer: Offer,
        limits: Limits | None = None,
        *,
        token: str = "",
        origins: Sequence[str] = (),
        loopback: bool = False,
        places: Places | None = None,
        key: str = "",
        watching: Watching | None = None,
    ) -> None:
        self._offer = offer
        self.key = key
        onlookers = Onlookers(str(offer.config), watching or Watching())
        self.lobby = Lobby(offer, limits or Limits(), onlookers, places)
        # In a cluster, all clients may come by the address of its proxy.
        self._tokens = TokenCheck(token, by_address=places is None)
        self._origins = {origin.rstrip("/").lower() for origin in origins}
        self._loopback = loopback
        self._strangers: dict[anyio.CancelScope, None] = {}  # in the order of their coming
        middleware = [Middleware(_WithHeaders)]
        if origins:
            middleware.append(Middleware(CORSMiddleware, allow_origins=sorted(self._origins)))
        self._app = Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
                Route("/devices", self._devices),
                WebSocketRoute(PATH, self._session),
                Mount("/", StaticFiles(directory=PAGE, html=True)),
            ],
            middleware=middleware,
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with self.lobby.running():
            yield

    async def _healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, _: Request) -> Response:
        lobby = self.lobby
        state = {"ready": lobby.is_ready, "draining": lobby.draining}
        state |= lobby.places.state()._asdict()
        return JSONResponse(state, 200 if lobby.is_ready else 503)

    async def _devices(self, _: Request) -> Response:
        # The first time, the configuration is loaded for it.
        return JSONResponse(await to_thread.run_sync(lambda: self._offer.devices))

    async def _metrics(self, request: Request) -> Response:
        text = self.lobby.metrics.text
        return self.denial(request) or Response(text(), media_type=CONTENT_TYPE)

    def denial(self, request: Request) -> Response | None:
        """Why counters are not told; None to those who know the token, and other processes."""
        if SENT_HERE in request.scope:
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            bearer = given if scheme.lower() == "bearer" else ""
            self._tokens.check(bearer, request.client.host if request.client else "")
        except RefusedError as error:
            self.lobby.metrics.refused.labels(error.reason).inc()
            if error.reason == "token":
                return PlainTextResponse("wants the token as `Authorization: Bearer`\n", 401)
            return PlainTextResponse(f"{error}\n", 429)
        return None

    async def _session(self, websocket: WebSocket) -> None:
        refusal = self._refusal(websocket)
        if refusal is not None:
            self.lobby.metrics.refused.labels("handshake").inc()
            if "websocket.http.response" in websocket.scope.get("extensions", {}):
                await websocket.send_denial_response(refusal)
            else:  # not every server can say why
                await websocket.close()
            return
        ticket = websocket.scope.get(SENT_HERE)
        connection = Connection(websocket, self.lobby, self._tokens, ticket=ticket, key=self.key)
        start: Start | None = None
        with anyio.CancelScope() as scope:
            if len(self._strangers) >= MOST_STRANGERS + self.lobby.limits.places:
                next(iter(self._strangers)).cancel()  # who means to talk has said so by now
            self._strangers[scope] = None
            try:
                await websocket.accept(SUBPROTOCOL)
                start = await connection.introduce()
            except GONE:
                return
            finally:
                del self._strangers[scope]
        if scope.cancelled_caught:
            await connection.turn_away()
        elif start is not None:
            await connection.serve(start)

    def _refusal(self, websocket: WebSocket) -> Response | None:
        """Why a handshake is not accepted, if it is not."""
        if SENT_HERE in websocket.scope:
            return None  # it has been looked at where it came in
        if not self._is_trusted(websocket):
            return PlainTextResponse("pages of this origin may not connect: see --origin\n", 403)
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            return PlainTextResponse(f"ask for the subprotocol {SUBPROTOCOL}\n", 400)
        return None

    def _is_trusted(self, connection: HTTPConnection) -> bool:
        """Whether the page that connects may: programs other than browsers send no origin.

        On loopback the host is looked at as well, or a page elsewhere could let its own name
        point here, and pass for ours.
        """
        host = connection.headers.get("host", "")
        origin = connection.headers.get("origin")
        if origin is not None and origin in self._origins:
            return True
        if not HOST.fullmatch(host):
            return False
        if self._loopback and not is_loopback(urlsplit(f"//{host}").hostname):
            return False
        return origin is None or origin in (f"http://{host}", f"https://{host}")


class _WithHeaders:
    """Adds the headers that keep a browser from doing what a page does not need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                host = Headers(scope=scope).get("host", "")
                own = f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Content-Security-Policy"] = POLICY.format(websockets=own)
            await send(message)

        await self._app(scope, receive, send_with if scope["type"] == "http" else send)
