"""What client messages do: streams, content, answers of functions, updates of the context."""

import logging
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.frames import Close

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.history import Answered, Heard, Said
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import serve
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

RATE = 16_000
PATIENT = Switches(call_patience_s=3600)
QUESTION = synthesize("What will the weather be like in Lisbon?", rate=RATE)
INVALID = Close(1007, "Request contains an invalid argument.")
WRITES: dict[str, Any] = {"generationConfig": {"responseModalities": ["TEXT"]}}
MANUAL: dict[str, Any] = {
    "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}},
    **WRITES,
}
LONG = "This is quite a long answer, " * 20


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def silence(seconds: float) -> np.ndarray:
    return np.zeros((round(RATE * seconds), 1), np.int16)


def functions(*names: str, **more: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": n, **more} for n in names]}]}


# --- activity ---


async def test_the_client_can_say_when_the_user_speaks(talk: Any) -> None:
    async with talk(**MANUAL) as client:
        await client.send(realtimeInput={"activityStart": {}})
        await client.speak(QUESTION)
        assert await client.during(60) == []
        await client.send(realtimeInput={"activityEnd": {}})
        assert "I heard you speak for 2." in (await client.turn()).written


async def test_without_activity_the_model_stays_silent(talk: Any) -> None:
    async with talk(**MANUAL) as client:
        await client.speak(QUESTION, silence(2))
        assert await client.during(60) == []


@pytest.mark.parametrize("kind", ["activityStart", "activityEnd"])
async def test_activity_is_not_for_automatic_detection(talk: Any, kind: str) -> None:
    async with talk() as client:
        await client.send(realtimeInput={kind: {}})
        reason = (
            "Explicit activity control is not supported when automatic activity detection "
            "is enabled."
        )
        assert await client.closed() == Close(1007, reason)


async def test_activity_interrupts(talk: Any) -> None:
    async with talk(Scenario([Turn([Step(say=LONG)], "text")]), **MANUAL) as client:
        await client.type("Talk.")
        await client.until("modelTurn")
        await client.send(realtimeInput={"activityStart": {}})
        messages = await client.turn()
        assert messages.events[-3:] == ["interrupted", "turnComplete", "usageMetadata"]


@pytest.mark.parametrize("wanted", [True, False])
async def test_activity_is_signalled_if_asked_for(talk: Any, wanted: bool) -> None:
    async with talk(backend="vertex", explicitVadSignal=wanted, **WRITES) as client:
        await client.speak(silence(0.5), QUESTION, silence(1))
        signals = (await client.turn()).all("voiceActivity")
        if not wanted:
            assert signals == []
            return
        start, end = signals
        assert (start["type"], end["type"]) == ("ACTIVITY_START", "ACTIVITY_END")
        length = len(QUESTION) / RATE
        assert float(start["audioOffset"].rstrip("s")) == pytest.approx(0.6, abs=0.2)
        assert float(end["audioOffset"].rstrip("s")) == pytest.approx(1.3 + length, abs=0.2)


async def test_a_whole_conversation_can_be_in_one_frame(dial: Any) -> None:
    speech = np.concatenate([QUESTION, silence(1), QUESTION, silence(1)])
    async with serve(backend="vertex") as server, dial(server, WRITES) as client:
        await client.send(realtimeInput=audio(speech))
        messages = await client.turn()  # the second question came before the answer
        assert "interrupted" not in messages.events
        assert await client.during(60) == []
        heard = [e for e in server.sessions[0].memory.entries if isinstance(e, Heard)]
        length = len(QUESTION) / RATE
        assert [e.seconds for e in heard] == pytest.approx([length, length], abs=0.4)


def audio(samples: np.ndarray, rate: int = RATE) -> dict[str, Any]:
    data = b64encode(samples.tobytes()).decode()
    return {"audio": {"mimeType": f"audio/pcm;rate={rate}", "data": data}}


async def test_the_rate_must_not_change(talk: Any) -> None:
    async with talk() as client:
        await client.send(realtimeInput=audio(silence(0.1), 24_000))
        await client.send(realtimeInput=audio(silence(0.1)))
        reason = "Sample rate changed from previously 24000 to 16000, which is not supported."
        assert await client.closed() == Close(1007, reason)


# --- pictures ---


JPEG = {"mimeType": "image/jpeg", "data": "/9j/4AAQ"}


@pytest.mark.parametrize(
    "realtime", [{"video": JPEG}, {"mediaChunks": [JPEG, {"mimeType": "audio/x", "data": ""}]}]
)
async def test_a_picture_costs_258_tokens(talk: Any, realtime: dict[str, Any]) -> None:
    async with talk(**WRITES) as client:
        await client.send(realtimeInput=realtime)
        await client.type("What is it?")
        details = (await client.turn()).usage["promptTokensDetails"]
        assert {"modality": "IMAGE", "tokenCount": 258} in details


async def test_a_picture_can_be_content(talk: Any) -> None:
    async with talk(**WRITES) as client:
        parts = [{"inlineData": JPEG}, {"text": "What is it?"}]
        await client.send(clientContent={"turns": [{"parts": parts}], "turnComplete": True})
        details = (await client.turn()).usage["promptTokensDetails"]
        assert {"modality": "IMAGE", "tokenCount": 258} in details


async def test_what_is_no_picture_is_refused(talk: Any) -> None:
    async with talk() as client:
        await client.send(realtimeInput={"video": {"mimeType": "video/mp4", "data": ""}})
        assert await client.closed() == INVALID


async def test_media_chunks_can_be_audio(talk: Any) -> None:
    async with talk(**WRITES) as client:
        chunk = audio(np.concatenate([QUESTION, silence(1)]))["audio"]
        await client.send(realtimeInput={"mediaChunks": [chunk]})
        assert "I heard you speak" in (await client.turn()).written


# --- content ---


async def test_turns_of_the_model_are_history(talk: Any) -> None:
    turns = [
        {"role": "user", "parts": [{"text": "My name is Ada."}]},
        {"role": "model", "parts": [{"text": "Nice to meet you."}]},
        {"role": "user", "parts": [{"text": "What is my name?"}]},
    ]
    async with talk(**WRITES) as client:
        await client.send(clientContent={"turns": turns, "turnComplete": True})
        assert (await client.turn()).written == "Your name is Ada."


@pytest.mark.parametrize("model", ["models/gemini-3.1-flash-live-preview", "models/m"])
async def test_initial_history_is_not_answered(talk: Any, model: str) -> None:
    turns = [
        {"role": "user", "parts": [{"text": "My name is Ada."}]},
        {"role": "model", "parts": [{"text": "Nice to meet you."}]},
    ]
    setup = {"model": model, "historyConfig": {"initialHistoryInClientContent": True}}
    async with talk(**setup, outputAudioTranscription={}) as client:
        await client.send(clientContent={"turns": turns[:1]})
        await client.send(clientContent={"turns": turns[1:], "turnComplete": True})
        assert await client.during(30) == []
        await client.send(realtimeInput={"text": "What is my name?"})
        assert (await client.turn()).said == "Your name is Ada."


async def test_content_in_mid_session_is_refused_where_the_model_takes_none(talk: Any) -> None:
    setup = {
        "model": "models/gemini-3.1-flash-live-preview",
        "historyConfig": {"initialHistoryInClientContent": True},
    }
    async with talk(**setup) as client:
        await client.type("Hello")
        assert await client.during(1) == []
        await client.type("Hello")
        assert await client.closed() == INVALID


async def test_initial_history_is_not_awaited_again_after_a_resume(dial: Any) -> None:
    setup: dict[str, Any] = {
        **WRITES,
        "sessionResumption": {},
        "historyConfig": {"initialHistoryInClientContent": True},
    }
    async with serve() as server:
        async with dial(server, setup) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
            await client.type("My name is Ada.")
        async with dial(server, {**setup, "sessionResumption": {"handle": handle}}) as client:
            await client.type("What is my name?")
            assert (await client.turn()).written == "Your name is Ada."


async def test_the_instruction_can_change(talk: Any) -> None:
    setup = {**WRITES, "systemInstruction": {"parts": [{"text": ""}]}}
    async with talk(backend="vertex", **setup) as client:
        for change in (system_turn, context_update):
            for size in (40, 400):
                await change(client, "x" * size)
                await client.type("Hi")
                usage = (await client.turn()).usage
                await client.type("Hi")
                grown = (await client.turn()).usage
                assert usage["promptTokenCount"] >= size / 4
                assert grown["promptTokenCount"] > usage["promptTokenCount"]


async def test_the_gemini_api_takes_no_system_turn(talk: Any) -> None:
    async with talk(**WRITES) as client:
        await system_turn(client, "Be brief.")
        assert await client.closed() == INVALID


async def system_turn(client: Any, text: str) -> None:
    await client.send(clientContent={"turns": [{"role": "system", "parts": [{"text": text}]}]})


async def context_update(client: Any, text: str) -> None:
    await client.send(contextUpdate={"systemInstruction": {"parts": [{"text": text}]}})


async def test_tools_can_be_cleared_and_replaced(talk: Any) -> None:
    async with talk(**WRITES, **functions("get_weather")) as client:
        await client.type("How is the weather?")
        (call,) = (await client.until("toolCall")).calls
        await client.answer(call)
        await client.turn()
        await client.send(contextUpdate={"tools": {"tools": []}})
        await client.type("How is the weather?")
        assert (await client.turn()).calls == []
        await client.send(contextUpdate={"tools": functions("get_weather")})
        await client.type("How is the weather?")
        assert (await client.until("toolCall")).calls


# --- answers of functions ---


def slow(say: str = LONG, *, then: str = "It is {f}.") -> Scenario:
    """A turn that makes a non-blocking call and talks on; its answer is a turn of its own."""
    return Scenario(
        [
            Turn([Step(call=Call("f")), Step(say=say)], "text"),
            Turn([Step(say=then)], "tool_answer"),
        ]
    )


SLOW = {**functions("f", behavior="NON_BLOCKING"), "outputAudioTranscription": {}}


async def calling(client: Any) -> dict[str, Any]:
    await client.type("Call.")
    (call,) = (await client.until("toolCall")).calls
    await client.until("modelTurn")  # it does not wait for the answer
    return dict(call)


@pytest.mark.parametrize("scheduling", [{}, {"scheduling": "WHEN_IDLE"}])
async def test_an_answer_waits_until_the_model_is_idle(talk: Any, scheduling: Any) -> None:
    async with talk(slow(), **SLOW) as client:
        call = await calling(client)
        response = {"id": call["id"], "name": "f", "response": {"output": "fine"}, **scheduling}
        await client.send(toolResponse={"functionResponses": [response]})
        assert "interrupted" not in (await client.turn()).events
        assert (await client.turn()).said == "It is fine."


async def test_an_answer_can_interrupt(talk: Any) -> None:
    async with talk(slow(), **SLOW) as client:
        call = await calling(client)
        response = {"id": call["id"], "name": "f", "response": {"output": "fine"}}
        await client.send(
            toolResponse={"functionResponses": [{**response, "scheduling": "INTERRUPT"}]}
        )
        first = await client.turn()
        assert first.events[-3:] == ["interrupted", "turnComplete", "usageMetadata"]
        assert "generationComplete" not in first.events
        assert (await client.turn()).said == "It is fine."


async def test_a_silent_answer_is_only_remembered(dial: Any) -> None:
    async with serve(scenario=slow()) as server, dial(server, SLOW) as client:
        call = await calling(client)
        response = {"id": call["id"], "name": "f", "response": {"output": "fine"}}
        await client.send(
            toolResponse={"functionResponses": [{**response, "scheduling": "SILENT"}]}
        )
        assert "interrupted" not in (await client.turn()).events
        assert await client.during(60) == []
        entries = server.sessions[0].memory.entries
        assert [e.output for e in entries if isinstance(e, Answered)] == ["fine"]
        assert [e.text.strip() for e in entries if isinstance(e, Said)] == [LONG.strip()]


async def test_an_answer_does_not_talk_over_the_user(talk: Any) -> None:
    script = Scenario(
        [
            Turn([Step(call=Call("f")), Step(say="Wait.")], "text"),
            Turn([Step(say="I heard you.")], "speech"),
            Turn([Step(say="It is {f}.")], "tool_answer"),
        ]
    )
    async with talk(script, **SLOW) as client:
        call = await calling(client)
        await client.turn()
        await client.speak(QUESTION)
        response = {"id": call["id"], "name": "f", "response": {"output": "fine"}}
        await client.send(
            toolResponse={"functionResponses": [{**response, "scheduling": "INTERRUPT"}]}
        )
        await client.speak(QUESTION)
        assert await client.during(0.5) == []
        await client.speak(silence(1))
        assert (await client.turn()).said == "I heard you."
        assert (await client.turn()).said == "It is fine."


async def test_an_answer_can_come_in_parts(dial: Any) -> None:
    turns = [Turn([Step(say="It is {f}.")], "tool_answer")] * 2
    script = Scenario([Turn([Step(call=Call("f")), Step(say="Wait.")], "text"), *turns])
    async with serve(scenario=script) as server, dial(server, SLOW) as client:
        call = await calling(client)
        await client.turn()
        for output, more in (("half done", True), ("done", False)):
            response = {"id": call["id"], "name": "f", "response": {"output": output}}
            await client.send(
                toolResponse={"functionResponses": [{**response, "willContinue": more}]}
            )
            assert (await client.turn()).said == f"It is {output}."
            assert bool(server.sessions[0].memory.pending) is more


async def test_a_blocking_call_waits_for_the_last_part(talk: Any) -> None:
    script = Scenario([Turn([Step(call=Call("f")), Step(say="It is {f}.")], "text")])
    async with talk(script, switches=PATIENT, **WRITES, **functions("f")) as client:
        await client.type("Call.")
        (call,) = (await client.until("toolCall")).calls
        response = {"id": call["id"], "name": "f", "response": {"output": "half done"}}
        await client.send(toolResponse={"functionResponses": [{**response, "willContinue": True}]})
        assert await client.during(60) == []
        await client.answer(call, "done")
        assert (await client.turn()).written == "It is done."


async def test_several_calls_are_answered_in_any_order(talk: Any) -> None:
    steps = [Step(call=[Call("f"), Call("g")]), Step(say="{f}, {g}")]
    script = Scenario([Turn(steps, "text")])
    async with talk(script, switches=PATIENT, **WRITES, **functions("f", "g")) as client:
        await client.type("Call.")
        f, g = (await client.until("toolCall")).calls
        await client.answer(g, "second")
        assert await client.during(60) == []
        await client.answer(f, "first")
        assert (await client.turn()).written == "first, second"


@pytest.mark.parametrize("order", [("f", "g"), ("g", "f")])
async def test_calls_can_be_without_ids(talk: Any, order: tuple[str, str]) -> None:
    steps = [Step(call=[Call("f"), Call("g")]), Step(say="{f}, {g}")]
    script, switches = Scenario([Turn(steps, "text")]), Switches(call_ids=False)
    async with talk(script, switches, "vertex", **WRITES, **functions("f", "g")) as client:
        await client.type("Call.")
        calls = {call["name"]: call for call in (await client.until("toolCall")).calls}
        assert all("id" not in call for call in calls.values())
        for name in order:
            await client.answer(calls[name], f"of {name}")
        assert (await client.turn()).written == "of f, of g"


async def test_an_answer_to_no_call_is_ignored(talk: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with talk(**WRITES) as client:
            await client.answer({"id": "unknown", "name": "f"})
            await client.type("Hello")
            assert (await client.turn()).written
    (record,) = caplog.records
    assert "no pending call" in record.message


async def test_a_non_blocking_call_outlives_an_interruption(talk: Any) -> None:
    async with talk(slow(), **SLOW) as client:
        call = await calling(client)
        await client.send(clientContent={"turns": []})
        messages = await client.turn()
        assert "interrupted" in messages.events
        assert "toolCallCancellation" not in messages.events
        await client.answer(call, "fine")
        assert (await client.turn()).said == "It is fine."


@pytest.mark.parametrize(
    "cut",
    [
        lambda client: client.type("Stop."),
        lambda client: client.send(clientContent={"turns": []}),
        lambda client: client.speak(QUESTION),
    ],
    ids=["text", "empty content", "speech"],
)
async def test_an_interruption_has_an_order(talk: Any, cut: Callable[[Any], Any]) -> None:
    steps = [Step(say="Let me see."), Step(call=[Call("f"), Call("g")]), Step(say="Done.")]
    turns = [Turn(steps, "text"), Turn([Step(say="All right.")], "text")]
    async with talk(Scenario(turns), **functions("f", "g")) as client:
        await client.type("Call.")
        ids = [call["id"] for call in (await client.until("toolCall")).calls]
        await cut(client)
        interrupted, cancelled, complete = await client.turn()
        assert interrupted == {"serverContent": {"interrupted": True}}
        assert cancelled == {"toolCallCancellation": {"ids": ids}}
        assert complete["serverContent"] == {"turnComplete": True}


async def test_all_that_was_typed_at_once_is_heard_but_the_last_is_answered(talk: Any) -> None:
    async with talk(switches=Switches(latency_ms=300), **WRITES) as client:
        for text in ("My name is Ada.", "I live in Porto.", "What is my name?"):
            await client.type(text)
        turns = [await client.turn() for _ in range(3)]
        assert [turn.written for turn in turns] == ["", "", "Your name is Ada."]
        assert [("interrupted" in turn.events) for turn in turns] == [True, True, False]


async def test_speech_before_the_answer_has_begun_keeps_the_model_silent(talk: Any) -> None:
    async with talk(switches=Switches(latency_ms=1000, silence_ms=300), **WRITES) as client:
        await client.speak(QUESTION, silence(0.4), QUESTION, silence(0.5))
        answer = await client.turn()
        assert "interrupted" not in answer.events
        assert "I heard you" in answer.written
        assert await client.during(60) == []


async def test_too_many_prompts_end_the_connection(talk: Any) -> None:
    config = {"activityHandling": "NO_INTERRUPTION"}
    async with talk(Scenario([Turn([Step(call=Call("f"))], "text")]), **WRITES,
                    realtimeInputConfig=config) as client:  # fmt: skip
        await client.type("Call.")
        await client.until("toolCall")
        with anyio.fail_after(60):
            for _ in range(300):
                await client.send(realtimeInput={"text": "Hello?"})
            close = await client.closed()
        assert close == Close(1011, "The service is currently unavailable.")
