"""What the graph says and hears, message by message, against services that a test writes."""

import base64
from collections.abc import AsyncIterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from live_bench import (
    DONE,
    HELLO,
    RATE,
    Player,
    Says,
    User,
    Wire,
    chunks,
    events,
    forever,
    get_time,
    get_weather,
    kinds,
    lines,
    noise,
    of,
    paced,
    run,
    service,
    silence,
    tools,
)

from pipeline import (
    AudioFrame,
    Code,
    CodeResult,
    ConfigError,
    Graph,
    Grounding,
    ImageFrame,
    ProcessorFailure,
    Run,
    SessionEvent,
    Sink,
    Speaker,
    TextFrame,
    Thought,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    Transform,
)
from pipeline.config import loads
from pipeline.testing import Collect, VirtualTimeLoop, run_virtually
from processors.audio.vad_gate import VadGate
from processors.live_api.settings import Limit, ServiceVad
from processors.live_api.transport import LiveApi
from processors.local_live_api.voice import synthesize


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


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


# --- a failure elsewhere ---


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


# --- pictures ---


async def test_of_pictures_that_come_too_fast_the_newest_is_sent() -> None:
    async def script() -> AsyncIterator[ImageFrame]:
        for number in range(40):
            yield ImageFrame(bytes([number]), "image/jpeg")
            await anyio.sleep(0.1)

    async def answer(wire: Wire) -> None:
        await wire.set_up()

    async with service(answer) as (url, wires):
        await run(User(script=script), LiveApi(url=url))
    (wire,) = wires
    data = [m["realtimeInput"]["video"]["data"] for m in wire.received[1:]]
    assert [base64.b64decode(each)[0] for each in data] == pytest.approx([0, 10, 20, 30, 39], abs=1)
    times = wire.times[1:]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:-1] == pytest.approx([1.0] * 3, abs=0.02)


async def test_pictures_may_come_faster_if_that_is_wanted() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()

    pictures = [ImageFrame(bytes([number]), "image/jpeg") for number in range(5)]
    async with service(answer) as (url, wires):
        await run(User(*pictures), LiveApi(url=url, image_interval_s=0))
    assert kinds(wires[0].received) == ["setup", *["video"] * 5]


async def test_a_pause_in_the_audio_is_one_also_while_pictures_come() -> None:
    async def script() -> AsyncIterator[Says]:
        async for frame in paced(noise(0.2)):
            yield frame
        for number in range(20):
            yield ImageFrame(bytes([number]), "image/jpeg")
            await anyio.sleep(0.25)

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("audioStreamEnd")
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        await run(User(script=script), LiveApi(url=url))
    heard = kinds(wires[0].received)
    ended = heard.index("audioStreamEnd")
    last = len(heard) - 1 - heard[::-1].index("audio")
    assert wires[0].times[ended] - wires[0].times[last] == pytest.approx(1, abs=0.02)
    assert heard.count("audioStreamEnd") == 1


# --- the user's turns ---


async def test_a_gate_marks_the_users_turns_when_the_service_does_not() -> None:
    speech = synthesize("What about Porto?", rate=RATE)
    sound = np.concatenate([silence(1), speech, silence(3), speech, silence(3)])

    async def script() -> AsyncIterator[AudioFrame]:
        async for frame in paced(sound):
            yield frame

    async def answer(wire: Wire) -> None:
        setup = await wire.set_up()
        detection = setup["realtimeInputConfig"]["automaticActivityDetection"]
        assert detection == {"disabled": True}
        for _ in range(2):
            await wire.until("activityEnd")
            await wire.send_text("Good.")
            await wire.send(DONE)

    async with service(answer) as (url, wires):
        live = LiveApi(url=url, vad=ServiceVad(automatic=False))
        await run(User(script=script), live, VadGate("energy", onset_ms=60, pre_roll_ms=300))
    heard = kinds(wires[0].received)[1:]
    assert "audioStreamEnd" not in heard
    runs = [kind for kind, _ in groupby(heard)]
    assert runs == ["activityStart", "audio", "activityEnd"] * 2
    first = heard[: heard.index("activityEnd")].count("audio") / 50
    assert first == pytest.approx(len(speech) / RATE + 0.3 + 0.3, abs=0.15), "with the pre-roll"


