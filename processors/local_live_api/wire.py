"""How the service reads and writes JSON, its liberties and its strictness included.

It reads camelCase and snake_case, both base64 alphabets with or without padding, and one object
where a list is declared; names and values that it does not know end the connection. It writes
pretty-printed JSON with a final newline.
"""

from __future__ import annotations

import binascii
import re
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, UnsetType, field

from processors.live_api.messages import Blob, ClientMessage, RealtimeInput, ServerMessage, encode
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.switches import Switches

_HUMP = re.compile("([A-Z])")
_UNREADABLE = "Invalid JSON payload received."


def decode_client(data: bytes | str) -> ClientMessage:
    """A client frame. Raises RefusedError, with the service's own words, when it is not one."""
    audio = _realtime_audio(data)
    if audio is not None:
        return audio
    try:
        normal = normalise(parse(data), ClientMessage)
        if len(normal) > 1:
            first, second = list(normal)[:2]
            raise RefusedError(
                f"Invalid value at '' (oneof), oneof field 'message_type' is already set by "
                f"{first}. Cannot set '{second}'"
            )
        return msgspec.convert(normal, ClientMessage, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        keys = where.rstrip("`").replace("[...]", "").lstrip(".")
        if "missing required" in what:
            raise RefusedError(f"Invalid value at '{snake_case(keys)}', {what}") from None
        found = _shown(_look_up(normal, keys))
        kind = next((name for word, name in _TYPES.items() if f"`{word}" in what), "TYPE_ENUM")
        raise RefusedError(f"Invalid value at '{snake_case(keys)}' ({kind}), {found}") from None
    except RecursionError:
        raise RefusedError(f"{_UNREADABLE} It is nested too deeply.") from None


_TYPES = {"int": "TYPE_INT32", "float": "TYPE_FLOAT", "str": "TYPE_STRING", "bool": "TYPE_BOOL"}


def _look_up(value: Any, keys: str) -> Any:
    """What stands at a path such as `setup.tools[0].name`."""
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", keys):
        value = value[int(index)] if index else value.get(key)
    return value


def parse(data: bytes | str) -> Any:
    """The value of a JSON text. Raises RefusedError when it is none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        what = str(error).partition(" - at `$")[0]
        raise RefusedError(f"{_UNREADABLE} {what}") from None
    except RecursionError:
        raise RefusedError(f"{_UNREADABLE} It is nested too deeply.") from None


def normalise(value: Any, kind: type[Struct], path: str = "") -> dict[str, Any]:
    """An object with the names, lists and bytes that the schema declares; types are not checked.

    path: of the object in its message, in snake_case. Raises RefusedError for unknown names, for
    what is no object where one is declared, and for what is no base64.
    """
    if not isinstance(value, dict):
        if not path:
            raise RefusedError(f"{_UNREADABLE} Expected an object.")
        raise RefusedError(f"Invalid value at '{path}' ({kind.__name__}), {_shown(value)}")
    fields = _spellings(kind)
    normal: dict[str, Any] = {}
    for name, item in value.items():
        if name not in fields:
            where = f" at '{path}'" if path else ""
            raise RefusedError(f'{_UNREADABLE} Unknown name "{name}"{where}: Cannot find field.')
        wire_name, shape = fields[name]
        if item is None:  # as proto3 JSON has it, null is the default
            continue
        here = f"{path}.{snake_case(wire_name)}" if path else snake_case(wire_name)
        normal[wire_name] = _normal(item, shape, here)
    return normal


def encode_server(message: ServerMessage, switches: Switches) -> bytes | str:
    """A server frame: binary as the real ones are, or text."""
    data = encode(message)
    if switches.pretty:
        data = msgspec.json.format(data, indent=2) + b"\n"
    return data if switches.frames == "binary" else data.decode()


def snake_case(name: str) -> str:
    """How the service spells a path, whatever the client wrote."""
    return _HUMP.sub(lambda hump: f"_{hump[1].lower()}", name)


# --- audio, which is nearly all that comes ---


class _Audio(Struct, forbid_unknown_fields=True):
    data: str
    mime_type: str = ""
    camel_mime_type: str = field(default="", name="mimeType")


class _Input(Struct, forbid_unknown_fields=True):
    audio: _Audio


class _Frame(Struct, forbid_unknown_fields=True):
    realtime_input: _Input | None = None
    camel_realtime_input: _Input | None = field(default=None, name="realtimeInput")


_frame = msgspec.json.Decoder(_Frame)


def _realtime_audio(data: bytes | str) -> ClientMessage | None:
    """A frame of nothing but audio, in any spelling, without the general reader's cost."""
    try:
        frame = _frame.decode(data)
        found = frame.realtime_input or frame.camel_realtime_input
        if found is None or (frame.realtime_input and frame.camel_realtime_input):
            return None
        audio = found.audio
        if audio.mime_type and audio.camel_mime_type:
            return None
        blob = Blob(mime_type=audio.mime_type or audio.camel_mime_type, data=_bytes(audio.data))
    except (msgspec.MsgspecError, ValueError):
        return None
    return ClientMessage(realtime_input=RealtimeInput(audio=blob))


def _bytes(text: str) -> bytes:
    """Base64 of either alphabet, padded or not. Raises ValueError."""
    text = text.replace("-", "+").replace("_", "/").rstrip("=")  # ten times as fast as translate
    return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)


# --- everything ---


def _normal(value: Any, shape: Any, path: str) -> Any:
    if get_origin(shape) is list:
        (item_shape,) = get_args(shape)
        items = value if isinstance(value, list) else [value]
        return [_normal(item, item_shape, f"{path}[{i}]") for i, item in enumerate(items)]
    if isinstance(shape, type) and issubclass(shape, Struct):
        return normalise(value, shape, path)
    if isinstance(value, dict) and not _takes_objects(shape):
        parent, _, name = path.rpartition(".")
        raise RefusedError(
            f"Invalid value at '{parent}' ({name}), Starting an object on a scalar field"
        )
    if get_origin(shape) is Literal and isinstance(value, str):
        return value if value in get_args(shape) else value.upper()  # samples write "audio"
    if shape is bytes and isinstance(value, str):
        try:
            return _bytes(value)
        except ValueError:
            raise RefusedError(
                f"Invalid value at '{path}' (TYPE_BYTES), "
                f"Base64 decoding failed for {_shown(value)}"
            ) from None
    return value


def _takes_objects(shape: Any) -> bool:
    return shape is Any or dict in (shape, get_origin(shape))


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:40]


@cache
def _spellings(kind: type[Struct]) -> dict[str, tuple[str, Any]]:
    """Every name under which a field may come: its name on the wire, and its type."""
    hints = get_type_hints(kind)
    fields = {}
    for known in msgspec.structs.fields(kind):
        entry = (known.encode_name, _bare(hints[known.name]))
        fields[known.name] = fields[known.encode_name] = entry
    return fields


def _bare(hint: Any) -> Any:
    """A type without None and UNSET."""
    if get_origin(hint) in (Union, UnionType):
        rest = [part for part in get_args(hint) if part not in (type(None), UnsetType)]
        return rest[0] if len(rest) == 1 else hint
    return hint
