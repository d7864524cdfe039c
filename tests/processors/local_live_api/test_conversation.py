"""Conversations with the local Live API, over a real websocket and in virtual time."""

import logging
import math
from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest
from anyio import to_thread
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import serve
from processors.local_live_api.speech import speak
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

RATE = 16_000
QUESTION = synthesize("What will the weather be like in Lisbon?", rate=RATE)
STORY = "Once upon a time there was a king, who had three daughters and no sons at all."
ORDER = "setup must be the first message and only the first"
HEARS: dict[str, Any] = {"inputAudioTranscription": {}}
SPEAKS: dict[str, Any] = {"outputAudioTranscription": {}}
GREETING = "Hello! This is the simulated Live API. What would you like to talk about?"
WRITES: dict[str, Any] = {"generationConfig": {"responseModalities": ["TEXT"]}}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def silence(seconds: float) -> np.ndarray:
    return np.zeros((round(RATE * seconds), 1), np.int16)


def scenario(*turns: Turn) -> Scenario:
    return Scenario(list(turns))


# --- setup ---


async def test_frames_are_binary_pretty_json(dial: Any) -> None:
    async with serve() as server, dial(server) as client:
        await client.send(setup={"model": "m"})
        assert await client.socket.recv() == b'{\n  "setupComplete": {}\n}\n'


async def test_frames_can_be_compact_text(dial: Any) -> None:
    switches = Switches(frames="text", pretty=False)
    async with serve(switches=switches) as server, dial(server) as client:
        await client.send(setup={"model": "m"})
        assert await client.socket.recv() == '{"setupComplete":{}}'


async def test_a_binary_setup_is_as_good(dial: Any) -> None:
    async with serve() as server, dial(server) as client:
        await client.socket.send(b'{"setup": {"model": "m"}}')
        assert await client.receive() == {"setupComplete": {}}


async def test_vertex_names_the_session(dial: Any) -> None:
    async with serve(backend="vertex") as server, dial(server, {}, ready=False) as client:
        (session,) = [message["setupComplete"]["sessionId"] for message in [await client.receive()]]
        assert session == server.sessions[0].id
        assert len(session) == 36


@pytest.mark.parametrize(
    "first", [{}, {"clientContent": {"turnComplete": True}}, {"realtimeInput": {"text": "Hello"}}]
)
async def test_setup_must_come_first(dial: Any, first: dict[str, Any]) -> None:
    async with serve() as server, dial(server) as client:
        await client.send(**first)
        assert await client.closed() == Close(1007, ORDER)


async def test_setup_must_come_once(talk: Any) -> None:
    async with talk() as client:
        await client.send(setup={"model": "models/m"})
        assert await client.closed() == Close(1007, ORDER)


async def test_a_key_must_come_with_it() -> None:
    async with serve() as server, connect(server.url) as socket:
        await socket.send('{"setup": {"model": "m"}}')
        with pytest.raises(ConnectionClosed, match="API Key not found"):
            await socket.recv()


@pytest.mark.parametrize("frame", ["no JSON", b"\xff\xff", "[]"])
async def test_invalid_json_is_refused_at_setup(dial: Any, frame: str | bytes) -> None:
    async with serve() as server, dial(server) as client:
        await client.socket.send(frame)
        close = await client.closed()
        assert close.code == 1007
        assert close.reason.startswith("Invalid JSON payload received. ")


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ({"realtimeInput": {"audioStreamEnd": {}}}, "'realtime_input' (audio_stream_end)"),
        ({"realtimeInput": {"turnComplete": True}}, "\"turnComplete\" at 'realtime_input'"),
        ({"toolAnswer": {}}, '"toolAnswer": Cannot find field.'),
        ({"realtimeInput": {}, "clientContent": {}}, "is already set"),
    ],
)
async def test_a_message_that_is_none_is_refused(talk: Any, message: Any, where: str) -> None:
    async with talk() as client:
        await client.send(**message)
        close = await client.closed()
        assert close.code == 1007
        assert close.reason.startswith("Invalid ")
        assert where in close.reason


