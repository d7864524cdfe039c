"""What a server may send: every field read, nothing new a reason to stumble."""

import base64
import json
from typing import Any

import msgspec
import pytest

from processors.live_api.messages import (
    Blob,
    CodeExecutionResult,
    ExecutableCode,
    GoAway,
    GroundingChunk,
    GroundingMetadata,
    GroundingSupport,
    ModalityTokenCount,
    PartialArg,
    RetrievedContext,
    SearchEntryPoint,
    Segment,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    SetupComplete,
    Transcription,
    UrlMetadata,
    VoiceActivity,
    VoiceActivityDetectionSignal,
    VoiceConsentSignature,
    WebSource,
    WordInfo,
    decode_server,
    encode,
)

AUDIO = bytes(range(256))


def decode(message: dict[str, Any]) -> ServerMessage:
    return decode_server(json.dumps(message))


def decode_content(**content: Any) -> Any:
    return decode({"serverContent": content}).server_content


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, SetupComplete()),
        ({"sessionId": "0f1c"}, SetupComplete(session_id="0f1c")),
        (
            {"voiceConsentSignature": {"signature": "s"}},
            SetupComplete(voice_consent_signature=VoiceConsentSignature(signature="s")),
        ),
    ],
)
def test_setup_complete(payload: dict[str, Any], expected: SetupComplete) -> None:
    assert decode({"setupComplete": payload}).setup_complete == expected


def test_binary_pretty_frames_and_text_frames_are_the_same() -> None:
    binary = b'{\n  "setupComplete": {}\n}\n'
    assert decode_server(binary) == decode_server(binary.decode())
    assert decode_server(binary).setup_complete == SetupComplete()


def test_audio() -> None:
    blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(AUDIO).decode()}
    parts = [{"inlineData": blob}, {"inlineData": blob}]
    content = decode_content(modelTurn={"role": "model", "parts": parts})
    for part in content.model_turn.parts:
        assert part.inline_data == Blob(mime_type="audio/pcm;rate=24000", data=AUDIO)


def test_text_thoughts_and_code() -> None:
    parts = [
        {"text": "Hm", "thought": True},
        {"text": "é\u2028"},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
    ]
    thought, text, code, result = decode_content(modelTurn={"parts": parts}).model_turn.parts
    assert (thought.text, thought.thought) == ("Hm", True)
    assert (text.text, text.thought) == ("é\u2028", False)
    assert code.executable_code == ExecutableCode(language="PYTHON", code="1")
    assert result.code_execution_result == CodeExecutionResult(outcome="OUTCOME_OK", output="1")


def test_an_empty_blob_leaves_its_data_out() -> None:
    content = decode_content(modelTurn={"parts": [{"inlineData": {"mimeType": "audio/pcm"}}]})
    assert content.model_turn.parts[0].inline_data.data == b""


def test_state_of_the_turn() -> None:
    assert decode_content(generationComplete=True).generation_complete
    assert decode_content(turnComplete=True).turn_complete
    assert decode_content(interrupted=True).interrupted
    nothing = decode_content()
    assert not any((nothing.generation_complete, nothing.turn_complete, nothing.interrupted))


def test_transcriptions() -> None:
    word = {"word": "Hello", "startOffset": "0.1s", "endOffset": "0.500s"}
    content = decode_content(
        inputTranscription={"text": " Hello", "languageCode": "en-US", "words": [word]},
        outputTranscription={"text": "Yes", "finished": True, "speakerLabel": "a"},
        interimInputTranscription={"text": "Hel", "startOffset": "0s", "endOffset": "0.3s"},
    )
    words = [WordInfo(word="Hello", start_offset="0.1s", end_offset="0.500s")]
    assert content == ServerContent(
        input_transcription=Transcription(text=" Hello", language_code="en-US", words=words),
        output_transcription=Transcription(text="Yes", finished=True, speaker_label="a"),
        interim_input_transcription=Transcription(text="Hel", start_offset="0s", end_offset="0.3s"),
    )


