"""The wire schema: what a server may send, and what a client sends, to the letter."""

import base64
import json
from typing import Any

import msgspec
import pytest

from processors.live_api.messages import (
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    FunctionResponse,
    Part,
    RealtimeInput,
    ServerMessage,
    SetupComplete,
    ToolResponse,
    decode_server,
    encode,
)

AUDIO = bytes(range(256))


def decode(message: dict[str, Any]) -> ServerMessage:
    return decode_server(json.dumps(message))


def decode_content(**content: Any) -> Any:
    return decode({"serverContent": content}).server_content


# --- from the server ---


@pytest.mark.parametrize("session_id", ["", "0f1c"])
def test_setup_complete(session_id: str) -> None:
    payload = {"sessionId": session_id} if session_id else {}
    message = decode({"setupComplete": payload})
    assert message.setup_complete is not None
    assert message.setup_complete.session_id == session_id


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
    assert code == result == Part()


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
    content = decode_content(
        inputTranscription={
            "text": " Hello",
            "languageCode": "en-US",
            "words": [{"word": "Hello"}],
        },
        outputTranscription={"text": "Yes", "finished": True, "speakerLabel": "a"},
        interimInputTranscription={"text": "Hel"},
    )
    assert (content.input_transcription.text, content.input_transcription.finished) == (
        " Hello",
        False,
    )
    assert (content.output_transcription.text, content.output_transcription.finished) == (
        "Yes",
        True,
    )


def test_tool_calls_and_their_withdrawal() -> None:
    calls = [
        {"id": "function-call-1", "name": "get", "args": {"snake_key": {"camelKey": [1, None]}}},
        {"name": "old_vertex"},
        {"id": "2", "willContinue": True, "partialArgs": [{"jsonPath": "$.a"}]},
    ]
    message = decode({"toolCall": {"functionCalls": calls}})
    assert message.tool_call is not None
    full, bare, partial = message.tool_call.function_calls
    assert (full.id, full.name) == ("function-call-1", "get")
    assert full.args == {"snake_key": {"camelKey": [1, None]}}
    assert (bare.id, bare.name, bare.args) == ("", "old_vertex", {})
    assert (partial.id, partial.name) == ("2", "")
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
        "trafficType": "ON_DEMAND",
        "thoughtsTokenCount": number(1),
    }
    usage: Any = decode({"usageMetadata": report}).usage_metadata
    assert usage.prompt_token_count == 69
    assert getattr(usage, f"{side}_token_count") == 176
    assert usage.total_token_count == 245
    assert usage.prompt_tokens_details[0].token_count == 69
    detail = getattr(usage, f"{side}_tokens_details")[0]
    assert (detail.modality, detail.token_count) == ("SMELL", 176)


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
    message = decode({"goAway": {"timeLeft": "9.500s"}})
    assert message.go_away is not None
    assert message.go_away.time_left == "9.500s"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"sessionResumptionUpdate": {"newHandle": "h", "lastConsumedClientMessageIndex": "12"}},
        {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1.2s"}},
        {"voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"}},
        {"somethingNew": {"deep": [{"er": None}]}},
    ],
)
def test_what_it_does_not_know_is_nothing(message: dict[str, Any]) -> None:
    assert decode(message) == ServerMessage()


def test_unknown_fields_do_not_hide_known_ones() -> None:
    content = decode_content(
        turnComplete=True,
        turnCompleteReason="SOMETHING_NEW",
        interactionStatus="IDLE",
        waitingForInput=True,
        groundingMetadata={"webSearchQueries": ["a"], "groundingChunks": [{"web": {"uri": "b"}}]},
        urlContextMetadata={"urlMetadata": []},
        speechState="SPEECH",
    )
    assert content.turn_complete
    assert content.model_turn is None


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
    ],
)
def test_what_is_no_message_is_refused(data: bytes | str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_server(data)


# --- from the client ---


def test_audio_goes_out_as_documented() -> None:
    blob = Blob(mime_type="audio/pcm;rate=16000", data=AUDIO)
    frame = encode(ClientMessage(realtime_input=RealtimeInput(audio=blob)))
    assert json.loads(frame) == {
        "realtimeInput": {
            "audio": {
                "mimeType": "audio/pcm;rate=16000",
                "data": base64.b64encode(AUDIO).decode(),
            }
        }
    }


@pytest.mark.parametrize(
    ("realtime", "expected"),
    [
        (RealtimeInput(text="Hi"), {"text": "Hi"}),
        (RealtimeInput(audio_stream_end=True), {"audioStreamEnd": True}),
        (RealtimeInput(activity_start={}), {"activityStart": {}}),
        (RealtimeInput(activity_end={}), {"activityEnd": {}}),
        (
            RealtimeInput(video=Blob(mime_type="image/jpeg", data=b"\xff\xd8")),
            {"video": {"mimeType": "image/jpeg", "data": "/9g="}},
        ),
    ],
)
def test_realtime_input_has_one_field(realtime: RealtimeInput, expected: dict[str, Any]) -> None:
    frame = encode(ClientMessage(realtime_input=realtime))
    assert json.loads(frame) == {"realtimeInput": expected}


def test_content_goes_out_as_documented() -> None:
    turn = Content(role="user", parts=[Part(text="Hello")])
    content = ClientContent(turns=[turn], turn_complete=True)
    assert json.loads(encode(ClientMessage(client_content=content))) == {
        "clientContent": {
            "turns": [{"role": "user", "parts": [{"text": "Hello"}]}],
            "turnComplete": True,
        }
    }
    assert json.loads(encode(ClientMessage(client_content=ClientContent()))) == {
        "clientContent": {}
    }


def test_tool_responses_keep_the_spelling_of_their_keys() -> None:
    response = {"output": {"snake_key": 1, "camelKey": None}}
    answer = FunctionResponse(id="function-call-1", name="f", response=response)
    frame = encode(ClientMessage(tool_response=ToolResponse(function_responses=[answer])))
    assert json.loads(frame) == {
        "toolResponse": {
            "functionResponses": [{"id": "function-call-1", "name": "f", "response": response}]
        }
    }


def test_a_response_to_a_call_without_an_id_has_none() -> None:
    answer = FunctionResponse(name="f", response={"output": 1})
    frame = encode(ClientMessage(tool_response=ToolResponse(function_responses=[answer])))
    assert json.loads(frame)["toolResponse"]["functionResponses"] == [
        {"name": "f", "response": {"output": 1}}
    ]
