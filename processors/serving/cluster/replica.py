"""The application as one of several processes that serve the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.request import ProxyHandler, Request, build_opener

import anyio
from anyio import to_thread
from starlette import requests
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from processors.serving.application import Application
from processors.serving.cluster.shared_places import SharedPlaces
from processors.serving.door import KEY, Door
from processors.serving.metrics import CONTENT_TYPE, merged
from processors.serving.server import listen, serving

ANSWER_S = 2.0
"""How long another process may take to tell its counters."""


class Replica:
    """Call it as ASGI. host: by which the other processes reach this one.

    Its lifespan ends when its conversations have: who stops it has to set a limit.
    """

    def __init__(self, application: Application, places: SharedPlaces, host: str) -> None:
        self.application = application
        self._places = places
        self._host = host
        self._app = Starlette(
            routes=[Route("/metrics", self._metrics), Mount("/", application)],
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        lobby = self.application.lobby
        door = Door(self.application, self.application.key)
        with listen(self._host, 0) as listener:
            self._places.door = "{}:{}".format(*listener.getsockname()[:2])
            async with serving(door, listener, lobby.limits, lifespan="off"), lobby.running():
                yield
                await lobby.emptied()

    async def _metrics(self, request: requests.Request) -> Response:
        """Those of all processes."""
        denial = self.application.denial(request)
        if denial is not None:
            return denial
        pages: dict[str, str] = {}

        async def ask(holder: str, door: str) -> None:
            try:
                pages[holder] = await to_thread.run_sync(_fetch, door, self.application.key)
            except OSError:  # it is left out
                await self._places.forget(holder)

        async with anyio.create_task_group() as group:
            for holder, door in (await self._places.doors()).items():
                group.start_soon(ask, holder, door)
        return Response(merged(pages, self._places.state()), media_type=CONTENT_TYPE)


def _fetch(door: str, key: str) -> str:
    request = Request(f"http://{door}/metrics", headers={KEY: key})
    with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_S) as answer:
        text: str = answer.read().decode()
        return text
