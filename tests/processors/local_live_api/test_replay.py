"""Replays over loopback: the client of a recording, and clients that do otherwise."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from pipeline import Finding, SettingError
from pipeline.testing import VirtualTimeLoop
from processors.live_api.recording import Recorder, Sent, read_recording
from processors.local_live_api.fault_kinds import Cut
from processors.local_live_api.faults import Faults
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

KEY = "a-key-that-is-secret"
SETUP = '{"setup": {"model": "m", "generationConfig": {"responseModalities": ["TEXT"]}}}'
RATE = 16_000
CHUNK = RATE // 25
SPEECH = synthesize("What will the weather be like in Lisbon?", rate=RATE)
SCENARIO = Scenario(
    [
        Turn(
            [
                Step(call=[Call("get_time", {"city": "Lisbon"}), Call("get_name")]),
                Step(say="It is noon."),
            ],
            "text",
        ),
        Turn([Step(transcript="What is the weather?"), Step(say="It is fine.")], "speech"),
    ]
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "local_live_api")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


# --- a client that can be recorded ---


class Client:
    """One connection. `sent` and `received` are what has gone over it."""

    def __init__(self, socket: ClientConnection, recorder: Recorder | None, number: int) -> None:
        self._socket = socket
        self._recorder = recorder
        self._number = number
        self.received: list[tuple[float, dict[str, Any]]] = []
        self.answers: dict[str, dict[str, Any]] = {
            "get_time": {"output": "noon"},
            "get_name": {"output": "Ada"},
        }

    async def send(self, **message: Any) -> None:
        data = json.dumps(message)
        await self._socket.send(data)
        if self._recorder is not None:
            self._recorder.sent(self._number, data)

    async def receive(self) -> dict[str, Any]:
        data = await self._socket.recv()
        if self._recorder is not None:
            self._recorder.received(self._number, data)
        message: dict[str, Any] = json.loads(data)
        self.received.append((anyio.current_time(), message))
        return message

    async def until(self, *names: str) -> dict[str, Any]:
        """The next message with one of these fields, also one level down."""
        while True:
            message = await self.receive()
            for name in names:
                if name in message or any(name in field for field in message.values()):
                    return message

    async def set_up(self, **fields: Any) -> None:
        setup = {"model": "m", "generationConfig": {"responseModalities": ["TEXT"]}, **fields}
        await self.send(setup=setup)
        await self.until("setupComplete")

    async def type(self, text: str) -> None:
        turn = {"parts": [{"text": text}]}
        await self.send(clientContent={"turns": [turn], "turnComplete": True})

    async def answer(self, message: dict[str, Any], order: int = 1, together: bool = True) -> None:
        """Answer the calls of a message as `answers` has it."""
        answers = [
            {"id": call["id"], "name": call["name"], "response": self.answers[call["name"]]}
            for call in message["toolCall"]["functionCalls"][::order]
        ]
        for group in [answers] if together else [[one] for one in answers]:
            await self.send(toolResponse={"functionResponses": group})

    async def stream(self, seconds: float, chunk: int = CHUNK) -> None:
        """Stream speech, and silence after it."""
        samples = SPEECH[: round(seconds * RATE)].tobytes()
        samples += bytes(2 * round(seconds * RATE) - len(samples))
        for start in range(0, len(samples), 2 * chunk):
            await anyio.sleep(chunk / RATE)
            data = base64.b64encode(samples[start : start + 2 * chunk]).decode()
            await self.send(realtimeInput={"audio": {"mimeType": "audio/pcm", "data": data}})

    async def close(self) -> None:
        await self._socket.close()
        if self._recorder is not None:
            self._recorder.closed(self._number, 1000, "", "client")

    async def closed(self) -> tuple[int | None, str | None]:
        """How the server ends it."""
        with suppress(ConnectionClosed):
            while True:
                await self.receive()
        return self._socket.close_code, self._socket.close_reason


@asynccontextmanager
async def dial(server: LocalLiveApi, recorder: Recorder | None = None) -> AsyncIterator[Client]:
    url = f"{server.url}?key={KEY}"
    async with connect(url, proxy=None, ping_interval=None, compression=None) as socket:
        number = recorder.opened(url, "local") if recorder is not None else 0
        client = Client(socket, recorder, number)
        yield client
        await client.close()


Behaviour = Callable[[Client], Awaitable[None]]


async def usual(client: Client) -> None:
    """The conversation that is recorded."""
    await conversation(client)


async def conversation(
    client: Client,
    *,
    text: str = "What is the time?",
    seconds: float = 3.0,
    chunk: int = CHUNK,
    order: int = 1,
    together: bool = True,
    stream_end: bool = True,
    **setup: Any,
) -> None:
    await client.set_up(**setup)
    await client.type(text)
    await client.answer(await client.until("toolCall"), order, together)
    await client.until("turnComplete")
    await client.stream(seconds, chunk)
    if stream_end:
        await client.send(realtimeInput={"audioStreamEnd": True})
    await client.until("turnComplete")


async def record(file: Path, *behaviours: Behaviour, **settings: Any) -> list[Client]:
    """Record these, one after the other, with the local Live API."""
    clients = []
    with Recorder(file) as recorder:
        async with serve(scenario=settings.pop("scenario", SCENARIO), **settings) as server:
            for behaviour in behaviours:
                async with dial(server, recorder) as client:
                    await behaviour(client)
                    clients.append(client)
    return clients


async def replay(file: Path, *behaviours: Behaviour, **settings: Any) -> list[Finding]:
    """What is found when these meet the recording."""
    async with serve(replay=file, **settings) as server:
        for behaviour in behaviours:
            async with dial(server) as client:
                await behaviour(client)
        await anyio.sleep(1)
        return server.findings + server.left_over()


def line_of(file: Path, *, has: str) -> int:
    """The first line with a message of the client's that has this."""
    return next(
        number
        for number, event in read_recording(file)
        if isinstance(event, Sent) and has in json.dumps(event.message)
    )