def test_what_an_answer_rests_on() -> None:
    segment = {"partIndex": 1, "startIndex": 2, "endIndex": 9, "text": "Snow in"}
    content = decode_content(
        groundingMetadata={
            "webSearchQueries": ["snow"],
            "retrievalQueries": ["ice"],
            "groundingChunks": [
                {"web": {"uri": "https://e.org", "title": "E", "domain": "e.org"}},
                {"retrievedContext": {"uri": "gs://b/d", "title": "D", "text": "t"}},
                {"maps": {"placeId": "p"}},
            ],
            "groundingSupports": [
                {
                    "segment": segment,
                    "groundingChunkIndices": [0, 1],
                    "confidenceScores": [0.9, 1],
                }
            ],
            "searchEntryPoint": {"renderedContent": "<b>", "sdkBlob": "-_8"},
        },
        urlContextMetadata={
            "urlMetadata": [{"retrievedUrl": "https://e.org", "urlRetrievalStatus": "NEW"}]
        },
    )
    assert content.grounding_metadata == GroundingMetadata(
        web_search_queries=["snow"],
        retrieval_queries=["ice"],
        grounding_chunks=[
            GroundingChunk(web=WebSource(uri="https://e.org", title="E", domain="e.org")),
            GroundingChunk(retrieved_context=RetrievedContext(uri="gs://b/d", title="D", text="t")),
            GroundingChunk(),
        ],
        grounding_supports=[
            GroundingSupport(
                segment=Segment(part_index=1, start_index=2, end_index=9, text="Snow in"),
                grounding_chunk_indices=[0, 1],
                confidence_scores=[0.9, 1.0],
            )
        ],
        search_entry_point=SearchEntryPoint(rendered_content="<b>", sdk_blob=b"\xfb\xff"),
    )
    assert content.url_context_metadata.url_metadata == [
        UrlMetadata(retrieved_url="https://e.org", url_retrieval_status="NEW")
    ]


def test_tool_calls_and_their_withdrawal() -> None:
    calls = [
        {"id": "function-call-1", "name": "get", "args": {"snake_key": {"camelKey": [1, None]}}},
        {"name": "old_vertex"},
        {
            "id": "2",
            "willContinue": True,
            "partialArgs": [
                {"jsonPath": "$.a", "stringValue": "x", "willContinue": True},
                {"jsonPath": "$.b", "numberValue": 0, "boolValue": False},
                {"jsonPath": "$.c", "nullValue": None},
            ],
        },
    ]
    message = decode({"toolCall": {"functionCalls": calls}})
    assert message.tool_call is not None
    full, bare, partial = message.tool_call.function_calls
    assert (full.id, full.name) == ("function-call-1", "get")
    assert full.args == {"snake_key": {"camelKey": [1, None]}}
    assert (bare.id, bare.name, bare.args) == ("", "old_vertex", {})
    assert (partial.id, partial.name, partial.will_continue) == ("2", "", True)
    assert partial.partial_args == [
        PartialArg(json_path="$.a", string_value="x", will_continue=True),
        PartialArg(json_path="$.b", number_value=0.0, bool_value=False),
        PartialArg(json_path="$.c", null_value=None),
    ]
    assert partial.partial_args[2] != PartialArg(json_path="$.c")
    withdrawn = decode({"toolCallCancellation": {"ids": ["a", "b"]}}).tool_call_cancellation
    assert withdrawn is not None
    assert withdrawn.ids == ["a", "b"]


