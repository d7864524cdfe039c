"""The liberties of the service's JSON: each spelling must mean the same."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.live_api.messages import (
    Blob,
    ClientMessage,
    Content,
    Part,
    RealtimeInput,
    ServerContent,
    ServerMessage,
    SetupComplete,
    decode_server,
    encode,
)
from processors.local_live_api.wire import decode_client, encode_server

CAMEL = {
    "setup": {
        "model": "models/m",
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
        "systemInstruction": {"parts": [{"text": "snake_case stays in texts"}]},
        "realtimeInputConfig": {
            "automaticActivityDetection": {
                "silenceDurationMs": 500,
                "prefixPaddingMs": 20,
                "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
            },
            "activityHandling": "NO_INTERRUPTION",
        },
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
    }
}


def to_snake(value: Any) -> Any:
    if isinstance(value, list):
        return [to_snake(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in key): to_snake(item)
        for key, item in value.items()
    }


def decode(message: Any) -> Any:
    return decode_client(json.dumps(message))


def test_both_spellings_mean_the_same() -> None:
    snake = to_snake(CAMEL)
    assert "generation_config" in snake["setup"]
    assert decode(snake) == decode(CAMEL)
    assert decode(CAMEL).setup.generation_config.speech_config is not None


def test_spellings_can_be_mixed() -> None:
    message = {"client_content": {"turns": [{"parts": [{"text": "a_b"}]}], "turnComplete": True}}
    content = decode(message).client_content
    assert content.turn_complete
    assert content.turns[0].parts[0].text == "a_b"


def test_text_and_binary_frames_mean_the_same() -> None:
    text = json.dumps(CAMEL)
    assert decode_client(text) == decode_client(text.encode())


@given(st.binary(max_size=64))
def test_both_base64_alphabets_with_and_without_padding(data: bytes) -> None:
    for encoder in (base64.b64encode, base64.urlsafe_b64encode):
        text = encoder(data).decode()
        for written in (text, text.rstrip("=")):
            blob = {"mime_type": "audio/pcm;rate=16000", "data": written}
            audio = decode({"realtime_input": {"audio": blob}}).realtime_input.audio
            assert audio.data == data


def test_one_object_stands_for_a_list_of_one() -> None:
    single = {
        "setup": {"model": "m", "tools": {"function_declarations": {"name": "f"}}},
    }
    assert decode(single).setup.tools[0].function_declarations == [{"name": "f"}]
    content = decode({"clientContent": {"turns": {"parts": {"text": "a"}}}}).client_content
    assert content.turns == [Content(parts=[Part(text="a")])]
    answer = {"id": "1", "name": "f", "response": {}}
    responses = decode({"toolResponse": {"functionResponses": answer}}).tool_response
    assert [response.id for response in responses.function_responses] == ["1"]


def test_the_users_own_keys_are_left_alone() -> None:
    response = {"snake_key": {"function_responses": {"data": "a_b-c"}}, "camelKey": [{"a_b": 1}]}
    message = {
        "tool_response": {
            "function_responses": [{"id": "1", "name": "get_it", "response": response}]
        }
    }
    answer = decode(message).tool_response.function_responses[0]
    assert answer.response == response
    assert answer.name == "get_it"


def test_names_of_declared_parameters_are_left_alone() -> None:
    declaration = {
        "name": "get_it",
        "parameters": {
            "type": "OBJECT",
            "properties": {"city_name": {"type": "STRING"}, "parts": {"type": "OBJECT"}},
        },
    }
    for key in ("functionDeclarations", "function_declarations"):
        setup = decode({"setup": {"model": "m", "tools": [{key: [declaration]}]}}).setup
        assert setup.tools[0].function_declarations == [declaration]


def test_numbers_may_be_strings() -> None:
    detection = {"silence_duration_ms": "500"}
    config = {"realtime_input_config": {"automatic_activity_detection": detection}}
    setup = decode({"setup": {"model": "m", **config}}).setup
    assert setup.realtime_input_config.automatic_activity_detection.silence_duration_ms == 500


def test_what_the_client_encodes_is_read_back_unchanged() -> None:
    blob = Blob(mime_type="audio/pcm;rate=16000", data=bytes(range(256)))
    message = ClientMessage(realtime_input=RealtimeInput(audio=blob))
    assert decode_client(encode(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        "no JSON",
        '{"setup": {',
        b"\xff\xfe",
        "[]",
        '{"setup": {}}',
        '{"setup": {"model": 7}}',
        '{"realtimeInput": {"audio": {"data": "?"}}}',
        '{"realtimeInput": {"audioStreamEnd": {}}}',
        '{"toolResponse": {}}',
    ],
)
def test_what_is_no_message_is_refused(data: bytes | str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_client(data)


def test_server_frames_are_pretty_bytes_with_a_newline() -> None:
    frame = encode_server(ServerMessage(setup_complete=SetupComplete()))
    assert frame == b'{\n  "setupComplete": {}\n}\n'


def test_server_frames_leave_defaults_out_and_use_standard_base64() -> None:
    blob = Blob(mime_type="audio/pcm;rate=24000", data=b"\xfb\xff\xfe\xff")
    turn = Content(parts=[Part(inline_data=blob)])
    message = ServerMessage(server_content=ServerContent(model_turn=turn))
    frame = encode_server(message)
    assert json.loads(frame) == {
        "serverContent": {
            "modelTurn": {
                "parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "+//+/w=="}}]
            }
        }
    }
    assert decode_server(frame) == message
