"""The liberties of the service's JSON: each spelling means the same, and nothing else passes."""

import base64
import json
import re
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Struct

from processors.live_api.messages import (
    Blob,
    ClientMessage,
    Content,
    Part,
    RealtimeInput,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    Setup,
    SetupComplete,
    Wire,
    decode_server,
    encode,
)
from processors.local_live_api.refusal import INVALID, RefusedError
from processors.local_live_api.switches import Switches
from processors.local_live_api.wire import (
    decode_client,
    encode_server,
    normalise,
    parse,
    snake_case,
)

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
AUDIO = "audio/pcm;rate=16000"


def decode(message: Any) -> Any:
    return decode_client(json.dumps(message))


def refusal(data: Any) -> str:
    with pytest.raises(RefusedError) as raised:
        decode_client(data if isinstance(data, bytes | str) else json.dumps(data))
    assert raised.value.code == INVALID
    return raised.value.reason


# --- any message, however it is written ---

SKIPPED = {"function_declarations", "null_value"}
"""One is tested below; of the other, null and no value mean the same here."""


def values(shape: Any, depth: int) -> st.SearchStrategy[Any]:
    """Values of a type of the schema; structures have some of their fields."""
    if isinstance(shape, type) and issubclass(shape, Struct):
        return structs(shape, depth)
    if get_origin(shape) is list:
        return st.lists(values(get_args(shape)[0], depth), max_size=2)
    if dict in (shape, get_origin(shape)):
        texts = get_args(shape)[1:] == (str,)
        inner: Any = st.text("ab", max_size=3) if texts else st.integers(0, 9)
        return st.dictionaries(st.sampled_from(["snake_key", "camelKey"]), inner, max_size=2)
    if get_args(shape) and all(isinstance(choice, str) for choice in get_args(shape)):
        return st.sampled_from(get_args(shape))
    simple: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.just(True),
        int: st.integers(-(2**31), 2**31 - 1),
        float: st.floats(-100, 100),
        str: st.text(max_size=8).filter(lambda text: text.isprintable()),
        bytes: st.binary(max_size=9),
    }
    return simple[shape]


def structs(kind: type[Struct], depth: int = 6) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    known = msgspec.structs.fields(kind)
    required = {f.name: values(bare(hints[f.name]), depth - 1) for f in known if f.required}
    optional = {
        f.name: values(bare(hints[f.name]), depth - 1)
        for f in known
        if not f.required and f.name not in SKIPPED and depth > 0
    }
    if kind is ClientMessage:
        some = st.one_of(*(st.fixed_dictionaries({n: value}) for n, value in optional.items()))
    else:
        some = st.fixed_dictionaries(required, optional=optional)
    return some.map(lambda fields: kind(**fields))


def bare(hint: Any) -> Any:
    if get_origin(hint) is Union or type(hint).__name__ == "UnionType":
        rest = [part for part in get_args(hint) if part not in (type(None), msgspec.UnsetType)]
        return rest[0] if len(rest) == 1 else hint
    return hint


MESSAGES = st.deferred(lambda: structs(ClientMessage))


def written(draw: Any, value: Any) -> Any:
    """A message as some client might write it; the user's own keys stay as they are."""
    if isinstance(value, Wire):
        document = {}
        for field in msgspec.structs.fields(type(value)):
            item = getattr(value, field.name)
            if item is UNSET or (item is None and draw(st.booleans())):
                continue
            name = draw(st.sampled_from(sorted({field.name, field.encode_name})))
            document[name] = written(draw, item)
        return document
    if isinstance(value, list):
        items = [written(draw, item) for item in value]
        return items[0] if len(items) == 1 and draw(st.booleans()) else items
    if isinstance(value, bytes):
        encoder = draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
        text = encoder(value).decode()
        return text if draw(st.booleans()) else text.rstrip("=")
    if isinstance(value, int) and not isinstance(value, bool) and draw(st.booleans()):
        return str(value)
    return value


@settings(max_examples=30)
@given(st.data())
def test_any_message_in_any_spelling_is_read_as_what_it_means(data: st.DataObject) -> None:
    message = data.draw(MESSAGES)
    frame = json.dumps(written(data.draw, message), ensure_ascii=data.draw(st.booleans()))
    assert decode_client(frame) == message
    assert decode_client(frame.encode()) == message


