"""Sessions on one process of the local Live API, while everyone's microphone is on.

Every session sends 20 ms of audio each 20 ms, in the spelling of the official SDK: a second of
speech in each turn, and silence, in which it is answered. Measured while all of them are on: the
server's processor time; over the whole run: how late its messages are. Counted: whole answers.
Not measured: the network and the clients, which write frames that were made beforehand. The server
is on a core of its own if there is one.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol

import anyio
import anyio.lowlevel
import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from benchmarks.harness import machine
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject

SESSIONS, TURNS = 200, 3
RATE, FRAME_S = 16_000, 0.02
BEFORE, SPEECH, TURN = 25, 50, 250
"""In frames: the silence before the speech, the speech, and the whole of a turn."""
SILENCE_MS = 500
"""How long the server is told to wait for more speech."""
OVER = BEFORE + SPEECH + int(SILENCE_MS / 1000 / FRAME_S) - 1
"""The frame with which the user's turn is over."""
LEAD = 1.0
"""Seconds from connecting to the first audio."""
PACE = 5
"""How much faster than it is spoken the server sends its speech."""
ANSWER = "One two three four five six."
SETUP = {
    "model": "models/gemini-live-2.5-flash-preview",
    "generationConfig": {"responseModalities": ["AUDIO"]},
    "realtimeInputConfig": {"automatic_activity_detection": {"silence_duration_ms": SILENCE_MS}},
}


def speech() -> NDArray[np.int16]:
    """A turn of audio, with what sounds like speech near its beginning."""
    t = np.arange(SPEECH * FRAME_S * RATE) / RATE
    buzz = sum((np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12)), np.zeros_like(t))
    samples = np.zeros(int(TURN * FRAME_S * RATE), "<i2")
    first = int(BEFORE * FRAME_S * RATE)
    samples[first : first + len(t)] = 5000 * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)) * buzz
    return samples


def microphone() -> list[bytes]:
    """A turn of audio as masked websocket frames, ready to be written."""
    frames = []
    for part in np.split(speech(), TURN):
        data = urlsafe_b64encode(part.tobytes()).decode()
        message = {"realtime_input": {"audio": {"data": data, "mime_type": "audio/pcm;rate=16000"}}}
        frames.append(Frame(Opcode.TEXT, json.dumps(message).encode()).serialize(mask=True))
    return frames


# --- the server, in a process of its own ---


class Times(NamedTuple):
    """Of a process, in seconds since some moment."""

    wall: float
    processor: float
    kept_waiting: float


def serve_until_told(pipe: Connection, sessions: int, turns: int) -> None:
    """Serve, say where, and then the times so far as often as asked."""
    from processors.local_live_api.server import serve
    from processors.local_live_api.switches import Switches

    def tell() -> None:
        while pipe.recv():
            waited = machine.kept_waiting()
            pipe.send(Times(time.perf_counter(), time.process_time(), waited))

    async def run(scenario: Path) -> None:
        switches = Switches(sessions=sessions, pace=PACE)
        async with serve(scenario=scenario, switches=switches) as server:
            pipe.send(server.url)
            await anyio.to_thread.run_sync(tell)

    machine.elsewhere()
    with TemporaryDirectory() as folder:
        scenario = Path(folder) / "scenario.yaml"
        turn = {"expect": "speech", "then": [{"say": ANSWER}]}
        scenario.write_bytes(msgspec.yaml.encode({"turns": [turn] * turns}))
        anyio.run(run, scenario)


class ServerProcess:
    """A running server, seen from here."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def times(self) -> Times:
        """Those so far."""
        self._pipe.send(True)
        times: Times = self._pipe.recv()
        return times


@contextmanager
def server_process(sessions: int, turns: int) -> Iterator[ServerProcess]:
    """Run a server for so many sessions, which answers so many turns of each."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve_until_told, args=(theirs, sessions, turns))
    process.start()
    theirs.close()
    try:
        yield ServerProcess(ours)
        ours.send(False)
        process.join(30)
    finally:
        process.kill()
        process.join()


# --- the clients ---


class Blob(Struct):
    """Audio; the base64 is enough to count it by."""

    data: str


class Part(Struct, rename="camel"):
    """A part of an answer."""

    inline_data: Blob | None = None


class ModelTurn(Struct, frozen=True):
    """A piece of an answer."""

    parts: list[Part] = []


class Content(Struct, frozen=True, rename="camel"):
    """What is looked at in a server message."""

    model_turn: ModelTurn = ModelTurn()
    turn_complete: bool = False


class Message(Struct, rename="camel"):
    """A server message."""

    server_content: Content = Content()


class Session:
    """One connection, and what was measured on it, in seconds."""

    def __init__(self) -> None:
        self.connection: ClientConnection | None = None
        self.setup = 0.0
        self.over_at = 0.0
        """When the end of the user's turn was sent last."""
        self.answers: list[int] = []
        """Characters of audio in each whole answer."""
        self.waits: list[float] = []
        """From the end of the user's turn to the answer."""
        self.lateness: list[float] = []
        """Of each piece of an answer, relative to its most timely piece."""
        self._pieces: list[tuple[float, int]] = []

    async def run(self, url: str, opens: float) -> None:
        """Connect at this time, and listen until the connection is closed."""
        await anyio.sleep(max(0.0, opens - time.perf_counter()))
        headers = {"x-goog-api-key": "benchmark"}
        connection = await connect(
            url,
            additional_headers=headers,
            proxy=None,
            compression=None,
            ping_interval=None,
            open_timeout=None,
        )
        began = time.perf_counter()
        await connection.send(json.dumps({"setup": SETUP}))
        await connection.recv()
        self.setup = time.perf_counter() - began
        self.connection = connection
        decoder = msgspec.json.Decoder(Message)
        async for data in connection:
            now = time.perf_counter()
            content = decoder.decode(data).server_content
            for part in content.model_turn.parts:
                if part.inline_data is not None:
                    self._pieces.append((now, len(part.inline_data.data)))
            if content.turn_complete:
                self._answered()

    def _answered(self) -> None:
        pieces, self._pieces = self._pieces, []
        if not pieces:
            return
        self.waits.append(pieces[0][0] - self.over_at)
        ahead, before = [], 0
        for arrived, length in pieces:
            spoken = before * 3 / 4 / 2 / 24_000  # base64 of 16-bit samples
            ahead.append(arrived - spoken / PACE)
            before += length
        self.lateness += [moment - min(ahead) for moment in ahead]
        self.answers.append(before)


