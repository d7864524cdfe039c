"""The steps of a turn, as a client sees them."""

import threading
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close as Frame

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api import generation
from processors.local_live_api.history import Heard, Said
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import serve
from processors.local_live_api.speech import Utterance
from processors.local_live_api.steps import Call, Close, Code, Ground, Source, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

RATE = 16_000
WRITES: dict[str, Any] = {"generationConfig": {"responseModalities": ["TEXT"]}}
SPEAKS: dict[str, Any] = {"outputAudioTranscription": {}}
RESUMES: dict[str, Any] = {**WRITES, "sessionResumption": {}}
STORY = "Once upon a time there was a king, who had three daughters and no sons at all."


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def scenario(*steps: Step) -> Scenario:
    return Scenario([Turn(list(steps), "text")])


# --- speech ---


async def test_speech_comes_at_a_pace_and_in_chunks(talk: Any) -> None:
    for pace, chunk_ms in ((5.0, 200), (1.0, 40)):
        switches = Switches(pace=pace, chunk_ms=chunk_ms)
        async with talk(scenario(Step(say=STORY)), switches) as client:
            await client.type("Tell me a story.")
            messages = await client.until("generationComplete")
            seconds = len(messages.audio) / 24_000
            sizes = {len(part["inlineData"]["data"]) for part in messages.parts[:-1]}
            assert sizes == {24 * chunk_ms * 2 * 4 // 3}
            took = client.times[-1] - client.times[0]
            assert took == pytest.approx(seconds / pace, abs=chunk_ms / 1000)


async def test_without_playback_the_turn_is_complete_when_it_is_generated(talk: Any) -> None:
    async with talk(scenario(Step(say=STORY)), Switches(playback=False)) as client:
        await client.type("Tell me a story.")
        await client.until("generationComplete")
        generated = anyio.current_time()
        await client.turn()
        assert anyio.current_time() == generated


async def test_a_turn_may_not_say_when_it_is_generated(talk: Any) -> None:
    async with talk(scenario(Step(say=STORY)), Switches(generation_complete=False)) as client:
        await client.type("Tell me a story.")
        assert "generationComplete" not in (await client.turn()).events


async def test_several_steps_are_one_turn(talk: Any) -> None:
    async with talk(scenario(Step(say="One."), Step(say="Two.")), **SPEAKS) as client:
        await client.type("Count.")
        messages = await client.turn()
        assert messages.said == "One. Two."
        assert len(messages.all("generationComplete")) == 1
        assert len(messages.all("turnComplete")) == 1


@pytest.mark.parametrize("text", ["So it is — …", "… — so", "well ?! fine", "???", "七、八"])
async def test_every_word_is_transcribed(talk: Any, text: str) -> None:
    async with talk(scenario(Step(say=text)), **SPEAKS) as client:
        await client.type("Say it.")
        assert (await client.turn()).said.split() == text.split()


async def test_history_keeps_what_was_sent(dial: Any) -> None:
    async with (
        serve(scenario=scenario(Step(say=STORY * 3))) as server,
        dial(server, SPEAKS) as client,
    ):
        await client.type("Tell me a story.")
        sent = (await client.until("modelTurn")).said
        await client.send(clientContent={"turns": []})
        sent += (await client.turn()).said
        (said,) = (e for e in server.sessions[0].memory.entries if isinstance(e, Said))
        assert said == Said(sent, interrupted=True)
        assert (STORY * 3).startswith(sent)


# --- other steps ---


@pytest.mark.parametrize("shown", [True, False])
async def test_thoughts_are_shown_to_those_who_ask(talk: Any, shown: bool) -> None:
    config = {**WRITES["generationConfig"], "thinkingConfig": {"includeThoughts": shown}}
    steps = scenario(Step(think="What a question this is."), Step(say="Yes."))
    async with talk(steps, generationConfig=config) as client:
        await client.type("Really?")
        messages = await client.turn()
        thoughts = [part["text"] for part in messages.parts if part.get("thought")]
        assert thoughts == (["What a question this is."] if shown else [])
        usage = messages.usage
        assert usage["thoughtsTokenCount"] == 6
        parts = usage["promptTokenCount"] + usage["responseTokenCount"]
        assert usage["totalTokenCount"] == parts + 6


async def test_code_and_its_result_are_parts(talk: Any) -> None:
    code = Code("print(6 * 7)", "42\n")
    async with talk(scenario(Step(code=code), Step(say="42.")), **WRITES) as client:
        await client.type("Count.")
        first, second, _ = (await client.turn()).parts
        assert first == {"executableCode": {"language": "PYTHON", "code": "print(6 * 7)"}}
        assert second == {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}}


async def test_a_search_is_told(talk: Any) -> None:
    ground = Ground(["kings"], [Source("https://example.com/kings", "Kings")])
    async with talk(scenario(Step(ground=ground), Step(say="So.")), **WRITES) as client:
        await client.type("Search.")
        (metadata,) = (await client.turn()).all("groundingMetadata")
        assert metadata["webSearchQueries"] == ["kings"]
        assert metadata["groundingChunks"] == [
            {"web": {"uri": "https://example.com/kings", "title": "Kings"}}
        ]