def holds(file: Path, text: str) -> bool:
    return text in file.read_text()


def rewrite(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new))


def found(findings: list[Finding]) -> list[tuple[int, str]]:
    assert all(finding.code == "replay" for finding in findings)
    return [(finding.place.line, finding.message) for finding in findings if finding.place]


# --- the same client again ---


async def test_the_same_client_meets_the_same_conversation(file: Path) -> None:
    again: list[Client] = []

    async def same(client: Client) -> None:
        again.append(client)
        await usual(client)

    (first,) = await record(file, usual)
    assert await replay(file, same) == []
    assert [message for _, message in again[0].received] == [m for _, m in first.received]
    begins = [client.received[0][0] for client in (first, again[0])]
    times = [
        [at - begin for at, _ in client.received]
        for client, begin in zip((first, again[0]), begins, strict=True)
    ]
    assert times[1] == pytest.approx(times[0], abs=1e-3)
    assert not holds(file, KEY)


@pytest.mark.parametrize(
    "deviation",
    [
        {"chunk": 1000},
        {"chunk": 30_000},
        {"seconds": 2.8},
        {"seconds": 3.2},
        {"order": -1},
        {"together": False},
        {"together": False, "order": -1},
        {"model": "projects/p/locations/l/publishers/google/models/m"},
    ],
)
async def test_what_means_the_same_is_the_same(file: Path, deviation: dict[str, Any]) -> None:
    await record(file, usual)
    assert await replay(file, lambda client: conversation(client, **deviation)) == []


async def test_typed_text_may_be_realtime_text(file: Path) -> None:
    async def typing(client: Client) -> None:
        await client.set_up()
        await client.type("Hello")
        await client.until("turnComplete")

    async def other(client: Client) -> None:
        await client.set_up()
        await client.send(realtime_input={"text": "Hello"})
        await client.until("turnComplete")

    await record(file, typing, scenario=None)
    assert await replay(file, other) == []


async def test_audio_that_is_a_little_short_does_not_hold_up_the_answer(file: Path) -> None:
    async def short(client: Client) -> None:
        await conversation_by_voice(client, 3.9)

    await record(file, conversation_by_voice, scenario=Scenario([Turn([Step(say="Yes.")])]))
    assert await replay(file, short) == []