@settings(max_examples=30)
@given(MESSAGES)
def test_what_the_client_encodes_is_read_back_unchanged(message: ClientMessage) -> None:
    assert decode_client(encode(message)) == message


def objects(value: Any, path: str = "") -> list[tuple[dict[str, Any], str]]:
    """Every object of the schema in a camelCase message, with its path in snake_case."""
    found = [(value, path)]
    for name, item in value.items():
        here = f"{path}.{snake_case(name)}".lstrip(".")
        if name in ("functionDeclarations", "labels", "args", "response") or is_option(path, item):
            continue
        for index, inner in enumerate(item if isinstance(item, list) else [item]):
            if isinstance(inner, dict):
                place = f"{here}[{index}]" if isinstance(item, list) else here
                found += objects(inner, place)
    return found


def is_option(path: str, item: Any) -> bool:
    """A tool's own options: anything goes."""
    return bool(re.search(r"tools\[\d+\]$", path))


@settings(max_examples=30)
@given(
    MESSAGES,
    st.text("abcXYZ_", min_size=1, max_size=8).map(lambda name: f"q{name}"),
    st.data(),
)
def test_an_unknown_name_anywhere_is_named_with_its_place(
    message: ClientMessage, name: str, data: st.DataObject
) -> None:
    document = json.loads(encode(message))
    inside, path = data.draw(st.sampled_from(objects(document)))
    inside[name] = data.draw(st.sampled_from([1, None, {}, [], "x"]))
    where = f" at '{path}'" if path else ""
    expected = f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
    assert refusal(document) == expected.encode()[:123].decode(errors="ignore")


@given(st.binary(max_size=64))
def test_both_base64_alphabets_with_and_without_padding(data: bytes) -> None:
    for encoder in (base64.b64encode, base64.urlsafe_b64encode):
        text = encoder(data).decode()
        for spelled in (text, text.rstrip("=")):
            for key, top in (("mime_type", "realtime_input"), ("mimeType", "realtimeInput")):
                blob = {key: AUDIO, "data": spelled}
                assert decode({top: {"audio": blob}}).realtime_input.audio == Blob(
                    mime_type=AUDIO, data=data
                )
                video = decode({top: {"video": blob}}).realtime_input.video
                assert video == Blob(mime_type=AUDIO, data=data)


# --- no other input does any harm ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *ClientMessage.__struct_fields__,
                    *Setup.__struct_encode_fields__,
                    "audio",
                    "parts",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=80) | st.text(max_size=80) | JSON.map(json.dumps))
def test_no_input_raises_anything_but_a_refusal(data: bytes | str) -> None:
    try:
        assert isinstance(decode_client(data), ClientMessage)
    except RefusedError as error:
        assert error.code == INVALID
        assert len(error.reason.encode()) <= 123


@settings(max_examples=30)
@given(MESSAGES.map(encode), st.integers(0, 400), st.integers(0, 255))
def test_a_byte_changed_in_a_message_does_no_harm(frame: bytes, at: int, byte: int) -> None:
    changed = bytearray(frame)
    changed[at % len(changed)] = byte
    try:
        decode_client(bytes(changed))
    except RefusedError as error:
        assert error.code == INVALID


DEEP = "[" * 100_000
DEEP_ANSWER = '{"toolResponse": {"functionResponses": [{"name": "f", "response": %s}]}}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        "no JSON",
        '{"setup": {',
        b"\xff\xfe",
        b'{"setup": {"model": "\xff"}}',
        "\ud800",
        '{"setup": {"model": "\ud800"}}',
        '{"setup": {"model": "m"}} {}',
        "[]",
        "null",
        DEEP,
        DEEP_ANSWER % ('{"a": ' * 50_000),
        '{"a": ' * 100_000,
        "9" * 5000,
        '{"setup": {"model": "m", "generationConfig": {"seed": %s}}}' % ("9" * 5000),
        '{"setup": {"model": "m", "generationConfig": {"seed": "%s"}}}' % ("9" * 5000),
        '{"setup": {"model": "m", "generationConfig": {"temperature": 1e999}}}',
    ],
    ids=lambda data: str(data)[:40].encode("ascii", "replace").decode(),
)
def test_what_is_no_message_is_refused(data: bytes | str) -> None:
    assert refusal(data)


