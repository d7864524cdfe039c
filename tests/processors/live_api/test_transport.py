"""Conversations over real websockets: with the local Live API, and with services that misbehave."""

import base64
import json
import logging
import socket as sockets
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import anyio
import google.auth
import google.auth.exceptions
import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.exceptions import ConnectionClosed

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    Frame,
    Graph,
    ImageFrame,
    Processor,
    ProcessorFailure,
    Report,
    Run,
    SessionEvent,
    SettingError,
    Sink,
    Source,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from pipeline import run as run_graph
from pipeline.testing import Collect, Given, VirtualTimeLoop
from processors.audio.vad_gate import VadGate
from processors.live_api.backends import KEY_VARIABLES
from processors.live_api.transport import LiveApi
from processors.local_live_api.scenario import Scenario, Step, Turn
from processors.local_live_api.server import serve
from processors.local_live_api.voice import synthesize
from processors.tools.dispatcher import ToolDispatcher

RATE, OUTPUT_RATE = 16_000, 24_000
KEY = "AIza-this-is-a-secret"
HELLO = TextFrame("Hello")
DONE = {"serverContent": {"turnComplete": True}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


# --- the service's side ---


class Wire:
    """One connection to a service that a test writes by hand."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.received: list[dict[str, Any]] = []
        self.times: list[float] = []

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

    async def set_up(self) -> dict[str, Any]:
        setup: dict[str, Any] = (await self.receive())["setup"]
        await self.send({"setupComplete": {}})
        return setup

    async def until(self, kind: str) -> dict[str, Any]:
        while kind not in kinds([message := await self.receive()]):
            pass
        return message

    async def listen(self) -> None:
        """Until the client leaves."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed:
            pass


Handler = Callable[[Wire], Awaitable[None]]


@asynccontextmanager
async def service(handler: Handler) -> AsyncIterator[tuple[str, list[Wire]]]:
    """Its address and its connections. What goes wrong in `handler` is raised at the end."""
    wires: list[Wire] = []
    errors: list[Exception] = []

    async def handle(socket: ServerConnection) -> None:
        wires.append(Wire(socket))
        try:
            await handler(wires[-1])
            await wires[-1].listen()
        except Exception as error:
            errors.append(error)

    async with serve_websocket(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws", wires
    if errors:
        raise errors[0]


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    """What each message is; of realtime input, its field."""
    return [
        next(iter(value)) if key == "realtimeInput" else key
        for message in messages
        for key, value in message.items()
    ]


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


def tools(*functions: Callable[..., Any], **settings: Any) -> ToolDispatcher:
    return ToolDispatcher([f"{__name__}:{each.__name__}" for each in functions], **settings)


async def get_weather(city: str) -> dict[str, str]:
    """Tells the weather."""
    await anyio.sleep(0.5)
    return {"city": city, "sky": "blue"}


async def get_time() -> str:
    return "noon"


# --- what goes out ---


async def test_audio_goes_out_exactly_as_it_is() -> None:
    sound = noise(0.5)

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("audioStreamEnd")
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        await run(User(*chunks(sound)), LiveApi(url=url))
    blobs = [m["realtimeInput"]["audio"] for m in wires[0].received if "audio" in kinds([m])]
    assert {blob["mimeType"] for blob in blobs} == {"audio/pcm;rate=16000"}
    assert b"".join(base64.b64decode(blob["data"]) for blob in blobs) == sound.tobytes()
    assert kinds(wires[0].received) == ["setup", *["audio"] * 25, "audioStreamEnd"]


async def test_nothing_goes_out_before_the_setup_is_complete() -> None:
    async def answer(wire: Wire) -> None:
        assert "setup" in await wire.receive()
        with anyio.move_on_after(5) as waiting:
            await wire.receive()
        assert waiting.cancelled_caught
        await wire.send({"setupComplete": {"sessionId": "a-b"}})
        await wire.receive()
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        frames, _ = await run(User(HELLO), LiveApi(url=url))
    assert kinds(wires[0].received) == ["setup", "clientContent"]
    assert [(event.kind, event.detail) for event in of(SessionEvent, frames)] == [
        ("started", "a-b")
    ]


async def test_settings_are_in_the_setup() -> None:
    async def answer(wire: Wire) -> None:
        assert await wire.set_up() == {
            "model": "models/m",
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "temperature": 0.5,
                "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            },
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
        }

    live = {"model": "models/m", "voice": "Kore", "instruction": "Be brief.", "temperature": 0.5}
    async with service(answer) as (url, wires):
        await run(User(), LiveApi(url=url, **live))  # type: ignore[arg-type]
    assert kinds(wires[0].received) == ["setup"]


async def test_typed_text_is_a_turn_of_its_own() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        assert await wire.receive() == {
            "clientContent": {
                "turns": [{"role": "user", "parts": [{"text": "Hello"}]}],
                "turnComplete": True,
            }
        }
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO, TextFrame("By a model", Speaker.MODEL)), LiveApi(url=url))
    assert lines(frames) == [("user", "Hello")]


