"""When the model answers: expectations, silence, latency, and the limits of the context."""

import re
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Close

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.scenario import Expectation, Scenario, Turn
from processors.local_live_api.server import serve
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

RATE = 16_000
QUESTION = synthesize("What will the weather be like in Lisbon?", rate=RATE)
WORD = synthesize("Hello", rate=RATE)
WRITES: dict[str, Any] = {"generationConfig": {"responseModalities": ["TEXT"]}}
QUICK = Switches(playback=False, pace=1000.0)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def silence(seconds: float) -> np.ndarray:
    return np.zeros((round(RATE * seconds), 1), np.int16)


# --- expectations ---


async def test_silence_can_be_what_is_expected(talk: Any) -> None:
    script = Scenario([Turn([Step(say="Are you there?")], Expectation(silence_s=4))])
    async with talk(script, **WRITES) as client:
        began = anyio.current_time()
        assert (await client.turn()).written == "Are you there?"
        assert client.times[0] - began == pytest.approx(4, abs=0.01)
        assert await client.during(60) == []


async def test_nobody_is_silent_who_speaks(talk: Any) -> None:
    turns = [Turn([Step(say="Are you there?")], Expectation(silence_s=1))]
    config = {"automaticActivityDetection": {"disabled": True}}
    async with talk(Scenario(turns), **WRITES, realtimeInputConfig=config) as client:
        await client.send(realtimeInput={"activityStart": {}})
        assert await client.during(10) == []


async def test_what_differs_from_the_scenario_is_found(dial: Any) -> None:
    turns = [
        Turn([Step(say="One.")], Expectation(text="hello")),
        Turn([Step(say="Two.")], Expectation(speech_s=60)),
        Turn([Step(call=Call("f", answer={"output": "fine"})), Step(say="Three.")], "text"),
        Turn([Step(say="Four.")], "text", interrupts=True),
    ]
    setup = {"generationConfig": {"responseModalities": ["AUDIO"]}}
    async with (
        serve(scenario=Scenario(turns, setup), switches=QUICK) as server,
        dial(server, WRITES) as client,
    ):
        await client.type("Good-bye")
        await client.turn()
        await client.speak(QUESTION, silence(1))
        await client.turn()
        await client.type("Call.")
        (call,) = (await client.until("toolCall")).calls
        await client.answer(call, "bad")
        await client.turn()
        await client.type("Hello")
        assert (await client.turn()).written == "Four."
        found = [str(finding) for finding in server.findings]
        expected = ("AUDIO", "text with 'hello'", "60 s of speech", "'bad'", "did not interrupt")
        assert len(found) == len(expected)
        assert not [what for what, text in zip(expected, found, strict=True) if what not in text]


async def test_what_the_scenario_expects_is_no_finding(dial: Any) -> None:
    turns = [
        Turn([Step(say="A long answer, " * 30)], Expectation(text="hello")),
        Turn([Step(say="Two.")], Expectation(speech_s=1), interrupts=True),
        Turn([Step(call=Call("f", cancelled=True)), Step(say="No.")], "text", interrupts=False),
    ]
    async with serve(scenario=Scenario(turns)) as server, dial(server, {}) as client:
        await client.type("Hello")
        await client.until("modelTurn")
        await client.speak(QUESTION, silence(1))
        await client.turn()
        await client.turn()
        await client.type("Call.")
        await client.until("toolCall")
        await client.send(clientContent={"turns": []})
        assert "toolCallCancellation" in (await client.turn()).events
        assert server.findings == []


# --- time ---


async def test_the_answer_has_a_latency(talk: Any) -> None:
    async with talk(switches=Switches(latency_ms=700), **WRITES) as client:
        await client.type("Hello")
        began = anyio.current_time()
        await client.until("modelTurn")
        assert client.times[-1] - began == pytest.approx(0.7, abs=0.01)


