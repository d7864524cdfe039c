"""Content, which both sides send: turns, their parts, calls and their answers."""

# ruff: noqa: RUF012 - msgspec gives every instance a list or dict of its own

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from processors.live_api.messages.base import Wire

Scheduling = Literal["SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"]


class Blob(Wire):
    """Bytes with their type: `audio/pcm;rate=16000`, `image/jpeg`."""

    mime_type: str = ""
    data: bytes = b""
    display_name: str = ""


class FileData(Wire):
    """A file that the service can reach, such as `gs://bucket/image.png`."""

    mime_type: str = ""
    file_uri: str = ""
    display_name: str = ""


class PartialArg(Wire):
    """A piece of an argument that is still being written, at a place named by its JSONPath.

    `null_value`: present, null or a name, where the piece is a null.
    """

    json_path: str = ""
    string_value: str | None = None
    number_value: float | None = None
    bool_value: bool | None = None
    null_value: str | UnsetType | None = UNSET
    will_continue: bool = False


class FunctionCall(Wire):
    """The model wants a function to be run. Older Vertex models send no id.

    `partial_args`, `will_continue`: Vertex; the call comes in pieces.
    """

    name: str = ""
    id: str = ""
    args: dict[str, Any] = {}
    partial_args: list[PartialArg] = []
    will_continue: bool = False


class FunctionResponse(Wire):
    """The answer to a call, with its id if it had one; `response` has `output` or `error`.

    `scheduling`: when the model takes note, for calls that do not block: SILENT only stores the
    answer. `will_continue`: more answers to this call follow. `parts`: binary results.
    """

    name: str
    response: dict[str, Any]
    id: str = ""
    scheduling: Scheduling | None = None
    will_continue: bool = False
    parts: list[Part] = []


class ExecutableCode(Wire):
    """Code that the service runs itself: `language` is `PYTHON`."""

    language: str = ""
    code: str = ""
    id: str = ""


class CodeExecutionResult(Wire):
    """What became of the code: `outcome` is `OUTCOME_OK`, `OUTCOME_FAILED`, ..."""

    outcome: str = ""
    output: str = ""
    id: str = ""


class Part(Wire):
    """One piece of content: one of the kinds, and whether it is a thought."""

    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    thought: bool = False
    thought_signature: bytes = b""


class Content(Wire):
    """A turn, or a part of one: `role` is `user`, `model` or `system`."""

    parts: list[Part] = []
    role: str | None = None


class VoiceConsentSignature(Wire):
    """Stands for the consent of a voice's owner; the server gives it, later setups send it."""

    signature: str = ""