async def test_a_reason_is_cut_where_a_close_frame_ends(talk: Any) -> None:
    async with talk() as client:
        await client.send(**{"x" * 200: 1})
        close = await client.closed()
        assert close.code == 1007
        assert len(close.reason) == 123


# --- typed turns ---


async def test_a_written_answer_without_a_scenario(talk: Any) -> None:
    async with talk(**WRITES) as client:
        await client.type("Hello there")
        messages = await client.turn()
        assert messages.written == GREETING
        assert messages.events == [
            "modelTurn",
            "generationComplete",
            "turnComplete",
            "usageMetadata",
        ]
        assert len(messages.all("modelTurn")) > 1


async def test_a_spoken_answer_is_the_voice_that_was_chosen(talk: Any) -> None:
    for name in ("Kore", "Charon"):
        voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}
        config = {"responseModalities": ["AUDIO"], "speechConfig": voice}
        async with talk(generationConfig=config) as client:
            await client.type("Hello")
            messages = await client.turn()
            speech = await to_thread.run_sync(partial(speak, GREETING, voice=name))
            assert np.array_equal(messages.audio[:, 0], speech.samples.reshape(-1))
            assert messages.written == ""


async def test_words_of_the_answer_come_with_the_audio_if_asked_for(talk: Any) -> None:
    script = scenario(Turn([Step(say=STORY)], "text"))
    async with talk(script, **SPEAKS) as client:
        await client.type("Tell me a story.")
        messages = await client.turn()
        assert messages.said == STORY
        order = messages.events
        assert order[:4] == ["outputTranscription", "modelTurn"] * 2
        assert order.count("outputTranscription") > 10
    async with talk(script) as client:
        await client.type("Tell me a story.")
        assert "outputTranscription" not in (await client.turn()).events


async def test_the_turn_is_complete_when_its_audio_has_been_played(talk: Any) -> None:
    async with talk(scenario(Turn([Step(say=STORY)], "text"))) as client:
        await client.type("Tell me a story.")
        messages = await client.turn()
        length = len(messages.audio) / 24_000
        generated = next(i for i, m in enumerate(messages) if "generationComplete" in str(m))
        assert client.times[-1] - client.times[0] == pytest.approx(length, abs=1e-3)
        assert client.times[generated] - client.times[0] < length / 4


async def test_content_is_gathered_until_the_turn_is_complete(talk: Any) -> None:
    async with talk(**WRITES) as client:
        for text in ("What is", "6 times 7?"):
            await client.send(clientContent={"turns": [{"parts": [{"text": text}]}]})
        assert await client.during(1) == []
        await client.send(clientContent={"turnComplete": True})
        await client.turn()
        await client.type("What did I ask?")
        assert (await client.turn()).written == 'You asked: "What is 6 times 7?"'


async def test_realtime_text_is_a_turn(talk: Any) -> None:
    async with talk(**WRITES) as client:
        await client.send(realtimeInput={"text": "Hello"})
        assert (await client.turn()).written == GREETING


async def test_one_turn_after_the_other(talk: Any) -> None:
    async with talk(**WRITES) as client:
        await client.type("My name is Ada.")
        await client.turn()
        await client.type("What is my name?")
        assert (await client.turn()).written == "Your name is Ada."


# --- spoken turns ---


async def test_speech_is_answered_after_a_silence(talk: Any) -> None:
    script = scenario(Turn([Step(transcript="How is the weather?"), Step(say="It is fine.")]))
    async with talk(script, **HEARS, **SPEAKS) as client:
        await client.speak(silence(0.3), QUESTION, silence(1))
        messages = await client.turn()
        assert messages.heard == "How is the weather?"
        assert messages.said == "It is fine."
        assert messages.events[0] == "inputTranscription"