async def test_pictures_go_out_as_video() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        assert await wire.receive() == {
            "realtimeInput": {"video": {"mimeType": "image/png", "data": "iVBO"}}
        }

    async with service(answer) as (url, wires):
        await run(User(ImageFrame(b"\x89PN", "image/png")), LiveApi(url=url))
    assert kinds(wires[0].received) == ["setup", "video"]


async def test_a_pause_in_the_audio_ends_the_stream() -> None:
    async def speak() -> AsyncIterator[AudioFrame]:
        async for frame in paced(noise(0.2)):
            yield frame
        await anyio.sleep(0.9)
        async for frame in paced(noise(0.2)):
            yield frame
        await anyio.sleep(5)
        async for frame in paced(noise(0.2)):
            yield frame

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("audioStreamEnd")
        await wire.until("audioStreamEnd")
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        await run(User(script=speak), LiveApi(url=url))
    audio = ["audio"] * 10
    assert kinds(wires[0].received) == [
        "setup",
        *audio,
        *audio,
        "audioStreamEnd",
        *audio,
        "audioStreamEnd",
    ]
    paused = wires[0].times[kinds(wires[0].received).index("audioStreamEnd")]
    assert paused - wires[0].times[20] == pytest.approx(1, abs=1e-3)


# --- whole conversations with the local Live API ---


async def test_a_typed_question_and_a_spoken_answer() -> None:
    frames, report = await run(User(HELLO), LiveApi(voice="Kore"))
    said = "This is a simulation of the Live API. You wrote: Hello"
    assert lines(frames) == [("user", "Hello"), ("model", said)]
    audio = of(AudioFrame, frames)
    assert np.array_equal(
        np.concatenate([frame.samples for frame in audio]),
        synthesize(said, voice="Kore", rate=OUTPUT_RATE),
    )
    assert {(frame.rate, frame.turn, frame.speaker) for frame in audio} == {
        (OUTPUT_RATE, 1, Speaker.MODEL)
    }
    (ended,) = of(TurnEnded, frames)
    assert not ended.interrupted
    assert len(of(TurnStarted, frames)) == len(of(Usage, frames)) == 1
    assert report.completed
    assert not report.drops


async def test_a_typed_question_and_a_written_answer() -> None:
    frames, _ = await run(User(HELLO), LiveApi(modality="text"))
    pieces = [frame.text for frame in of(TextFrame, frames)]
    assert "".join(pieces) == "This is a simulation of the Live API. You wrote: Hello"
    assert len(pieces) > 3
    assert of(AudioFrame, frames) == []


async def test_every_question_is_answered_however_fast_they_come() -> None:
    questions = [TextFrame(text) for text in ("One", "Two", "Three")]
    frames, _ = await run(User(*questions), LiveApi(modality="text"))
    answers = [text for speaker, text in lines(frames) if speaker == "model"]
    assert [answer.split()[-1] for answer in answers] == ["One", "Two", "Three"]


QUESTION = synthesize("What will the weather be like in Lisbon this weekend?", rate=RATE)
STOP = synthesize("Sorry, stop. And what about Porto?", rate=RATE)
LONG = "It will be sunny in {get_weather[city]}, with a little wind from the sea, " * 3


