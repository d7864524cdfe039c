"""Live API sessions in real time through loopback websockets, in one process.

Every session sends 20 ms of 16 kHz sound each 20 ms and gets 40 ms back for every second message;
they are spread evenly over the 20 ms. Measured: how late a message is in the server, which has a
core of its own if there is one, after it was due at the source, so its own delay is in it; the
client's processor time per message sent, with what it receives meanwhile; and the most sessions
with a p99 under 20 ms, found to a tenth by bisection. Ours is the whole graph of source, Live
transport and sink; the floor writes and reads JSON on bare websockets. What is there when the last
session begins is spared from garbage collection, in all of them. All speak TLS, as the
service does and the SDK must. Checked: every message arrived, and every answer. Not measured:
compression, a network.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from statistics import quantiles
from time import process_time

import anyio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound, compare
from benchmarks.live_server import LiveServer, live_server, samples, sound
from benchmarks.parts import Measured
from benchmarks.sessions import FRAME_NS, Load, given, search
from pipeline import AudioFrame, Graph, Run, SessionEvent, Sink, Source

SESSIONS = 100
OURS, SDK, FLOOR = "ours", "official SDK", "bare websockets and json (floor)"
SETUP = {"setup": {"model": "models/m", "generationConfig": {"responseModalities": ["AUDIO"]}}}


class Microphone(Source):
    """Sound that says when it was due."""

    def __init__(self, load: Load, session: int) -> None:
        self.load, self.session = load, session

    async def frames(self) -> AsyncIterator[AudioFrame]:
        await self.load.started.wait()
        for number in range(self.load.frames):
            due = await self.load.until_due(self.session, number)
            yield AudioFrame(samples(due), 16_000, pts=number * FRAME_NS)


class Listener(Sink):
    """Counts answers, and says when the session has begun."""

    def __init__(self, load: Load) -> None:
        self.load, self.answers = load, 0

    async def consume(self, frame: AudioFrame | SessionEvent) -> None:
        if isinstance(frame, AudioFrame):
            self.answers += 1
        else:
            self.load.ready()


async def our_sessions(load: Load, server: LiveServer) -> int:
    """Our graphs; the answers that came."""
    from processors.live_api.settings import Limit
    from processors.live_api.transport import LiveApi

    listeners = []
    async with anyio.create_task_group() as group:
        for session in range(load.sessions):
            listeners.append(Listener(load))
            processors = {
                "microphone": Microphone(load, session),
                "live": LiveApi(
                    url=f"wss://{server.address}",
                    ca_file=str(server.ca_file),
                    limit=Limit(sessions=load.sessions),
                ),
                "listener": listeners[-1],
            }
            graph = Graph(processors, ["microphone -> live -> listener"])
            group.start_soon(Run(graph).execute)
    return sum(listener.answers for listener in listeners)


async def bare_sessions(load: Load, server: LiveServer) -> int:
    """The floor; the answers that came."""
    answers = 0
    context = ssl.create_default_context(cafile=server.ca_file)

    async def listen(connection) -> None:
        nonlocal answers
        try:
            while True:
                content = json.loads(await connection.recv(decode=False))["serverContent"]
                for part in content.get("modelTurn", {}).get("parts", ()):
                    answers += bool(base64.b64decode(part["inlineData"]["data"]))
                if content.get("turnComplete"):
                    return
        except ConnectionClosed:
            return

    async def session(number: int) -> None:
        plain = {"compression": None, "ping_interval": None, "proxy": None, "open_timeout": None}
        async with connect(f"wss://{server.address}", ssl=context, **plain) as connection:
            await connection.send(json.dumps(SETUP))
            await connection.recv()
            load.ready()
            await load.started.wait()
            listener = asyncio.create_task(listen(connection))
            for frame in range(load.frames):
                data = base64.b64encode(sound(await load.until_due(number, frame))).decode()
                audio = {"mimeType": "audio/pcm;rate=16000", "data": data}
                await connection.send(json.dumps({"realtimeInput": {"audio": audio}}))
            await listener

    async with anyio.create_task_group() as group:
        for number in range(load.sessions):
            group.start_soon(session, number)
    return answers


def measured(
    talk: Callable[[Load, LiveServer], Awaitable[int]], sessions: int, seconds: float
) -> Measured:
    """Let so many sessions talk; what the server and this process saw of it."""

    async def timed(server: LiveServer) -> tuple[Load, float, int]:
        load = Load(sessions, seconds)
        cpu = 0.0

        async def mark() -> None:
            nonlocal cpu
            await load.started.wait()
            cpu = process_time()

        async with anyio.create_task_group() as group:
            group.start_soon(mark)
            answers = await talk(load, server)
        return load, process_time() - cpu, answers

    with live_server(round(seconds * 50)) as server:
        load, cpu, answers = asyncio.run(timed(server))
        received = server.end()
    count = sessions * load.frames
    if len(received.lateness) != count or answers != sessions * (load.frames // 2):
        raise AssertionError(
            f"{len(received.lateness)} of {count} messages arrived, {answers} answers came"
        )
    points = quantiles(received.lateness, n=100)
    figures = {"p50": points[49] / 1e6, "p99": points[98] / 1e6}
    return figures | {"cpu a frame": cpu / count * 1e6}, {}


def ours(sessions: int, seconds: float) -> Measured:
    """Our graphs."""
    return measured(our_sessions, sessions, seconds)


def bare(sessions: int, seconds: float) -> Measured:
    """The floor."""
    return measured(bare_sessions, sessions, seconds)


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    here = "benchmarks.live_sessions"
    found = {
        OURS: Subject(f"{here}:ours", needs="trustme"),
        FLOOR: Subject(f"{here}:bare", needs="trustme", ours=False),
        SDK: Subject("benchmarks.peers.sdk:sessions", needs="google.genai", ours=False),
    }
    sessions = rounds.size(SESSIONS, 20)
    of = f"{sessions} sessions"
    section.units = {
        "most": "sessions",
        "p50": f"ms, {of}",
        "p99": f"ms, {of}",
        "cpu a frame": f"µs, {of}",
    }
    seconds = rounds.size(6.0, 2.0)
    rounds.alternate(given(found, sessions=sessions, seconds=seconds), section)
    search(rounds, section, found)
    bound(section, "p99", OURS, at_most=20)
    for column in ("most", "cpu a frame"):
        for other in (SDK, FLOOR):
            compare(section, column, OURS, other)