async def test_without_a_scenario_it_says_what_it_is(talk: Any) -> None:
    async with talk(**SPEAKS) as client:
        await client.speak(QUESTION, silence(1))
        said = (await client.turn()).said
        assert said.startswith("I heard you speak for 2.")


async def test_without_enough_silence_nothing_is_answered_until_the_stream_ends(talk: Any) -> None:
    async with talk(**WRITES) as client:
        await client.speak(QUESTION, silence(0.3))
        with anyio.move_on_after(60) as waiting:
            await client.receive()
        assert waiting.cancelled_caught
        await client.send(realtimeInput={"audioStreamEnd": True})
        assert "I heard you speak" in (await client.turn()).written


async def test_what_the_user_said_is_transcribed_only_if_asked_for(talk: Any) -> None:
    script = scenario(Turn([Step(transcript="How is the weather?"), Step(say="Fine.")]))
    async with talk(script) as client:
        await client.speak(QUESTION, silence(1))
        assert "inputTranscription" not in (await client.turn()).events


async def test_the_silence_that_ends_a_turn_can_be_set(talk: Any) -> None:
    detection: dict[str, Any] = {"automaticActivityDetection": {"silenceDurationMs": 200}}
    async with talk(realtimeInputConfig=detection, **WRITES) as client:
        await client.speak(QUESTION, silence(0.4))
        assert "I heard you speak" in (await client.turn()).written


# --- interruptions ---


async def test_speech_interrupts_the_answer(talk: Any) -> None:
    async with talk(**SPEAKS) as client:
        await client.type(STORY)
        await client.until("modelTurn")
        await client.speak(QUESTION)
        messages = await client.turn()
        assert messages.events[-3:] == ["interrupted", "turnComplete", "usageMetadata"]
        await client.speak(silence(1))
        assert "I heard you" in (await client.turn()).said


async def test_an_interrupted_turn_is_never_generated_to_its_end(talk: Any) -> None:
    async with talk() as client:
        await client.type(STORY)
        await client.until("modelTurn")
        await client.send(clientContent={"turns": []})
        messages = await client.turn()
        assert "interrupted" in messages.events
        assert "generationComplete" not in messages.events


async def test_speech_does_not_interrupt_if_it_must_not(talk: Any) -> None:
    config: dict[str, Any] = {"activityHandling": "NO_INTERRUPTION"}
    async with talk(realtimeInputConfig=config) as client:
        await client.type("Hello")
        await client.until("modelTurn")
        await client.speak(QUESTION)
        assert "interrupted" not in (await client.turn()).events


async def test_typed_text_interrupts_and_is_answered(talk: Any) -> None:
    async with talk(**SPEAKS) as client:
        await client.type(STORY)
        await client.until("modelTurn")
        await client.type("Stop")
        assert "interrupted" in (await client.turn()).events
        said = (await client.turn()).said
        assert said == "All right, I have stopped. Tell me when to go on."


async def test_what_is_only_being_played_can_be_interrupted(talk: Any) -> None:
    async with talk() as client:
        await client.type(STORY)
        await client.until("generationComplete")
        await client.send(realtimeInput={"text": "Stop"})
        assert (await client.turn()).events == ["interrupted", "turnComplete", "usageMetadata"]


# --- tools ---


def asking(say: str) -> Scenario:
    return scenario(
        Turn([Step(call=Call("get_weather", {"city": "Lisbon"})), Step(say=say)], "text"),
        Turn([Step(say="Next.")], "text"),
    )