@pytest.mark.parametrize("side", ["response", "candidates"])
@pytest.mark.parametrize("number", [int, str])
def test_usage(side: str, number: type) -> None:
    report = {
        "promptTokenCount": number(69),
        f"{side}TokenCount": number(176),
        "totalTokenCount": number(245),
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": number(69)}],
        f"{side}TokensDetails": [{"modality": "SMELL", "tokenCount": number(176)}],
        "cachedContentTokenCount": number(7),
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": number(7)}],
        "toolUsePromptTokenCount": number(3),
        "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": number(3)}],
        "thoughtsTokenCount": number(1),
        "trafficType": "ON_DEMAND",
        "serviceTier": "standard",
    }
    usage: Any = decode({"usageMetadata": report}).usage_metadata
    assert usage.prompt_token_count == 69
    assert getattr(usage, f"{side}_token_count") == 176
    assert usage.total_token_count == 245
    assert usage.cached_content_token_count == 7
    assert usage.tool_use_prompt_token_count == 3
    assert usage.thoughts_token_count == 1
    assert (usage.traffic_type, usage.service_tier) == ("ON_DEMAND", "standard")
    details = {
        "prompt": ("AUDIO", 69),
        side: ("SMELL", 176),
        "cache": ("TEXT", 7),
        "tool_use_prompt": ("TEXT", 3),
    }
    for name, (modality, count) in details.items():
        expected = [ModalityTokenCount(modality=modality, token_count=count)]
        assert getattr(usage, f"{name}_tokens_details") == expected


def test_counts_of_zero_may_be_left_out() -> None:
    report = {"promptTokensDetails": [{"modality": "AUDIO"}, {"modality": "TEXT", "tokenCount": 0}]}
    usage: Any = decode({"usageMetadata": report}).usage_metadata
    assert [detail.token_count for detail in usage.prompt_tokens_details] == [0, 0]
    assert usage.prompt_token_count == usage.total_token_count == 0
    assert usage.response_token_count == usage.candidates_token_count == 0


def test_usage_rides_along_with_content() -> None:
    message = decode({"serverContent": {"turnComplete": True}, "usageMetadata": {}})
    assert message.server_content is not None
    assert message.usage_metadata is not None


def test_go_away() -> None:
    assert decode({"goAway": {"timeLeft": "9.500s"}}).go_away == GoAway(time_left="9.500s")


@pytest.mark.parametrize("index", [12, "12", 12.0])
def test_resumption(index: Any) -> None:
    update = {"newHandle": "h", "resumable": True, "lastConsumedClientMessageIndex": index}
    assert decode({"sessionResumptionUpdate": update}) == ServerMessage(
        session_resumption_update=SessionResumptionUpdate(
            new_handle="h", resumable=True, last_consumed_client_message_index=12
        )
    )


def test_a_bare_update_says_that_the_session_cannot_be_resumed() -> None:
    update: Any = decode({"sessionResumptionUpdate": {}}).session_resumption_update
    assert (update.new_handle, update.resumable) == ("", False)
    assert update.last_consumed_client_message_index == 0


@pytest.mark.parametrize(("index", "written"), [(0, None), (1, "1"), (2**63 - 1, str(2**63 - 1))])
def test_an_int64_goes_out_as_a_string(index: int, written: str | None) -> None:
    update = SessionResumptionUpdate(new_handle="h", last_consumed_client_message_index=index)
    message = ServerMessage(session_resumption_update=update)
    sent = json.loads(encode(message))["sessionResumptionUpdate"]
    assert sent.get("lastConsumedClientMessageIndex") == written
    assert encode(decode_server(encode(message))) == encode(message)
    assert update.last_consumed_client_message_index + 1 == index + 1  # an int all the same


