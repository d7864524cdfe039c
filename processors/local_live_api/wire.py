"""How the real service reads and writes JSON, its liberties included.

It reads camelCase and snake_case, both base64 alphabets with or without padding, and one object
where a list is declared. It writes binary frames of pretty-printed JSON with a final newline.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from processors.live_api.messages import ClientMessage, ServerMessage, encode

_OPAQUE = {"args", "response", "functionDeclarations"}
"""Below these the keys belong to the user."""
_LISTS = {"tools", "turns", "parts", "functionDeclarations", "functionResponses"}
_URL_SAFE = str.maketrans("-_", "+/")


def decode_client(data: bytes | str) -> ClientMessage:
    """A client frame. Raises msgspec.DecodeError when it is not one."""
    return msgspec.convert(_normal(msgspec.json.decode(data)), ClientMessage, strict=False)


def encode_server(message: ServerMessage) -> bytes:
    """A server frame's bytes."""
    return msgspec.json.format(encode(message), indent=2) + b"\n"


def _normal(value: Any) -> Any:
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if not isinstance(value, dict):
        return value
    normal: dict[str, Any] = {}
    for name, item in value.items():
        key = re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)
        if key in _LISTS and isinstance(item, dict):
            item = [item]
        if key == "data" and isinstance(item, str):
            text = item.translate(_URL_SAFE).rstrip("=")
            normal[key] = text + "=" * (-len(text) % 4)
        else:
            normal[key] = item if key in _OPAQUE else _normal(item)
    return normal
