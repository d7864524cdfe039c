"""A service that a test writes by hand, and a graph that talks to it or to the local Live API."""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.exceptions import ConnectionClosed

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Graph,
    ImageFrame,
    Processor,
    ProcessorFailure,
    Report,
    Run,
    SessionEvent,
    Sink,
    Source,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    Transcript,
    TurnEnded,
)
from pipeline.testing import Collect
from processors.live_api.transport import LiveApi
from processors.tools.dispatcher import ToolDispatcher

RATE, OUTPUT_RATE = 16_000, 24_000
HELLO = TextFrame("Hello")
DONE = {"serverContent": {"turnComplete": True}}


# --- the service's side ---


class Wire:
    """One connection to a service that a test writes by hand."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.received: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.opened = anyio.current_time()
        self.closed = float("inf")
        """When the client had left."""

    async def send(self, message: dict[str, Any] | str | bytes) -> None:
        """A message as the service writes it, or the bytes or the text of a frame."""
        if isinstance(message, dict):
            message = json.dumps(message, indent=2).encode() + b"\n"
        await self.socket.send(message)

    async def send_audio(self, seconds: float) -> None:
        data = np.ones(round(OUTPUT_RATE * seconds), "<i2").tobytes()
        blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(data).decode()}
        await self.send({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}})

    async def send_text(self, text: str) -> None:
        await self.send({"serverContent": {"modelTurn": {"parts": [{"text": text}]}}})

    async def call(self, name: str, id: str = "", **args: Any) -> None:
        function = {"name": name, "args": args} | ({"id": id} if id else {})
        await self.send({"toolCall": {"functionCalls": [function]}})

    async def receive(self) -> dict[str, Any]:
        frame = await self.socket.recv()
        assert isinstance(frame, str)
        message: dict[str, Any] = json.loads(frame)
        assert len(message) == 1
        self.received.append(message)
        self.times.append(anyio.current_time())
        return message

    async def set_up(self, handle: str = "") -> dict[str, Any]:
        """Take the setup; `handle`: for the session as it is now."""
        setup: dict[str, Any] = (await self.receive())["setup"]
        await self.send({"setupComplete": {}})
        if handle:
            await self.update(handle)
        return setup

    async def update(self, handle: str, consumed: int | None = None) -> None:
        number = {} if consumed is None else {"lastConsumedClientMessageIndex": str(consumed)}
        await self.send(
            {"sessionResumptionUpdate": {"newHandle": handle, "resumable": True, **number}}
        )

    async def go_away(self, seconds: float) -> None:
        await self.send({"goAway": {"timeLeft": f"{seconds:g}s"}})

    def cut(self) -> None:
        """Without a close frame."""
        self.socket.transport.abort()

    async def until(self, kind: str) -> dict[str, Any]:
        while kind not in kinds([message := await self.receive()]):
            pass
        return message

    async def listen(self) -> None:
        """Until the client leaves."""
        with suppress(ConnectionClosed):
            while True:
                await self.receive()


Handler = Callable[[Wire], Awaitable[None]]


def answers_to(kind: str) -> Handler:
    """A service that answers every message of a kind, and gives out a handle each time."""

    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        with suppress(ConnectionClosed):
            while True:
                await wire.until(kind)
                await wire.send_text("Good.")
                await wire.send(DONE)
                await wire.update("h")

    return answer


@asynccontextmanager
async def service(handler: Handler) -> AsyncIterator[tuple[str, list[Wire]]]:
    """Its address and its connections. What goes wrong in `handler` is raised at the end."""
    wires: list[Wire] = []
    errors: list[Exception] = []

    async def handle(socket: ServerConnection) -> None:
        wires.append(Wire(socket))
        wire = wires[-1]
        try:
            await handler(wire)
            await wire.listen()
        except Exception as error:
            errors.append(error)
        await socket.wait_closed()
        wire.closed = anyio.current_time()

    async with serve_websocket(handle, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws", wires
    if errors:
        raise errors[0]


def in_turn(*handlers: Handler) -> Handler:
    """One connection after the other; the last handler for all that follow."""
    left = list(handlers)

    async def handle(wire: Wire) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(wire)

    return handle


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    """What each message is; of realtime input, its field."""
    return [
        next(iter(value)) if key == "realtimeInput" else key
        for message in messages
        for key, value in message.items()
    ]


def typed(wire: Wire) -> list[str]:
    """The lines that came as content."""
    contents = [message["clientContent"] for message in wire.received if "clientContent" in message]
    return [turn["parts"][0]["text"] for content in contents for turn in content["turns"]]


def sound_of(wire: Wire) -> np.ndarray:
    """The samples that came, in order: int16 (n,)."""
    audio = [m["realtimeInput"]["audio"] for m in wire.received if "audio" in kinds([m])]
    return np.frombuffer(b"".join(base64.b64decode(blob["data"]) for blob in audio), "<i2")


# --- the client's side ---

Says = AudioFrame | ImageFrame | TextFrame | SpeechStarted | SpeechEnded


class User(Source):
    """A source whose frames are given, or come from an async generator."""

    def __init__(self, *frames: Says, script: Callable[[], AsyncIterator[Says]] | None = None):
        self._frames = frames
        self._script = script

    async def frames(self) -> AsyncIterator[Says]:
        for frame in self._frames:
            yield frame
        if self._script is not None:
            async for frame in self._script():
                yield frame


async def run(
    user: Source, live: LiveApi, *others: Processor, sink: Sink | None = None, tools: Any = ()
) -> tuple[list[Any], Report]:
    """Run `user -> others -> live -> output`, `live <-> tools`; what came out, and the report."""
    output = Collect()
    processors: dict[str, Processor] = {"user": user, "live": live, "output": sink or output}
    chain = ["user"]
    for number, other in enumerate(others):
        processors[f"other{number}"] = other
        chain.append(f"other{number}")
    flow = [" -> ".join([*chain, "live", "output"])]
    for number, dispatcher in enumerate(tools):
        processors[f"tools{number}"] = dispatcher
        flow.append(f"live <-> tools{number}")
    report = await Run(Graph(processors, flow)).execute()
    return output.frames, report


async def fails(user: Source, live: LiveApi, **others: Any) -> str:
    """The message of the failure that the run ends with."""
    with pytest.raises(ProcessorFailure) as raised:
        await run(user, live, **others)
    assert raised.value.processor == "live"
    message = str(raised.value)
    assert message.startswith('processor "live" failed')
    assert "\n" not in message
    return message


def of(kind: type[Any], frames: list[Frame]) -> list[Any]:
    return [frame for frame in frames if isinstance(frame, kind)]


def lines(frames: list[Frame]) -> list[tuple[str, str]]:
    return [(line.speaker.value, line.text) for line in of(Transcript, frames) if line.final]


def events(frames: list[Frame]) -> list[tuple[str, str]]:
    return [(event.kind, event.detail) for event in of(SessionEvent, frames)]


def happened(frames: list[Frame]) -> list[str]:
    return [event.kind for event in of(SessionEvent, frames)]


def chunks(samples: np.ndarray, start: float = 0) -> Iterator[AudioFrame]:
    size = RATE // 50
    for offset in range(0, len(samples), size):
        pts = round(start * SECOND) + offset * SECOND // RATE
        yield AudioFrame(samples[offset : offset + size], RATE, pts=pts)


async def paced(samples: np.ndarray, start: float = 0) -> AsyncGenerator[AudioFrame, None]:
    """In real time."""
    for frame in chunks(samples, start):
        yield frame
        await anyio.sleep(0.02)


def noise(seconds: float) -> np.ndarray:
    count = round(RATE * seconds)
    return np.random.default_rng(5).integers(-(2**15), 2**15, (count, 1)).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros((round(RATE * seconds), 1), np.int16)


async def forever() -> AsyncIterator[AudioFrame]:
    while True:
        yield AudioFrame(silence(0.02), RATE)
        await anyio.sleep(0.02)


def after(seconds: float, *frames: Says) -> User:
    """A user who says this, and stays for so long."""

    async def script() -> AsyncIterator[Says]:
        for frame in frames:
            yield frame
        await anyio.sleep(seconds)

    return User(script=script)


def tools(*functions: Callable[..., Any], **settings: Any) -> ToolDispatcher:
    return ToolDispatcher([f"{__name__}:{each.__name__}" for each in functions], **settings)


async def get_weather(city: str) -> dict[str, str]:
    """Tells the weather."""
    await anyio.sleep(0.5)
    return {"city": city, "sky": "blue"}


async def get_time() -> str:
    return "noon"


class Player(Sink):
    """Plays in real time, and notes what it plays and when it is told to stop."""

    plays_media = True

    def __init__(self) -> None:
        self.events: list[tuple[str, int, float]] = []
        self.lines: list[Transcript] = []

    async def consume(self, frame: AudioFrame | TurnEnded | Transcript) -> None:
        if isinstance(frame, AudioFrame):
            self._note("audio", frame.turn)
            await anyio.sleep(frame.duration / SECOND)
        elif isinstance(frame, TurnEnded):
            self._note("ended", frame.turn)
        elif frame.final:
            self.lines.append(frame)

    def interrupted(self, turn: int) -> None:
        self._note("interrupted", turn)

    def _note(self, what: str, turn: int) -> None:
        self.events.append((what, turn, self.context.now() / SECOND))
