"""A configuration of which nodes are bound to a client, and a server for it: all in one loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

for package in ("starlette", "uvicorn", "prometheus_client"):
    pytest.importorskip(package, reason="needs the extra `serve`")

from processors.serving.application import Application  # noqa: E402
from processors.serving.binding import Offer  # noqa: E402
from processors.serving.client import Client, Ear, connect  # noqa: E402
from processors.serving.limits import Limits  # noqa: E402
from processors.serving.protocol import Ended, ServerEvent, Sound, Transcript, Turn  # noqa: E402
from processors.serving.server import listen, serving  # noqa: E402

RATE = 16_000
TALK = """
processors:
  mic: {use: audio_source, path: nothing.wav}
  typed: {use: text_source, lines: [nothing]}
  pictures: {use: image_source, path: nothing.png}
  gate: {use: vad_gate, engine: energy}
  gemini:
    use: live_api
    vad: {silence_ms: 300}
    typed: interrupt
    limit: {sessions: 100}
  speaker: {use: audio_sink, path: nowhere.wav, realtime: true}
flow:
  - mic -> gate -> gemini -> speaker
  - typed -> gemini
  - pictures -> gemini
"""
BOUND: dict[str, Any] = {
    "mic": "microphone",
    "typed": "keyboard",
    "pictures": "camera",
    "speaker": "loudspeaker",
}


class Served:
    """A running server and where it is."""

    def __init__(self, application: Application, port: int, server: Any) -> None:
        self.connections = server.server_state.connections
        self.application = application
        self.lobby = application.lobby
        self.http = f"http://127.0.0.1:{port}"
        self.url = f"ws://127.0.0.1:{port}/session"


@asynccontextmanager
async def served(folder: Path, text: str = TALK, **settings: Any) -> AsyncIterator[Served]:
    config = folder / "talk.yaml"
    config.write_text(text)
    limits = Limits(**settings.pop("limits", {}))
    bound = settings.pop("bound", BOUND)
    private, cert = settings.pop("private", False), settings.pop("cert", None)
    offer = Offer(config, bound, folder / "files", private=private)
    application = Application(offer, limits, loopback=True, **settings)
    listener = listen("127.0.0.1", 0)
    async with serving(application, listener, limits, cert=cert) as server:
        yield Served(application, listener.getsockname()[1], server)


def buzz(seconds: float, rate: int = RATE) -> bytes:
    """What a VAD takes for speech."""
    t = np.arange(round(seconds * rate)) / rate
    sound = sum((np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12)), np.zeros_like(t))
    return (4000 * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)) * sound).astype("<i2").tobytes()


def silence(seconds: float, rate: int = RATE) -> bytes:
    return bytes(2 * round(seconds * rate))


async def speak(client: Client, pcm: bytes, rate: int = RATE) -> None:
    """In real time, 20 ms at a time."""
    size = rate // 50 * 2
    begin = anyio.current_time()
    for number, offset in enumerate(range(0, len(pcm), size)):
        await anyio.sleep_until(begin + number * 0.02)
        await client.speak(pcm[offset : offset + size])


class Talk:
    """A client that plays what comes, and keeps all that it is told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.ear = Ear()
        self.events: list[ServerEvent] = []
        self.sounds: list[Sound] = []
        self._changed = anyio.Event()
        self.over = False

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self.ear.play, self.client)
            async for message in self.client:
                self.ear.take(message)
                if isinstance(message, Sound):
                    self.sounds.append(message)
                else:
                    self.events.append(message)
                self._notify()
            self.over = True
            self._notify()
            group.cancel_scope.cancel()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def said(self, speaker: str) -> list[str]:
        return [t.text for t in self.of(Transcript) if t.final and t.speaker == speaker]

    @property
    def turns(self) -> list[str]:
        return [turn.state for turn in self.of(Turn)]

    @property
    def reason(self) -> str | None:
        return next((event.reason for event in self.of(Ended)), None)

    async def until(self, what: Any) -> None:
        """Wait until `what()` is true."""
        while not what():
            assert not self.over, self.events
            await self._changed.wait()

    async def until_over(self) -> None:
        while not self.over:
            await self._changed.wait()


@asynccontextmanager
async def talking(url: str, **settings: Any) -> AsyncIterator[Talk]:
    async with connect(url, **settings) as client, anyio.create_task_group() as group:
        talk = Talk(client)
        group.start_soon(talk.run)
        yield talk
        group.cancel_scope.cancel()
