"""From settings to the setup message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from processors.live_api.messages import (
    AutomaticActivityDetection,
    Content,
    GenerationConfig,
    Part,
    PrebuiltVoiceConfig,
    RealtimeInputConfig,
    Setup,
    SpeechConfig,
    Tool,
    TranscriptionConfig,
    VoiceConfig,
)


class ServiceVad(Struct, frozen=True, forbid_unknown_fields=True):
    """How the service finds the user's turns.

    silence_ms: silence that ends a turn. prefix_ms: speech that it takes to begin one.
    interrupts: whether the user's speech cuts the model short.
    """

    silence_ms: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    prefix_ms: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    start_sensitivity: Literal["high", "low"] | None = None
    end_sensitivity: Literal["high", "low"] | None = None
    interrupts: bool = True


def build_setup(
    model: str,
    *,
    modality: str,
    voice: str | None,
    language: str | None,
    instruction: str | None,
    temperature: float | None,
    vad: ServiceVad | None,
    declarations: Sequence[dict[str, Any]],
) -> Setup:
    """The setup message of a session; what is not given is left to the service."""
    audio = modality == "audio"
    speech = SpeechConfig(
        voice_config=VoiceConfig(prebuilt_voice_config=PrebuiltVoiceConfig(voice_name=voice))
        if voice
        else None,
        language_code=language,
    )
    return Setup(
        model=model,
        generation_config=GenerationConfig(
            response_modalities=["AUDIO" if audio else "TEXT"],
            temperature=temperature,
            speech_config=speech if audio and (voice or language) else None,
        ),
        system_instruction=Content(parts=[Part(text=instruction)]) if instruction else None,
        tools=[Tool(function_declarations=list(declarations))] if declarations else None,
        realtime_input_config=_realtime_input(vad) if vad else None,
        input_audio_transcription=TranscriptionConfig(),
        output_audio_transcription=TranscriptionConfig() if audio else None,
    )


def _realtime_input(vad: ServiceVad) -> RealtimeInputConfig:
    def sensitivity(kind: str, value: str | None) -> str | None:
        return f"{kind}_SENSITIVITY_{value.upper()}" if value else None

    return RealtimeInputConfig(
        automatic_activity_detection=AutomaticActivityDetection(
            start_of_speech_sensitivity=sensitivity("START", vad.start_sensitivity),
            end_of_speech_sensitivity=sensitivity("END", vad.end_sensitivity),
            prefix_padding_ms=vad.prefix_ms,
            silence_duration_ms=vad.silence_ms,
        ),
        activity_handling=None if vad.interrupts else "NO_INTERRUPTION",
    )