async def test_two_connections_with_a_resume(file: Path) -> None:
    handles: list[str] = []

    async def first(client: Client) -> None:
        await client.set_up(sessionResumption={})
        await client.type("My name is Ada.")
        await client.until("turnComplete")
        update = await client.until("sessionResumptionUpdate")
        handles.append(update["sessionResumptionUpdate"]["newHandle"])

    def second(handle: str = "") -> Behaviour:
        async def resume(client: Client) -> None:
            await client.set_up(sessionResumption={"handle": handle or handles[-1]})
            await client.type("What is my name?")
            await client.until("turnComplete")

        return resume

    await record(file, first, second(), scenario=None)
    assert not holds(file, handles[0])
    assert await replay(file, first, second()) == []
    assert handles[1] == "handle-2"
    line = line_of(file, has="handle-2")
    what = "setup.sessionResumption.handle: expected 'handle-2', got 'handle-1'"
    assert found(await replay(file, first, second("handle-1"))) == [(line, what)]


# --- clients that do otherwise ---


@pytest.mark.parametrize(
    ("deviation", "at", "what"),
    [
        (
            {"text": "What is the thyme?"},
            "the time",
            "expected text 'What is the time?', got text 'What is the thyme?'",
        ),
        ({"seconds": 2.0}, "audio/pcm", "expected 3.00 s of audio, got 2.00 s"),
        ({"seconds": 4.0}, "audio/pcm", "expected 3.00 s of audio, got 4.00 s"),
        (
            {"labels": {"a": "b"}},
            "setup",
            'setup.labels: expected nothing, got {"a":"b"}',
        ),
        ({"model": "n"}, "setup", "setup.model: expected 'm', got 'n'"),
    ],
)
async def test_a_deviation_is_found_at_its_line(
    file: Path, deviation: dict[str, Any], at: str, what: str
) -> None:
    await record(file, usual)
    findings = await replay(file, lambda client: conversation(client, **deviation))
    assert found(findings) == [(line_of(file, has=at), what)]
    assert findings[0].place is not None
    assert findings[0].place.file == str(file)


async def test_an_answer_that_differs(file: Path) -> None:
    async def wrong(client: Client) -> None:
        client.answers["get_name"] = {"output": "Eve"}
        await usual(client)

    await record(file, usual)
    what = 'expected answer of get_name {"output":"Ada"}, got answer of get_name {"output":"Eve"}'
    assert found(await replay(file, wrong)) == [(line_of(file, has="get_name"), what)]


async def test_an_answer_to_no_call(file: Path) -> None:
    async def wrong(client: Client) -> None:
        await client.set_up()
        answer = {"id": "none", "name": "get_name", "response": {}}
        await client.send(toolResponse={"functionResponses": [answer]})
        with anyio.move_on_after(60):
            await client.receive()

    await record(file, usual)
    text = line_of(file, has="the time")
    assert found(await replay(file, wrong)) == [
        (text, "expected text 'What is the time?', got answer of get_name {}"),
        (text, "never came: text 'What is the time?' (and 3 more)"),
    ]


async def test_media_that_stays_away_is_found_and_the_service_goes_on(file: Path) -> None:
    async def silent(client: Client) -> None:
        await conversation_by_voice(client, 1.0)

    await record(file, conversation_by_voice, scenario=Scenario([Turn([Step(say="Yes.")])]))
    assert found(await replay(file, silent)) == [
        (line_of(file, has="audio/pcm"), "expected 4.00 s of audio, got 1.00 s")
    ]


async def conversation_by_voice(client: Client, seconds: float = 4.0) -> None:
    """Where the end of speech is found by the silence, nothing else says that it is over."""
    await client.set_up()
    await client.stream(seconds)
    await client.until("turnComplete")


async def test_images_are_counted(file: Path) -> None:
    def showing(images: int) -> Behaviour:
        async def behaviour(client: Client) -> None:
            await client.set_up()
            for _ in range(images):
                image = {"mimeType": "image/jpeg", "data": "AAAA"}
                await client.send(realtimeInput={"video": image})
            await client.type("What is this?")
            await client.until("turnComplete")

        return behaviour

    await record(file, showing(3), scenario=None)
    assert await replay(file, showing(3)) == []
    line = line_of(file, has="image/jpeg")
    assert found(await replay(file, showing(2))) == [(line, "expected images: 3, got 2")]