async def test_a_conversation_with_turns_that_a_gate_marks() -> None:
    speech = synthesize("What about Porto?", rate=RATE)

    async def script() -> AsyncIterator[AudioFrame]:
        async for frame in paced(np.concatenate([silence(0.5), speech, silence(6)])):
            yield frame

    live = LiveApi(vad=ServiceVad(automatic=False), modality="text")
    frames, _ = await run(User(script=script), live, VadGate("energy", onset_ms=60))
    (answer,) = (text for speaker, text in lines(frames) if speaker == "model")
    assert "I heard you speak" in answer


async def test_typed_lines_do_not_wait_for_sound_that_asks_nothing() -> None:
    async def script() -> AsyncIterator[Says]:
        async for frame in paced(silence(1)):
            yield frame
        yield HELLO
        async for frame in paced(silence(3), 1):
            yield frame

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.send_text("Good.")
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        frames, _ = await run(User(script=script), LiveApi(url=url))
    asked = kinds(wires[0].received).index("clientContent")
    assert wires[0].times[asked] - wires[0].opened == pytest.approx(1, abs=0.1)
    assert lines(frames)[:2] == [("user", "Hello"), ("model", "Good.")]


async def test_typed_lines_wait_for_the_answer_before_them_and_its_calls() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.call("get_weather", "a", city="Lisbon")
        await wire.until("toolResponse")
        await anyio.sleep(1)
        await wire.send_text("Blue.")
        await anyio.sleep(1)
        await wire.send(DONE)
        await wire.until("clientContent")
        await wire.send_text("Bye.")
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        asked = User(HELLO, TextFrame("Thanks"))
        frames, _ = await run(asked, LiveApi(url=url), tools=[tools(get_weather)])
    assert kinds(wires[0].received) == ["setup", "clientContent", "toolResponse", "clientContent"]
    assert [text for _, text in lines(frames)] == ["Hello", "Blue.", "Thanks", "Bye."]


# --- what comes back ---


async def test_everything_that_the_service_says_becomes_a_frame() -> None:
    def content(**fields: Any) -> dict[str, Any]:
        return {"serverContent": fields}

    def part(**fields: Any) -> dict[str, Any]:
        return content(modelTurn={"parts": [fields]})

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("audioStreamEnd")
        await wire.send(content(interimInputTranscription={"text": "How muh"}))
        await wire.send(content(interimInputTranscription={"text": "How much"}))
        await wire.send(content(inputTranscription={"text": "How much is it?", "finished": True}))
        await wire.send(part(text="I have to add.", thought=True))
        await wire.send(part(executableCode={"language": "PYTHON", "code": "print(1+1)"}))
        await wire.send(part(codeExecutionResult={"outcome": "OUTCOME_OK", "output": "2\n"}))
        await wire.send(part(codeExecutionResult={"outcome": "OUTCOME_FAILED", "output": "no"}))
        web = {"web": {"uri": "https://example.org/a", "title": "A"}}
        await wire.send(
            content(groundingMetadata={"webSearchQueries": ["sum"], "groundingChunks": [web]})
        )
        await wire.send(part(text="It is two."))
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(*chunks(noise(0.5))), LiveApi(url=url, modality="text"))
    interim = [line.text for line in of(Transcript, frames) if not line.final]
    assert interim[:3] == ["How muh", "How much", "How much is it?"]
    assert [thought.text for thought in of(Thought, frames)] == ["I have to add."]
    assert [(code.code, code.language) for code in of(Code, frames)] == [("print(1+1)", "PYTHON")]
    results = [(result.output, result.failed) for result in of(CodeResult, frames)]
    assert results == [("2\n", False), ("no", True)]
    (grounding,) = of(Grounding, frames)
    assert grounding.queries == ("sum",)
    assert [(page.uri, page.title) for page in grounding.pages] == [("https://example.org/a", "A")]
    assert lines(frames) == [("user", "How much is it?"), ("model", "It is two.")]
    assert {frame.turn for frame in frames if isinstance(frame, Thought | Code | Grounding)} == {1}


