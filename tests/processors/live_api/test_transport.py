"""Whole conversations with the local Live API, and the settings of the transport."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from live_bench import (
    DONE,
    HELLO,
    OUTPUT_RATE,
    RATE,
    User,
    Wire,
    after,
    chunks,
    fails,
    get_weather,
    kinds,
    lines,
    of,
    paced,
    run,
    service,
    silence,
    tools,
)

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    Graph,
    ProcessorFailure,
    SettingError,
    Source,
    Speaker,
    TextFrame,
    ToolCall,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from pipeline import run as run_graph
from pipeline.testing import Collect, Given, VirtualTimeLoop
from processors.audio.vad_gate import VadGate
from processors.live_api.backends import KEY_VARIABLES
from processors.live_api.settings import Limit, Reconnect, Transcribe
from processors.live_api.transport import LiveApi
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import serve
from processors.local_live_api.steps import Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


QUESTION = synthesize("What will the weather be like in Lisbon this weekend?", rate=RATE)
STOP = synthesize("Sorry, stop. And what about Porto?", rate=RATE)
LONG = "It will be sunny in {get_weather[city]}, with a little wind from the sea, " * 3


# --- whole conversations ---


async def test_a_typed_question_and_a_spoken_answer() -> None:
    frames, report = await run(User(HELLO), LiveApi(voice="Kore"))
    asked, (speaker, said) = lines(frames)
    assert asked == ("user", "Hello")
    assert speaker == "model"
    audio = of(AudioFrame, frames)
    seconds = sum(len(frame.samples) for frame in audio) / OUTPUT_RATE
    assert seconds > 0.05 * len(said)
    assert {(frame.rate, frame.turn, frame.speaker) for frame in audio} == {
        (OUTPUT_RATE, 1, Speaker.MODEL)
    }
    (ended,) = of(TurnEnded, frames)
    assert not ended.interrupted
    assert len(of(TurnStarted, frames)) == len(of(Usage, frames)) == 1
    assert report.completed
    assert not report.drops


async def test_a_typed_question_and_a_written_answer() -> None:
    frames, _ = await run(User(TextFrame("What is 12 times 7?")), LiveApi(modality="text"))
    pieces = [frame.text for frame in of(TextFrame, frames)]
    assert "84" in "".join(pieces)
    assert lines(frames)[1] == ("model", "".join(pieces))
    assert of(AudioFrame, frames) == []


async def test_every_question_is_answered_however_fast_they_come() -> None:
    questions = [TextFrame(f"What is {number} times 7?") for number in (2, 3, 4)]
    frames, report = await run(User(*questions), LiveApi())
    spoken = lines(frames)
    assert [speaker for speaker, _ in spoken] == ["user", "model"] * 3
    for (_, answer), number in zip(spoken[1::2], ("14", "21", "28"), strict=True):
        assert number in answer
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [False] * 3
    assert not report.drops


async def test_a_typed_line_may_cut_the_model_short() -> None:
    async def script() -> AsyncIterator[TextFrame]:
        yield TextFrame("Tell me a long story.")
        await anyio.sleep(3)
        yield TextFrame("What is 2 times 7?")

    for typed, interrupted in (("wait", [False, False]), ("interrupt", [True, False])):
        frames, _ = await run(User(script=script), LiveApi(typed=typed))  # type: ignore[arg-type]
        assert [ended.interrupted for ended in of(TurnEnded, frames)] == interrupted
        assert "14" in lines(frames)[-1][1]


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
        VadGate("energy", onset_ms=60),
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


# --- settings ---


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
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key")
    assert check(LiveApi("gemini_api")) == []


def test_a_broken_scenario_is_found_by_check(tmp_path: Path) -> None:
    (finding,) = check(LiveApi(scenario=str(tmp_path / "none.yaml")))
    assert "cannot read" in finding


def test_a_scenario_is_for_the_simulation() -> None:
    with pytest.raises(SettingError, match="local Live API") as raised:
        LiveApi("vertex", scenario="scenario.yaml")
    assert raised.value.setting == "scenario"


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


# --- how many at a time ---


async def test_one_session_too_many_waits_for_another_to_end() -> None:
    open_at_once: list[int] = []
    now_open: set[Wire] = set()

    async def answer(wire: Wire) -> None:
        now_open.add(wire)
        open_at_once.append(len(now_open))
        await wire.set_up()
        await wire.until("clientContent")
        await anyio.sleep(3)
        await wire.send(DONE)
        await wire.listen()
        now_open.remove(wire)

    async with service(answer) as (url, wires), anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(run, User(HELLO), LiveApi(url=url, limit=Limit(sessions=2)))
    assert len(wires) == 5
    assert max(open_at_once) == 2


async def test_one_session_too_many_may_be_refused() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await anyio.sleep(3)
        await wire.send(DONE)

    limit = Limit(sessions=1, when_full="refuse")
    async with service(answer) as (url, wires), anyio.create_task_group() as group:
        group.start_soon(run, User(HELLO), LiveApi(url=url, limit=limit))
        await anyio.sleep(1)
        message = await fails(User(HELLO), LiveApi(url=url, limit=limit))
    assert "1 sessions are open already" in message
    assert len(wires) == 1


async def test_what_the_service_says_of_too_many_sessions_is_explained() -> None:
    async def stay(wire: Wire) -> None:
        await wire.set_up()

    async with serve(switches=Switches(sessions=1)) as server:
        live = LiveApi(url=server.url, reconnect=Reconnect(for_s=3))
        async with anyio.create_task_group() as group:
            other = LiveApi(url=server.url, patience_s=30, transcribe=Transcribe())
            group.start_soon(run, after(30, HELLO), other)
            await anyio.sleep(1)
            message = await fails(User(HELLO), live)
    assert "the quota is used up" in message
    assert "1011 You exceeded your current quota" in message
    assert "no connection for " in message