def acting(*acts: dict[str, Any] | float, seconds: float = 60) -> Behaviour:
    """Does these after the setup, with a pause after each or those given, and stays so long."""

    async def behaviour(client: Client) -> None:
        await client.set_up()
        for act in acts:
            if isinstance(act, float):
                await anyio.sleep(act)
            else:
                await client.send(realtimeInput=act)
                await anyio.sleep(0.1)
        with anyio.move_on_after(seconds):
            await client.closed()

    return behaviour


def audio(seconds: float) -> dict[str, Any]:
    data = base64.b64encode(bytes(2 * round(seconds * RATE))).decode()
    return {"audio": {"mimeType": "audio/pcm", "data": data}}


START: dict[str, Any] = {"activityStart": {}}
END: dict[str, Any] = {"activityEnd": {}}
STREAM_END: dict[str, Any] = {"audioStreamEnd": True}


@pytest.mark.parametrize(
    ("recorded", "done", "what"),
    [
        (
            [STREAM_END, {"text": "a"}],
            [{"text": "a"}],
            [(4, "expected audioStreamEnd, got text 'a'")],
        ),
        (
            [{"text": "a"}, {"text": "b"}],
            [{"text": "a"}, STREAM_END, {"text": "b"}],
            [(5, "expected text 'b', got audioStreamEnd")],
        ),
        (
            [{"text": "a"}],
            [{"text": "a"}, {"text": "b"}],
            [(5, "expected nothing more, got text 'b'")],
        ),
        (
            [STREAM_END, {"text": "a"}, STREAM_END],
            [STREAM_END],
            [(5, "never came: text 'a' (and 1 more)")],
        ),
        (
            [{"text": "a"}, {"text": "b"}, STREAM_END],
            [{"text": "a"}],
            [(5, "never came: text 'b' (and 1 more)")],
        ),
    ],
)
async def test_acts_have_their_places(
    file: Path, recorded: list[Any], done: list[Any], what: list[tuple[int, str]]
) -> None:
    write(file, [{"setupComplete": {}}], *recorded)
    assert await replay(file, acting(*recorded)) == []
    assert found(await replay(file, acting(*done))) == what


def write(file: Path, answers: Sequence[dict[str, Any]], *acts: dict[str, Any] | float) -> None:
    """A recording of the service's answers to the setup, and of these acts and pauses."""
    script(file, *((0.1, "server", answer) for answer in answers), *_timed(acts))


def _timed(acts: Sequence[dict[str, Any] | float]) -> Iterator[Event]:
    pause = 0.1
    for act in acts:
        if isinstance(act, float):
            pause += act
        else:
            yield pause, "client", {"realtimeInput": act}
            pause = 0.1


Event = tuple[float, str, dict[str, Any]]
READY: Event = (0.1, "server", {"setupComplete": {}})
DONE = {"serverContent": {"turnComplete": True}}


def script(file: Path, *events: Event) -> None:
    """A recording of these after the setup: the pause before it, whose, and the message."""
    now = 0.0
    with Recorder(file, clock=lambda: now) as recorder:
        number = recorder.opened("ws://h/", "local")
        recorder.sent(number, SETUP)
        for pause, side, message in events:
            now += pause
            use = recorder.sent if side == "client" else recorder.received
            use(number, json.dumps(message))
        recorder.closed(number, 1000, "", "client")


async def test_a_client_that_does_not_wait(file: Path) -> None:
    await record(file, usual)

    async def hasty(client: Client) -> None:
        await client.set_up()
        await client.type("What is the time?")
        await client.answer(await client.until("toolCall"))
        await client.until("turnComplete")
        await client.stream(3.0)
        await client.send(realtimeInput=STREAM_END)

    ((line, what),) = found(await replay(file, hasty))
    assert line > line_of(file, has="audioStreamEnd")
    assert what == "the client did not wait for this serverContent"


