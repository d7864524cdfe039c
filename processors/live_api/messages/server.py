"""Messages from the server to the client. Enumerations are open: a new value must not break one."""

# ruff: noqa: RUF012 - msgspec gives every instance a list or dict of its own

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from processors.live_api.messages.base import Int64String, Wire
from processors.live_api.messages.content import Content, FunctionCall, VoiceConsentSignature

Tokens = Annotated[int, Meta(ge=0)]
MessageIndex = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class SetupComplete(Wire):
    """The session is ready. Vertex names it."""

    session_id: str = ""
    voice_consent_signature: VoiceConsentSignature | None = None


# --- content ---


class WordInfo(Wire):
    """A word and its time, as durations."""

    word: str = ""
    start_offset: str = ""
    end_offset: str = ""


class Transcription(Wire):
    """An increment of what was said; increments are joined as they are. Offsets are durations."""

    text: str = ""
    finished: bool = False
    language_code: str = ""
    speaker_label: str = ""
    words: list[WordInfo] = []
    start_offset: str = ""
    end_offset: str = ""


class WebSource(Wire):
    """A page."""

    uri: str = ""
    title: str = ""
    domain: str = ""


class RetrievedContext(Wire):
    """A passage of the user's own documents."""

    uri: str = ""
    title: str = ""
    text: str = ""


class GroundingChunk(Wire):
    """A source of an answer."""

    web: WebSource | None = None
    retrieved_context: RetrievedContext | None = None


class Segment(Wire):
    """A piece of the answer, by bytes of its UTF-8 text; the end is exclusive."""

    part_index: int = 0
    start_index: int = 0
    end_index: int = 0
    text: str = ""


class GroundingSupport(Wire):
    """Which chunks, by index, a segment rests on, and how surely, 0 to 1."""

    segment: Segment | None = None
    grounding_chunk_indices: list[int] = []
    confidence_scores: list[float] = []


class SearchEntryPoint(Wire):
    """HTML to show next to a grounded answer."""

    rendered_content: str = ""
    sdk_blob: bytes = b""


class GroundingMetadata(Wire):
    """What an answer rests on."""

    web_search_queries: list[str] = []
    retrieval_queries: list[str] = []
    grounding_chunks: list[GroundingChunk] = []
    grounding_supports: list[GroundingSupport] = []
    search_entry_point: SearchEntryPoint | None = None


class UrlMetadata(Wire):
    """A page that was read, or not: `URL_RETRIEVAL_STATUS_SUCCESS`, ..."""

    retrieved_url: str = ""
    url_retrieval_status: str = ""


class UrlContextMetadata(Wire):
    """The pages that were read for an answer."""

    url_metadata: list[UrlMetadata] = []


class ServerContent(Wire):
    """The model's output and the state of its turn.

    `turn_complete_reason`: why it ended, where it ended early. `interaction_status`: `IN_PROGRESS`
    or `IDLE`. `speech_state`: `SPEECH` or `NON_SPEECH`.
    """

    model_turn: Content | None = None
    generation_complete: bool = False
    turn_complete: bool = False
    interrupted: bool = False
    input_transcription: Transcription | None = None
    output_transcription: Transcription | None = None
    interim_input_transcription: Transcription | None = None
    grounding_metadata: GroundingMetadata | None = None
    url_context_metadata: UrlContextMetadata | None = None
    turn_complete_reason: str = ""
    waiting_for_input: bool = False
    interaction_status: str = ""
    speech_state: str = ""


# --- tools ---


class ToolCallMessage(Wire):
    """Calls to run."""

    function_calls: list[FunctionCall] = []


class ToolCallCancellation(Wire):
    """Calls to give up."""

    ids: list[str] = []


# --- the session ---


class ModalityTokenCount(Wire):
    """Tokens of one modality."""

    modality: str = ""
    token_count: Tokens = 0


class UsageMetadata(Wire):
    """Tokens of a turn, its whole context included.

    Vertex says `candidates` where the Gemini API says `response`, and `traffic_type` where that
    says `service_tier`.
    """

    prompt_token_count: Tokens = 0
    cached_content_token_count: Tokens = 0
    response_token_count: Tokens = 0
    candidates_token_count: Tokens = 0
    tool_use_prompt_token_count: Tokens = 0
    thoughts_token_count: Tokens = 0
    total_token_count: Tokens = 0
    prompt_tokens_details: list[ModalityTokenCount] = []
    cache_tokens_details: list[ModalityTokenCount] = []
    response_tokens_details: list[ModalityTokenCount] = []
    candidates_tokens_details: list[ModalityTokenCount] = []
    tool_use_prompt_tokens_details: list[ModalityTokenCount] = []
    traffic_type: str = ""
    service_tier: str = ""


class GoAway(Wire):
    """The connection will end; `time_left` is a duration such as `"50s"`."""

    time_left: str = ""


class SessionResumptionUpdate(Wire):
    """The state of the session, for a later setup, if it is `resumable` and has a handle.

    `last_consumed_client_message_index`: transparent mode; the last message that the handle stands
    for, counted from the setup, which is 0.
    """

    new_handle: str = ""
    resumable: bool = False
    last_consumed_client_message_index: MessageIndex = 0

    def __post_init__(self) -> None:
        index = self.last_consumed_client_message_index
        if index:  # zero stays the default, which is left out
            self.last_consumed_client_message_index = Int64String(index)


class VoiceActivity(Wire):
    """The user's speech: `ACTIVITY_START` or `ACTIVITY_END`, at a time of the audio, a duration.

    The wire says `type`; documentation says `voice_activity_type`.
    """

    type: str = ""
    voice_activity_type: str = ""
    audio_offset: str = ""


class VoiceActivityDetectionSignal(Wire):
    """The older form: `VAD_SIGNAL_TYPE_SOS` or `VAD_SIGNAL_TYPE_EOS`."""

    vad_signal_type: str = ""


class ServerMessage(Wire):
    """One frame from the server: any of these, or nothing."""

    setup_complete: SetupComplete | None = None
    server_content: ServerContent | None = None
    tool_call: ToolCallMessage | None = None
    tool_call_cancellation: ToolCallCancellation | None = None
    usage_metadata: UsageMetadata | None = None
    go_away: GoAway | None = None
    session_resumption_update: SessionResumptionUpdate | None = None
    voice_activity: VoiceActivity | None = None
    voice_activity_detection_signal: VoiceActivityDetectionSignal | None = None


_BYTES = {"data", "sdkBlob", "thoughtSignature"}
_OPAQUE = {"args", "response"}
"""What is below these belongs to the user."""
_URL_SAFE = str.maketrans("-_", "+/")

_decoder = msgspec.json.Decoder(ServerMessage, strict=False)


def decode_server(data: bytes | str) -> ServerMessage:
    """A server frame, text or binary. Raises msgspec.DecodeError when it is not one.

    The service writes standard base64; the URL-safe alphabet and missing padding are read as well.
    """
    try:
        try:
            return _decoder.decode(data)
        except msgspec.ValidationError:  # perhaps for its base64 only
            message = _standard_base64(msgspec.json.decode(data))
            return msgspec.convert(message, ServerMessage, strict=False)
    except (UnicodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def _standard_base64(message: Any) -> Any:
    if isinstance(message, list):
        return [_standard_base64(item) for item in message]
    if not isinstance(message, dict):
        return message
    standard = {}
    for name, item in message.items():
        if name in _BYTES and isinstance(item, str):
            text = item.translate(_URL_SAFE).rstrip("=")
            standard[name] = text + "=" * (-len(text) % 4)
        else:
            standard[name] = item if name in _OPAQUE else _standard_base64(item)
    return standard
