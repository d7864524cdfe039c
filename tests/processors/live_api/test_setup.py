"""From settings to the setup message, as JSON."""

import json
from typing import Any

import msgspec
import pytest

from processors.live_api.messages import ClientMessage, encode
from processors.live_api.setup import ServiceVad, build_setup

WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city_name": {"type": "STRING"}},
        "required": ["city_name"],
    },
}


def setup(**settings: Any) -> dict[str, Any]:
    defaults = dict.fromkeys(("voice", "language", "instruction", "temperature", "vad"))
    message = build_setup(
        "models/m", **{**defaults, "modality": "audio", "declarations": [], **settings}
    )
    decoded: dict[str, Any] = json.loads(encode(ClientMessage(setup=message)))
    assert list(decoded) == ["setup"]
    return decoded["setup"]  # type: ignore[no-any-return]


def test_what_is_not_given_is_left_to_the_service() -> None:
    assert setup() == {
        "model": "models/m",
        "generationConfig": {"responseModalities": ["AUDIO"]},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
    }


def test_everything_has_its_place() -> None:
    vad = ServiceVad(
        silence_ms=500,
        prefix_ms=20,
        start_sensitivity="high",
        end_sensitivity="low",
        interrupts=False,
    )
    assert setup(
        voice="Kore",
        language="en-US",
        instruction="Be brief.",
        temperature=0.5,
        vad=vad,
        declarations=(WEATHER,),
    ) == {
        "model": "models/m",
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "temperature": 0.5,
            "speechConfig": {
                "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
                "languageCode": "en-US",
            },
        },
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [WEATHER]}],
        "realtimeInputConfig": {
            "automaticActivityDetection": {
                "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
                "endOfSpeechSensitivity": "END_SENSITIVITY_LOW",
                "prefixPaddingMs": 20,
                "silenceDurationMs": 500,
            },
            "activityHandling": "NO_INTERRUPTION",
        },
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
    }


def test_a_voice_or_a_language_alone() -> None:
    assert setup(voice="Puck")["generationConfig"]["speechConfig"] == {
        "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}
    }
    assert setup(language="de-DE")["generationConfig"]["speechConfig"] == {"languageCode": "de-DE"}


def test_written_answers_have_neither_voice_nor_transcription() -> None:
    assert setup(modality="text", voice="Kore", language="en-US") == {
        "model": "models/m",
        "generationConfig": {"responseModalities": ["TEXT"]},
        "inputAudioTranscription": {},
    }


def test_a_temperature_of_zero_is_a_choice() -> None:
    assert setup(temperature=0.0)["generationConfig"]["temperature"] == 0


def test_no_silence_at_all_is_a_choice() -> None:
    config = setup(vad=ServiceVad(silence_ms=0))["realtimeInputConfig"]
    assert config == {"automaticActivityDetection": {"silenceDurationMs": 0}}


@pytest.mark.parametrize("name", ["silence_ms", "prefix_ms"])
def test_times_of_the_vad_have_bounds(name: str) -> None:
    for allowed in (0, 10_000):
        assert getattr(msgspec.convert({name: allowed}, ServiceVad), name) == allowed
    for refused in (-1, 10_001):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({name: refused}, ServiceVad)


@pytest.mark.parametrize(
    "values",
    [
        {"start_sensitivity": "HIGH"},
        {"silence": 500},
    ],
)
def test_a_vad_setting_that_cannot_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, ServiceVad)