async def test_what_a_client_has_not_come_to_while_it_is_there(file: Path) -> None:
    await record(file, usual)
    async with serve(replay=file) as server:
        assert found(server.left_over()) == [(1, "this connection was never made")]
        async with dial(server) as client:
            await client.set_up()
            text = line_of(file, has="the time")
            what = "never came: text 'What is the time?' (and 3 more)"
            assert found(server.left_over()) == [(text, what)]
        assert server.findings == []


# --- streams ---


async def test_media_before_an_act_that_was_left_out_are_not_missed(file: Path) -> None:
    recorded = [audio(1), STREAM_END, audio(1), {"text": "a"}]
    write(file, [{"setupComplete": {}}], *recorded)
    findings = await replay(file, acting(audio(2), {"text": "a"}))
    assert found(findings) == [(5, "expected audioStreamEnd, got text 'a'")]


async def test_a_pause_in_a_stream_is_no_end(file: Path) -> None:
    acts = [audio(1), 20.0, audio(1)]
    script(file, READY, *_timed(acts), (0.1, "server", DONE))
    assert await replay(file, acting(*acts)) == []


async def test_an_act_ends_a_stream_that_is_too_short_at_once(file: Path) -> None:
    acts = [audio(1), audio(1)]
    text: Event = (0.1, "client", {"realtimeInput": {"text": "a"}})
    script(file, READY, *_timed(acts), (0.1, "server", DONE), text)
    clients = []

    async def short(client: Client) -> None:
        clients.append(client)
        await acting(acts[0], {"text": "a"})(client)

    assert found(await replay(file, short)) == [(4, "expected 2.00 s of audio, got 1.00 s")]
    ready, done = [at for at, _ in clients[0].received]
    assert done - ready == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(("seconds", "waits"), [(2.0, 0.1), (1.8, 0.1 + 0.5 + 0.1), (1.0, 5.2)])
async def test_how_long_the_service_waits_for_a_stream(
    file: Path, seconds: float, waits: float
) -> None:
    script(file, READY, *_timed([audio(2)]), (0.1, "server", DONE))
    async with serve(replay=file) as server, dial(server) as client:
        await client.set_up()
        await client.send(realtimeInput=audio(seconds))
        began = anyio.current_time()
        await client.until("turnComplete")
        assert anyio.current_time() - began == pytest.approx(waits, abs=0.01)
        assert len(server.findings) == (seconds == 1.0)
        assert server.left_over() == []


async def test_a_stream_at_the_end_is_compared_when_the_client_leaves(file: Path) -> None:
    write(file, [{"setupComplete": {}}], {"text": "a"}, audio(2))
    findings = await replay(file, acting({"text": "a"}, audio(1)))
    assert found(findings) == [(5, "expected 2.00 s of audio, got 1.00 s")]


async def test_a_stream_that_is_not_over_is_short_so_far(file: Path) -> None:
    write(file, [{"setupComplete": {}}], audio(2))
    async with serve(replay=file) as server, dial(server) as client:
        await client.set_up()
        assert found(server.left_over()) == [(4, "expected 2.00 s of audio, got 0.00 s")]
        await client.send(realtimeInput=audio(2))
        await anyio.sleep(1)
        assert server.left_over() == []


async def test_a_client_that_leaves_early_is_told_of_once(file: Path) -> None:
    write(file, [{"setupComplete": {}}], audio(2), {"text": "a"})
    assert found(await replay(file, acting())) == [(5, "never came: text 'a'")]


# --- calls ---


def answered(*answers: tuple[str, str, int]) -> dict[str, Any]:
    """Responses: id, name and value of each."""
    return {
        "functionResponses": [
            {"id": id, "name": name, "response": {"value": value}} for id, name, value in answers
        ]
    }


async def test_the_service_waits_for_answers(file: Path) -> None:
    answer = answered(("1", "f", 1))
    script(file, READY, (0.1, "client", {"toolResponse": answer}), (0.1, "server", DONE))
    async with serve(replay=file) as server, dial(server) as client:
        await client.set_up()
        with anyio.move_on_after(100) as scope:
            await client.receive()
        assert scope.cancelled_caught
        assert found(server.left_over()) == [(4, 'never came: answer of f {"value":1}')]
        await client.send(toolResponse=answer)
        assert await client.receive() == DONE
        await client.send(toolResponse=answer)
    what = 'expected nothing more, got answer of f {"value":1}'
    assert found(server.findings) == [(6, what)]