async def test_what_the_user_said_is_part_of_the_conversation(dial: Any) -> None:
    turn = Turn([Step(transcript="How are you?"), Step(say="Fine.")], "speech")
    async with serve(scenario=Scenario([turn])) as server, dial(server, WRITES) as client:
        await client.speak(synthesize("How are you?", rate=RATE), np.zeros((RATE, 1), np.int16))
        messages = await client.turn()
        assert "inputTranscription" not in messages.events
        heard, said = server.sessions[0].memory.entries
        assert isinstance(heard, Heard)
        assert heard.text == "How are you?"
        assert isinstance(said, Said)


@pytest.mark.parametrize("setup", [WRITES, SPEAKS], ids=["text", "speech"])
async def test_it_can_interrupt_itself(dial: Any, setup: dict[str, Any]) -> None:
    turns = [
        Turn([Step(say=STORY * 3), Step(interrupt=100)], "text"),
        Turn([Step(say="Next.")], "text"),
    ]
    async with serve(scenario=Scenario(turns)) as server, dial(server, setup) as client:
        await client.type("Tell me a story.")
        messages = await client.turn()
        assert messages.events[-3:] == ["interrupted", "turnComplete", "usageMetadata"]
        assert "generationComplete" not in messages.events
        await client.type("Go on.")
        assert "generationComplete" in (await client.turn()).events
        assert server.left_over() == []


async def test_steps_after_an_interruption_are_left_over(dial: Any) -> None:
    script = scenario(Step(say=STORY), Step(interrupt=100), Step(say="Never."), Step(wait_ms=1))
    async with serve(scenario=script) as server, dial(server) as client:
        await client.send(setup={"model": "models/m"})
        await client.type("Tell me a story.")
        await client.turn()
        (finding,) = server.left_over()
        assert "left over: say, wait_ms" in str(finding)


async def test_it_can_announce_the_end_and_keep_its_word(talk: Any) -> None:
    script = scenario(Step(go_away=5), Step(say="I have to go."))
    async with talk(script, **WRITES) as client:
        await client.type("Hello")
        began = anyio.current_time()
        messages, close = await client.ended()
        assert messages[0] == {"goAway": {"timeLeft": "5s"}}
        assert messages.written == "I have to go."
        assert close.code == 1008
        assert "GoAway" in close.reason
        assert anyio.current_time() - began == pytest.approx(5, abs=0.01)


async def test_it_can_close_in_mid_turn_and_go_on_elsewhere(dial: Any) -> None:
    turns = [
        Turn([Step(say="One."), Step(close=Close(1011, "Broken.")), Step(say="Two.")], "text"),
        Turn([Step(say="Three."), Step(close=Close(1000, ""))], "text"),
        Turn([Step(say="Four.")], "text"),
    ]
    async with serve(scenario=Scenario(turns)) as server:
        async with dial(server, RESUMES) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
            await client.type("Count.")
            messages, close = await client.ended()
            assert (messages.written, close) == ("One.", Frame(1011, "Broken."))
        resuming = {**RESUMES, "sessionResumption": {"handle": handle}}
        async with dial(server, resuming) as client:
            assert (await client.turn()).written == "Two."  # what is left of the turn
            await client.type("Go on.")
            messages, close = await client.ended()
            assert (messages.written, close) == ("Three.", Frame(1000, ""))
        async with dial(server, resuming) as client:
            await client.type("Go on.")
            assert (await client.turn()).written == "Four."
        assert server.findings == []
        assert server.left_over() == []


async def test_it_can_cut_the_connection(talk: Any) -> None:
    async with talk(scenario(Step(close=Close(1006, "")))) as client:
        await client.type("Hello")
        with pytest.raises(ConnectionClosed) as raised:
            await client.turn()
        assert raised.value.rcvd is None


# --- what is left over ---


async def test_a_call_that_is_never_answered_leaves_the_rest_over(dial: Any) -> None:
    script = scenario(Step(call=Call("f")), Step(say="It is {f}."))
    async with serve(scenario=script) as server:
        async with dial(server, WRITES) as client:
            await client.type("Call.")
            await client.until("toolCall")
        (finding,) = server.left_over()
        assert "left over: say" in str(finding)


async def test_turns_that_never_came_are_left_over(dial: Any) -> None:
    script = Scenario([Turn([Step(say="One.")], "text"), Turn([Step(say="Two.")], "speech")])
    async with serve(scenario=script) as server, dial(server, WRITES) as client:
        await client.type("Count.")
        await client.turn()
        (finding,) = server.left_over()
        assert "never came: speech" in str(finding)


async def test_an_interruption_does_not_wait_for_speech_that_is_being_made(
    talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def speak(text: str, **settings: Any) -> Utterance:
        begun.set()
        let_go.wait(2)
        made.append(text)
        return Utterance(np.zeros((0, 1), np.int16), 24_000, ())

    made: list[str] = []
    monkeypatch.setattr(generation, "speak", speak)
    async with talk() as client:
        await client.type("Tell me a long story.")
        await anyio.to_thread.run_sync(begun.wait)
        await client.send(clientContent={"turnComplete": False})
        await client.until("interrupted")
        assert made == []
        let_go.set()