async def test_a_conversation_with_a_tool_and_an_interruption(tmp_path: Path) -> None:
    async def speak() -> AsyncIterator[AudioFrame]:
        sound = [silence(0.5), QUESTION, silence(4), STOP, silence(8)]
        async for frame in paced(np.concatenate(sound)):
            yield frame

    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(f"""
        turns:
          - then:
              - transcript: What will the weather be like?
              - call: {{name: get_weather, args: {{city: Lisbon}}}}
              - say: {json.dumps(LONG)}
          - then:
              - transcript: And Porto?
              - say: I do not know.
        """)
    frames, report = await run(
        User(script=speak),
        LiveApi(scenario=str(scenario)),
        VadGate(),
        tools=[tools(get_weather)],
    )
    (call,) = of(ToolCall, frames)
    assert (call.name, call.arguments) == ("get_weather", {"city": "Lisbon"})
    first, cut, second, last = lines(frames)
    assert first == ("user", "What will the weather be like?")
    assert cut[1].startswith("It will be sunny in Lisbon")
    assert second == ("user", "And Porto?")
    assert last == ("model", "I do not know.")
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [True, False]
    finals = [line.pts / SECOND for line in of(Transcript, frames) if line.final]
    assert [finals[0], finals[2]] == pytest.approx([0.5, 4.5 + len(QUESTION) / RATE], abs=0.1)
    spoken_until = [0.5 + len(QUESTION) / RATE, 4.5 + (len(QUESTION) + len(STOP)) / RATE]
    asked = [started.asked / SECOND for started in of(TurnStarted, frames)]
    assert asked == pytest.approx(spoken_until, abs=0.15)
    assert report.drops["live", "interrupted"] == 0
    assert report.measurements["tool"] == [SECOND // 2]


async def test_a_spoken_question_without_a_gate_is_answered_too() -> None:
    frames, _ = await run(User(*chunks(QUESTION)), LiveApi(modality="text"))
    (answer,) = (text for speaker, text in lines(frames) if speaker == "model")
    assert "I heard you speak" in answer


async def test_two_graphs_talk_at_once() -> None:
    async with serve(scenario=Scenario([Turn([Step(say="One.")], "text")])) as server:
        given: list[list[tuple[str, str]]] = []

        async def talk() -> None:
            frames, _ = await run(User(HELLO), LiveApi("local", url=server.url))
            given.append(lines(frames))

        async with anyio.create_task_group() as group:
            group.start_soon(talk)
            group.start_soon(talk)
    assert given == [[("user", "Hello"), ("model", "One.")]] * 2


async def test_it_says_that_it_talks_to_a_simulation(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pipeline"):
        await run(User(), LiveApi())
        await run(User(), LiveApi("local"))
    first, second = caplog.messages
    assert first.startswith("no backend is configured: talking to the local Live API")
    assert second.startswith("talking to the local Live API, a simulation, on port ")


# --- tools ---


async def test_tools_are_declared_at_setup() -> None:
    async def answer(wire: Wire) -> None:
        declared = (await wire.set_up())["tools"]
        assert [list(tool) for tool in declared] == [["functionDeclarations"]]
        functions = declared[0]["functionDeclarations"]
        assert [function["name"] for function in functions] == ["get_weather", "get_time"]
        assert functions[0]["parameters"]["properties"] == {"city": {"type": "STRING"}}

    async def later() -> AsyncIterator[Says]:
        await anyio.sleep(1)
        yield ImageFrame(b"")

    for user in (User(), User(ImageFrame(b"")), User(script=later)):
        async with service(answer) as (url, wires):
            await run(user, LiveApi(url=url), tools=[tools(get_weather), tools(get_time)])
        assert kinds(wires[0].received)[0] == "setup"


async def test_without_tools_none_are_declared() -> None:
    async def answer(wire: Wire) -> None:
        assert "tools" not in await wire.set_up()

    async with service(answer) as (url, wires):
        await run(User(), LiveApi(url=url))
    assert len(wires) == 1


async def test_a_result_arrives_once_however_often_the_call_is_repeated() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        for _ in range(3):
            await wire.call("get_weather", "function-call-1", city="Lisbon")
        assert await wire.receive() == {
            "toolResponse": {
                "functionResponses": [
                    {
                        "id": "function-call-1",
                        "name": "get_weather",
                        "response": {"output": {"city": "Lisbon", "sky": "blue"}},
                    }
                ]
            }
        }
        await wire.send_audio(1)
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        frames, _ = await run(User(HELLO), LiveApi(url=url), tools=[tools(get_weather)])
    assert kinds(wires[0].received) == ["setup", "clientContent", "toolResponse"]
    assert len(of(ToolCall, frames)) == 1
    assert len(of(AudioFrame, frames)) == 1


async def test_calls_without_ids_are_answered_without() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", city="Lisbon")
        await wire.call("get_time")
        responses = [await wire.receive(), await wire.receive()]
        answers = [message["toolResponse"]["functionResponses"][0] for message in responses]
        assert {(each["name"], "id" in each) for each in answers} == {
            ("get_weather", False),
            ("get_time", False),
        }
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        await run(User(HELLO), LiveApi(url=url), tools=[tools(get_weather, get_time)])
    assert len(wires[0].received) == 4


async def test_a_withdrawn_call_is_not_answered() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", "a", city="Lisbon")
        await wire.send({"serverContent": {"interrupted": True}})
        await wire.send({"toolCallCancellation": {"ids": ["a"]}})
        await wire.send(DONE)
        await anyio.sleep(2)
        await wire.send_audio(1)
        await wire.send(DONE)

    async def speak() -> AsyncIterator[Says]:
        yield HELLO
        await anyio.sleep(5)

    async with service(answer) as (url, wires):
        frames, report = await run(User(script=speak), LiveApi(url=url), tools=[tools(get_weather)])
    assert kinds(wires[0].received) == ["setup", "clientContent"]
    assert [frame.ids for frame in of(ToolCallCancelled, frames)] == [("a",)]
    assert report.measurements["tool"] == []


async def test_a_result_that_nobody_waits_for_is_not_sent() -> None:
    class Answers(User):
        async def frames(self) -> AsyncIterator[TextFrame | ToolResult]:  # type: ignore[override]
            yield ToolResult("a", "f", {"output": 1})
            yield HELLO

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        await run(Answers(), LiveApi(url=url))
    assert kinds(wires[0].received) == ["setup", "clientContent"]


async def test_the_answer_to_a_result_is_awaited_also_if_the_call_ended_its_turn() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", "a", city="Lisbon")
        await wire.send(DONE)
        await wire.receive()
        await anyio.sleep(5)
        await wire.send_text("Blue.")
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url), tools=[tools(get_weather)])
    assert lines(frames) == [("user", "Hello"), ("model", "Blue.")]


