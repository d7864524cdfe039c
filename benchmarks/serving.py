"""Sessions of `pipeline serve` on one core, while everyone's microphone is on.

The whole path: clients send 20 ms of sound each 20 ms over websockets; each has a graph of its own
(microphone, live_api, speaker), which talks with a local Live API; a second of speech in each turn
of 5 s is answered aloud. Measured: how late a message with sound reaches its client, relative to
the most timely one of its answer, which contains what the clients and the local Live API do to it
on the other cores; from the end of the user's turn to the first sound; the server's processor
time. Counted: whole answers. Not measured: the network.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from benchmarks.harness import machine
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound
from benchmarks.local_live_api import (
    FRAME_S,
    PACE,
    SILENCE_MS,
    TURN,
    server_process,
    speak,
    speech,
)

SESSIONS, TURNS = 100, 3
LATEST_MS = 40.0
CONFIG = """
processors:
  mic: {{use: audio_source, path: bound.wav}}
  gemini:
    use: live_api
    url: {url}
    vad: {{silence_ms: {silence_ms}}}
    limit: {{sessions: {sessions}}}
  speaker: {{use: audio_sink, path: bound.wav, realtime: true}}
flow:
  - mic -> gemini -> speaker
"""


# --- the clients, in a process on the other cores ---


class Session:
    """One client, and what was measured of it, in seconds."""

    def __init__(self) -> None:
        self.connection: ClientConnection | None = None
        self.over_at = 0.0
        self.answers = 0
        self.waits: list[float] = []
        self.lateness: list[float] = []
        self._pieces: list[tuple[float, float]] = []

    async def run(self, url: str, opens: float) -> None:
        """Connect at this time, and listen until the connection is closed."""
        from processors.serving.protocol import SUBPROTOCOL, Played, Start, decode_sound, encode

        await anyio.sleep(max(0.0, opens - time.perf_counter()))
        connection = await connect(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            proxy=None,
            compression=None,
            ping_interval=None,
            open_timeout=None,
        )
        await connection.send(encode(Start()).decode())
        await connection.recv()
        self.connection = connection
        async for data in connection:
            now = time.perf_counter()
            if isinstance(data, bytes):
                sound = decode_sound(data)
                self._pieces.append((now, sound.ms))
            elif (event := json.loads(data))["type"] == "turn" and event["state"] == "ended":
                with suppress(ConnectionClosed):  # it leaves, and the server is late
                    await connection.send(encode(Played(event["turn"], 1e9, False)).decode())
                self._answered()

    def _answered(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces:
            self.answers += 1
            self.waits.append(pieces[0][0] - self.over_at)
            first = pieces[0][1]
            ahead = [arrived - (ms - first) / 1000 / PACE for arrived, ms in pieces]
            self.lateness += [moment - min(ahead) for moment in ahead]


def microphone() -> list[bytes]:
    """A turn of sound as masked websocket frames, ready to be written."""
    parts = np.split(speech(), TURN)
    return [Frame(Opcode.BINARY, part.tobytes()).serialize(mask=True) for part in parts]


async def talk(pipe: Connection, url: str, count: int, turns: int) -> dict[str, Any]:
    """Run so many clients; tell when all are on, and when they begin to leave."""

    async def mark() -> None:
        await anyio.sleep(lead + TURN * FRAME_S)
        pipe.send("on")
        await anyio.sleep((turns - 1) * TURN * FRAME_S)
        pipe.send("off")

    lead = 2.0
    sessions = [Session() for _ in range(count)]
    starts = [TURN * FRAME_S * number / count for number in range(count)]
    began = time.perf_counter() + lead
    async with anyio.create_task_group() as group:
        for session, start in zip(sessions, starts, strict=True):
            group.start_soon(session.run, url, began + start - lead)
        group.start_soon(mark)
        writes = await speak(sessions, microphone(), began, turns)
        async with anyio.create_task_group() as leaving:
            for session in sessions:
                if session.connection is not None:
                    leaving.start_soon(session.connection.close)
        group.cancel_scope.cancel()
    return {
        "answers": sum(session.answers for session in sessions),
        "waits": [wait for session in sessions for wait in session.waits],
        "lateness": [moment for session in sessions for moment in session.lateness],
        "writes": writes,
    }


def run_clients(pipe: Connection, sessions: int, turns: int) -> None:
    """The process of the clients."""
    machine.elsewhere()
    pipe.send(anyio.run(talk, pipe, pipe.recv(), sessions, turns))


@contextmanager
def clients(sessions: int, turns: int) -> Iterator[Connection]:
    """The other end of the clients' pipe."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=run_clients, args=(theirs, sessions, turns))
    process.start()
    theirs.close()
    try:
        yield ours
        process.join(30)
    finally:
        process.kill()
        process.join()


# --- the server, in this process ---


async def serve(
    pipe: Connection, live_api: str, folder: Path, sessions: int
) -> tuple[dict[str, Any], float]:
    """Serve until the clients are done; what they say, and the share of a core that it took."""
    from processors.serving.application import Application
    from processors.serving.binding import Offer
    from processors.serving.limits import Limits
    from processors.serving.server import listen, serving

    config = folder / "talk.yaml"
    text = CONFIG.format(url=live_api, silence_ms=SILENCE_MS, sessions=sessions)
    await anyio.Path(config).write_text(text)
    bindings = {"mic": "microphone", "speaker": "loudspeaker"}
    offer = Offer(config, bindings, folder)
    application = Application(offer, Limits(sessions=sessions), loopback=True)
    listener = listen("127.0.0.1", 0)
    marks: list[tuple[float, float]] = []
    async with serving(application, listener, application.lobby.limits):
        pipe.send(f"ws://127.0.0.1:{listener.getsockname()[1]}/session")
        while isinstance(said := await anyio.to_thread.run_sync(pipe.recv), str):
            marks.append((time.perf_counter(), time.process_time()))
    (on, used_on), (off, used_off) = marks
    return said, (used_off - used_on) / (off - on)


def figures(sessions: int, turns: int) -> tuple[dict[str, float], dict[str, int]]:
    """One load, in the columns of the table."""
    with (
        TemporaryDirectory() as folder,
        server_process(sessions, turns) as live_api,
        clients(sessions, turns) as pipe,
    ):
        found, core = anyio.run(serve, pipe, live_api.url, Path(folder), sessions)
    found_figures = {
        "a core holds": sessions / core,
        "audio late, p50": _percentile(found["lateness"], 50),
        "audio late, p99": _percentile(found["lateness"], 99),
        "answer, p99": _percentile(found["waits"], 99),
        "clients late, p99": _percentile(found["writes"], 99),
    }
    return found_figures, {"answers": found["answers"]}


def _percentile(seconds: list[float], which: float) -> float:
    """In milliseconds."""
    return float(np.percentile(seconds, which)) * 1000


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    sessions = rounds.size(SESSIONS, 20)
    name = f"{sessions} sessions"
    late = ("audio late, p50", "audio late, p99", "answer, p99", "clients late, p99")
    section.units = {"a core holds": "sessions, if linear"} | dict.fromkeys(late, "ms")
    settings = {"sessions": sessions, "turns": rounds.size(TURNS, 2)}
    subject = Subject("benchmarks.serving:figures", settings, needs="starlette")
    rounds.alternate({name: subject}, section)
    bound(section, "audio late, p99", name, at_most=LATEST_MS)