@pytest.mark.parametrize("data", ["\ud800", b"\xff", "[", DEEP, "", "01"])
def test_text_that_is_no_json_is_refused(data: bytes | str) -> None:
    with pytest.raises(RefusedError, match=r"Invalid JSON payload received\. ."):
        parse(data)


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"setup": {"model": 7}}, "setup.model"),
        ({"setup": {}}, "setup"),
        ({"setup": [{"model": "m"}]}, "setup"),
        ({"setup": {"model": "m", "systemInstruction": "x"}}, "setup.system_instruction"),
        (
            {"setup": {"model": "m", "systemInstruction": {"parts": ["x"]}}},
            "setup.system_instruction.parts[0]",
        ),
        (
            {"setup": {"model": "m", "generationConfig": {"responseModalities": ["SMELL"]}}},
            "setup.generation_config.response_modalities[0]",
        ),
        (
            {
                "setup": {
                    "model": "m",
                    "generation_config": {"thinkingConfig": {"thinking_level": "HUGE"}},
                }
            },
            "setup.generation_config.thinking_config.thinking_level",
        ),
        (
            {"setup": {"model": "m", "realtimeInputConfig": {"turnCoverage": "SOME"}}},
            "setup.realtime_input_config.turn_coverage",
        ),
        (
            {"setup": {"model": "m", "generationConfig": {"maxOutputTokens": 2**31}}},
            "setup.generation_config.max_output_tokens",
        ),
        ({"setup": {"model": "m", "labels": {"a": 1}}}, "setup.labels"),
        ({"setup": {"model": "m", "tools": [None]}}, "setup.tools[0]"),
        (
            {"setup": {"model": "m", "tools": {"googleSearch": True}}},
            "setup.tools[0].google_search",
        ),
        ({"realtimeInput": {"audio": "AAAA"}}, "realtime_input.audio"),
        ({"realtimeInput": {"audio": {"data": "?"}}}, "realtime_input.audio.data"),
        ({"realtimeInput": {"audio": {"data": "AAAAA"}}}, "realtime_input.audio.data"),
        ({"realtimeInput": {"audio": {"data": 7}}}, "realtime_input.audio.data"),
        ({"realtimeInput": {"activityStart": True}}, "realtime_input.activity_start"),
        ({"clientContent": {"turns": "hi"}}, "client_content.turns[0]"),
        ({"client_content": {"turns": [{"role": 5}]}}, "client_content.turns[0].role"),
        (
            {"tool_response": {"function_responses": {"name": "f", "response": [1]}}},
            "tool_response.function_responses[0].response",
        ),
        ({"contextUpdate": {"tools": [{"googleSearch": {}}]}}, "context_update.tools"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(message: dict[str, Any], path: str) -> None:
    assert refusal(message).startswith(f"Invalid value at '{path}'")


def test_the_end_of_the_stream_is_true_and_no_object() -> None:
    assert refusal({"realtimeInput": {"audioStreamEnd": {}}}).startswith(
        "Invalid value at 'realtime_input' (audio_stream_end), "
    )


def test_a_name_in_the_wrong_place_is_unknown_there() -> None:
    assert refusal({"realtimeInput": {"turnComplete": True}}) == (
        "Invalid JSON payload received. Unknown name \"turnComplete\" at 'realtime_input': "
        "Cannot find field."
    )
    assert refusal({"setup": {"model": "m", "responseModalities": ["AUDIO"]}}) == (
        "Invalid JSON payload received. Unknown name \"responseModalities\" at 'setup': "
        "Cannot find field."
    )


def test_a_message_is_one_thing() -> None:
    reason = refusal({"setup": {"model": "m"}, "clientContent": {}})
    assert "(oneof)" in reason
    assert decode({"setup": {"model": "m"}, "clientContent": None}).setup == Setup(model="m")


# --- details ---


def test_spellings_can_be_mixed() -> None:
    message = {"client_content": {"turns": [{"parts": [{"text": "a_b"}]}], "turnComplete": True}}
    content = decode(message).client_content
    assert content.turn_complete
    assert content.turns[0].parts[0].text == "a_b"
    assert decode(CAMEL).setup.generation_config.speech_config is not None


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
    response = {"snake_key": {"function_responses": {"data": "a_b-c"}}, "camelKey": [{"a_b": None}]}
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


def test_numbers_may_be_strings_and_words_may_be_null() -> None:
    detection = {"silence_duration_ms": "500"}
    config = {"realtime_input_config": {"automatic_activity_detection": detection}}
    setup = decode({"setup": {"model": "m", **config}}).setup
    assert setup.realtime_input_config.automatic_activity_detection.silence_duration_ms == 500
    assert decode({"realtimeInput": {"text": "null"}}).realtime_input.text == "null"


def test_audio_that_says_more_than_usual_is_read_too() -> None:
    blob = {"mimeType": AUDIO, "data": "AAAA", "displayName": "a"}
    assert decode({"realtimeInput": {"audio": blob}}).realtime_input.audio.display_name == "a"
    both = {"audio": {"mimeType": AUDIO, "data": "AAAA"}, "text": "x"}
    assert decode({"realtime_input": both}).realtime_input == RealtimeInput(
        audio=Blob(mime_type=AUDIO, data=bytes(3)), text="x"
    )


def test_normalising_keeps_to_one_part_of_a_message() -> None:
    setup = {"model": "m", "generation_config": {"top_k": 4, "seed": None}}
    assert normalise(setup, Setup) == {"model": "m", "generationConfig": {"topK": 4}}
    with pytest.raises(RefusedError, match="Unknown name \"x\" at 'here'"):
        normalise({"x": 1}, Setup, "here")


@given(st.from_regex(r"[a-z]+(_[a-z]+){0,3}", fullmatch=True))
def test_snake_case_undoes_camel_case(name: str) -> None:
    head, *rest = name.split("_")
    assert snake_case(head + "".join(part.capitalize() for part in rest)) == name
    assert snake_case(name) == name


# --- what the server says ---


def test_server_frames_are_pretty_bytes_with_a_newline() -> None:
    frame = encode_server(ServerMessage(setup_complete=SetupComplete()), Switches())
    assert frame == b'{\n  "setupComplete": {}\n}\n'


@pytest.mark.parametrize(
    ("switches", "frame"),
    [
        (Switches(pretty=False), b'{"goAway":{}}'),
        (Switches(frames="text"), '{\n  "goAway": {}\n}\n'),
        (Switches(frames="text", pretty=False), '{"goAway":{}}'),
    ],
)
def test_server_frames_of_other_kinds(switches: Switches, frame: bytes | str) -> None:
    assert encode_server(decode_server('{"goAway": {}}'), switches) == frame


def test_server_frames_leave_defaults_out_and_use_standard_base64() -> None:
    blob = Blob(mime_type="audio/pcm;rate=24000", data=b"\xfb\xff\xfe\xff")
    turn = Content(parts=[Part(inline_data=blob)])
    message = ServerMessage(server_content=ServerContent(model_turn=turn))
    frame = encode_server(message, Switches())
    assert json.loads(frame) == {
        "serverContent": {
            "modelTurn": {
                "parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "+//+/w=="}}]
            }
        }
    }
    assert decode_server(frame) == message


def test_an_index_goes_out_as_a_string() -> None:
    update = SessionResumptionUpdate(new_handle="h", last_consumed_client_message_index=12)
    frame = encode_server(ServerMessage(session_resumption_update=update), Switches())
    assert json.loads(frame) == {
        "sessionResumptionUpdate": {"newHandle": "h", "lastConsumedClientMessageIndex": "12"}
    }


def test_enumerations_may_be_lower_case_as_in_published_samples() -> None:
    config = {"responseModalities": ["audio"]}
    message = decode_client(json.dumps({"setup": {"model": "m", "generationConfig": config}}))
    assert message.setup.generation_config.response_modalities == ["AUDIO"]