class Speaking(Protocol):
    """Whoever has a connection; None before it is open.

    over_at: when the end of the user's turn was sent last.
    """

    connection: ClientConnection | None
    over_at: float


async def speak(
    sessions: Sequence[Speaking], frames: list[bytes], began: float, turns: int
) -> list[float]:
    """Write everyone's audio in time, from one task; how late each write was, in seconds.

    frames: a turn of it, over the length of which the sessions begin one after the other.
    """
    count, total, late = len(sessions), turns * TURN, []
    begins = [divmod(TURN * number, count) for number in range(count)]
    order = sorted(range(count), key=lambda number: begins[number][1])
    for period in range(total + TURN):
        await anyio.lowlevel.checkpoint()  # lets the listeners run even if it is late all the time
        for number in order:
            first, offset = begins[number]
            frame, session = period - first, sessions[number]
            if not 0 <= frame < total:
                continue
            due = began + (period + offset / count) * FRAME_S
            if (early := due - time.perf_counter()) > 0:
                await anyio.sleep(early)
            if session.connection is None:  # the server is late: this turn will lack an answer
                continue
            session.connection.transport.write(frames[frame % TURN])
            now = time.perf_counter()
            late.append(now - due)
            if frame % TURN == OVER:
                session.over_at = now
    return late


# --- the measurement ---


class Load(Struct):
    """What was measured; times in seconds."""

    sessions: int
    core: float
    """The server's share of a processor core while all sessions are on."""
    kept_waiting: float
    """The share of time in which it could have worked but others had the processor: if it is not
    small, the figures tell more of the others."""
    client_core: float
    per_message: float
    """The server's processor time for each message sent to it, its answers included; too little
    if it falls behind."""
    messages: float
    """Sent to it in a second."""
    setups: list[float]
    waits: list[float]
    lateness: list[float]
    writes: list[float]
    answered: int
    expected: int


async def load(server: ServerProcess, count: int, turns: int) -> Load:
    """Run so many sessions of so many turns."""
    looks: list[tuple[Times, float]] = []

    async def watch() -> None:
        """Look at the processor when everyone is on, and before anyone leaves."""
        for seconds in (LEAD + TURN * FRAME_S, (turns - 1) * TURN * FRAME_S):
            await anyio.sleep(seconds)
            times = await anyio.to_thread.run_sync(server.times)
            looks.append((times, time.process_time()))

    sessions = [Session() for _ in range(count)]
    starts = [TURN * FRAME_S * number / count for number in range(count)]
    began = time.perf_counter() + LEAD
    async with anyio.create_task_group() as group:
        for session, start in zip(sessions, starts, strict=True):
            group.start_soon(session.run, server.url, began + start - LEAD)
        group.start_soon(watch)
        writes = await speak(sessions, microphone(), began, turns)
        async with anyio.create_task_group() as leaving:
            for session in sessions:
                if session.connection is not None:
                    leaving.start_soon(session.connection.close)
        group.cancel_scope.cancel()

    (first, own_first), (last, own_last) = looks
    wall, used = last.wall - first.wall, last.processor - first.processor
    messages = count / FRAME_S
    answers = Counter(length for session in sessions for length in session.answers)
    return Load(
        sessions=count,
        core=used / wall,
        client_core=(own_last - own_first) / wall,
        kept_waiting=(last.kept_waiting - first.kept_waiting) / wall,
        per_message=used / wall / messages,
        messages=messages,
        setups=[session.setup for session in sessions if session.connection],
        waits=[wait for session in sessions for wait in session.waits],
        lateness=[moment for session in sessions for moment in session.lateness],
        writes=writes,
        answered=max(answers.values(), default=0),
        expected=count * turns,
    )


def figures(sessions: int, turns: int) -> dict[str, float]:
    """One load on one server, in the columns of the table."""
    with server_process(sessions, turns) as server:
        found = anyio.run(load, server, sessions, turns)
    if found.answered != found.expected:
        raise AssertionError(f"{found.answered} whole answers of {found.expected}")
    return {
        "a message": found.per_message * 1e6,
        "a core holds": sessions / found.core,
        "setup, p99": _p99(found.setups),
        "answer, p99": _p99(found.waits),
        "audio late, p99": _p99(found.lateness),
        "clients late, p99": _p99(found.writes),
    }


def _p99(seconds: list[float]) -> float:
    """In milliseconds."""
    return float(np.percentile(seconds, 99)) * 1000


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    sessions = rounds.size(SESSIONS, 40)
    settings = {"sessions": sessions, "turns": rounds.size(TURNS, 2)}
    section.units = {"a message": "µs of cpu", "a core holds": "sessions, if linear"}
    late = ("setup, p99", "answer, p99", "audio late, p99", "clients late, p99")
    section.units |= dict.fromkeys(late, "ms")
    subject = Subject("benchmarks.local_live_api:figures", settings)
    rounds.alternate({f"{sessions} sessions": subject}, section)
