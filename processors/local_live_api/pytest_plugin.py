"""A pytest fixture for tests against the local Live API, of whatever client and in any style.

    def test_greeting(local_live_api):
        server = local_live_api(scenario="greeting.yaml")
        ...  # point the client at server.url

The server runs in a thread of its own. The test fails if the client did otherwise than the
scenario expects, or if something of the scenario is left over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from processors.local_live_api.server import LocalLiveApi


class StartServer(Protocol):
    """Starts a server for the rest of the test; the settings are those of `serve`."""

    def __call__(self, **settings: Any) -> LocalLiveApi: ...


@pytest.fixture
def local_live_api() -> Iterator[StartServer]:
    """Start servers of the local Live API, as many as wanted."""
    from anyio.from_thread import start_blocking_portal

    from processors.local_live_api.server import serve

    servers: list[LocalLiveApi] = []
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def start(**settings: Any) -> LocalLiveApi:
            running = portal.wrap_async_context_manager(serve(**settings))
            servers.append(stack.enter_context(running))
            return servers[-1]

        yield start
        findings = [
            finding
            for server in servers
            for finding in [*server.findings, *portal.call(server.left_over)]
        ]
    if findings:
        lines = "\n".join(str(finding) for finding in findings)
        pytest.fail(f"the client did otherwise than the scenario expects:\n{lines}", pytrace=False)