# --- interruptions ---


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


async def test_an_interruption_overtakes_the_audio_that_is_queued() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        for _ in range(300):
            await wire.send_audio(0.1)
        await anyio.sleep(2.05)
        await wire.send({"serverContent": {"interrupted": True}})
        for _ in range(5):
            await wire.send_audio(0.1)
        await wire.send(DONE)
        await wire.send_audio(1)
        await wire.send(DONE)

    player = Player()
    async with service(answer) as (url, _):
        _, report = await run(User(HELLO), LiveApi(url=url), sink=player)
    cut = [what for what, *_ in player.events].index("interrupted")
    before, after = player.events[:cut], player.events[cut:]
    assert [(what, turn) for what, turn, _ in before] == [("audio", 1)] * 21
    assert [(what, turn) for what, turn, _ in after] == [
        ("interrupted", 1),
        ("ended", 1),
        ("audio", 2),
        ("ended", 2),
    ]
    assert [at for *_, at in after] == pytest.approx([2.05, 2.05, 2.05, 3.05], abs=0.01)
    assert {why for _, why in report.drops} == {"interrupted"}
    assert sum(report.drops.values()) == 305 - 20


async def test_a_turn_that_was_sent_but_is_still_playing_can_be_interrupted() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.send_audio(10)
        await wire.send(DONE)
        await anyio.sleep(1)
        await wire.send({"serverContent": {"interrupted": True}})

    async def speak() -> AsyncIterator[Says]:
        yield HELLO
        await anyio.sleep(3)

    player = Player()
    async with service(answer) as (url, _):
        await run(User(script=speak), LiveApi(url=url), sink=player)
    assert [(what, turn) for what, turn, _ in player.events] == [
        ("audio", 1),
        ("interrupted", 1),
        ("ended", 1),
    ]
    assert [at for *_, at in player.events] == pytest.approx([0, 1, 1], abs=0.01)


