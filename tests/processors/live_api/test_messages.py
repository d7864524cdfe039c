"""Properties of the whole schema, over messages generated from its types."""

import json
from functools import cache
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from processors.live_api import messages
from processors.live_api.messages import ClientMessage, ServerMessage, decode_server, encode

KINDS = [field.encode_name for field in msgspec.structs.fields(ServerMessage)]
USERS_OWN = {"args", "response"}
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StructType(cls=cls):
            return instances(cls)
        case inspect.UnionType(types=types):
            return st.one_of(*map(values, types))
        case inspect.ListType(item_type=item):
            return st.lists(values(item), max_size=2)
        case inspect.DictType(value_type=value):
            return st.dictionaries(st.text(max_size=9), values(value), max_size=2)
        case inspect.LiteralType(values=choices):
            return st.sampled_from(choices)
        case inspect.IntType(ge=ge, le=le):
            low, high = -(2**63) if ge is None else ge, 2**63 - 1 if le is None else le
            return st.integers(low, high) | st.just(max(low, 0))
        case inspect.FloatType():
            return FLOATS
    plain = {
        inspect.StrType: st.text(max_size=9) | st.sampled_from(["null", "12", "true"]),
        inspect.BytesType: st.binary(max_size=9),
        inspect.BoolType: st.booleans(),
        inspect.NoneType: st.none(),
        inspect.AnyType: JSON,
    }
    return plain[type(kind)]


@cache
def instances(cls: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any subset of the fields; deferred, since parts hold parts."""

    def build() -> st.SearchStrategy[Any]:
        info = inspect.type_info(cls)
        assert isinstance(info, inspect.StructType)
        required = {f.name: values(f.type) for f in info.fields if f.required}
        optional = {f.name: values(f.type) for f in info.fields if not f.required}
        return st.fixed_dictionaries(required, optional=optional).map(lambda some: cls(**some))

    return st.deferred(build)


def with_unknown_fields(message: Any) -> Any:
    if isinstance(message, list):
        return [with_unknown_fields(item) for item in message]
    if not isinstance(message, dict):
        return message
    known = {
        name: item if name in USERS_OWN else with_unknown_fields(item)
        for name, item in message.items()
    }
    return {"somethingNew": {"deep": [{"er": None}]}, **known, "more": 1}


@given(instances(ClientMessage))
@settings(max_examples=60)
def test_what_a_client_writes_is_read_back(message: ClientMessage) -> None:
    again = msgspec.json.decode(encode(message), type=ClientMessage, strict=False)
    assert again == message
    assert encode(again) == encode(message)


@given(instances(ServerMessage))
@settings(max_examples=60)
def test_what_a_server_writes_is_read_back(message: ServerMessage) -> None:
    data = encode(message)
    assert decode_server(data) == decode_server(data.decode()) == message
    assert decode_server(msgspec.json.format(data, indent=2) + b"\n") == message


@given(instances(ServerMessage))
@settings(max_examples=60)
def test_fields_of_tomorrow_are_passed_over(message: ServerMessage) -> None:
    assert decode_server(json.dumps(with_unknown_fields(json.loads(encode(message))))) == message


@given(instances(ServerMessage), st.data())
@settings(max_examples=60)
def test_a_damaged_frame_is_a_message_or_a_decode_error(
    message: ServerMessage, data: st.DataObject
) -> None:
    frame = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_server(bytes(frame))
    except msgspec.DecodeError:
        return
    assert isinstance(decoded, ServerMessage)


@given(st.dictionaries(st.sampled_from(KINDS), JSON))
def test_other_json_is_a_message_or_a_decode_error(frame: dict[str, Any]) -> None:
    try:
        message = decode_server(json.dumps(frame))
    except msgspec.DecodeError:
        return
    assert isinstance(message, ServerMessage)
    assert all(payload is None or isinstance(payload, dict) for payload in frame.values())


def test_the_package_gives_every_name_of_its_modules() -> None:
    parts = [messages.base, messages.content, messages.setup, messages.client, messages.server]
    structs = {
        name
        for part in parts
        for name, value in vars(part).items()
        if getattr(value, "__module__", None) == part.__name__ and not name.startswith("_")
    }
    assert structs <= set(messages.__all__)