async def test_calls_without_ids_are_answered_by_name(file: Path) -> None:
    """As on older models of Vertex."""
    recorded = answered(("", "f", 1), ("", "g", 2), ("", "f", 3))

    def answering(*answers: tuple[str, str, int]) -> Behaviour:
        async def behaviour(client: Client) -> None:
            await client.set_up()
            await client.send(toolResponse=answered(*answers))
            with anyio.move_on_after(60):
                await client.until("turnComplete")

        return behaviour

    script(file, READY, (0.1, "client", {"toolResponse": recorded}), (0.1, "server", DONE))
    assert await replay(file, answering(("", "f", 3), ("", "g", 2), ("", "f", 1))) == []
    what = 'expected answer of g {"value":2}, got answer of g {"value":4}'
    assert found(await replay(file, answering(("", "g", 4), ("", "f", 1), ("", "f", 3)))) == [
        (4, what)
    ]


# --- what cannot go on ---


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ({"realtimeInput": {"text": "a"}}, "expected setup, got text 'a'"),
        ({"realtimeInput": {"audio": {"data": "AAAA"}}}, "expected setup, got media"),
        ({"toolResponse": {"functionResponses": [{"name": "f", "response": {}}]}},
         "expected setup, got answer of f {}"),
        ({"nonsense": 1}, "expected setup, got frame (Invalid JSON payload received."),
    ],
)  # fmt: skip
async def test_a_client_that_does_not_begin_with_its_setup(
    file: Path, message: dict[str, Any], what: str
) -> None:
    async def wrong(client: Client) -> None:
        await client.send(**message)
        code, reason = await client.closed()
        assert code == 1008
        assert (reason or "").startswith(f"simulation: {what}")

    write(file, [{"setupComplete": {}}], {"text": "a"})
    first, *rest = found(await replay(file, wrong))
    assert first[0] == 2
    assert first[1].startswith(what)
    assert rest == [(2, "never came: setup (and 1 more)")]


@pytest.mark.parametrize("message", [{"setup": {"model": "m"}}, {"nonsense": 1}])
async def test_a_client_that_the_service_would_refuse(file: Path, message: dict[str, Any]) -> None:
    async def wrong(client: Client) -> None:
        await client.set_up()
        await client.send(**message)
        code, reason = await client.closed()
        assert code == 1008
        assert (reason or "").startswith("simulation: expected text 'a', got ")

    write(file, [{"setupComplete": {}}], {"text": "a"})
    problems = found(await replay(file, wrong))
    assert [line for line, _ in problems] == [4, 4]


async def test_a_connection_too_many_or_too_few(file: Path) -> None:
    async def refused(client: Client) -> None:
        code, reason = await client.closed()
        assert code == 1008
        assert reason == "simulation: the recording has no more than 1 connections"

    write(file, [{"setupComplete": {}}])
    findings = await replay(file, acting(), refused)
    assert found(findings) == [(4, "the recording has no more than 1 connections")]
    assert found(await replay(file)) == [(1, "this connection was never made")]


# --- the service ---


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ((1011, "Internal error encountered.", "server"), (1011, "Internal error encountered.")),
        ((1000, "The operation was cancelled.", "server"), (1000, "The operation was cancelled.")),
        ((1008, "projects/p, " * 12, "server"), (1008, ("projects/PROJECT, " * 12)[:123])),
        ((1006, "", "nobody"), (1006, "")),
        ((1000, "", "nobody"), (1006, "")),
        ((1005, "", "server"), (1006, "")),
        ((2000, "", "server"), (1006, "")),
        ((4000, "own", "server"), (4000, "own")),
    ],
)
async def test_the_end_of_a_connection_is_as_it_was(
    file: Path, end: tuple[int, str, Any], expected: tuple[int, str]
) -> None:
    times = iter([0, 1, 1, 2, 10])
    with Recorder(file, clock=lambda: next(times)) as recorder:
        number = recorder.opened("ws://h/", "local")
        recorder.sent(number, b'{"setup": {"model": "m"}}')
        recorder.received(number, b'{"setupComplete": {}}')
        recorder.received(number, b"no JSON")
        recorder.closed(number, *end)

    async def staying(client: Client) -> None:
        await client.send(setup={"model": "m"})
        began = anyio.current_time()
        await client.until("setupComplete")
        with pytest.raises(json.JSONDecodeError):
            await client.receive()
        assert anyio.current_time() - began == pytest.approx(1)
        assert await client.closed() == expected
        assert anyio.current_time() - began == pytest.approx(9, abs=0.1)

    async def leaving(client: Client) -> None:
        await client.send(setup={"model": "m"})

    assert await replay(file, staying) == []
    (line, what) = found(await replay(file, leaving))[0]
    assert line == 3
    assert what == "the client did not wait for this setupComplete"


