"""Transparent resumption: whatever is lost on the way, the session gets every message once."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.fault_kinds import AnyFault, Cut
from processors.local_live_api.faults import Faults
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize
from processors.local_live_api.wire import decode_client

MODEL = "projects/p/locations/l/publishers/google/models/m"
RATE = 16_000
CHUNK = RATE // 10
SPEECH = np.concatenate([synthesize("Hello", rate=RATE)[:, 0], np.zeros(RATE, np.int16)])
CHUNKS = [SPEECH[i : i + CHUNK] for i in range(0, len(SPEECH), CHUNK)]
QUICK = {"playback": False, "pace": 1000.0}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@dataclass
class Transparent:
    """A client that keeps what was not confirmed, and sends it again on its next connection."""

    server: LocalLiveApi
    functions: tuple[str, ...] = ()
    handle: str = ""
    unconfirmed: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Everything, once."""
    socket: ClientConnection | None = None
    first: int = 1
    """The number, on this connection, of the first message that is unconfirmed."""
    connections: int = 0
    updated: anyio.Event = field(default_factory=anyio.Event)

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self.unconfirmed.append(message)
        if self.socket is not None:
            with suppress(ConnectionClosed):
                await self.socket.send(json.dumps(message))

    async def run(self) -> None:
        while True:
            async with connect(
                self.server.url, additional_headers={"Authorization": "Bearer token"}
            ) as socket:
                with suppress(ConnectionClosed):
                    await self._talk(socket)
            self.socket = None
            await anyio.sleep(1)

    async def _talk(self, socket: ClientConnection) -> None:
        resumption: dict[str, Any] = {"transparent": True}
        if self.handle:
            resumption["handle"] = self.handle
        setup = {
            "model": MODEL,
            "sessionResumption": resumption,
            "generationConfig": {"responseModalities": ["TEXT"]},
            "tools": [{"functionDeclarations": [{"name": name} for name in self.functions]}],
        }
        await socket.send(json.dumps({"setup": setup}))
        assert "setupComplete" in json.loads(await socket.recv())
        self.connections += 1
        self.first = 1
        for message in list(self.unconfirmed):
            await socket.send(json.dumps(message))
        self.socket = socket
        while True:
            await self._received(json.loads(await socket.recv()))

    async def _received(self, message: dict[str, Any]) -> None:
        if update := message.get("sessionResumptionUpdate"):
            self.handle = update["newHandle"]
            count = int(update.get("lastConsumedClientMessageIndex", 0)) + 1 - self.first
            assert 0 <= count <= len(self.unconfirmed)
            del self.unconfirmed[:count]
            self.first += count
            self.updated.set()
        for call in message.get("toolCall", {}).get("functionCalls", ()):
            response = {"id": call["id"], "name": call["name"], "response": {"output": "done"}}
            await self.send({"toolResponse": {"functionResponses": [response]}})


def text(words: str) -> dict[str, Any]:
    turn = {"role": "user", "parts": [{"text": words}]}
    return {"clientContent": {"turns": [turn], "turnComplete": True}}


def audio(samples: np.ndarray) -> dict[str, Any]:
    data = b64encode(samples.tobytes()).decode()
    return {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}}


def journal(server: LocalLiveApi) -> list[Any]:
    session = server.sessions[-1]  # those before never gave the client a handle
    assert session.journal is not None
    return [msgspec.to_builtins(message) for message in session.journal]


def as_read(messages: list[dict[str, Any]]) -> list[Any]:
    return [msgspec.to_builtins(decode_client(json.dumps(message))) for message in messages]


async def converse(
    client: Transparent, messages: list[tuple[float, dict[str, Any]]], *, seconds: float = 100
) -> None:
    """Send messages, each after a pause, and wait until all are confirmed."""
    async with anyio.create_task_group() as group:
        group.start_soon(client.run)
        for pause, message in messages:
            await anyio.sleep(pause)
            await client.send(message)
        with anyio.fail_after(seconds):
            while client.unconfirmed:
                client.updated = anyio.Event()
                await client.updated.wait()
        group.cancel_scope.cancel()


