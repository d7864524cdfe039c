"""The server of the local Live API: addresses, connections, scenarios."""

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipeline import SettingError
from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.scenario import Scenario, Step, Turn
from processors.local_live_api.server import serve

SETUP = {"setup": {"model": "m", "generationConfig": {"responseModalities": ["TEXT"]}}}
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
GEMINI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def set_up(socket: ClientConnection) -> None:
    await socket.send(json.dumps(SETUP))
    assert json.loads(await socket.recv()) == {"setupComplete": {}}


async def ask(socket: ClientConnection, text: str) -> str:
    """The answer to typed text."""
    turn = {"parts": [{"text": text}]}
    await socket.send(json.dumps({"clientContent": {"turns": [turn], "turnComplete": True}}))
    answer = ""
    while True:
        content = json.loads(await socket.recv())["serverContent"]
        parts = content.get("modelTurn", {}).get("parts", [])
        answer += "".join(part["text"] for part in parts)
        if content.get("turnComplete"):
            return answer


async def test_it_listens_on_loopback_at_the_path_of_the_gemini_api() -> None:
    async with serve() as server:
        url = urlsplit(server.url)
        assert (url.scheme, url.hostname, url.port) == ("ws", "127.0.0.1", server.port)
        assert url.path == GEMINI
        assert server.port > 0


@pytest.mark.parametrize(
    "path",
    [
        GEMINI,
        f"/{GEMINI}",
        f"{GEMINI}?key=abc",
        f"{GEMINI}Constrained?access_token=abc",
        VERTEX,
        f"/{VERTEX}",
    ],
)
async def test_it_takes_every_path_of_the_service(path: str) -> None:
    async with serve() as server, connect(f"ws://127.0.0.1:{server.port}{path}") as socket:
        await set_up(socket)


@pytest.mark.parametrize("path", ["/", "/ws", f"{GEMINI}/", "/GenerateContent", f"/?path={GEMINI}"])
async def test_another_path_is_not_found(path: str) -> None:
    async with serve() as server:
        with pytest.raises(InvalidStatus) as raised:
            await connect(f"ws://127.0.0.1:{server.port}{path}")
        assert raised.value.response.status_code == 404
        assert raised.value.response.body == b"this is a simulation of the Gemini Live API\n"


async def test_connections_do_not_know_of_each_other() -> None:
    turns = [Turn([Step(say=text)], "text") for text in ("One.", "Two.")]
    async with (
        serve(scenario=Scenario(turns)) as server,
        connect(server.url) as first,
        connect(server.url) as second,
    ):
        await set_up(first)
        await set_up(second)
        assert await ask(first, "a") == "One."
        assert await ask(second, "b") == "One."
        assert await ask(second, "c") == "Two."
        assert await ask(first, "d") == "Two."


async def test_a_connection_that_breaks_leaves_the_others_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        async with serve() as server, connect(server.url) as stays:
            await set_up(stays)
            broken = await connect(server.url)
            await set_up(broken)
            broken.transport.abort()
            refused = await connect(server.url)
            await refused.send("{")
            await refused.wait_closed()
            assert (await ask(stays, "Still there?")).endswith("Still there?")
    assert caplog.records == []


async def test_large_messages_are_fine_in_both_directions() -> None:
    text = "x" * 3_000_000
    async with serve() as server, connect(server.url, max_size=None) as socket:
        await set_up(socket)
        assert (await ask(socket, text)).endswith(text)


async def test_leaving_closes_what_is_open() -> None:
    async with serve() as server:
        socket = await connect(server.url)
        await set_up(socket)
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    with pytest.raises(OSError, match=str(server.port)):
        await connect(server.url)


async def test_a_scenario_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("turns: [{expect: text, then: [{say: From a file.}]}]")
    for given in (path, str(path)):
        async with serve(scenario=given) as server, connect(server.url) as socket:
            await set_up(socket)
            assert await ask(socket, "a") == "From a file."


async def test_a_scenario_that_cannot_be_read_is_found_before_it_serves(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot read"):
        async with serve(scenario=tmp_path / "none.yaml"):
            pytest.fail("it serves")