@pytest.mark.parametrize(
    ("switches", "frame"),
    [
        (Switches(), b'{\n  "setupComplete": {}\n}\n'),
        (Switches(frames="text", pretty=False), '{"setupComplete":{}}'),
    ],
)
async def test_frames_are_as_the_switches_say(
    file: Path, switches: Switches, frame: bytes | str
) -> None:
    write(file, [{"setupComplete": {}}])
    async with serve(replay=file, switches=switches) as server, connect(server.url) as socket:
        await socket.send('{"setup": {"model": "m"}}')
        assert await socket.recv() == frame


async def test_faults_strike_a_replay_too(file: Path) -> None:
    write(file, [{"setupComplete": {}}])
    faults = Faults((Cut(after_sent=1),))
    async with serve(replay=file, faults=faults) as server, connect(server.url) as socket:
        await socket.send('{"setup": {"model": "m"}}')
        await socket.wait_closed()
        assert socket.close_code == 1006


async def test_a_recording_and_a_scenario_exclude_each_other(file: Path) -> None:
    write(file, [])
    with pytest.raises(SettingError, match="a replay takes no scenario"):
        async with serve(replay=file, scenario=SCENARIO):
            pytest.fail("it serves")


async def test_what_is_no_recording_is_found_before_it_serves(file: Path) -> None:
    write(file, [])
    rewrite(file, '"connection":1,', "")
    with pytest.raises(SettingError, match=f"{file}:1: "):
        async with serve(replay=file):
            pytest.fail("it serves")


# --- any conversation ---

REALTIME = [START, END, STREAM_END, {"text": "a"}, {"text": "b"}]
CONTENT = {"serverContent": {"modelTurn": {"parts": [{"text": "Yes."}]}}}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(st.sampled_from(REALTIME), min_size=1, max_size=6),
    others=st.lists(st.sampled_from(REALTIME), min_size=1, max_size=6),
)
async def test_what_differs_is_found_and_nothing_else(
    file: Path, acts: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    write(file, [{"setupComplete": {}}, CONTENT], *acts)
    assert await replay(file, acting(*acts, seconds=1)) == []
    assert bool(await replay(file, acting(*others, seconds=1))) == (acts != others)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(4)), split=st.integers(0, 4), wrong=st.integers(0, 4))
async def test_answers_may_come_in_any_order_and_company(
    file: Path, order: list[int], split: int, wrong: int
) -> None:
    def answers(numbers: Sequence[int], wrong: int = -1) -> dict[str, Any]:
        return {
            "functionResponses": [
                {"id": f"id-{n}", "name": "f", "response": {"n": n, "right": n != wrong}}
                for n in numbers
            ]
        }

    async def answering(client: Client) -> None:
        await client.set_up()
        for group in (order[:split], order[split:]):
            await client.send(toolResponse=answers(group, wrong))
        await client.until("turnComplete")

    calls = [{"id": f"id-{n}", "name": "f"} for n in range(4)]
    script(
        file,
        READY,
        (1, "server", {"toolCall": {"functionCalls": calls}}),
        (1, "client", {"toolResponse": answers([0, 1])}),
        (1, "client", {"toolResponse": answers([2, 3])}),
        (1, "server", DONE),
    )
    lines = [line for line, _ in found(await replay(file, answering))]
    assert lines == [[5], [5], [6], [6], []][wrong]