pauses = st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.5])
typed = st.integers(0, 99).map(lambda n: [text(f"Message {n}.")])
partial = st.just([{"clientContent": {"turns": [{"parts": [{"text": "And"}]}]}}])
spoken = st.integers(1, len(CHUNKS)).map(lambda n: [audio(chunk) for chunk in CHUNKS[:n]])
calling = st.just([text("Call f.")])
conversations = st.lists(typed | partial | spoken | calling, min_size=1, max_size=6).map(
    lambda parts: [message for part in parts for message in part]
)
cuts = st.lists(
    st.builds(Cut, after_received=st.integers(1, 20))
    | st.builds(Cut, after_sent=st.integers(1, 30))
    | st.builds(Cut, at_s=st.floats(0.001, 5)),
    max_size=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    messages=conversations, pace=st.data(), cutting=cuts, every=st.integers(1, 3),
    latency=st.sampled_from([0, 300]),
)  # fmt: skip
def test_every_message_counts_once_and_in_order(
    messages: list[dict[str, Any]],
    pace: st.DataObject,
    cutting: list[Cut],
    every: int,
    latency: int,
) -> None:
    timed = [(pace.draw(pauses), message) for message in messages]
    faults: list[AnyFault] = [
        msgspec.structs.replace(cut, connections=(number,)) for number, cut in enumerate(cutting, 1)
    ]
    switches = Switches(update_every=every, latency_ms=latency, **QUICK)

    async def session() -> None:
        async with serve(
            backend="vertex", journal=True, faults=Faults(faults), switches=switches
        ) as server:
            client = Transparent(server, functions=("f",))
            # A turn's end brings an update, too, so that the last messages are confirmed.
            await converse(client, [*timed, (0.0, text("The end."))])
            assert journal(server) == as_read(client.sent)

    anyio.run(session, backend_options={"loop_factory": VirtualTimeLoop})


async def test_updates_count_the_messages_of_the_connection() -> None:
    async with serve(backend="vertex", journal=True) as server:
        client = Transparent(server)
        indices: list[Any] = []
        received = client._received

        async def watch(message: dict[str, Any]) -> None:
            if "sessionResumptionUpdate" in message:
                update = message["sessionResumptionUpdate"]
                indices.append(update.get("lastConsumedClientMessageIndex"))
            await received(message)

        client._received = watch  # type: ignore[method-assign]
        await converse(client, [(1.0, audio(chunk)) for chunk in CHUNKS[:3]])
        assert indices == [None, "1", "2", "3"]


async def test_updates_can_be_rarer() -> None:
    switches = Switches(update_every=4)
    async with serve(backend="vertex", switches=switches) as server:
        client = Transparent(server)
        await converse(client, [(0.1, audio(chunk)) for chunk in CHUNKS[:8]])
        assert len(server.sessions[0].handles) == 3


async def test_nothing_is_confirmed_while_the_model_answers() -> None:
    script = Scenario([Turn([Step(wait_ms=5000), Step(say="Done.")], "text")])
    async with serve(backend="vertex", scenario=script) as server:
        client = Transparent(server)
        async with anyio.create_task_group() as group:
            group.start_soon(client.run)
            await anyio.sleep(1)
            await client.send(text("Take your time."))
            await client.send(audio(np.zeros(CHUNK, np.int16)))
            await anyio.sleep(4)
            assert len(client.unconfirmed) == 2
            await anyio.sleep(2)
            assert client.unconfirmed == []
            group.cancel_scope.cancel()


@pytest.mark.parametrize("cut", [Cut(after_sent=3), Cut(after_received=3), Cut(at_s=1.5)])
async def test_a_turn_that_was_cut_is_taken_again(cut: Cut) -> None:
    """When its call was made, or answered, or later: the scenario happens once, to its end."""
    steps = [Step(call=Call("f")), Step(wait_ms=1000), Step(say="It is {f}.")]
    faults = Faults([msgspec.structs.replace(cut, connections=(1,))])
    script = Scenario([Turn(steps, "text")])
    async with serve(backend="vertex", scenario=script, journal=True, faults=faults) as server:
        client = Transparent(server)
        await converse(client, [(1.0, text("Call."))])
        assert client.connections == 2
        assert server.findings == []
        assert server.left_over() == []
        assert journal(server) == as_read(client.sent)
        (session,) = server.sessions
        said = [entry for entry in session.memory.entries if type(entry).__name__ == "Said"]
        assert [entry.text for entry in said] == ["It is done."]


@pytest.mark.parametrize("chunks", range(1, len(CHUNKS), 3))
async def test_an_utterance_that_was_cut_is_heard_as_one(chunks: int) -> None:
    faults = Faults([Cut(after_received=chunks + 1, connections=(1,))])
    async with serve(backend="vertex", journal=True, faults=faults) as server:
        client = Transparent(server)
        await converse(client, [(0.1, audio(chunk)) for chunk in CHUNKS], seconds=30)
        assert client.connections == 2
        (session,) = server.sessions
        assert session.memory.ear.seconds == pytest.approx(len(SPEECH) / RATE)
        heard = [entry for entry in session.memory.entries if type(entry).__name__ == "Heard"]
        assert len(heard) == 1