async def test_a_connection_ages_by_its_clock(talk: Any) -> None:
    for scale in (1.0, 60.0):
        async with talk(switches=Switches(time_scale=scale), backend="vertex") as client:
            began = anyio.current_time()
            (warning,) = await client.until("goAway")
            assert anyio.current_time() - began == pytest.approx(540 / scale, abs=0.1)
            assert warning["goAway"]["timeLeft"] == ("60s" if scale == 1 else "1s")
            assert await client.closed() == Close(1000, "The operation was cancelled.")
            assert anyio.current_time() - began == pytest.approx(600 / scale, abs=0.1)


async def test_a_connection_ends_in_mid_turn_and_the_session_lives_on(dial: Any) -> None:
    resumption: dict[str, Any] = {**WRITES, "sessionResumption": {}}
    script = Scenario([Turn([Step(wait_ms=20_000), Step(say="Done.")], "text")])
    switches = Switches(time_scale=60.0)
    async with serve(scenario=script, switches=switches) as server:
        async with dial(server, resumption) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
            await client.type("Take your time.")
            assert (await client.closed()).code == 1008
        async with dial(server, {**WRITES, "sessionResumption": {"handle": handle}}) as client:
            assert (await client.turn()).written == "Done."


# --- the context ---


async def chat(client: Any, turns: int, size: int = 4000) -> list[int]:
    """The prompt tokens of so many turns."""
    counts = []
    for _ in range(turns):
        await client.type("x" * size)
        counts.append((await client.turn()).usage["promptTokenCount"])
    return counts


BRIEF = Scenario([Turn([Step(say="Yes.")], "text")] * 50)


async def test_a_context_that_overflows_ends_the_session(talk: Any) -> None:
    async with talk(BRIEF, Switches(context_tokens=5000), **WRITES) as client:
        assert await chat(client, 4) == [1000, 2001, 3002, 4003]
        await client.type("x" * 4000)
        assert await client.closed() == Close(1007, "Request contains an invalid argument.")


async def test_a_context_that_overflows_can_be_cut_silently(talk: Any) -> None:
    switches = Switches(context_tokens=5000, overflow="truncate")
    async with talk(BRIEF, switches, **WRITES) as client:
        counts = await chat(client, 12)
        assert max(counts) <= 5000
        assert counts[-1] > 3000


async def test_compression_cuts_the_context_to_its_target(talk: Any) -> None:
    compression = {"triggerTokens": "5000", "slidingWindow": {"targetTokens": "2500"}}
    instruction = {"parts": [{"text": "i" * 400}]}
    async with talk(
        BRIEF, contextWindowCompression=compression, systemInstruction=instruction, **WRITES
    ) as client:
        counts = await chat(client, 12)
        assert counts[:4] == [1100, 2101, 3102, 4103]
        assert counts[4] == 2101  # 100 of the instruction, and the newest two turns
        assert max(counts) <= 5000
        assert counts[5:8] == [3102, 4103, 2101]


async def test_without_compression_nothing_is_cut(talk: Any) -> None:
    async with talk(BRIEF, **WRITES) as client:
        counts = await chat(client, 12)
        assert counts == [1000 + 1001 * n for n in range(12)]


async def test_the_context_goes_with_the_session(dial: Any) -> None:
    resumes: dict[str, Any] = {**WRITES, "sessionResumption": {}}
    async with serve(scenario=BRIEF) as server:
        async with dial(server, resumes) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
            assert await chat(client, 2) == [1000, 2001]
        resumes["sessionResumption"] = {"handle": handle}
        async with dial(server, resumes) as client:
            assert await chat(client, 1) == [3002]


# --- the grammar of a turn ---

FRAMES = {
    "modelTurn": "m",
    "outputTranscription": "m",
    "toolCall": "m",
    "generationComplete": "g",
    "interrupted": "i",
    "toolCallCancellation": "c",
    "turnComplete": "t",
}
TURN = "m?g?(?:ic?)?t"
actions = st.sampled_from(["type", "say", "stop", "speak", "answer"])
waits = st.sampled_from([0.0, 0.05, 0.4, 3.0])