def test_an_int32_goes_out_as_a_number() -> None:
    detail = ModalityTokenCount(modality="TEXT", token_count=5)
    assert json.loads(encode(detail)) == {"modality": "TEXT", "tokenCount": 5}


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1.2s"}},
            ServerMessage(voice_activity=VoiceActivity(type="ACTIVITY_START", audio_offset="1.2s")),
        ),
        (
            {"voiceActivity": {"voiceActivityType": "ACTIVITY_END"}},
            ServerMessage(voice_activity=VoiceActivity(voice_activity_type="ACTIVITY_END")),
        ),
        (
            {"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"}},
            ServerMessage(
                voice_activity_detection_signal=VoiceActivityDetectionSignal(
                    vad_signal_type="VAD_SIGNAL_TYPE_SOS"
                )
            ),
        ),
    ],
)
def test_activity_of_the_user(frame: dict[str, Any], expected: ServerMessage) -> None:
    assert decode(frame) == expected
    assert json.loads(encode(expected)) == frame


@pytest.mark.parametrize("spell", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["=", ""])
def test_both_base64_alphabets_with_and_without_padding(spell: Any, padding: str) -> None:
    data = spell(b"\xfb\xff\xbf\xf0").decode().rstrip("=") + 2 * padding
    part = {"inlineData": {"data": data}, "thoughtSignature": data}
    calls = [{"name": "f", "args": {"data": data}}]
    message: Any = decode(
        {
            "serverContent": {"modelTurn": {"parts": [part]}},
            "toolCall": {"functionCalls": calls},
        }
    )
    (read,) = message.server_content.model_turn.parts
    assert read.inline_data.data == read.thought_signature == b"\xfb\xff\xbf\xf0"
    assert message.tool_call.function_calls[0].args == {"data": data}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"server_content": {"turn_complete": True}},
        {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}},
        {"somethingNew": {"deep": [{"er": None}]}},
    ],
)
def test_what_it_does_not_know_is_nothing(message: dict[str, Any]) -> None:
    assert decode(message) == ServerMessage()


def test_new_fields_and_values_do_not_hide_known_ones() -> None:
    content = decode_content(
        turnComplete=True,
        turnCompleteReason="SOMETHING_NEW",
        interactionStatus="SOMEHOW",
        waitingForInput=True,
        speechState="SONG",
        somethingNew={"a": [1]},
    )
    assert content == ServerContent(
        turn_complete=True,
        turn_complete_reason="SOMETHING_NEW",
        interaction_status="SOMEHOW",
        waiting_for_input=True,
        speech_state="SONG",
    )


def test_numbers_in_texts_and_arguments_stay_as_they_are() -> None:
    parts = [{"text": "12"}, {"text": "null"}, {"text": "true"}]
    content = decode_content(modelTurn={"parts": parts})
    assert [part.text for part in content.model_turn.parts] == ["12", "null", "true"]
    calls: Any = decode({"toolCall": {"functionCalls": [{"name": "f", "args": {"a": "1"}}]}})
    assert calls.tool_call.function_calls[0].args == {"a": "1"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON",
        b'{"serverContent": {',
        b'\xff{"serverContent": {}}',
        "[]",
        '"text"',
        '{"serverContent": []}',
        '{"serverContent": {"modelTurn": {"parts": {}}}}',
        '{"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "?"}}]}}}',
        '{"serverContent": {"turnComplete": "perhaps"}}',
        '{"toolCall": {"functionCalls": [{"id": 7, "name": "f"}]}}',
        '{"usageMetadata": {"totalTokenCount": "many"}}',
        '{"usageMetadata": {"totalTokenCount": -1}}',
        '{"sessionResumptionUpdate": {"lastConsumedClientMessageIndex": -1}}',
        '{"sessionResumptionUpdate": {"lastConsumedClientMessageIndex": "9223372036854775808"}}',
        '{"goAway": {"timeLeft": 50}}',
        b'{"goAway": {"timeLeft": "\xff"}}',
        '{"goAway": {"timeLeft": "\ud800"}}',
        '{"goAway": {"timeLeft": "\\ud800"}}',
        pytest.param(b'{"new": ' + b"[" * 100_000, id="deep"),
        pytest.param(b'{"goAway": [], "new": ' + b"[" * 900 + b"]" * 900 + b"}", id="deep enough"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes | str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_server(data)