async def test_an_interruption_out_of_nowhere_stops_nothing() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.send({"serverContent": {"interrupted": True}})
        await wire.receive()
        await wire.send_audio(0.5)
        await wire.send(DONE)

    player = Player()
    async with service(answer) as (url, _):
        _, report = await run(User(HELLO), LiveApi(url=url), sink=player)
    assert [what for what, *_ in player.events] == ["audio", "ended"]
    assert not report.drops


# --- a service that is hard to read ---


@pytest.mark.parametrize(
    "write",
    [
        lambda message: json.dumps(message),
        lambda message: json.dumps(message).encode(),
        lambda message: json.dumps(message, indent=2).encode() + b"\n",
    ],
    ids=["text", "binary", "pretty binary"],
)
async def test_every_kind_of_frame_is_read(write: Callable[[Any], str | bytes]) -> None:
    odd = [
        {},
        {"serverContent": {}},
        {"somethingNew": {"a": [1]}},
        {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
        {"serverContent": {"groundingMetadata": {}, "turnCompleteReason": "NEW_REASON"}},
        {"goAway": {"timeLeft": "50s"}},
    ]
    text = {"serverContent": {"modelTurn": {"parts": [{"text": "Yes."}, {"fileData": {}}]}}}
    done = {
        "serverContent": {"turnComplete": True, "interactionStatus": "IDLE"},
        "usageMetadata": {"totalTokenCount": 7, "trafficType": "ON_DEMAND"},
    }

    async def answer(wire: Wire) -> None:
        assert "setup" in await wire.receive()
        for message in [{}, {"setupComplete": {"sessionId": "a", "new": 1}}, *odd]:
            await wire.send(write(message))
        await wire.receive()
        for message in [*odd, text, *odd, done]:
            await wire.send(write(message))

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url))
    assert lines(frames) == [("user", "Hello"), ("model", "Yes.")]
    assert [usage.total for usage in of(Usage, frames)] == [7]
    events = [(event.kind, event.detail) for event in of(SessionEvent, frames)]
    assert events == [("started", "a"), *[("go-away", "50s")] * 3]


@pytest.mark.parametrize("frame", ["Bad gateway", b"\xff\x00", '{"serverContent": 7}'])
@pytest.mark.parametrize("ready", [False, True])
async def test_what_is_no_message_ends_the_run(frame: str | bytes, ready: bool) -> None:
    async def answer(wire: Wire) -> None:
        if ready:
            await wire.set_up()
        await wire.send(frame)

    async with service(answer) as (url, _):
        message = await fails(User(HELLO), LiveApi(url=url))
    assert "the service sent what is no Live API message: " in message


# --- a service that leaves ---


async def forever() -> AsyncIterator[AudioFrame]:
    while True:
        yield AudioFrame(silence(0.02), RATE)
        await anyio.sleep(0.02)


