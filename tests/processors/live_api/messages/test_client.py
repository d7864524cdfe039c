"""What a client sends, to the letter, and what of it a server can read."""

import base64
import json
from typing import Any

import msgspec
import pytest

from processors.live_api.messages import (
    ActivityEnd,
    ActivityStart,
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    ContextUpdate,
    FunctionResponse,
    GenerationConfig,
    Part,
    RealtimeInput,
    SessionResumptionConfig,
    Setup,
    Tool,
    ToolList,
    ToolResponse,
    encode,
    encode_setup,
)

AUDIO = bytes(range(256))
BLOB = {"mimeType": "audio/pcm;rate=16000", "data": "-__-AAH_".replace("-", "+").replace("_", "/")}


def decode(message: Any) -> ClientMessage:
    return msgspec.json.decode(json.dumps(message), type=ClientMessage, strict=False)


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
        (RealtimeInput(activity_start=ActivityStart()), {"activityStart": {}}),
        (RealtimeInput(activity_end=ActivityEnd()), {"activityEnd": {}}),
        (
            RealtimeInput(video=Blob(mime_type="image/jpeg", data=b"\xff\xd8")),
            {"video": {"mimeType": "image/jpeg", "data": "/9g="}},
        ),
        (
            RealtimeInput(media_chunks=[Blob(mime_type="image/png", data=b"\x89")]),
            {"mediaChunks": [{"mimeType": "image/png", "data": "iQ=="}]},
        ),
    ],
)
def test_realtime_input_has_one_field(realtime: RealtimeInput, expected: dict[str, Any]) -> None:
    frame = encode(ClientMessage(realtime_input=realtime))
    assert json.loads(frame) == {"realtimeInput": expected}
    assert decode(json.loads(frame)).realtime_input == realtime


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


def test_how_an_answer_is_taken_up() -> None:
    image = Part(inline_data=Blob(mime_type="image/png", data=b"\x89"))
    answer = FunctionResponse(
        id="1",
        name="f",
        response={},
        scheduling="WHEN_IDLE",
        will_continue=True,
        parts=[image],
    )
    assert json.loads(encode(ToolResponse(function_responses=[answer]))) == {
        "functionResponses": [
            {
                "id": "1",
                "name": "f",
                "response": {},
                "scheduling": "WHEN_IDLE",
                "willContinue": True,
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "iQ=="}}],
            }
        ]
    }


def test_an_update_of_the_context() -> None:
    instruction = Content(parts=[Part(text="Be terse.")])
    tools = ToolList(tools=[Tool(google_search={})])
    update = ContextUpdate(system_instruction=instruction, tools=tools)
    assert json.loads(encode(ClientMessage(context_update=update))) == {
        "contextUpdate": {
            "systemInstruction": {"parts": [{"text": "Be terse."}]},
            "tools": {"tools": [{"googleSearch": {}}]},
        }
    }


def test_clearing_the_tools_is_not_leaving_them_as_they_are() -> None:
    cleared: Any = decode({"contextUpdate": {"tools": {"tools": []}}})
    assert cleared.context_update.tools == ToolList()
    assert decode(json.loads(encode(cleared))) == cleared
    kept: Any = decode({"contextUpdate": {}})
    assert kept.context_update.tools is None


@pytest.mark.parametrize(
    "frame",
    [
        {"clientContent": {"turnComplete": True}},
        {"clientContent": {"turns": [{"role": "system", "parts": [{"text": "Be kind."}]}]}},
        {
            "clientContent": {
                "turns": [
                    {"role": "user", "parts": [{"inlineData": BLOB}, {"text": "And this?"}]},
                    {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "f"}}]},
                    {
                        "role": "user",
                        "parts": [
                            {"functionResponse": {"id": "1", "name": "f", "response": {"a_b": 1}}},
                            {"fileData": {"mimeType": "image/png", "fileUri": "gs://b/o.png"}},
                        ],
                    },
                ],
                "turnComplete": True,
            }
        },
        {"realtimeInput": {"audio": BLOB}},
        {"realtimeInput": {"mediaChunks": [BLOB, BLOB]}},
        {
            "toolResponse": {
                "functionResponses": [
                    {"id": "1", "name": "f", "response": {"output": 1}, "scheduling": "SILENT"},
                    {"name": "g", "response": {"error": "no"}, "willContinue": True},
                ]
            }
        },
        {
            "contextUpdate": {
                "systemInstruction": {"role": "user", "parts": [{"text": "Terse."}]},
                "tools": {"tools": [{"functionDeclarations": [{"name": "f", "a_b": {}}]}]},
            }
        },
    ],
)
def test_nothing_that_a_client_says_is_lost(frame: dict[str, Any]) -> None:
    assert json.loads(encode(decode(frame))) == frame


@pytest.mark.parametrize(
    "frame",
    [
        {"realtimeInput": {"audioStreamEnd": {}}},
        {"realtimeInput": {"activityStart": True}},
        {"realtimeInput": {"audio": "AAAA"}},
        {"clientContent": {"turns": "Hello"}},
        {"toolResponse": {"functionResponses": [{"id": "1", "name": "f"}]}},
        {
            "toolResponse": {
                "functionResponses": [{"name": "f", "response": {}, "scheduling": "SOON"}]
            }
        },
        {"contextUpdate": {"tools": [{}]}},
        {"setup": {}},
    ],
)
def test_what_is_no_message_is_refused(frame: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(frame)


# --- fields that the schema does not know ---

SETUP = Setup(
    model="models/m",
    generation_config=GenerationConfig(response_modalities=["AUDIO"], temperature=0.5),
    system_instruction=Content(parts=[Part(inline_data=Blob(data=b"\xfb\xff"))]),
    tools=[Tool(google_search={})],
    session_resumption=SessionResumptionConfig(),
)


def fields(extra: dict[str, Any] | None) -> Any:
    return json.loads(encode_setup(SETUP, extra))["setup"]


@pytest.mark.parametrize("extra", [None, {}])
def test_without_any_the_setup_is_as_it_is(extra: dict[str, Any] | None) -> None:
    assert encode_setup(SETUP, extra) == encode(ClientMessage(setup=SETUP))


@pytest.mark.parametrize(
    ("extra", "name", "expected"),
    [
        ({"brandNew": {"a_b": [1, None]}}, "brandNew", {"a_b": [1, None]}),
        (
            {"generationConfig": {"topP": 0.9, "temperature": 1}},
            "generationConfig",
            {"responseModalities": ["AUDIO"], "temperature": 1, "topP": 0.9},
        ),
        (
            {"generationConfig": {"responseModalities": ["TEXT"], "temperature": None}},
            "generationConfig",
            {"responseModalities": ["TEXT"]},
        ),
        ({"tools": [{"codeExecution": {}}]}, "tools", [{"codeExecution": {}}]),
        ({"sessionResumption": {}}, "sessionResumption", {}),
        ({"sessionResumption": {"handle": "h", "new": None}}, "sessionResumption", {"handle": "h"}),
        ({"tools": {"a": {"b": 1, "c": None}}}, "tools", {"a": {"b": 1}}),
        ({"generationConfig": "none"}, "generationConfig", "none"),
        ({"model": "models/other"}, "model", "models/other"),
    ],
)
def test_raw_fields_win(extra: dict[str, Any], name: str, expected: Any) -> None:
    before = json.dumps(extra)
    patched, plain = fields(extra), fields(None)
    assert patched.pop(name) == expected
    plain.pop(name, None)
    assert patched == plain
    assert json.dumps(extra) == before


def test_a_field_can_be_taken_away() -> None:
    assert "tools" not in fields({"tools": None})
