"""Messages from the client to the server."""

# ruff: noqa: RUF012 - msgspec gives every instance a list or dict of its own

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from processors.live_api.messages.base import Wire
from processors.live_api.messages.content import Blob, Content, FunctionResponse
from processors.live_api.messages.setup import Setup, Tool


class ClientContent(Wire):
    """Ordered content; `turn_complete` asks for an answer. It interrupts the model."""

    turns: list[Content] = []
    turn_complete: bool = False


class ActivityStart(Wire):
    """The user begins; with automatic activity detection disabled only."""


class ActivityEnd(Wire):
    """The user has finished."""


class RealtimeInput(Wire):
    """Streamed input: one of these at a time.

    `media_chunks` is deprecated; the service reads the first of them only.
    """

    audio: Blob | None = None
    video: Blob | None = None
    text: str | None = None
    audio_stream_end: bool = False
    activity_start: ActivityStart | None = None
    activity_end: ActivityEnd | None = None
    media_chunks: list[Blob] | UnsetType = UNSET


class ToolResponse(Wire):
    """Answers to calls."""

    function_responses: list[FunctionResponse] = []


class ToolList(Wire):
    """The tools from now on; without any, none."""

    tools: list[Tool] = []


class ContextUpdate(Wire):
    """Replaces parts of the setup, in order with other input; what is absent stays as it is."""

    system_instruction: Content | None = None
    tools: ToolList | None = None


class ClientMessage(Wire):
    """One frame from the client; exactly one field is set."""

    setup: Setup | UnsetType = UNSET
    client_content: ClientContent | UnsetType = UNSET
    realtime_input: RealtimeInput | UnsetType = UNSET
    tool_response: ToolResponse | UnsetType = UNSET
    context_update: ContextUpdate | UnsetType = UNSET


def encode_setup(setup: Setup, extra: Mapping[str, Any] | None = None) -> bytes:
    """The setup message, with fields of `setup` that this schema does not know.

    extra: as on the wire, in camelCase, below `setup`. It is a JSON Merge Patch (RFC 7396): it wins
    over the setup, objects merge, lists are replaced, null removes a field.
    """
    fields = msgspec.to_builtins(ClientMessage(setup=setup))
    return msgspec.json.encode(_patched(fields, {"setup": extra or {}}))


def _patched(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    patched = dict(target) if isinstance(target, Mapping) else {}
    for name, item in patch.items():
        if item is None:
            patched.pop(name, None)
        else:
            patched[name] = _patched(patched.get(name), item)
    return patched
