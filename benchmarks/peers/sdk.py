"""The official SDK, google-genai: its messages, and its sessions."""

from __future__ import annotations

import asyncio
import os
from time import process_time

import anyio
from google import genai
from google.genai import types
from google.genai.live import AsyncSession

from benchmarks.live_server import LiveServer, sound
from benchmarks.live_sessions import measured
from benchmarks.parts import Measured
from benchmarks.sessions import Load
from benchmarks.wire import AUDIO, Work, digest, microphone, sent, server_turn

MODEL = "gemini-live-2.5-flash-preview"


class Wire:
    """In place of a websocket: gives what was put in, keeps what is sent."""

    def __init__(self, incoming: list[bytes]) -> None:
        self._incoming = iter(incoming)
        self.out: list[str] = []

    async def recv(self, decode: bool | None = None) -> bytes:
        """The next message."""
        return next(self._incoming)

    async def send(self, message: str) -> None:
        """Keep it."""
        self.out.append(message)


def wire(turns: int, seconds: int) -> tuple[dict[str, float], Work]:
    """Its messages, without a socket."""
    client = genai.Client(api_key="benchmark")
    raw = server_turn()

    async def timed() -> tuple[dict[str, float], Work]:
        socket = Wire(raw * turns)
        session = AsyncSession(client.aio.live._api_client, socket)
        messages = []
        began = process_time()
        for _ in range(turns):
            messages += [message async for message in session.receive()]
        decoding = process_time() - began
        parts = [sound.tobytes() for sound in microphone()]
        began = process_time()
        for number in range(50 * seconds):
            blob = types.Blob(data=parts[number % 50], mime_type=AUDIO)
            await session.send_realtime_input(audio=blob)
        encoding = process_time() - began
        heard = [
            part.inline_data.data
            for message in messages
            if message.server_content and message.server_content.model_turn
            for part in message.server_content.model_turn.parts
        ]
        received: Work = {"received sound": digest(heard), "received messages": len(messages)}
        figures = {
            "in": decoding / len(messages) * 1e6,
            "out": encoding / len(socket.out) * 1e6,
        }
        return figures, received | sent(socket.out)

    return asyncio.run(timed())


async def _talk(load: Load, server: LiveServer) -> int:
    """So many sessions, from one client; the answers that came."""
    os.environ["SSL_CERT_FILE"] = str(server.ca_file)
    options = types.HttpOptions(base_url=f"https://{server.address}")
    client = genai.Client(api_key="benchmark", http_options=options)
    config = types.LiveConnectConfig(response_modalities=["AUDIO"])
    answers = 0

    async def listen(session: AsyncSession) -> None:
        nonlocal answers
        async for message in session.receive():  # until the turn is complete
            content = message.server_content
            if content is not None and content.model_turn is not None:
                answers += len(content.model_turn.parts)

    async def session(number: int) -> None:
        async with client.aio.live.connect(model=MODEL, config=config) as session:
            load.ready()
            await load.started.wait()
            listener = asyncio.create_task(listen(session))
            for frame in range(load.frames):
                data = sound(await load.until_due(number, frame))
                blob = types.Blob(data=data, mime_type=AUDIO)
                await session.send_realtime_input(audio=blob)
            await listener

    async with anyio.create_task_group() as group:
        for number in range(load.sessions):
            group.start_soon(session, number)
    return answers


def sessions(sessions: int, seconds: float) -> Measured:
    """Its sessions in real time."""
    return measured(_talk, sessions, seconds)
