"""The wire schema of the Gemini Live API, in both directions.

JSON in proto3 form: lowerCamelCase names, base64 bytes, int64 as strings, durations such as
`"50s"`; fields at their default are left out. Decoding ignores unknown fields and takes every
integer as a string too.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType


class Wire(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Base of all wire structures."""


class Blob(Wire):
    """Bytes with their type: `audio/pcm;rate=16000`, `image/jpeg`."""

    mime_type: str = ""
    data: bytes = b""


class FunctionCall(Wire):
    """The model wants a function to be run. Older Vertex models send no id."""

    name: str = ""
    id: str = ""
    args: dict[str, Any] = {}


class FunctionResponse(Wire):
    """The answer to a call, with its id if it had one; `response` has `output` or `error`."""

    name: str
    response: dict[str, Any]
    id: str = ""


class Part(Wire):
    """One piece of content."""

    text: str | None = None
    inline_data: Blob | None = None
    thought: bool = False


class Content(Wire):
    """A turn, or a part of one: `role` is `user`, `model` or `system`."""

    parts: list[Part] = []
    role: str | None = None


# --- client to server ---


class PrebuiltVoiceConfig(Wire):
    """A voice by name."""

    voice_name: str


class VoiceConfig(Wire):
    """Which voice."""

    prebuilt_voice_config: PrebuiltVoiceConfig


class SpeechConfig(Wire):
    """How the model speaks."""

    voice_config: VoiceConfig | None = None
    language_code: str | None = None


class GenerationConfig(Wire):
    """How the model answers; exactly one modality, `AUDIO` or `TEXT`."""

    response_modalities: list[str] = []
    temperature: float | None = None
    speech_config: SpeechConfig | None = None


class AutomaticActivityDetection(Wire):
    """The service's own VAD."""

    disabled: bool = False
    start_of_speech_sensitivity: str | None = None
    end_of_speech_sensitivity: str | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None


class RealtimeInputConfig(Wire):
    """How streamed input becomes turns."""

    automatic_activity_detection: AutomaticActivityDetection | None = None
    activity_handling: str | None = None


class TranscriptionConfig(Wire):
    """Present, it switches transcription on."""


class Tool(Wire):
    """Functions that the model may call."""

    function_declarations: list[dict[str, Any]] | None = None


class Setup(Wire):
    """The first message of a connection, and only the first."""

    model: str
    generation_config: GenerationConfig | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    realtime_input_config: RealtimeInputConfig | None = None
    input_audio_transcription: TranscriptionConfig | None = None
    output_audio_transcription: TranscriptionConfig | None = None


class ClientContent(Wire):
    """Ordered content; `turn_complete` asks for an answer."""

    turns: list[Content] = []
    turn_complete: bool = False


class RealtimeInput(Wire):
    """Streamed input: one of these at a time."""

    audio: Blob | None = None
    video: Blob | None = None
    text: str | None = None
    audio_stream_end: bool = False
    activity_start: dict[str, Any] | None = None
    activity_end: dict[str, Any] | None = None


class ToolResponse(Wire):
    """Answers to calls."""

    function_responses: list[FunctionResponse]


class ClientMessage(Wire):
    """One frame from the client; exactly one field is set."""

    setup: Setup | UnsetType = UNSET
    client_content: ClientContent | UnsetType = UNSET
    realtime_input: RealtimeInput | UnsetType = UNSET
    tool_response: ToolResponse | UnsetType = UNSET


# --- server to client ---


class SetupComplete(Wire):
    """The session is ready. Vertex names it."""

    session_id: str = ""


class Transcription(Wire):
    """An increment of what was said; increments are joined as they are."""

    text: str = ""
    finished: bool = False


class ServerContent(Wire):
    """The model's output and the state of its turn."""

    model_turn: Content | None = None
    generation_complete: bool = False
    turn_complete: bool = False
    interrupted: bool = False
    input_transcription: Transcription | None = None
    output_transcription: Transcription | None = None


class ToolCallMessage(Wire):
    """Calls to run."""

    function_calls: list[FunctionCall] = []


class ToolCallCancellation(Wire):
    """Calls to give up."""

    ids: list[str] = []


Tokens = Annotated[int, Meta(ge=0)]


class ModalityTokenCount(Wire):
    """Tokens of one modality."""

    modality: str = ""
    token_count: Tokens = 0


class UsageMetadata(Wire):
    """Tokens of a turn. Vertex says `candidates` where the Gemini API says `response`."""

    prompt_token_count: Tokens = 0
    response_token_count: Tokens = 0
    candidates_token_count: Tokens = 0
    total_token_count: Tokens = 0
    prompt_tokens_details: list[ModalityTokenCount] = []
    response_tokens_details: list[ModalityTokenCount] = []
    candidates_tokens_details: list[ModalityTokenCount] = []


class GoAway(Wire):
    """The connection will end; `time_left` is a duration such as `"50s"`."""

    time_left: str = ""


class ServerMessage(Wire):
    """One frame from the server: any of these, or nothing."""

    setup_complete: SetupComplete | None = None
    server_content: ServerContent | None = None
    tool_call: ToolCallMessage | None = None
    tool_call_cancellation: ToolCallCancellation | None = None
    usage_metadata: UsageMetadata | None = None
    go_away: GoAway | None = None


_encoder = msgspec.json.Encoder()
_server_decoder = msgspec.json.Decoder(ServerMessage, strict=False)


def encode(message: ClientMessage | ServerMessage) -> bytes:
    """A message as compact UTF-8 JSON."""
    return _encoder.encode(message)


def decode_server(data: bytes | str) -> ServerMessage:
    """A server frame, text or binary. Raises msgspec.DecodeError when it is not one."""
    return _server_decoder.decode(data)