async def test_a_call_is_made_and_its_result_used(talk: Any) -> None:
    async with talk(asking("In Lisbon it is {get_weather[sky]}."), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        (call,) = message["toolCall"]["functionCalls"]
        assert (call["name"], call["args"]) == ("get_weather", {"city": "Lisbon"})
        response = {"id": call["id"], "name": "get_weather", "response": {"output": {"sky": "red"}}}
        await client.send(toolResponse={"functionResponses": [response]})
        assert (await client.turn()).written == "In Lisbon it is red."


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({"output": "fine"}, "It is fine."),
        ({"error": "unknown"}, "It is unknown."),
        ({"a": 1}, "It is {'a': 1}."),
    ],
)
async def test_what_a_response_can_be(talk: Any, response: dict[str, Any], said: str) -> None:
    async with talk(asking("It is {get_weather}."), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        id = message["toolCall"]["functionCalls"][0]["id"]
        answer = {"id": id, "name": "get_weather", "response": response}
        await client.send(toolResponse={"functionResponses": [answer]})
        assert (await client.turn()).written == said


@pytest.mark.parametrize(
    "say", ["{unknown}", "{get_weather[no]}", "{get_weather.no}", "{", "{0}", "{get_weather:%%}"]
)
async def test_what_cannot_be_filled_in_is_said_as_it_is(talk: Any, say: str) -> None:
    async with talk(asking(say), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        id = message["toolCall"]["functionCalls"][0]["id"]
        answer = {"id": id, "name": "get_weather", "response": {"output": {"sky": "red"}}}
        await client.send(toolResponse={"functionResponses": [answer]})
        assert (await client.turn()).written == say


async def test_an_interruption_withdraws_the_call(talk: Any) -> None:
    async with talk(asking("{get_weather}"), **WRITES) as client:
        await client.type("How is the weather?")
        (message,) = await client.until("toolCall")
        id = message["toolCall"]["functionCalls"][0]["id"]
        await client.type("Never mind.")
        interrupted, withdrawn, complete = await client.turn()
        assert interrupted == {"serverContent": {"interrupted": True}}
        assert withdrawn == {"toolCallCancellation": {"ids": [id]}}
        assert complete["serverContent"] == {"turnComplete": True}
        answer = {"id": id, "name": "get_weather", "response": {"output": "late"}}
        await client.send(toolResponse={"functionResponses": [answer]})
        assert (await client.turn()).written == "Next."


async def test_ids_of_calls_differ(talk: Any) -> None:
    steps = [Step(call=Call("f")), Step(call=Call("f")), Step(say="Done.")]
    async with talk(scenario(Turn(steps, "text")), **WRITES) as client:
        await client.type("Call twice.")
        ids = []
        for _ in range(2):
            (message,) = await client.until("toolCall")
            ids.append(message["toolCall"]["functionCalls"][0]["id"])
            answer = {"id": ids[-1], "name": "f", "response": {}}
            await client.send(toolResponse={"functionResponses": [answer]})
        assert (await client.turn()).written == "Done."
        assert len(set(ids)) == 2


# --- the scenario ---


@pytest.mark.parametrize("expect", ["speech", "text"])
async def test_what_the_scenario_does_not_expect_is_explained(talk: Any, expect: str) -> None:
    turn = Turn([Step(say="Fine.")], expect)  # type: ignore[arg-type]
    async with talk(scenario(turn)) as client:
        if expect == "speech":
            await client.type("Hello")
        else:
            await client.speak(QUESTION)
            await client.send(realtimeInput={"audioStreamEnd": True})
        got = {"speech": "text 'Hello'", "text": "speech"}[expect]
        reason = f"simulation: turn 1: expected {expect}, got {got}"
        assert await client.closed() == Close(1008, reason)


async def test_after_the_scenario_it_goes_on_without(talk: Any) -> None:
    async with talk(scenario(Turn([Step(say="Fine.")], "text")), **WRITES) as client:
        await client.type("Hello")
        assert (await client.turn()).written == "Fine."
        await client.type("Hello")
        assert (await client.turn()).written == GREETING


async def test_it_can_wait(talk: Any) -> None:
    script = scenario(Turn([Step(wait_ms=3000), Step(say="Fine.")], "text"))
    async with talk(script, **WRITES) as client:
        await client.type("Hello")
        began = anyio.current_time()
        await client.until("modelTurn")
        assert client.times[-1] - began == pytest.approx(3, abs=1e-3)


async def test_an_empty_turn_is_complete_at_once(talk: Any) -> None:
    async with talk(scenario(Turn([], "text"))) as client:
        await client.type("Say nothing.")
        assert (await client.turn()).events == [
            "generationComplete",
            "turnComplete",
            "usageMetadata",
        ]


# --- usage ---


def tokens(samples: np.ndarray, rate: int) -> int:
    """25 a second."""
    return math.ceil(len(samples) * 25 / rate)


async def test_usage_comes_with_the_end_of_the_turn(talk: Any) -> None:
    async with talk(backend="vertex") as client:
        await client.speak(QUESTION, silence(1))
        messages = await client.turn()
        assert "turnComplete" in messages[-1]["serverContent"]
        heard, said = tokens(QUESTION, RATE) + 25, tokens(messages.audio, 24_000)
        usage = messages.usage
        assert usage == {
            "promptTokenCount": pytest.approx(heard, abs=6),
            "candidatesTokenCount": said,
            "totalTokenCount": usage["promptTokenCount"] + said,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": usage["promptTokenCount"]}],
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": said}],
            "trafficType": "ON_DEMAND",
        }


async def test_on_the_gemini_api_silence_is_free_and_the_names_differ(talk: Any) -> None:
    async with talk() as client:
        await client.speak(silence(2), QUESTION, silence(2))
        usage = (await client.turn()).usage
        assert usage["promptTokenCount"] < tokens(QUESTION, RATE) + 25
        assert usage["responseTokenCount"] > 0
        assert "candidatesTokenCount" not in usage


@pytest.mark.parametrize(("where", "frames"), [("own", 1), ("none", 0)])
async def test_usage_can_be_a_frame_of_its_own(talk: Any, where: Any, frames: int) -> None:
    async with talk(switches=Switches(usage=where)) as client:
        await client.type("Hello")
        assert "usageMetadata" not in (await client.turn()).events
        assert len((await client.during(1)).all("usageMetadata")) == frames


@pytest.mark.parametrize("chunk_ms", [20, 30, 70, 200])
async def test_the_size_of_chunks_does_not_change_what_they_cost(talk: Any, chunk_ms: int) -> None:
    script = scenario(Turn([Step(say="Once upon a time,"), Step(say="long ago.")], "text"))
    async with talk(script, Switches(chunk_ms=chunk_ms)) as client:
        await client.type("Tell me a story.")
        messages = await client.turn()
        assert messages.usage["responseTokenCount"] == tokens(messages.audio, 24_000)


async def test_every_turn_is_billed_for_the_whole_conversation(talk: Any) -> None:
    instruction = {"systemInstruction": {"parts": [{"text": "Be brief, and kind to everybody."}]}}
    async with talk(**instruction, **WRITES) as client:
        before = 8  # of the instruction
        for text in ("Hello", "What is 6 times 7?", "What did I ask?"):
            await client.type(text)
            messages = await client.turn()
            usage = messages.usage
            assert usage["promptTokenCount"] == before + math.ceil(len(text) / 4)
            before = usage["promptTokenCount"] + math.ceil(len(messages.written) / 4)


# --- clients that leave ---


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("busy", [False, True])
async def test_a_client_that_leaves_is_no_error(
    talk: Any, abruptly: bool, busy: bool, caplog: pytest.LogCaptureFixture
) -> None:
    script = scenario(Turn([Step(call=Call("f"))], "text"))
    with caplog.at_level(logging.WARNING):
        async with talk(script) as client:
            if busy:
                await client.type("Call.")
                await client.until("toolCall")
            if abruptly:
                client.vanish()
            else:
                await client.socket.close()
    assert caplog.records == []
