"""From settings to the setup message."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec import Struct

from pipeline import SettingError
from processors.live_api.messages import (
    AutomaticActivityDetection,
    AvatarConfig,
    Content,
    ContextWindowCompressionConfig,
    CustomizedAvatar,
    EndSensitivity,
    GenerationConfig,
    HarmCategory,
    HarmMethod,
    HarmThreshold,
    HistoryConfig,
    MediaResolution,
    Modality,
    Part,
    PrebuiltVoiceConfig,
    ProactivityConfig,
    RealtimeInputConfig,
    ReplicatedVoiceConfig,
    SafetySetting,
    Setup,
    SlidingWindow,
    SpeechConfig,
    StartSensitivity,
    ThinkingConfig,
    ThinkingLevel,
    Tool,
    TranscriptionConfig,
    TranscriptionMode,
    TranslationConfig,
    TurnCoverage,
    VoiceConfig,
)
from processors.live_api.settings import (
    Avatar,
    Compression,
    Line,
    Safety,
    ServiceTool,
    ServiceVad,
    Thinking,
    Transcribe,
    Translation,
    VoiceSample,
)

COVERAGE: dict[str, TurnCoverage] = {
    "activity": "TURN_INCLUDES_ONLY_ACTIVITY",
    "all": "TURN_INCLUDES_ALL_INPUT",
    "activity_and_video": "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
}
THRESHOLDS: dict[str, HarmThreshold] = {
    "low": "BLOCK_LOW_AND_ABOVE",
    "medium": "BLOCK_MEDIUM_AND_ABOVE",
    "high": "BLOCK_ONLY_HIGH",
    "never": "BLOCK_NONE",
    "ignore": "OFF",
}
OWNED = {
    "model": "model",
    "generationConfig.responseModalities": "modality",
    "systemInstruction": "instruction",
    "sessionResumption": "resumption",
    "historyConfig": "history",
    "realtimeInputConfig.automaticActivityDetection.disabled": "vad",
}
"""What the transport itself has to know, and so must not come past it."""
PIN = "RESPOND IN {0}. YOU MUST RESPOND UNMISTAKABLY IN {0}."
"""The wording with which the documentation pins a model to one language."""


class Wishes(Struct, frozen=True, kw_only=True):
    """What a session is to be like; what is None is left to the service.

    files: what is in the files that it names, by path.
    """

    modality: Literal["audio", "text", "video"] = "audio"
    voice: str | None = None
    voice_sample: VoiceSample | None = None
    language: str | None = None
    speak_only: str | None = None
    instruction: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    media_resolution: Literal["low", "medium", "high"] | None = None
    affective: bool = False
    proactive: bool = False
    proactive_video: bool = False
    translation: Translation | None = None
    avatar: Avatar | None = None
    history: tuple[Line, ...] = ()
    safety: Safety | None = None
    labels: dict[str, str] = {}
    vad: ServiceVad | None = None
    thinking: Thinking | None = None
    transcribe: Transcribe = Transcribe()
    compression: Compression | None = None
    code_execution: bool = False
    google_search: bool = False
    service_tools: dict[ServiceTool, dict[str, Any]] = {}
    files: dict[str, bytes] = {}

    @property
    def paths(self) -> list[str]:
        """The files that the setup has in it."""
        sample, avatar = self.voice_sample, self.avatar
        paths = (sample and sample.path, sample and sample.consent, avatar and avatar.image)
        return [path for path in paths if path]


def build_setup(model: str, wishes: Wishes, declarations: Sequence[dict[str, Any]] = ()) -> Setup:
    """The setup message of a session; `sessionResumption` is for the connection to add."""
    speaks = wishes.modality != "text"
    instruction = full_instruction(wishes.instruction, wishes.speak_only)
    return Setup(
        model=model,
        generation_config=_generation(wishes, speaks),
        system_instruction=Content(parts=[Part(text=instruction)]) if instruction else None,
        tools=_tools(wishes, declarations) or None,
        realtime_input_config=_realtime_input(wishes.vad) if wishes.vad else None,
        input_audio_transcription=_transcription(wishes.transcribe, wishes.transcribe.user),
        output_audio_transcription=_transcription(
            wishes.transcribe, speaks and wishes.transcribe.model
        ),
        context_window_compression=_compression(wishes.compression),
        proactivity=ProactivityConfig(proactive_audio=True, proactive_video=wishes.proactive_video)
        if wishes.proactive or wishes.proactive_video
        else None,
        explicit_vad_signal=bool(wishes.vad and wishes.vad.report),
        history_config=HistoryConfig(initial_history_in_client_content=True)
        if wishes.history
        else None,
        avatar_config=_avatar(wishes.avatar, wishes.files),
        safety_settings=_safety(wishes.safety),
        labels=wishes.labels,
    )


def history_of(lines: Sequence[Line]) -> list[Content]:
    """What was said before, as the service wants it: the model's role is called so."""
    said = (
        ("user", line.user) if line.user is not None else ("model", line.model) for line in lines
    )
    return [Content(role=role, parts=[Part(text=text)]) for role, text in said]


def check_raw(fields: dict[str, Any]) -> None:
    """Raise SettingError for raw fields whose values the schema does not allow.

    Fields that it does not know may be newer than it, and pass.
    """
    for path, setting in OWNED.items():
        value: Any = fields
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            raise SettingError(
                f"setup.{path} has a setting of its own: `{setting}`", setting="setup"
            )
    try:
        msgspec.convert({"model": "", **fields}, Setup, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).replace("`", "").partition(" - at $.")
        raise SettingError(f"setup.{where}: {what}", setting="setup") from None