@pytest.mark.parametrize("reason", ["", "The operation was cancelled."])
async def test_a_session_that_the_service_closes_is_complete(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("audio")
        await wire.send_audio(0.5)
        await wire.send({"serverContent": {"outputTranscription": {"text": "Good"}}})
        await wire.socket.close(1000, reason)

    async with service(answer) as (url, _):
        frames, report = await run(User(script=forever), LiveApi(url=url))
    assert report.completed
    assert lines(frames) == [("model", "Good")]
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [True]
    assert caplog.messages == [f"the service has closed the session: 1000 {reason}".rstrip()]


REFUSALS = [
    (1007, "Request contains an invalid argument."),
    (1008, "models/x is not found for API version v1beta"),
    (1011, "Internal error encountered."),
    (1011, ""),
]


@pytest.mark.parametrize(("code", "reason"), [*REFUSALS, (1000, "")])
async def test_a_refused_session_is_a_failure(code: int, reason: str) -> None:
    async def answer(wire: Wire) -> None:
        await wire.receive()
        await wire.socket.close(code, reason)

    async with service(answer) as (url, _):
        message = await fails(User(HELLO), LiveApi(url=url))
    what = f"the service refused the session: {code} {reason}".rstrip()
    assert message == f'processor "live" failed: {what}'


@pytest.mark.parametrize("user", [User(HELLO), User(script=forever)], ids=["ended", "talking"])
@pytest.mark.parametrize(("code", "reason"), REFUSALS)
async def test_an_ended_session_is_a_failure(user: User, code: int, reason: str) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.socket.close(code, reason)

    async with service(answer) as (url, _):
        message = await fails(user, LiveApi(url=url))
    what = f"the service ended the session: {code} {reason}".rstrip()
    assert message == f'processor "live" failed: {what}'


@pytest.mark.parametrize("user", [User(HELLO), User(script=forever)], ids=["ended", "talking"])
@pytest.mark.parametrize("ready", [False, True])
async def test_a_lost_connection_is_a_failure(user: User, ready: bool) -> None:
    async def answer(wire: Wire) -> None:
        if ready:
            await wire.set_up()
        await wire.receive()
        wire.socket.transport.abort()

    async with service(answer) as (url, _):
        message = await fails(user, LiveApi(url=url))
    assert message == 'processor "live" failed: the connection to the service was lost'


async def test_what_came_before_the_end_is_heard_first() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        for _ in range(5000):
            await wire.send_audio(0.001)
        await wire.socket.close(1011, "Internal error encountered.")

    player = Player()
    async with service(answer) as (url, _):
        message = await fails(User(script=forever), LiveApi(url=url), sink=player)
    assert message.endswith("the service ended the session: 1011 Internal error encountered.")
    assert len(player.events) > 500


async def test_a_failure_elsewhere_ends_the_session() -> None:
    class Broken(Sink):
        async def consume(self, frame: AudioFrame) -> None:
            raise ValueError("broken")

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.send_audio(1)
        await wire.socket.wait_closed()

    async with service(answer) as (url, wires):
        with pytest.raises(ProcessorFailure, match="broken") as raised:
            await run(User(script=forever), LiveApi(url=url), sink=Broken())
    assert raised.value.processor == "output"
    assert len(wires) == 1


# --- a service that says nothing ---


async def test_after_the_input_it_waits_only_so_long(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()

    async with service(answer) as (url, _):
        frames, report = await run(User(HELLO), LiveApi(url=url, patience_s=7))
    assert report.completed
    assert report.seconds == pytest.approx(7, abs=0.01)
    assert caplog.messages == ["no sign of the service for 7 s: leaving"]
    assert lines(frames) == [("user", "Hello")]


async def test_every_sign_of_life_gives_it_more_time(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        for _ in range(5):
            await anyio.sleep(6)
            await wire.send_audio(0.1)
        await anyio.sleep(6)
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url, patience_s=7))
    assert len(of(AudioFrame, frames)) == 5
    assert caplog.messages == []


async def test_it_waits_while_the_answer_plays(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.send_audio(30)
        await anyio.sleep(30)
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url, patience_s=1))
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [False]
    assert caplog.messages == []


async def test_silence_in_the_middle_of_an_answer_is_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.send_audio(30)

    async with service(answer) as (url, _):
        frames, report = await run(User(HELLO), LiveApi(url=url, patience_s=2))
    assert report.seconds == pytest.approx(32, abs=0.01)
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [True]
    assert caplog.messages == ["no sign of the service for 2 s: leaving"]


