"""Conversations with the local Live API, over a real websocket and in virtual time."""

import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.scenario import Call, Scenario, Step, Turn
from processors.local_live_api.server import serve
from processors.local_live_api.voice import synthesize

RATE = 16_000
CHUNK = RATE // 50
QUESTION = synthesize("What will the weather be like in Lisbon?", rate=RATE)
STORY = "Once upon a time there was a king, who had three daughters and no sons at all."
ORDER = "setup must be the first message and only the first"
HEARS: dict[str, Any] = {"inputAudioTranscription": {}}
SPEAKS: dict[str, Any] = {"outputAudioTranscription": {}}
WRITES: dict[str, Any] = {"generationConfig": {"responseModalities": ["TEXT"]}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Client:
    """A client that knows nothing of the project's own."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.times: list[float] = []

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def type(self, text: str) -> None:
        turn = {"role": "user", "parts": [{"text": text}]}
        await self.send(clientContent={"turns": [turn], "turnComplete": True})

    async def speak(self, *sounds: np.ndarray) -> None:
        """In real time, 20 ms at a time."""
        samples = np.concatenate(sounds)
        for offset in range(0, len(samples), CHUNK):
            data = base64.b64encode(samples[offset : offset + CHUNK].tobytes()).decode()
            await self.send(
                realtimeInput={"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}
            )
            await anyio.sleep(0.02)

    async def receive(self) -> dict[str, Any]:
        frame = await self.socket.recv()
        assert isinstance(frame, bytes)
        message: dict[str, Any] = json.loads(frame)
        self.times.append(anyio.current_time())
        return message

    async def until(self, event: str) -> list[dict[str, Any]]:
        """All messages up to the first with this event."""
        self.times.clear()
        messages = [await self.receive()]
        while event not in events(messages[-1:]):
            messages.append(await self.receive())
        return messages

    async def turn(self) -> list[dict[str, Any]]:
        return await self.until("turnComplete")

    async def closed(self) -> Close:
        with pytest.raises(ConnectionClosed) as raised:
            await self.until("nothing that ever comes")
        assert raised.value.rcvd is not None
        return raised.value.rcvd


def events(messages: list[dict[str, Any]]) -> list[str]:
    """The names of what the messages hold, in order; repeated ones once."""
    names: list[str] = []
    for message in messages:
        for key, value in message.items():
            for name in value if key == "serverContent" else (key,):
                if names[-1:] != [name]:
                    names.append(name)
    return names


def contents(messages: list[dict[str, Any]], kind: str) -> list[Any]:
    found = (message.get("serverContent", {}).get(kind) for message in messages)
    return [content for content in found if content is not None]


def written(messages: list[dict[str, Any]]) -> str:
    turns = contents(messages, "modelTurn")
    return "".join(part.get("text", "") for turn in turns for part in turn["parts"])


def transcribed(messages: list[dict[str, Any]], kind: str) -> str:
    return "".join(content["text"] for content in contents(messages, kind))


def spoken(messages: list[dict[str, Any]]) -> np.ndarray:
    blobs = [
        part["inlineData"]
        for turn in contents(messages, "modelTurn")
        for part in turn["parts"]
        if "inlineData" in part
    ]
    assert {blob["mimeType"] for blob in blobs} <= {"audio/pcm;rate=24000"}
    data = b"".join(base64.b64decode(blob["data"], validate=True) for blob in blobs)
    return np.frombuffer(data, "<i2").reshape(-1, 1)


def silence(seconds: float) -> np.ndarray:
    return np.zeros((round(RATE * seconds), 1), np.int16)


def scenario(*turns: Turn) -> Scenario:
    return Scenario(list(turns))


@asynccontextmanager
async def talk(script: Scenario | None = None, **setup: Any) -> AsyncIterator[Client]:
    async with serve(scenario=script) as server, connect(server.url) as socket:
        client = Client(socket)
        await client.send(setup={"model": "models/m", **setup})
        assert await client.receive() == {"setupComplete": {}}
        yield client


# --- setup ---


async def test_frames_are_binary_pretty_json() -> None:
    async with serve() as server, connect(server.url) as socket:
        await socket.send('{"setup": {"model": "m"}}')
        assert await socket.recv() == b'{\n  "setupComplete": {}\n}\n'


async def test_a_binary_setup_is_as_good() -> None:
    async with serve() as server, connect(server.url) as socket:
        await socket.send(b'{"setup": {"model": "m"}}')
        assert json.loads(await socket.recv()) == {"setupComplete": {}}


@pytest.mark.parametrize(
    "first", [{}, {"clientContent": {"turnComplete": True}}, {"realtimeInput": {"text": "Hello"}}]
)
async def test_setup_must_come_first(first: dict[str, Any]) -> None:
    async with serve() as server, connect(server.url) as socket:
        client = Client(socket)
        await client.send(**first)
        assert await client.closed() == Close(1007, ORDER)


async def test_setup_must_come_once() -> None:
    async with talk() as client:
        await client.send(setup={"model": "models/m"})
        assert await client.closed() == Close(1007, ORDER)


@pytest.mark.parametrize("frame", ["no JSON", b"\xff\xff", "[]", '{"setup": {"model": 1}}'])
async def test_invalid_json_is_refused_at_setup(frame: str | bytes) -> None:
    async with serve() as server, connect(server.url) as socket:
        await socket.send(frame)
        close = await Client(socket).closed()
        assert close.code == 1007
        assert close.reason.startswith("Invalid JSON payload received. ")


async def test_invalid_json_is_refused_later() -> None:
    async with talk() as client:
        await client.socket.send('{"realtimeInput": {"audioStreamEnd": {}}}')
        close = await client.closed()
        assert close.code == 1007
        assert close.reason.startswith("Invalid JSON payload received. ")
        assert "realtimeInput.audioStreamEnd" in close.reason


async def test_a_reason_is_cut_where_a_close_frame_ends() -> None:
    config: dict[str, Any] = {"automaticActivityDetection": {"startOfSpeechSensitivity": {}}}
    async with serve() as server, connect(server.url) as socket:
        await socket.send(json.dumps({"setup": {"model": "m", "realtimeInputConfig": config}}))
        close = await Client(socket).closed()
        assert close.code == 1007
        assert len(close.reason) == 123


# --- typed turns ---


async def test_a_written_answer_without_a_scenario() -> None:
    async with talk(**WRITES) as client:
        await client.type("Hello there")
        messages = await client.turn()
        assert written(messages) == "This is a simulation of the Live API. You wrote: Hello there"
        assert events(messages) == [
            "modelTurn",
            "generationComplete",
            "turnComplete",
            "usageMetadata",
        ]
        assert len(contents(messages, "modelTurn")) > 1


async def test_a_spoken_answer_is_the_voice_that_was_chosen() -> None:
    text = "This is a simulation of the Live API. You wrote: Hello"
    for name in ("Kore", "Charon"):
        voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}
        config = {"responseModalities": ["AUDIO"], "speechConfig": voice}
        async with talk(generationConfig=config) as client:
            await client.type("Hello")
            messages = await client.turn()
            assert np.array_equal(spoken(messages), synthesize(text, voice=name, rate=24_000))
            assert written(messages) == ""


async def test_words_of_the_answer_come_with_the_audio_if_asked_for() -> None:
    script = scenario(Turn([Step(say=STORY)], "text"))
    async with talk(script, **SPEAKS) as client:
        await client.type("Tell me a story.")
        messages = await client.turn()
        assert transcribed(messages, "outputTranscription") == STORY
        order = events(messages)
        assert order[:4] == ["outputTranscription", "modelTurn"] * 2
        assert order.count("outputTranscription") > 10
    async with talk(script) as client:
        await client.type("Tell me a story.")
        assert "outputTranscription" not in events(await client.turn())


async def test_the_turn_is_complete_when_its_audio_has_been_played() -> None:
    async with talk(scenario(Turn([Step(say=STORY)], "text"))) as client:
        await client.type("Tell me a story.")
        messages = await client.turn()
        length = len(spoken(messages)) / 24_000
        generated = next(i for i, m in enumerate(messages) if "generationComplete" in events([m]))
        assert client.times[-1] - client.times[0] == pytest.approx(length, abs=1e-3)
        assert client.times[generated] - client.times[0] < length / 4


async def test_content_is_gathered_until_the_turn_is_complete() -> None:
    async with talk(**WRITES) as client:
        for text in ("One", "two"):
            await client.send(clientContent={"turns": [{"parts": [{"text": text}]}]})
        await client.send(clientContent={"turnComplete": True})
        assert written(await client.turn()).endswith("You wrote: One two")


async def test_realtime_text_is_a_turn() -> None:
    async with talk(**WRITES) as client:
        await client.send(realtimeInput={"text": "Hello"})
        assert written(await client.turn()).endswith("You wrote: Hello")


async def test_one_turn_after_the_other() -> None:
    async with talk(**WRITES) as client:
        for text in ("One", "Two"):
            await client.type(text)
            assert written(await client.turn()).endswith(text)


# --- spoken turns ---


async def test_speech_is_answered_after_a_silence() -> None:
    script = scenario(Turn([Step(transcript="How is the weather?"), Step(say="It is fine.")]))
    async with talk(script, **HEARS, **SPEAKS) as client:
        await client.speak(silence(0.3), QUESTION, silence(1))
        messages = await client.turn()
        assert transcribed(messages, "inputTranscription") == "How is the weather?"
        assert transcribed(messages, "outputTranscription") == "It is fine."
        assert events(messages)[0] == "inputTranscription"


async def test_without_a_scenario_it_says_what_it_is() -> None:
    async with talk(**SPEAKS) as client:
        await client.speak(QUESTION, silence(1))
        said = transcribed(await client.turn(), "outputTranscription")
        assert said.startswith("This is a simulation of the Live API. I heard you speak")


async def test_without_enough_silence_nothing_is_answered_until_the_stream_ends() -> None:
    async with talk(**WRITES) as client:
        await client.speak(QUESTION, silence(0.3))
        with anyio.move_on_after(60) as waiting:
            await client.receive()
        assert waiting.cancelled_caught
        await client.send(realtimeInput={"audioStreamEnd": True})
        assert "I heard you speak" in written(await client.turn())


async def test_what_the_user_said_is_transcribed_only_if_asked_for() -> None:
    script = scenario(Turn([Step(transcript="How is the weather?"), Step(say="Fine.")]))
    async with talk(script) as client:
        await client.speak(QUESTION, silence(1))
        assert "inputTranscription" not in events(await client.turn())


async def test_the_silence_that_ends_a_turn_can_be_set() -> None:
    detection: dict[str, Any] = {"automaticActivityDetection": {"silenceDurationMs": 200}}
    async with talk(realtimeInputConfig=detection, **WRITES) as client:
        await client.speak(QUESTION, silence(0.4))
        assert "I heard you speak" in written(await client.turn())


# --- interruptions ---


async def test_speech_interrupts_the_answer() -> None:
    async with talk(**SPEAKS) as client:
        await client.type(STORY)
        await client.until("modelTurn")
        await client.speak(QUESTION)
        messages = await client.turn()
        assert events(messages)[-3:] == ["interrupted", "turnComplete", "usageMetadata"]
        await client.speak(silence(1))
        assert "I heard you" in transcribed(await client.turn(), "outputTranscription")


async def test_an_interrupted_turn_is_never_generated_to_its_end() -> None:
    async with talk() as client:
        await client.type(STORY)
        await client.until("modelTurn")
        await client.send(clientContent={"turns": []})
        messages = await client.turn()
        assert "interrupted" in events(messages)
        assert "generationComplete" not in events(messages)


async def test_speech_does_not_interrupt_if_it_must_not() -> None:
    config: dict[str, Any] = {"activityHandling": "NO_INTERRUPTION"}
    async with talk(realtimeInputConfig=config) as client:
        await client.type("Hello")
        await client.until("modelTurn")
        await client.speak(QUESTION)
        assert "interrupted" not in events(await client.turn())


async def test_typed_text_interrupts_and_is_answered() -> None:
    async with talk(**SPEAKS) as client:
        await client.type(STORY)
        await client.until("modelTurn")
        await client.type("Stop")
        assert "interrupted" in events(await client.turn())
        said = transcribed(await client.turn(), "outputTranscription")
        assert said.endswith("You wrote: Stop")


async def test_what_is_only_being_played_can_be_interrupted() -> None:
    async with talk() as client:
        await client.type(STORY)
        await client.until("generationComplete")
        await client.send(realtimeInput={"text": "Stop"})
        assert events(await client.turn()) == ["interrupted", "turnComplete", "usageMetadata"]


# --- tools ---


def asking(say: str) -> Scenario:
    return scenario(
        Turn([Step(call=Call("get_weather", {"city": "Lisbon"})), Step(say=say)], "text"),
        Turn([Step(say="Next.")], "text"),
    )


async def test_a_call_is_made_and_its_result_used() -> None:
    async with talk(asking("In Lisbon it is {get_weather[sky]}."), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        (call,) = message["toolCall"]["functionCalls"]
        assert (call["name"], call["args"]) == ("get_weather", {"city": "Lisbon"})
        response = {"id": call["id"], "name": "get_weather", "response": {"output": {"sky": "red"}}}
        await client.send(toolResponse={"functionResponses": [response]})
        assert written(await client.turn()) == "In Lisbon it is red."


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({"output": "fine"}, "It is fine."),
        ({"error": "unknown"}, "It is unknown."),
        ({"a": 1}, "It is {'a': 1}."),
    ],
)
async def test_what_a_response_can_be(response: dict[str, Any], said: str) -> None:
    async with talk(asking("It is {get_weather}."), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        id = message["toolCall"]["functionCalls"][0]["id"]
        answer = {"id": id, "name": "get_weather", "response": response}
        await client.send(toolResponse={"functionResponses": [answer]})
        assert written(await client.turn()) == said


@pytest.mark.parametrize(
    "say", ["{unknown}", "{get_weather[no]}", "{get_weather.no}", "{", "{0}", "{get_weather:%%}"]
)
async def test_what_cannot_be_filled_in_is_said_as_it_is(say: str) -> None:
    async with talk(asking(say), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        id = message["toolCall"]["functionCalls"][0]["id"]
        answer = {"id": id, "name": "get_weather", "response": {"output": {"sky": "red"}}}
        await client.send(toolResponse={"functionResponses": [answer]})
        assert written(await client.turn()) == say


async def test_an_interruption_withdraws_the_call() -> None:
    async with talk(asking("{get_weather}"), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        id = message["toolCall"]["functionCalls"][0]["id"]
        await client.type("Never mind.")
        interrupted, withdrawn, complete = await client.turn()
        assert events([interrupted]) == ["interrupted"]
        assert withdrawn == {"toolCallCancellation": {"ids": [id]}}
        assert events([complete])[0] == "turnComplete"
        answer = {"id": id, "name": "get_weather", "response": {"output": "late"}}
        await client.send(toolResponse={"functionResponses": [answer]})
        assert written(await client.turn()) == "Next."


async def test_ids_of_calls_differ() -> None:
    steps = [Step(call=Call("f")), Step(call=Call("f")), Step(say="Done.")]
    async with talk(scenario(Turn(steps, "text")), **WRITES) as client:
        await client.type("Call twice.")
        ids = []
        for _ in range(2):
            (message,) = await client.until("toolCall")
            ids.append(message["toolCall"]["functionCalls"][0]["id"])
            answer = {"id": ids[-1], "name": "f", "response": {}}
            await client.send(toolResponse={"functionResponses": [answer]})
        assert written(await client.turn()) == "Done."
        assert len(set(ids)) == 2


# --- the scenario ---


@pytest.mark.parametrize("expect", ["speech", "text"])
async def test_what_the_scenario_does_not_expect_is_explained(expect: str) -> None:
    turn = Turn([Step(say="Fine.")], expect)  # type: ignore[arg-type]
    async with talk(scenario(turn)) as client:
        if expect == "speech":
            await client.type("Hello")
        else:
            await client.speak(QUESTION)
            await client.send(realtimeInput={"audioStreamEnd": True})
        got = {"speech": "text", "text": "speech"}[expect]
        reason = f"simulation: the scenario expects {expect}, got {got}"
        assert await client.closed() == Close(1008, reason)


async def test_after_the_scenario_it_goes_on_without() -> None:
    async with talk(scenario(Turn([Step(say="Fine.")], "text")), **WRITES) as client:
        await client.type("Hello")
        assert written(await client.turn()) == "Fine."
        await client.type("Hello")
        assert written(await client.turn()).endswith("You wrote: Hello")


async def test_it_can_wait() -> None:
    script = scenario(Turn([Step(wait_ms=3000), Step(say="Fine.")], "text"))
    async with talk(script, **WRITES) as client:
        await client.type("Hello")
        began = anyio.current_time()
        await client.until("modelTurn")
        assert client.times[-1] - began == pytest.approx(3, abs=1e-3)


async def test_an_empty_turn_is_complete_at_once() -> None:
    async with talk(scenario(Turn([], "text"))) as client:
        await client.type("Say nothing.")
        assert events(await client.turn()) == ["turnComplete", "usageMetadata"]


# --- usage ---


async def test_usage_comes_with_the_end_of_the_turn() -> None:
    async with talk() as client:
        await client.speak(QUESTION, silence(1))
        messages = await client.turn()
        usage = messages[-1]["usageMetadata"]
        assert "turnComplete" in messages[-1]["serverContent"]
        assert all("usageMetadata" not in message for message in messages[:-1])
        heard = np.ceil((len(QUESTION) / RATE + 1) * 25)
        said = np.ceil(len(spoken(messages)) / 24_000 * 25)
        assert usage == {
            "promptTokenCount": heard,
            "responseTokenCount": said,
            "totalTokenCount": heard + said,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": heard}],
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": said}],
        }


async def test_usage_counts_each_answer_once_and_the_input_from_the_beginning() -> None:
    async with talk() as client:
        await client.speak(QUESTION, silence(1))
        first = (await client.turn())[-1]["usageMetadata"]
        await client.speak(QUESTION, silence(1))
        second = (await client.turn())[-1]["usageMetadata"]
        assert second["responseTokenCount"] == first["responseTokenCount"]
        assert second["promptTokenCount"] == pytest.approx(2 * first["promptTokenCount"], abs=1)


# --- clients that leave ---


async def leave_normally(client: Client) -> None:
    await client.socket.close()


async def leave_abruptly(client: Client) -> None:
    client.socket.transport.abort()


@pytest.mark.parametrize("leave", [leave_normally, leave_abruptly])
@pytest.mark.parametrize("busy", [False, True])
async def test_a_client_that_leaves_is_no_error(
    leave: Callable[[Client], Any], busy: bool, caplog: pytest.LogCaptureFixture
) -> None:
    script = scenario(Turn([Step(call=Call("f"))], "text"))
    talking: AbstractAsyncContextManager[Client] = talk(script)
    with caplog.at_level(logging.WARNING):
        async with talking as client:
            if busy:
                await client.type("Call.")
                await client.until("toolCall")
            await leave(client)
    assert caplog.records == []