def full_instruction(instruction: str | None, speak_only: str | None) -> str:
    """The system instruction, with the language pinned if that is wanted."""
    pinned = PIN.format(speak_only) if speak_only else ""
    return "\n\n".join(part for part in (instruction, pinned) if part)


def _generation(wishes: Wishes, speaks: bool) -> GenerationConfig:
    speech = SpeechConfig(voice_config=_voice(wishes), language_code=wishes.language)
    resolution, translation = wishes.media_resolution, wishes.translation
    return GenerationConfig(
        response_modalities=[cast(Modality, wishes.modality.upper())],
        temperature=wishes.temperature,
        top_p=wishes.top_p,
        top_k=wishes.top_k,
        max_output_tokens=wishes.max_tokens,
        seed=wishes.seed,
        presence_penalty=wishes.presence_penalty,
        frequency_penalty=wishes.frequency_penalty,
        media_resolution=cast(MediaResolution, f"MEDIA_RESOLUTION_{resolution.upper()}")
        if resolution
        else None,
        speech_config=speech if speaks and speech != SpeechConfig() else None,
        thinking_config=_thinking(wishes.thinking),
        enable_affective_dialog=wishes.affective,
        translation_config=TranslationConfig(
            target_language_code=translation.to, echo_target_language=translation.echo
        )
        if translation
        else None,
    )


def _voice(wishes: Wishes) -> VoiceConfig | None:
    sample = wishes.voice_sample
    if sample is not None:
        like = ReplicatedVoiceConfig(
            mime_type="audio/wav",
            voice_sample_audio=wishes.files[sample.path],
            consent_audio=wishes.files[sample.consent] if sample.consent else b"",
        )
        return VoiceConfig(replicated_voice_config=like)
    if wishes.voice:
        return VoiceConfig(prebuilt_voice_config=PrebuiltVoiceConfig(voice_name=wishes.voice))
    return None


def _avatar(avatar: Avatar | None, files: dict[str, bytes]) -> AvatarConfig | None:
    if avatar is None:
        return None
    image = avatar.image
    mime_type = mimetypes.guess_type(image)[0] or "image/jpeg" if image else ""
    return AvatarConfig(
        avatar_name=avatar.name,
        customized_avatar=CustomizedAvatar(image_mime_type=mime_type, image_data=files[image])
        if image
        else None,
        audio_bitrate_bps=avatar.audio_bitrate,
        video_bitrate_bps=avatar.video_bitrate,
    )


def _safety(safety: Safety | None) -> list[SafetySetting]:
    if safety is None:
        return []
    method = cast(HarmMethod, safety.judged_by.upper()) if safety.judged_by else None
    settings = []
    for category in get_args(HarmCategory):
        level = getattr(safety, category.removeprefix("HARM_CATEGORY_").lower(), None)
        if level is not None:
            threshold = THRESHOLDS[level]
            settings.append(SafetySetting(category=category, threshold=threshold, method=method))
    return settings


def _thinking(thinking: Thinking | None) -> ThinkingConfig | None:
    if thinking is None:
        return None
    level = thinking.level
    return ThinkingConfig(
        include_thoughts=thinking.show,
        thinking_budget=thinking.budget,
        thinking_level=cast(ThinkingLevel, level.upper()) if level else None,
    )


def _tools(wishes: Wishes, declarations: Sequence[dict[str, Any]]) -> list[Tool]:
    tools = []
    if declarations:
        tools.append(Tool(function_declarations=list(declarations)))
    if wishes.google_search:
        tools.append(Tool(google_search={}))
    if wishes.code_execution:
        tools.append(Tool(code_execution={}))
    for name, options in wishes.service_tools.items():
        tool = Tool()
        setattr(tool, name, options)
        tools.append(tool)
    return tools


def _transcription(transcribe: Transcribe, wanted: bool) -> TranscriptionConfig | None:
    if not wanted:
        return None
    style = transcribe.style
    return TranscriptionConfig(
        language_codes=transcribe.languages,
        custom_vocabulary=transcribe.vocabulary,
        word_timestamp=transcribe.word_times,
        diarization=transcribe.speakers,
        mode=cast(TranscriptionMode, style.upper()) if style else None,
    )


def _compression(compression: Compression | None) -> ContextWindowCompressionConfig | None:
    if compression is None:
        return None
    return ContextWindowCompressionConfig(
        trigger_tokens=compression.trigger,
        sliding_window=SlidingWindow(target_tokens=compression.target),
    )


def _realtime_input(vad: ServiceVad) -> RealtimeInputConfig:
    start, end = vad.start_sensitivity, vad.end_sensitivity
    return RealtimeInputConfig(
        automatic_activity_detection=AutomaticActivityDetection(
            disabled=not vad.automatic,
            start_of_speech_sensitivity=cast(StartSensitivity, f"START_SENSITIVITY_{start.upper()}")
            if start
            else None,
            end_of_speech_sensitivity=cast(EndSensitivity, f"END_SENSITIVITY_{end.upper()}")
            if end
            else None,
            prefix_padding_ms=vad.prefix_ms,
            silence_duration_ms=vad.silence_ms,
        ),
        activity_handling=None if vad.interrupts else "NO_INTERRUPTION",
        turn_coverage=COVERAGE[vad.covers] if vad.covers else None,
    )