async def chatter(client: Any, plan: list[tuple[str, float]]) -> tuple[str, int]:
    """Act as planned; the frames of the whole conversation, and how many turns there were to be."""
    messages = type(await client.during(0))()
    prompts = 0
    for action, pause in [*plan, ("type", 60.0)]:
        if action == "type":
            await client.type("Call get_weather for Lisbon, please.")
        elif action == "say":
            await client.send(realtimeInput={"text": "Tell me who you are."})
        elif action == "stop":
            await client.send(clientContent={"turns": []})
        elif action == "speak":
            await client.speak(WORD, silence(0.9))
        else:
            for call in messages.calls:
                await client.answer(call)
        prompts += action in ("type", "say", "speak")
        messages += await client.during(pause)
    for call in messages.calls[-1:]:
        await client.answer(call)
    messages += await client.during(60)
    return "".join(FRAMES.get(event, "") for event in messages.events), prompts


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(actions, waits), max_size=6), latency=st.sampled_from([0, 200]))
def test_every_prompt_has_a_turn_and_its_frames_an_order(
    talk: Any, plan: list[tuple[str, float]], latency: int
) -> None:
    tools = {"functionDeclarations": [{"name": "get_weather"}]}

    async def run() -> tuple[str, int]:
        switches = Switches(latency_ms=latency, call_patience_s=3600)
        async with talk(switches=switches, tools=[tools], **WRITES) as client:
            return await chatter(client, plan)

    frames, prompts = anyio.run(run, backend_options={"loop_factory": VirtualTimeLoop})
    turns = re.findall(TURN, re.sub("m+", "m", frames))
    assert "".join(turns) == re.sub("m+", "m", frames)
    spoken = sum(action == "speak" for action, _ in plan)
    assert prompts - spoken <= len(turns) <= prompts  # speech with pauses in it is one prompt


# --- nothing hangs ---


@pytest.mark.parametrize("abruptly", [False, True])
@pytest.mark.parametrize("tenths", range(0, 60, 3))
async def test_a_client_can_leave_at_any_moment(dial: Any, tenths: int, abruptly: bool) -> None:
    steps = [Step(say="Let me see."), Step(wait_ms=500), Step(call=Call("f")), Step(say="{f}")]
    script = Scenario([Turn(steps, "speech"), Turn(steps, "text")])
    switches = Switches(latency_ms=300, sessions=1)
    resumes: dict[str, Any] = {"sessionResumption": {}, "outputAudioTranscription": {}}
    async with serve(scenario=script, switches=switches) as server:
        async with dial(server, resumes) as client, anyio.create_task_group() as group:
            handle = (await client.until("sessionResumptionUpdate")).handle
            group.start_soon(client.speak, QUESTION, silence(4))
            await client.during(tenths / 10)
            group.cancel_scope.cancel()
            if abruptly:
                client.vanish()
        await anyio.sleep(1)
        resumes["sessionResumption"] = {"handle": handle}
        async with dial(server, resumes):  # the only session allowed: the old one is over
            assert server.sessions[0].open


# --- calls that nobody answers ---


async def test_a_turn_does_not_wait_for_ever_for_an_answer(talk: Any) -> None:
    script = Scenario([Turn([Step(call=Call("f")), Step(say="It is {f}.")], "text")])
    async with talk(script, **WRITES) as client:
        await client.type("Call.")
        first = await client.turn()
        assert first.events == ["toolCall", "generationComplete", "turnComplete", "usageMetadata"]
        await client.answer(first.calls[0], "done")
        second = await client.turn()
        assert second.written == "It is done."
        assert "interrupted" not in second.events


async def test_input_withdraws_a_call_whose_turn_is_complete(talk: Any) -> None:
    script = Scenario(
        [
            Turn([Step(call=Call("f", cancelled=True)), Step(say="Never said.")], "text"),
            Turn([Step(say="Well.")], "text"),
        ]
    )
    async with talk(script, **WRITES) as client:
        await client.type("Call.")
        await client.turn()
        await client.type("Never mind.")
        messages = await client.turn()
        assert messages.events[0] == "toolCallCancellation"
        assert "interrupted" not in messages.events
        assert messages.written == "Well."