async def test_the_context_window_is_watched(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        for count in (100_000, 110_000, 120_000):
            await wire.until("clientContent")
            await wire.send_text("Good.")
            await wire.send({**DONE, "usageMetadata": {"promptTokenCount": count}})

    asked = [TextFrame(text) for text in ("One", "Two", "Three")]
    async with service(answer) as (url, _):
        live = LiveApi("local_vertex", "gemini-live-2.5-flash-native-audio", url=url)
        frames, _ = await run(User(*asked), live)
    assert events(frames)[1:] == [("context-low", "110000 of 128000 tokens")]
    assert "`compression: {}` would keep the conversation going" in caplog.messages[0]


@pytest.mark.parametrize(
    ("scheduling", "wire_name"),
    [("when_idle", "WHEN_IDLE"), ("interrupt", "INTERRUPT"), ("silent", "SILENT")],
)
async def test_answers_of_background_functions_say_when_they_count(
    scheduling: Any, wire_name: str
) -> None:
    class Helper(Transform):
        async def process(self, frame: ToolCall) -> AsyncIterator[ToolResult]:  # type: ignore[override]
            yield ToolResult(frame.id, frame.name, {"output": 1}, scheduling)

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.call("f", "a")
        await wire.until("toolResponse")
        await wire.send(DONE)

    output = Collect()
    async with service(answer) as (url, wires):
        processors = {
            "user": User(HELLO),
            "live": LiveApi(url=url),
            "helper": Helper(),
            "output": output,
        }
        flow = ["user -> live -> output", "live <-> helper"]
        await Run(Graph(processors, flow)).execute()
    (response,) = wires[0].received[2]["toolResponse"]["functionResponses"]
    assert response == {"id": "a", "name": "f", "response": {"output": 1}, "scheduling": wire_name}


def test_turns_that_nobody_marks_are_an_error_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = loads(
        "processors:\n"
        "  question: {use: audio_source, path: configs/speech/question.wav}\n"
        "  to_16k: {use: resampler, rate: 16000, channels: 1}\n"
        "  live: {use: live_api, vad: {automatic: false}}\n"
        "  sound: {use: audio_sink, path: runs/never.wav}\n"
        "flow: [question -> to_16k -> live -> sound]\n",
        base=Path(__file__).parents[3],
    )
    with pytest.raises(ConfigError) as caught:
        run_virtually(graph)
    assert str(caught.value) == (
        '<config>:4:42: error[misplaced] "live": nothing before it marks the user\'s turns; '
        "put a `vad_gate` there, or leave `automatic: false` out"
    )


@pytest.mark.parametrize(("when_full", "severity"), [("wait", "warning"), ("refuse", "error")])
def test_sessions_of_one_graph_that_do_not_fit_their_limit_are_found(
    when_full: str, severity: str
) -> None:
    limit = f"limit: {{sessions: 1, when_full: {when_full}}}"
    graph = loads(
        "processors:\n"
        "  typed: {use: text_source, lines: [Hello!]}\n"
        f"  one: {{use: live_api, {limit}}}\n"
        f"  two: {{use: live_api, {limit}}}\n"
        "  other: {use: live_api, backend: local_vertex}\n"
        "flow:\n"
        "  - typed -> one\n"
        "  - typed -> two\n"
        "  - typed -> other\n"
    )
    found = [finding for finding in graph.check() if finding.code == "misplaced"]
    assert [finding.severity for finding in found] == [severity] * 2
    assert "2 sessions of this graph share a limit of 1" in found[0].message
    assert found[0].place is not None
    assert found[0].place.line == 3


async def test_a_session_that_waits_for_another_to_end_says_so() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await anyio.sleep(5)
        await wire.send(DONE)

    heard: dict[int, list[tuple[str, str]]] = {}

    async def talk(number: int) -> None:
        live = LiveApi(url=url, limit=Limit(sessions=1))
        frames, _ = await run(User(HELLO), live)
        heard[number] = [
            (event.kind, event.detail) for event in frames if isinstance(event, SessionEvent)
        ]

    async with service(answer) as (url, wires), anyio.create_task_group() as group:
        group.start_soon(talk, 1)
        await anyio.sleep(1)
        group.start_soon(talk, 2)
    assert heard == {
        1: [("started", "")],
        2: [("waiting", "for one of 1 sessions to end"), ("started", "")],
    }
    assert wires[1].opened - wires[0].opened == pytest.approx(5, abs=0.1)
