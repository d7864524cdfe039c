"""The setup message: everything that is fixed for a connection.

Columns of the two backends differ; what only one of them takes is marked. Enumerations are closed:
the service refuses a value that it does not know.
"""

# ruff: noqa: RUF012 - msgspec gives every instance a list or dict of its own

from __future__ import annotations

from typing import Any, Literal

from processors.live_api.messages.base import Int32, Int64, Wire
from processors.live_api.messages.content import Content, VoiceConsentSignature

# --- how the model answers ---

Modality = Literal["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"]
MediaResolution = Literal[
    "MEDIA_RESOLUTION_UNSPECIFIED",
    "MEDIA_RESOLUTION_LOW",
    "MEDIA_RESOLUTION_MEDIUM",
    "MEDIA_RESOLUTION_HIGH",
]
ThinkingLevel = Literal["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]


class PrebuiltVoiceConfig(Wire):
    """A voice by name, such as Puck or Kore."""

    voice_name: str


class ReplicatedVoiceConfig(Wire):
    """A voice like that of a sample, 16-bit PCM in WAV.

    `consent_audio`, or the signature that the service gave for it: Gemini API.
    """

    mime_type: str = ""
    voice_sample_audio: bytes = b""
    consent_audio: bytes = b""
    voice_consent_signature: VoiceConsentSignature | None = None


class VoiceConfig(Wire):
    """Which voice: one of these."""

    prebuilt_voice_config: PrebuiltVoiceConfig | None = None
    replicated_voice_config: ReplicatedVoiceConfig | None = None
    voice: str | None = None


class SpeechConfig(Wire):
    """How the model speaks; the language is a BCP-47 code such as `en-US`."""

    voice_config: VoiceConfig | None = None
    language_code: str | None = None


class ThinkingConfig(Wire):
    """How much the model thinks before it answers, and whether it tells.

    `thinking_budget`: tokens; 0 is off, -1 leaves it to the model (2.5). `thinking_level`: 3.x.
    """

    include_thoughts: bool = False
    thinking_budget: Int32 | None = None
    thinking_level: ThinkingLevel | None = None


class TranslationConfig(Wire):
    """For the translating model: BCP-47 code of its output; whether input in it is repeated."""

    target_language_code: str = ""
    echo_target_language: bool = False


class GenerationConfig(Wire):
    """How the model answers; exactly one modality, `AUDIO` or `TEXT` (`VIDEO` with an avatar)."""

    response_modalities: list[Modality] = []
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: Int32 | None = None
    seed: Int32 | None = None
    candidate_count: Int32 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    media_resolution: MediaResolution | None = None
    speech_config: SpeechConfig | None = None
    thinking_config: ThinkingConfig | None = None
    enable_affective_dialog: bool = False
    translation_config: TranslationConfig | None = None


# --- how input becomes turns ---

StartSensitivity = Literal[
    "START_SENSITIVITY_UNSPECIFIED", "START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"
]
EndSensitivity = Literal[
    "END_SENSITIVITY_UNSPECIFIED", "END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"
]
ActivityHandling = Literal[
    "ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"
]
TurnCoverage = Literal[
    "TURN_COVERAGE_UNSPECIFIED",
    "TURN_INCLUDES_ONLY_ACTIVITY",
    "TURN_INCLUDES_ALL_INPUT",
    "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
]
TranscriptionMode = Literal["MODE_UNSPECIFIED", "VERBATIM", "SMART"]


class AutomaticActivityDetection(Wire):
    """The service's own VAD; times in milliseconds.

    `prefix_padding_ms`: speech that it takes to begin a turn. `silence_duration_ms`: silence that
    ends it.
    """

    disabled: bool = False
    start_of_speech_sensitivity: StartSensitivity | None = None
    end_of_speech_sensitivity: EndSensitivity | None = None
    prefix_padding_ms: Int32 | None = None
    silence_duration_ms: Int32 | None = None


class RealtimeInputConfig(Wire):
    """How streamed input becomes turns."""

    automatic_activity_detection: AutomaticActivityDetection | None = None
    activity_handling: ActivityHandling | None = None
    turn_coverage: TurnCoverage | None = None
    interim_transcript_timestamp_enabled: bool = False


class LanguageHints(Wire):
    """BCP-47 codes, in the older place."""

    language_codes: list[str] = []


class LanguageAuto(Wire):
    """Present, the language is found out; the older way to say so."""


class TranscriptionConfig(Wire):
    """Present, it switches transcription on.

    `language_codes`: BCP-47 hints; none, the language is found out. `word_timestamp` and
    `diarization` exclude the mode SMART. The last three fields are deprecated.
    """

    language_codes: list[str] = []
    custom_vocabulary: list[str] = []
    word_timestamp: bool = False
    diarization: bool = False
    mode: TranscriptionMode | None = None
    source_text: str | None = None
    language_auto: LanguageAuto | None = None
    language_hints: LanguageHints | None = None
    adaptation_phrases: list[str] = []


# --- what the model may use ---

Options = dict[str, Any]
"""A tool's own options; present and empty, they switch it on."""


class Tool(Wire):
    """Functions that the model may call, or a tool of the service.

    `function_declarations`: `{name, description, parameters | parametersJsonSchema, response,
    behavior}`, spelled as the user spells them; `behavior` is BLOCKING or NON_BLOCKING.
    Vertex only: `retrieval`, `enterprise_web_search`, `parallel_ai_search`, `exa_ai_search`.
    Gemini API only: `file_search`, `mcp_servers`.
    """

    function_declarations: list[dict[str, Any]] | None = None
    google_search: Options | None = None
    code_execution: Options | None = None
    url_context: Options | None = None
    google_maps: Options | None = None
    retrieval: Options | None = None
    enterprise_web_search: Options | None = None
    parallel_ai_search: Options | None = None
    exa_ai_search: Options | None = None
    file_search: Options | None = None
    mcp_servers: list[Options] | None = None


# --- the session ---

HarmCategory = Literal[
    "HARM_CATEGORY_UNSPECIFIED",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_CIVIC_INTEGRITY",
    "HARM_CATEGORY_JAILBREAK",
    "HARM_CATEGORY_IMAGE_HATE",
    "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT",
    "HARM_CATEGORY_IMAGE_HARASSMENT",
    "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT",
]
HarmThreshold = Literal[
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
    "BLOCK_LOW_AND_ABOVE",
    "BLOCK_MEDIUM_AND_ABOVE",
    "BLOCK_ONLY_HIGH",
    "BLOCK_NONE",
    "OFF",
]
HarmMethod = Literal["HARM_BLOCK_METHOD_UNSPECIFIED", "SEVERITY", "PROBABILITY"]


class SessionResumptionConfig(Wire):
    """Present, the session can be resumed; with a handle, this connection resumes one.

    `transparent`: Vertex only; the server says which messages a handle stands for.
    """

    handle: str | None = None
    transparent: bool = False


class SlidingWindow(Wire):
    """Drop the oldest turns until this many tokens are left; by default half of the trigger."""

    target_tokens: Int64 | None = None


class ContextWindowCompressionConfig(Wire):
    """Present, a long context is shortened; by default at 80 % of the model's window."""

    trigger_tokens: Int64 | None = None
    sliding_window: SlidingWindow | None = None


class ProactivityConfig(Wire):
    """Whether the model chooses when to speak; video needs audio."""

    proactive_audio: bool = False
    proactive_video: bool = False


class HistoryConfig(Wire):
    """Whether `clientContent`, up to its first completed turn, is history without an answer."""

    initial_history_in_client_content: bool = False


class CustomizedAvatar(Wire):
    """A face from an image."""

    image_mime_type: str = ""
    image_data: bytes = b""


class AvatarConfig(Wire):
    """A face for the model's speech, by name or from an image; bit rates in bits per second."""

    avatar_name: str | None = None
    customized_avatar: CustomizedAvatar | None = None
    audio_bitrate_bps: Int32 | None = None
    video_bitrate_bps: Int32 | None = None


class SafetySetting(Wire):
    """From which probability, or severity, on a kind of harm is blocked. `method`: Vertex only."""

    category: HarmCategory | None = None
    threshold: HarmThreshold | None = None
    method: HarmMethod | None = None


class Setup(Wire):
    """The first message of a connection, and only the first.

    `explicit_vad_signal`: Vertex only; the server reports activity as `voiceActivity`.
    """

    model: str
    generation_config: GenerationConfig | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    session_resumption: SessionResumptionConfig | None = None
    context_window_compression: ContextWindowCompressionConfig | None = None
    realtime_input_config: RealtimeInputConfig | None = None
    input_audio_transcription: TranscriptionConfig | None = None
    output_audio_transcription: TranscriptionConfig | None = None
    proactivity: ProactivityConfig | None = None
    explicit_vad_signal: bool = False
    history_config: HistoryConfig | None = None
    avatar_config: AvatarConfig | None = None
    safety_settings: list[SafetySetting] = []
    labels: dict[str, str] = {}
    prefix_turns: list[Content] = []
