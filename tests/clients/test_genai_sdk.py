"""The official SDK against the local Live API: every feature of a session, on both backends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import numpy as np
import pytest

from processors.local_live_api import serve
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.steps import Step
from processors.local_live_api.switches import BackendName, Switches
from processors.local_live_api.voice import synthesize

pytest.importorskip("google.genai", reason="needs pip install 'live-pipeline[clients]'")
pytest.importorskip("trustme", reason="needs pip install 'live-pipeline[simulate]'")

from google import genai
from google.genai import errors, types
from google.genai.live import AsyncSession
from google.oauth2.credentials import Credentials

# The SDK says of ephemeral tokens that they are experimental.
pytestmark = pytest.mark.filterwarnings("ignore::google.genai.errors.ExperimentalWarning")

MODELS: dict[BackendName, str] = {
    "vertex": "gemini-live-2.5-flash",
    "gemini-api": "gemini-live-2.5-flash-preview",
}
QUICK = Switches(pace=100.0, playback=False)
TEXT = {"response_modalities": ["TEXT"]}
AUDIO = {"response_modalities": ["AUDIO"]}
RATE = 16_000
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a city",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING"}},
        "required": ["city"],
    },
}
CITIES = "What is the weather in New York, London and Tokyo?"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["vertex", "gemini-api"])
def backend(request: pytest.FixtureRequest) -> BackendName:
    name: BackendName = request.param
    return name


class Service(NamedTuple):
    """A running server, and how its backend is reached."""

    server: Any
    backend: BackendName

    def client(self, key: str = "test-key", version: str | None = None) -> genai.Client:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSL_CERT_FILE", str(self.server.ca_file))
            options = types.HttpOptions(
                base_url=f"https://{self.server.address}", api_version=version
            )
            if self.backend == "gemini-api":
                return genai.Client(api_key=key, http_options=options)
            return genai.Client(
                vertexai=True,
                project="test-project",
                location="us-central1",
                credentials=Credentials(token="test-token"),
                http_options=options,
            )

    @asynccontextmanager
    async def session(
        self, config: dict[str, Any], model: str | None = None
    ) -> AsyncIterator[AsyncSession]:
        name = model or MODELS[self.backend]
        with anyio.fail_after(20):
            async with self.client().aio.live.connect(model=name, config=config) as session:
                yield session


@asynccontextmanager
async def service(
    backend: BackendName, switches: Switches = QUICK, scenario: Scenario | None = None
) -> AsyncIterator[Service]:
    async with serve(backend=backend, scenario=scenario, tls=True, switches=switches) as server:
        yield Service(server, backend)


class Answer(NamedTuple):
    """One turn of the model."""

    messages: list[types.LiveServerMessage]

    @property
    def contents(self) -> list[types.LiveServerContent]:
        return [m.server_content for m in self.messages if m.server_content]

    @property
    def parts(self) -> list[types.Part]:
        turns = [content.model_turn for content in self.contents if content.model_turn]
        return [part for turn in turns for part in turn.parts or []]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if part.text and not part.thought)

    @property
    def audio(self) -> np.ndarray:
        blobs = [part.inline_data for part in self.parts if part.inline_data]
        assert {blob.mime_type for blob in blobs} <= {"audio/pcm;rate=24000"}
        return np.frombuffer(b"".join(blob.data or b"" for blob in blobs), "<i2")

    def transcript(self, side: str) -> str:
        """Of the `input` or the `output`."""
        found = [getattr(content, f"{side}_transcription") for content in self.contents]
        return "".join(t.text for t in found if t and t.text)

    @property
    def calls(self) -> list[types.FunctionCall]:
        calls = [m.tool_call for m in self.messages if m.tool_call]
        return [call for tool_call in calls for call in tool_call.function_calls or []]

    @property
    def handle(self) -> str:
        """The last one that is good for a resumption."""
        updates = [m.session_resumption_update for m in self.messages]
        return [u.new_handle for u in updates if u and u.resumable and u.new_handle][-1]


async def type_in(session: AsyncSession, text: str, **options: Any) -> None:
    content = types.Content(role="user", parts=[types.Part(text=text)])
    await session.send_client_content(turns=content, **options)


async def receive(session: AsyncSession) -> Answer:
    return Answer([message async for message in session.receive()])


async def ask(session: AsyncSession, text: str) -> Answer:
    await type_in(session, text)
    return await receive(session)


async def until_call(session: AsyncSession) -> Answer:
    """What comes up to a function call."""
    messages = []
    async for message in session.receive():
        messages.append(message)
        if message.tool_call:
            break
    return Answer(messages)


async def answer_calls(session: AsyncSession, answer: Answer, **options: Any) -> None:
    await session.send_tool_response(
        function_responses=[
            types.FunctionResponse(
                id=call.id, name=call.name, response={"output": "17 degrees"}, **options
            )
            for call in answer.calls
        ]
    )


async def stream(session: AsyncSession, samples: np.ndarray) -> None:
    """Sound in frames of 40 ms, faster than real time."""
    pcm = samples.astype("<i2").tobytes()
    for start in range(0, len(pcm), 1280):
        blob = types.Blob(data=pcm[start : start + 1280], mime_type=f"audio/pcm;rate={RATE}")
        await session.send_realtime_input(audio=blob)


def speech(text: str = "Hello there") -> np.ndarray:
    return np.asarray(synthesize(text, voice="Kore", rate=RATE)).reshape(-1)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.int16)


# What a session says and hears


async def test_text_is_answered_with_text(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        answer = await ask(session, "Hello? Gemini are you there?")
    assert answer.text
    assert answer.contents[-1].turn_complete
    assert sum(bool(content.generation_complete) for content in answer.contents) == 1


async def test_text_is_answered_with_speech_in_the_voice_asked_for(backend: BackendName) -> None:
    heard = {}
    async with service(backend) as local:
        for name in ("Aoede", "Charon"):
            voice = {"voice_config": {"prebuilt_voice_config": {"voice_name": name}}}
            async with local.session(AUDIO | {"speech_config": voice}) as session:
                heard[name] = (await ask(session, "Say good morning.")).audio
    assert all(len(audio) > 6000 and np.abs(audio).max() > 1000 for audio in heard.values())
    assert not np.array_equal(heard["Aoede"], heard["Charon"])


async def test_speech_is_answered_with_speech_and_both_are_transcribed(
    backend: BackendName,
) -> None:
    config = AUDIO | {"input_audio_transcription": {}, "output_audio_transcription": {}}
    scenario = Scenario([Turn([Step(transcript="Are you there?"), Step(say="Yes, I am here.")])])
    async with (
        service(backend, scenario=scenario) as local,
        local.session(config) as session,
    ):
        await stream(session, np.concatenate([speech(), silence(1.2)]))
        answer = await receive(session)
    assert answer.transcript("input").strip() == "Are you there?"
    assert answer.transcript("output").strip() == "Yes, I am here."
    assert len(answer.audio) > 12_000


async def test_an_image_is_seen(backend: BackendName) -> None:
    image = types.Blob(data=JPEG, mime_type="image/jpeg")
    async with service(backend) as local, local.session(TEXT) as session:
        await session.send_realtime_input(video=image)
        await session.send_realtime_input(text="What do you see in the picture?")
        shown = await receive(session)
        part = types.Part(inline_data=image)
        content = types.Content(role="user", parts=[part, types.Part(text="And in this picture?")])
        await session.send_client_content(turns=content)
        sent = await receive(session)
    for answer in (shown, sent):
        assert "image" in answer.text or "picture" in answer.text


async def test_realtime_text_is_answered(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        await session.send_realtime_input(text="What is 12 times 7?")
        assert "84" in (await receive(session)).text


async def test_a_conversation_is_remembered(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        await ask(session, "My name is Ada.")
        await ask(session, "How are you?")
        assert "Ada" in (await ask(session, "What is my name?")).text


async def test_content_is_gathered_until_the_turn_is_complete(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        await type_in(session, "My name is Ada.", turn_complete=False)
        answer = await ask(session, "What is my name?")
    assert "name is Ada" in answer.text
    assert "?" not in answer.text, "the question was not understood"


async def test_an_initial_history_is_taken_without_an_answer(backend: BackendName) -> None:
    config = TEXT | {"history_config": {"initial_history_in_client_content": True}}
    history = [
        types.Content(role="user", parts=[types.Part(text="My name is Ada.")]),
        types.Content(role="model", parts=[types.Part(text="Hello Ada.")]),
    ]
    async with service(backend) as local, local.session(config) as session:
        await session.send_client_content(turns=history, turn_complete=True)
        await session.send_realtime_input(text="What is my name?")
        assert "Ada" in (await receive(session)).text


async def test_the_system_instruction_is_followed(backend: BackendName) -> None:
    config = TEXT | {"system_instruction": "Your name is Robin."}
    async with service(backend) as local, local.session(config) as session:
        assert "Robin" in (await ask(session, "What is your name?")).text


async def test_the_system_instruction_can_be_replaced(backend: BackendName) -> None:
    config = TEXT | {"system_instruction": "Your name is Robin."}
    async with service(backend) as local, local.session(config) as session:
        if not hasattr(session, "send_context_update"):
            pytest.skip("this SDK has no send_context_update")
        await session.send_context_update(system_instruction="Your name is Sandy.")
        assert "Sandy" in (await ask(session, "What is your name?")).text


async def test_the_tools_can_be_replaced(backend: BackendName) -> None:
    config = TEXT | {"tools": [{"function_declarations": [WEATHER]}]}
    async with service(backend) as local, local.session(config) as session:
        if not hasattr(session, "send_context_update"):
            pytest.skip("this SDK has no send_context_update")
        await session.send_context_update(tools=[])
        assert not (await ask(session, CITIES)).calls


@pytest.mark.filterwarnings("ignore:The `session.send` method:DeprecationWarning")
async def test_the_deprecated_send_still_works(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        await session.send(input="My name is Ada.", end_of_turn=True)
        await receive(session)
        await session.send(input={"data": JPEG, "mime_type": "image/jpeg"})
        await session.send(input="What is my name?", end_of_turn=True)
        assert "Ada" in (await receive(session)).text


async def test_thoughts_are_shown_when_asked_for(backend: BackendName) -> None:
    config = AUDIO | {"thinking_config": {"include_thoughts": True}}
    async with service(backend) as local, local.session(config, "gemini-3.8-live") as session:
        await session.send_realtime_input(text="What is 2 plus 2?")
        answer = await receive(session)
    assert any(part.thought and part.text for part in answer.parts)


# Whose turn it is


@pytest.mark.parametrize(("silence_ms", "answered"), [(200, True), (2000, False)])
async def test_the_silence_that_ends_a_turn_is_a_setting(
    backend: BackendName, silence_ms: int, answered: bool
) -> None:
    detection = {
        "start_of_speech_sensitivity": "START_SENSITIVITY_HIGH",
        "end_of_speech_sensitivity": "END_SENSITIVITY_HIGH",
        "prefix_padding_ms": 20,
        "silence_duration_ms": silence_ms,
    }
    config = TEXT | {"realtime_input_config": {"automatic_activity_detection": detection}}
    async with service(backend) as local, local.session(config) as session:
        await stream(session, np.concatenate([speech(), silence(0.8)]))
        with anyio.move_on_after(1.0) as waiting:
            assert (await receive(session)).text
    assert waiting.cancelled_caught is not answered


async def test_the_end_of_the_stream_ends_the_turn(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        for _ in range(2):
            await stream(session, speech())
            await session.send_realtime_input(audio_stream_end=True)
            assert (await receive(session)).text


async def test_the_client_can_mark_activity_itself(backend: BackendName) -> None:
    detection = {"automatic_activity_detection": {"disabled": True}}
    config = TEXT | {"realtime_input_config": detection}
    async with service(backend) as local, local.session(config) as session:
        await session.send_realtime_input(activity_start=types.ActivityStart())
        await stream(session, np.concatenate([speech(), silence(1.5), speech()]))
        with anyio.move_on_after(0.3) as waiting:
            await receive(session)
        assert waiting.cancelled_caught, "an answer in the middle of the activity"
        await session.send_realtime_input(activity_end=types.ActivityEnd())
        assert (await receive(session)).text


async def test_activity_cannot_be_marked_when_it_is_detected(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        await session.send_realtime_input(activity_start=types.ActivityStart())
        with pytest.raises(errors.APIError, match="Explicit activity control") as raised:
            await receive(session)
    assert raised.value.code == 1007


@pytest.mark.parametrize("spoken", [False, True])
async def test_the_user_can_barge_in(backend: BackendName, spoken: bool) -> None:
    slow = Switches(pace=1.0)
    async with service(backend, slow) as local, local.session(AUDIO) as session:
        await type_in(session, "Please tell me a long story.")
        cut = Answer([])
        async for message in session.receive():
            if not cut.parts and message.server_content and message.server_content.model_turn:
                if spoken:
                    await stream(session, np.concatenate([speech(), silence(1.2)]))
                else:
                    await type_in(session, "Stop. In one word: what is 2 plus 2?")
            cut.messages.append(message)
        assert any(content.interrupted for content in cut.contents)
        assert not any(content.generation_complete for content in cut.contents)
        async for message in session.receive():
            if Answer([message]).parts:
                return
    pytest.fail("no new answer")


# Tools


async def test_declared_functions_are_called_once_for_each_city(backend: BackendName) -> None:
    config = TEXT | {"tools": [{"function_declarations": [WEATHER]}]}
    async with service(backend) as local, local.session(config) as session:
        await type_in(session, CITIES)
        asked = await until_call(session)
        await answer_calls(session, asked)
        answer = await receive(session)
    assert [call.args for call in asked.calls] == [
        {"city": city} for city in ("New York", "London", "Tokyo")
    ]
    assert len({call.id for call in asked.calls}) == 3
    assert "17 degrees" in answer.text


async def test_python_functions_are_called(backend: BackendName) -> None:
    def set_volume(level: int) -> str:
        """Set the volume of the loudspeaker.

        Args:
            level: in percent
        """
        return f"{level} percent"

    async with (
        service(backend) as local,
        local.session(TEXT | {"tools": [set_volume]}) as session,
    ):
        await type_in(session, "Please set the volume of the loudspeaker to 30.")
        asked = await until_call(session)
        (call,) = asked.calls
        assert set_volume(**call.args or {}) == "30 percent"
        await answer_calls(session, asked)
        assert "17 degrees" in (await receive(session)).text


async def test_calls_are_withdrawn_when_the_user_barges_in(backend: BackendName) -> None:
    config = TEXT | {"tools": [{"function_declarations": [WEATHER]}]}
    async with service(backend) as local, local.session(config) as session:
        await type_in(session, "What is the weather in London?")
        asked = await until_call(session)
        await type_in(session, "Never mind. What is 2 plus 2?")
        messages = (await receive(session)).messages + (await receive(session)).messages
    withdrawn = [m.tool_call_cancellation for m in messages if m.tool_call_cancellation]
    assert [ids.ids for ids in withdrawn] == [[call.id for call in asked.calls]]
    assert "4" in Answer(messages).text


@pytest.mark.parametrize("scheduling", ["WHEN_IDLE", "INTERRUPT", "SILENT"])
async def test_functions_run_beside_the_conversation(backend: BackendName, scheduling: str) -> None:
    declaration = WEATHER | {"behavior": "NON_BLOCKING"}
    config = TEXT | {"tools": [{"function_declarations": [declaration]}]}
    async with service(backend) as local, local.session(config) as session:
        asked = await ask(session, "What is the weather in London?")
        assert len(asked.calls) == 1
        assert "4" in (await ask(session, "What is 2 plus 2?")).text
        await answer_calls(session, asked, scheduling=scheduling)
        if scheduling == "SILENT":
            with anyio.move_on_after(0.5) as waiting:
                await receive(session)
            assert waiting.cancelled_caught
        else:
            assert "17 degrees" in (await receive(session)).text


async def test_code_is_run(backend: BackendName) -> None:
    async with (
        service(backend) as local,
        local.session(TEXT | {"tools": [{"code_execution": {}}]}) as session,
    ):
        answer = await ask(session, "Write and run code to add up the numbers from 1 to 100.")
    (code,) = [part.executable_code for part in answer.parts if part.executable_code]
    (result,) = [p.code_execution_result for p in answer.parts if p.code_execution_result]
    assert code.language == "PYTHON"
    assert code.code
    assert result.outcome == "OUTCOME_OK"
    assert "5050" in (result.output or "")
    assert "5050" in answer.text


async def test_answers_are_grounded_in_a_search(backend: BackendName) -> None:
    async with (
        service(backend) as local,
        local.session(TEXT | {"tools": [{"google_search": {}}]}) as session,
    ):
        answer = await ask(session, "Who won the latest football world cup?")
        small_talk = await ask(session, "Thank you!")
    (found,) = [c.grounding_metadata for c in answer.contents if c.grounding_metadata]
    assert found.web_search_queries
    assert all(chunk.web and chunk.web.uri for chunk in found.grounding_chunks or [None])
    assert answer.text
    assert not any(content.grounding_metadata for content in small_talk.contents)


# Sessions


async def test_a_session_is_resumed_with_its_handle(backend: BackendName) -> None:
    config = TEXT | {"session_resumption": {}}
    async with service(backend) as local:
        async with local.session(config) as session:
            await type_in(session, "Hello? Gemini are you there?")
            handle = ""
            while not handle:
                handle = (await receive(session)).handle
        resumed = TEXT | {"session_resumption": {"handle": handle}}
        async with local.session(resumed) as session:
            known = await ask(session, "What was the last question I asked?")
        async with local.session(config) as session:
            unknown = await ask(session, "What was the last question I asked?")
    assert "Gemini are you there" in known.text
    assert "Gemini are you there" not in unknown.text


async def test_an_unknown_handle_is_refused(backend: BackendName) -> None:
    config = TEXT | {"session_resumption": {"handle": "6c4f0d38-0000-4000-8000-000000000000"}}
    async with service(backend) as local:
        with pytest.raises(errors.APIError) as raised:
            async with local.session(config):
                pass
    assert raised.value.code in (1007, 1008)


async def test_without_resumption_there_are_no_handles(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        answer = await ask(session, "Hello!")
    assert not any(message.session_resumption_update for message in answer.messages)


async def test_vertex_says_which_messages_a_handle_holds() -> None:
    config = TEXT | {"session_resumption": {"transparent": True}}
    async with service("vertex") as local:
        async with local.session(config) as session:
            await type_in(session, "My name is Ada.", turn_complete=False)
            await type_in(session, "Please greet me.")
            updates = []
            while not updates or updates[-1].last_consumed_client_message_index != 2:
                message = await anext(aiter(session.receive()))
                updates += [u for u in [message.session_resumption_update] if u and u.resumable]
        indices = [update.last_consumed_client_message_index or 0 for update in updates]
        assert indices == sorted(indices)
        resumption = {"transparent": True, "handle": updates[-1].new_handle}
        async with local.session(TEXT | {"session_resumption": resumption}) as session:
            assert "Ada" in (await ask(session, "What is my name?")).text


async def test_the_gemini_api_has_no_transparent_resumption() -> None:
    async with service("gemini-api") as local:
        with pytest.raises(ValueError, match="transparent"):
            async with local.session(TEXT | {"session_resumption": {"transparent": True}}):
                pass


async def test_the_connection_ends_after_a_warning(backend: BackendName) -> None:
    switches = Switches(connection_s=0.8, go_away_s=0.5)
    warning = None

    async def listen(session: AsyncSession) -> None:
        nonlocal warning
        async for message in session.receive():
            warning = message.go_away or warning

    async with service(backend, switches) as local, local.session(TEXT) as session:
        with pytest.raises(errors.APIError) as raised:
            await listen(session)
    assert warning is not None
    assert 0.3 < float((warning.time_left or "").removesuffix("s")) <= 0.5
    code, reason = {
        "vertex": (1000, "The operation was cancelled."),
        "gemini-api": (1008, "Connection aborted because the client failed to close"),
    }[backend]
    assert raised.value.code == code
    assert reason in str(raised.value)


async def test_compression_of_the_context_is_accepted(backend: BackendName) -> None:
    compression = {"trigger_tokens": 25_600, "sliding_window": {"target_tokens": 12_800}}
    config = TEXT | {"context_window_compression": compression}
    async with service(backend) as local, local.session(config) as session:
        assert (await ask(session, "Hello!")).text


async def test_usage_is_counted(backend: BackendName) -> None:
    async with service(backend) as local, local.session(TEXT) as session:
        answers = [await ask(session, text) for text in ("Hello!", "And what is 2 plus 2?")]
    messages = [message for answer in answers for message in answer.messages]
    first, second = (message.usage_metadata for message in messages if message.usage_metadata)
    assert first.prompt_token_count
    assert first.response_token_count
    assert first.total_token_count == first.prompt_token_count + first.response_token_count
    assert second.prompt_token_count > first.prompt_token_count, "the history is counted again"
    modalities = {detail.modality for detail in first.response_tokens_details or []}
    assert modalities == {types.MediaModality.TEXT}
    if backend == "vertex":
        assert first.traffic_type == types.TrafficType.ON_DEMAND


async def test_vertex_names_the_session() -> None:
    async with service("vertex") as local, local.session(TEXT) as session:
        assert session.session_id


async def test_a_full_configuration_is_accepted(backend: BackendName) -> None:
    config: dict[str, Any] = AUDIO | {
        "temperature": 0.4,
        "top_p": 0.8,
        "top_k": 40,
        "max_output_tokens": 512,
        "seed": 7,
        "media_resolution": "MEDIA_RESOLUTION_LOW",
        "speech_config": {
            "language_code": "de-DE",
            "voice_config": {"prebuilt_voice_config": {"voice_name": "Zephyr"}},
        },
        "system_instruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        "tools": [{"function_declarations": [WEATHER]}],
        "session_resumption": {},
        "input_audio_transcription": {"language_codes": ["de-DE"]},
        "output_audio_transcription": {},
        "realtime_input_config": {
            "automatic_activity_detection": {"disabled": False, "prefix_padding_ms": 20},
            "activity_handling": "NO_INTERRUPTION",
            "turn_coverage": "TURN_INCLUDES_ALL_INPUT",
        },
        "context_window_compression": {"sliding_window": {}},
        "proactivity": {"proactive_audio": True},
        "enable_affective_dialog": True,
    }
    if backend == "vertex":
        config["explicit_vad_signal"] = True
    async with service(backend) as local, local.session(config) as session:
        assert len((await ask(session, "Hello!")).audio)


# Tokens, and refusals


async def test_an_ephemeral_token_opens_one_session() -> None:
    async with service("gemini-api") as local:
        minting = local.client(version="v1alpha").aio
        token = await minting.auth_tokens.create(
            config={
                "uses": 1,
                "live_connect_constraints": {
                    "model": MODELS["gemini-api"],
                    "config": TEXT | {"system_instruction": "Your name is Robin."},
                },
            }
        )
        await minting.aclose()
        assert token.name
        client = local.client(key=token.name, version="v1alpha")
        async with client.aio.live.connect(model="another", config=AUDIO) as session:
            assert "Robin" in (await ask(session, "What is your name?")).text
        with pytest.raises(errors.APIError) as raised:
            async with client.aio.live.connect(model=MODELS["gemini-api"], config=TEXT):
                pass
        assert raised.value.code == 1007


VOICE = {"voice_config": {"prebuilt_voice_config": {"voice_name": "Nobody"}}}
KNOWN_VOICE = {"voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}}}


@pytest.mark.parametrize(
    ("config", "code", "reason"),
    [
        (AUDIO | {"speech_config": VOICE}, 1007, "invalid argument"),
        (TEXT | {"speech_config": KNOWN_VOICE}, 1007, "Cannot extract voices"),
        ({"response_modalities": ["TEXT", "AUDIO"]}, 1007, "invalid argument"),
        (
            TEXT
            | {
                "context_window_compression": {
                    "trigger_tokens": 10_000,
                    "sliding_window": {"target_tokens": 20_000},
                }
            },
            1007,
            "invalid argument",
        ),
    ],
    ids=["voice", "voice without speech", "two modalities", "target over trigger"],
)
async def test_a_wrong_setup_is_refused(
    backend: BackendName, config: dict[str, Any], code: int, reason: str
) -> None:
    async with service(backend) as local:
        with pytest.raises(errors.APIError, match=reason) as raised:
            async with local.session(config):
                pass
    assert raised.value.code == code


async def test_a_model_that_speaks_only_does_not_write(backend: BackendName) -> None:
    name = {
        "vertex": "gemini-live-2.5-flash-native-audio",
        "gemini-api": "gemini-2.5-flash-native-audio-preview-12-2025",
    }[backend]
    async with service(backend) as local:
        with pytest.raises(errors.APIError, match="non-audio request") as raised:
            async with local.session(TEXT, name):
                pass
    assert raised.value.code == 1007


async def test_an_unknown_model_is_refused(backend: BackendName) -> None:
    async with service(backend, Switches(strict_models=True)) as local:
        with pytest.raises(errors.APIError) as raised:
            async with local.session(TEXT, "gemini-nothing"):
                pass
    assert raised.value.code == 1008


async def test_too_many_sessions_are_refused(backend: BackendName) -> None:
    async with service(backend, Switches(sessions=1)) as local, local.session(TEXT):
        with pytest.raises(errors.APIError) as raised:
            async with local.session(TEXT):
                pass
    assert raised.value.code == 1011
