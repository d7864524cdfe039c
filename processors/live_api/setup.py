"""From settings to the setup message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from pipeline import SettingError
from processors.live_api.messages import (
    AutomaticActivityDetection,
    Content,
    ContextWindowCompressionConfig,
    EndSensitivity,
    GenerationConfig,
    MediaResolution,
    Part,
    PrebuiltVoiceConfig,
    ProactivityConfig,
    RealtimeInputConfig,
    Setup,
    SlidingWindow,
    SpeechConfig,
    StartSensitivity,
    ThinkingConfig,
    ThinkingLevel,
    Tool,
    TranscriptionConfig,
    TurnCoverage,
    VoiceConfig,
)
from processors.live_api.settings import Compression, ServiceVad, Thinking, Transcribe

COVERAGE: dict[str, TurnCoverage] = {
    "activity": "TURN_INCLUDES_ONLY_ACTIVITY",
    "all": "TURN_INCLUDES_ALL_INPUT",
    "activity_and_video": "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
}
OWNED = {
    "model": "model",
    "generationConfig.responseModalities": "modality",
    "systemInstruction": "instruction",
    "sessionResumption": "resumption",
    "realtimeInputConfig.automaticActivityDetection.disabled": "vad",
}
"""What the transport itself has to know, and so must not come past it."""
PIN = "RESPOND IN {0}. YOU MUST RESPOND UNMISTAKABLY IN {0}."
"""The wording with which the documentation pins a model to one language."""


class Wishes(Struct, frozen=True, kw_only=True):
    """What a session is to be like; what is None is left to the service."""

    modality: Literal["audio", "text"] = "audio"
    voice: str | None = None
    language: str | None = None
    speak_only: str | None = None
    instruction: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    media_resolution: Literal["low", "medium", "high"] | None = None
    affective: bool = False
    proactive: bool = False
    vad: ServiceVad | None = None
    thinking: Thinking | None = None
    transcribe: Transcribe = Transcribe()
    compression: Compression | None = None
    code_execution: bool = False
    google_search: bool = False


def build_setup(model: str, wishes: Wishes, declarations: Sequence[dict[str, Any]] = ()) -> Setup:
    """The setup message of a session; `sessionResumption` is for the connection to add."""
    audio = wishes.modality == "audio"
    instruction = full_instruction(wishes.instruction, wishes.speak_only)
    return Setup(
        model=model,
        generation_config=_generation(wishes, audio),
        system_instruction=Content(parts=[Part(text=instruction)]) if instruction else None,
        tools=_tools(wishes, declarations) or None,
        realtime_input_config=_realtime_input(wishes.vad) if wishes.vad else None,
        input_audio_transcription=_transcription(wishes.transcribe, wishes.transcribe.user),
        output_audio_transcription=_transcription(
            wishes.transcribe, audio and wishes.transcribe.model
        ),
        context_window_compression=_compression(wishes.compression),
        proactivity=ProactivityConfig(proactive_audio=True) if wishes.proactive else None,
    )


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


def _generation(wishes: Wishes, audio: bool) -> GenerationConfig:
    voice, language = wishes.voice, wishes.language
    speech = SpeechConfig(
        voice_config=VoiceConfig(prebuilt_voice_config=PrebuiltVoiceConfig(voice_name=voice))
        if voice
        else None,
        language_code=language,
    )
    resolution = wishes.media_resolution
    return GenerationConfig(
        response_modalities=["AUDIO" if audio else "TEXT"],
        temperature=wishes.temperature,
        top_p=wishes.top_p,
        top_k=wishes.top_k,
        max_output_tokens=wishes.max_tokens,
        seed=wishes.seed,
        media_resolution=cast(MediaResolution, f"MEDIA_RESOLUTION_{resolution.upper()}")
        if resolution
        else None,
        speech_config=speech if audio and (voice or language) else None,
        thinking_config=_thinking(wishes.thinking),
        enable_affective_dialog=wishes.affective,
    )


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
    return tools


def _transcription(transcribe: Transcribe, wanted: bool) -> TranscriptionConfig | None:
    if not wanted:
        return None
    return TranscriptionConfig(
        language_codes=transcribe.languages, custom_vocabulary=transcribe.vocabulary
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