async def test_a_tool_may_take_longer_than_the_service(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", city="Lisbon")
        assert "toolResponse" in await wire.receive()
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        live = LiveApi(url=url, patience_s=0.1)
        await run(User(HELLO), live, tools=[tools(get_weather)])
    assert kinds(wires[0].received) == ["setup", "clientContent", "toolResponse"]
    assert caplog.messages == []


async def test_silence_after_a_result_is_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", city="Lisbon")

    async with service(answer) as (url, _):
        live = LiveApi(url=url, patience_s=3)
        _, report = await run(User(HELLO), live, tools=[tools(get_weather)])
    assert report.seconds == pytest.approx(3.5, abs=0.01)
    assert caplog.messages == ["no sign of the service for 3 s: leaving"]


async def test_a_call_that_nobody_can_answer_does_not_keep_it() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", city="Lisbon")

    async with service(answer) as (url, _):
        _, report = await run(User(HELLO), LiveApi(url=url, patience_s=3))
    assert report.seconds == pytest.approx(3, abs=0.01)


async def test_no_answer_to_the_setup_is_a_failure() -> None:
    async def answer(wire: Wire) -> None:
        await wire.receive()

    async with service(answer) as (url, _):
        message = await fails(User(HELLO), LiveApi(url=url))
    assert message == 'processor "live" failed: no answer to the setup within 20 s'


# --- no service at all ---


async def test_a_refused_connection_is_one_clear_message() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    message = await fails(User(HELLO), LiveApi(url=f"ws://127.0.0.1:{port}/ws"))
    assert message.startswith(f'processor "live" failed: cannot connect to 127.0.0.1:{port}: ')


async def test_a_server_that_is_another_one_is_one_clear_message() -> None:
    async with serve() as server:
        url = f"ws://127.0.0.1:{server.port}/elsewhere"
        message = await fails(User(HELLO), LiveApi(url=url))
    assert f"cannot connect to 127.0.0.1:{server.port}: " in message
    assert "404" in message


async def test_a_server_that_speaks_something_else_is_one_clear_message() -> None:
    async def hang_up(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"220 mail.example.com ESMTP\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, hang_up)
        message = await fails(User(HELLO), LiveApi(url=f"ws://127.0.0.1:{port}/ws"))
        group.cancel_scope.cancel()
    assert f"cannot connect to 127.0.0.1:{port}: " in message


async def test_an_address_that_is_none_is_one_clear_message() -> None:
    message = await fails(User(HELLO), LiveApi(url="http//nowhere"))
    assert "cannot connect to http//nowhere: " in message


async def test_the_local_machine_is_reached_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ws_proxy", "http://127.0.0.1:1")
    frames, _ = await run(User(HELLO), LiveApi(modality="text"))
    assert len(of(TurnEnded, frames)) == 1


# --- audio formats ---


@pytest.mark.parametrize(
    ("rate", "channels", "got"), [(48_000, 1, "48000 Hz mono"), (16_000, 2, "16000 Hz stereo")]
)
async def test_audio_of_another_format_is_refused(rate: int, channels: int, got: str) -> None:
    sound = AudioFrame(np.zeros((100, channels), np.int16), rate)

    async def answer(wire: Wire) -> None:
        await wire.set_up()

    async with service(answer) as (url, _):
        message = await fails(User(sound), LiveApi(url=url))
    assert message.endswith(
        f"it takes audio of 16000 Hz mono, got {got}; "
        "put a resampler before it: {rate: 16000, channels: 1}"
    )


class Microphone(Source):
    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(48_000, 2)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield AudioFrame(np.zeros((100, 2), np.int16), 48_000)


class Speaker16(Collect):
    def audio_in(self) -> AudioFormat:
        return AudioFormat(16_000, 1)


def test_formats_that_do_not_fit_are_found_by_check() -> None:
    processors = {"user": Microphone(), "live": LiveApi(), "output": Speaker16()}
    into, out = Graph(processors, ["user -> live -> output"]).check()
    assert into.code == out.code == "format-mismatch"
    assert "user gives audio of 48000 Hz stereo, live takes 16000 Hz mono" in into.message
    assert "live gives audio of 24000 Hz mono, output takes 16000 Hz mono" in out.message
    assert into.hint.endswith("{use: resampler, rate: 16000, channels: 1}")


# --- settings and credentials ---


@pytest.fixture
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def check(live: LiveApi) -> list[str]:
    graph = Graph({"user": User(), "live": live}, ["user -> live"])
    return [str(finding) for finding in graph.check()]


@pytest.mark.usefixtures("_no_keys")
def test_a_missing_key_is_found_by_check(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = check(LiveApi("gemini_api"))
    assert 'error[environment] "live": the Gemini API needs a key' in finding
    assert "set the environment variable GEMINI_API_KEY" in finding
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert check(LiveApi("gemini_api")) == []


def test_a_broken_scenario_is_found_by_check(tmp_path: Path) -> None:
    (finding,) = check(LiveApi(scenario=str(tmp_path / "none.yaml")))
    assert "cannot read" in finding


def test_a_scenario_is_for_the_simulation() -> None:
    with pytest.raises(SettingError, match="local Live API") as raised:
        LiveApi("vertex", scenario="scenario.yaml")
    assert raised.value.setting == "scenario"


async def test_the_gemini_api_gets_the_key_in_a_header_and_text_as_it_is_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)

    async def answer(wire: Wire) -> None:
        assert wire.socket.request is not None
        assert wire.socket.request.headers["x-goog-api-key"] == KEY
        assert KEY not in wire.socket.request.path
        assert (await wire.set_up())["model"] == "models/gemini-x"
        assert await wire.receive() == {"realtimeInput": {"text": "Hello"}}
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        await run(User(HELLO), LiveApi("gemini_api", "gemini-x", url=url))
    assert KEY not in json.dumps(wires[0].received)


async def test_vertex_gets_a_token_a_full_name_and_whole_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Credentials:
        token = KEY

        def refresh(self, request: object) -> None:
            pass

    async def answer(wire: Wire) -> None:
        assert wire.socket.request is not None
        assert wire.socket.request.headers["Authorization"] == f"Bearer {KEY}"
        name = (await wire.set_up())["model"]
        assert name == "projects/p/locations/europe-west4/publishers/google/models/m"
        assert "clientContent" in await wire.receive()
        await wire.socket.close(1011, "Internal error encountered.")

    monkeypatch.setattr(google.auth, "default", lambda scopes: (Credentials(), "other"))
    async with service(answer) as (url, _):
        live = LiveApi("vertex", "m", project="p", location="europe-west4", url=url)
        with pytest.raises(ProcessorFailure, match="1011") as raised:
            await run(User(HELLO), live)
    check_secret(raised.value)


async def test_vertex_without_credentials_is_one_clear_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def default(scopes: list[str]) -> NoReturn:
        raise google.auth.exceptions.DefaultCredentialsError("none found")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", default)
    message = await fails(User(HELLO), LiveApi("vertex"))
    assert "no Google credentials: none found" in message


async def refuse(wire: Wire) -> None:
    await wire.receive()
    await wire.socket.close(1007, "API key not valid. Please pass a valid API key.")


async def lose(wire: Wire) -> None:
    wire.socket.transport.abort()


async def mumble(wire: Wire) -> None:
    await wire.send("?")


@pytest.mark.parametrize("handler", [refuse, lose, mumble])
async def test_no_error_shows_the_key(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    async with service(handler) as (url, _):
        with pytest.raises(ProcessorFailure) as raised:
            await run(User(HELLO), LiveApi("gemini_api", url=url))
    check_secret(raised.value)
    with pytest.raises(ProcessorFailure, match="cannot connect") as raised:
        await run(User(HELLO), LiveApi("gemini_api", url=url))
    check_secret(raised.value)


def check_secret(error: BaseException | None) -> None:
    assert error is not None
    assert KEY not in "".join(traceback.format_exception(error))
    while error is not None:
        assert KEY not in repr(error)
        assert KEY not in str(error.args)
        error = error.__cause__ or error.__context__


def test_another_back_end_is_one_clear_message() -> None:
    graph = Graph(
        {
            "typed": Given([TextFrame("hello")]),
            "gemini": LiveApi(modality="text"),
            "words": Collect(),
        },
        "typed -> gemini -> words",
    )
    with pytest.raises(
        ProcessorFailure, match=r'"gemini" failed: it runs on anyio\'s asyncio back end only$'
    ):
        run_graph(graph, backend="trio")
