"""A client of the local Live API that uses nothing of the project's own, for tests by socket."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from processors.local_live_api.scenario import Scenario
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.switches import Switches

RATE = 16_000
CHUNK = RATE // 50
KEY = {"x-goog-api-key": "a-key"}
MODEL = {
    "vertex": "projects/p/locations/l/publishers/google/models/m",
    "gemini-api": "models/m",
}


class Messages(list[dict[str, Any]]):
    """What the server sent, in order."""

    @property
    def events(self) -> list[str]:
        """The names of what the messages hold, in order; repeated ones once."""
        names: list[str] = []
        for message in self:
            for key, value in message.items():
                for name in value if key == "serverContent" else (key,):
                    if names[-1:] != [name]:
                        names.append(name)
        return names

    def all(self, key: str) -> list[Any]:
        """The values of a key, at the top or in the content."""
        found = (m.get(key, m.get("serverContent", {}).get(key)) for m in self)
        return [value for value in found if value is not None]

    @property
    def parts(self) -> list[dict[str, Any]]:
        return [part for turn in self.all("modelTurn") for part in turn["parts"]]

    @property
    def written(self) -> str:
        return "".join(part.get("text", "") for part in self.parts)

    @property
    def heard(self) -> str:
        return "".join(content["text"] for content in self.all("inputTranscription"))

    @property
    def said(self) -> str:
        return "".join(content["text"] for content in self.all("outputTranscription"))

    @property
    def audio(self) -> np.ndarray:
        """All speech: int16 (n, 1) at 24 kHz."""
        blobs = [part["inlineData"] for part in self.parts if "inlineData" in part]
        assert {blob["mimeType"] for blob in blobs} <= {"audio/pcm;rate=24000"}
        data = b"".join(base64.b64decode(blob["data"], validate=True) for blob in blobs)
        return np.frombuffer(data, "<i2").reshape(-1, 1)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [call for message in self.all("toolCall") for call in message["functionCalls"]]

    @property
    def usage(self) -> dict[str, Any]:
        (counts,) = self.all("usageMetadata")
        return dict(counts)

    @property
    def handle(self) -> str:
        """The latest."""
        return str(self.all("sessionResumptionUpdate")[-1]["newHandle"])


def audio(samples: np.ndarray, rate: int = RATE) -> dict[str, Any]:
    data = base64.b64encode(samples.tobytes()).decode()
    return {"audio": {"mimeType": f"audio/pcm;rate={rate}", "data": data}}


class Client:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.times: list[float] = []
        """When each message of the last `until` came."""

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def type(self, text: str) -> None:
        turn = {"role": "user", "parts": [{"text": text}]}
        await self.send(clientContent={"turns": [turn], "turnComplete": True})

    async def speak(self, *sounds: np.ndarray) -> None:
        """In real time, 20 ms at a time."""
        samples = np.concatenate(sounds)
        for offset in range(0, len(samples), CHUNK):
            await self.send(realtimeInput=audio(samples[offset : offset + CHUNK]))
            await anyio.sleep(0.02)

    async def answer(self, call: dict[str, Any], output: Any = "done", **more: Any) -> None:
        id = {"id": call["id"]} if "id" in call else {}
        response = {**id, "name": call["name"], "response": {"output": output}, **more}
        await self.send(toolResponse={"functionResponses": [response]})

    async def receive(self) -> dict[str, Any]:
        frame = await self.socket.recv()
        assert isinstance(frame, bytes)
        message: dict[str, Any] = json.loads(frame)
        self.times.append(anyio.current_time())
        return message

    async def until(self, event: str) -> Messages:
        """All messages up to the first with this event."""
        self.times.clear()
        messages = Messages([await self.receive()])
        while event not in Messages(messages[-1:]).events:
            messages.append(await self.receive())
        return messages

    async def turn(self) -> Messages:
        return await self.until("turnComplete")

    async def during(self, seconds: float) -> Messages:
        """What comes within so many seconds."""
        messages = Messages()
        with anyio.move_on_after(seconds):
            while True:
                messages.append(await self.receive())
        return messages

    async def ended(self) -> tuple[Messages, Close]:
        """What comes before the close frame, and that."""
        messages = Messages()
        try:
            while True:
                messages.append(await self.receive())
        except ConnectionClosed as error:
            assert error.rcvd is not None
            return messages, error.rcvd

    async def closed(self) -> Close:
        return (await self.ended())[1]

    def vanish(self) -> None:
        """Without a close frame."""
        self.socket.transport.abort()


@asynccontextmanager
async def _dial(
    server: LocalLiveApi, setup: dict[str, Any] | None = None, *, ready: bool = True
) -> AsyncIterator[Client]:
    backend = "vertex" if "aiplatform" in server.url else "gemini-api"
    async with connect(server.url, additional_headers=KEY, max_size=None) as socket:
        client = Client(socket)
        if setup is not None:
            await client.send(setup={"model": MODEL[backend], **setup})
        if setup is not None and ready:
            assert list(await client.receive()) == ["setupComplete"]
        yield client


@asynccontextmanager
async def _talk(
    script: Scenario | None = None,
    switches: Switches | None = None,
    backend: Any = "gemini-api",
    **setup: Any,
) -> AsyncIterator[Client]:
    async with (
        serve(scenario=script, switches=switches, backend=backend) as server,
        _dial(server, setup) as client,
    ):
        yield client


@pytest.fixture
def dial() -> Callable[..., Any]:
    """Connect to a server, and send a setup if one is given; `ready`: until it is complete."""
    return _dial


@pytest.fixture
def talk() -> Callable[..., Any]:
    """A server and one client of it, set up."""
    return _talk
