"""The server of the local Live API: addresses, connections, scenarios."""

import gc
import json
import logging
import ssl
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close as Frame

from pipeline import ConfigError
from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.fault_kinds import Close, SlowReads
from processors.local_live_api.faults import Faults
from processors.local_live_api.scenario import Expectation, Scenario, Turn
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.steps import Step
from processors.local_live_api.switches import Switches

SETUP = {"setup": {"model": "m", "generationConfig": {"responseModalities": ["TEXT"]}}}
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
GEMINI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


KEY = {"x-goog-api-key": "a-key"}


async def set_up(socket: ClientConnection) -> None:
    await socket.send(json.dumps(SETUP))
    assert list(json.loads(await socket.recv())) == ["setupComplete"]


def dial(server: LocalLiveApi, path: str, **headers: str) -> connect:
    url = f"ws://{server.address}{path}"
    return connect(url, additional_headers=headers or KEY, max_size=None)


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
        VERTEX,
        f"/{VERTEX}",
        VERTEX.replace("v1beta1", "v1"),
        GEMINI.replace("v1beta", "v1alpha"),
    ],
)
async def test_it_takes_every_path_of_the_service(path: str) -> None:
    async with serve() as server, dial(server, path) as socket:
        await set_up(socket)


@pytest.mark.parametrize("path", ["/", "/ws", f"{GEMINI}/", "/GenerateContent", f"/?path={GEMINI}"])
async def test_another_path_is_not_found(path: str) -> None:
    async with serve() as server:
        with pytest.raises(InvalidStatus) as raised:
            await dial(server, path)
        assert raised.value.response.status_code == 404
        assert b"this is a simulation of the Gemini Live API" in raised.value.response.body


@pytest.mark.parametrize(
    "path", [f"{GEMINI}?key=abc", f"{VERTEX}?access_token=abc"], ids=["gemini-api", "vertex"]
)
async def test_a_key_can_be_in_the_address(path: str) -> None:
    async with serve() as server, connect(f"ws://{server.address}{path}") as socket:
        await set_up(socket)


async def test_without_credentials_it_lets_in_whom_it_may() -> None:
    switches = Switches(credentials=False)
    for path in (GEMINI, VERTEX):
        async with (
            serve(switches=switches) as server,
            connect(f"ws://{server.address}{path}") as socket,
        ):
            await set_up(socket)


async def test_vertex_refuses_clients_without_a_token() -> None:
    async with serve() as server:
        with pytest.raises(InvalidStatus) as raised:
            await connect(f"ws://{server.address}{VERTEX}")
        assert raised.value.response.status_code == 401


async def test_a_backend_takes_its_own_paths_only() -> None:
    async with serve(backend="vertex") as server:
        assert urlsplit(server.url).path == VERTEX
        with pytest.raises(InvalidStatus) as raised:
            await dial(server, GEMINI)
        assert raised.value.response.status_code == 400


async def test_it_speaks_tls_with_a_certificate_of_its_own() -> None:
    async with serve(tls=True) as server:
        assert server.ca_file is not None
        trust = ssl.create_default_context(cafile=server.ca_file)
        async with connect(server.url, ssl=trust, additional_headers=KEY) as socket:
            assert socket.transport.get_extra_info("cipher")
            await set_up(socket)


async def test_faults_strike_the_connections_that_they_concern() -> None:
    faults = Faults([Close(code=1011, reason="later", after_received=2, connections=(2,))])
    async with serve(faults=faults) as server:
        for reason in (None, "later"):
            async with dial(server, GEMINI) as socket:
                await set_up(socket)
                if reason is None:
                    await ask(socket, "Hello")
                    continue
                with pytest.raises(ConnectionClosed) as raised:
                    await ask(socket, "Hello")
                assert raised.value.rcvd == Frame(1011, reason)


async def test_an_error_of_its_own_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("processors.local_live_api.answering.answer", lambda *_: 1 / 0)
    async with serve() as server, dial(server, GEMINI) as socket:
        await set_up(socket)
        with pytest.raises(ConnectionClosed) as raised:
            await ask(socket, "Hello")
        assert raised.value.rcvd is not None
        assert raised.value.rcvd.code == 1011
    assert "ZeroDivisionError" in caplog.text


async def test_connections_do_not_know_of_each_other() -> None:
    turns = [Turn([Step(say=text)], "text") for text in ("One.", "Two.")]
    async with (
        serve(scenario=Scenario(turns)) as server,
        dial(server, GEMINI) as first,
        dial(server, GEMINI) as second,
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
        async with serve() as server, dial(server, GEMINI) as stays:
            await set_up(stays)
            broken = await dial(server, GEMINI)
            await set_up(broken)
            broken.transport.abort()
            refused = await dial(server, GEMINI)
            await refused.send("{")
            await refused.wait_closed()
            assert (await ask(stays, "Still there?")).startswith('You ask: "Still there?"')
    assert caplog.records == []


async def test_large_messages_are_fine_in_both_directions() -> None:
    text = "x" * 3_000_000
    script = Scenario([Turn([Step(say=text)], Expectation(text=text))])
    switches = Switches(context_tokens=2_000_000)
    async with (
        serve(scenario=script, switches=switches) as server,
        dial(server, GEMINI) as socket,
    ):
        await set_up(socket)
        assert await ask(socket, text) == text
        assert server.findings == []


async def test_leaving_closes_what_is_open() -> None:
    async with serve() as server:
        socket = await dial(server, GEMINI)
        await set_up(socket)
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    with pytest.raises(OSError, match=str(server.port)):
        await dial(server, GEMINI)


async def test_leaving_does_not_wait_for_clients_that_do_not_answer() -> None:
    async with serve(faults=Faults([SlowReads(delay_ms=60_000)])) as server:
        slow = await dial(server, GEMINI)
        frozen = await dial(server, GEMINI)
        frozen.transport.pause_reading()  # does not see that it is told to close
        raw = await anyio.connect_tcp("127.0.0.1", server.port)  # shakes no hands
        began = anyio.current_time()
    assert anyio.current_time() - began < 2
    frozen.transport.abort()
    await raw.aclose()
    await slow.wait_closed()


async def test_a_scenario_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("turns: [{expect: text, then: [{say: From a file.}]}]")
    for given in (path, str(path)):
        async with (
            serve(scenario=given) as server,
            dial(server, GEMINI) as socket,
        ):
            await set_up(socket)
            assert await ask(socket, "a") == "From a file."


async def test_a_scenario_that_cannot_be_read_is_found_before_it_serves(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        async with serve(scenario=tmp_path / "none.yaml"):
            pytest.fail("it serves")


@pytest.mark.parametrize("steps", range(8))
async def test_who_is_cancelled_while_it_starts_leaves_no_socket(steps: int) -> None:
    async def cancel_later(scope: anyio.CancelScope) -> None:
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        async with anyio.create_task_group() as group:
            group.start_soon(cancel_later, group.cancel_scope)
            async with serve():
                await anyio.sleep(1)
        gc.collect()
    assert not [str(warning.message) for warning in caught]
