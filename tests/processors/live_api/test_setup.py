"""From settings to the setup message, as JSON."""

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from pipeline import SettingError
from processors.live_api.messages import ClientMessage, encode
from processors.live_api.settings import (
    Avatar,
    Compression,
    Line,
    Safety,
    ServiceVad,
    Thinking,
    Transcribe,
    Translation,
    VoiceSample,
)
from processors.live_api.setup import Wishes, build_setup, check_raw, full_instruction, history_of

WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city_name": {"type": "STRING"}},
        "required": ["city_name"],
    },
}


def setup(declarations: Sequence[dict[str, Any]] = (), **wishes: Any) -> dict[str, Any]:
    message = build_setup("models/m", Wishes(**wishes), declarations)
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


def test_the_settings_of_2026_have_their_places() -> None:
    given = setup(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        max_tokens=100,
        seed=7,
        media_resolution="low",
        affective=True,
        proactive=True,
        thinking=Thinking(budget=0, level="low", show=True),
        compression=Compression(trigger=100_000, target=4_000),
        transcribe=Transcribe(languages=["de-DE"], vocabulary=["Zürich"], model=False),
    )
    assert given == {
        "model": "models/m",
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40,
            "maxOutputTokens": 100,
            "seed": 7,
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "thinkingConfig": {
                "includeThoughts": True,
                "thinkingBudget": 0,
                "thinkingLevel": "LOW",
            },
            "enableAffectiveDialog": True,
        },
        "inputAudioTranscription": {"languageCodes": ["de-DE"], "customVocabulary": ["Zürich"]},
        "contextWindowCompression": {
            "triggerTokens": 100_000,
            "slidingWindow": {"targetTokens": 4_000},
        },
        "proactivity": {"proactiveAudio": True},
    }


def test_compression_can_be_left_to_the_service() -> None:
    assert setup(compression=Compression())["contextWindowCompression"] == {"slidingWindow": {}}


def test_nobody_has_to_be_transcribed() -> None:
    given = setup(transcribe=Transcribe(user=False, model=False))
    assert not {"inputAudioTranscription", "outputAudioTranscription"} & set(given)


def test_the_services_own_tools_stand_beside_functions() -> None:
    assert setup([WEATHER], google_search=True, code_execution=True)["tools"] == [
        {"functionDeclarations": [WEATHER]},
        {"googleSearch": {}},
        {"codeExecution": {}},
    ]


def test_a_language_is_pinned_in_the_instruction() -> None:
    (part,) = setup(instruction="Be brief.", speak_only="German")["systemInstruction"]["parts"]
    assert part["text"] == (
        "Be brief.\n\nRESPOND IN German. YOU MUST RESPOND UNMISTAKABLY IN German."
    )
    assert full_instruction(None, "German").startswith("RESPOND")
    assert full_instruction(None, None) == ""


def test_the_users_turns_can_be_left_to_a_gate() -> None:
    config = setup(vad=ServiceVad(automatic=False))["realtimeInputConfig"]
    assert config == {"automaticActivityDetection": {"disabled": True}}


@pytest.mark.parametrize(
    ("covers", "coverage"),
    [
        ("activity", "TURN_INCLUDES_ONLY_ACTIVITY"),
        ("all", "TURN_INCLUDES_ALL_INPUT"),
        ("activity_and_video", "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"),
    ],
)
def test_what_belongs_to_a_turn(covers: Any, coverage: str) -> None:
    assert setup(vad=ServiceVad(covers=covers))["realtimeInputConfig"]["turnCoverage"] == coverage


# --- raw fields ---


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"explicitVadSignal": "perhaps"}, "setup.explicitVadSignal"),
        ({"safetySettings": [{"threshold": 3}]}, "setup.safetySettings"),
        ({"generationConfig": {"candidateCount": "many"}}, "setup.generationConfig.candidateCount"),
    ],
)
def test_raw_fields_have_the_types_of_the_schema(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(SettingError, match=re.escape(where)) as raised:
        check_raw(fields)
    assert raised.value.setting == "setup"


def test_raw_fields_that_are_newer_than_the_schema_pass() -> None:
    check_raw({"brandNew": {"a": 1}, "labels": {"team": "a"}, "explicitVadSignal": True})


def test_raw_fields_do_not_go_past_a_setting() -> None:
    with pytest.raises(SettingError) as raised:
        check_raw({"generationConfig": {"responseModalities": ["TEXT"]}})
    assert str(raised.value) == (
        "setup.generationConfig.responseModalities has a setting of its own: `modality`"
    )
    check_raw({"generationConfig": {"candidateCount": 1}})


def test_the_less_common_wishes_have_their_places() -> None:
    message = setup(
        modality="video",
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        proactive_video=True,
        translation=Translation("de", echo=True),
        avatar=Avatar(image="ada.png", video_bitrate=1_000_000),
        voice_sample=VoiceSample("voice.wav", "consent.wav"),
        files={"ada.png": b"picture", "voice.wav": b"sample", "consent.wav": b"yes"},
        history=(Line(user="Hi."),),
        safety=Safety(harassment="high", jailbreak="ignore", judged_by="severity"),
        labels={"team": "support"},
        service_tools={"url_context": {}},
        transcribe=Transcribe(user=False, style="verbatim", word_times=True, speakers=True),
        vad=ServiceVad(report=True),
    )
    assert message["generationConfig"] == {
        "responseModalities": ["VIDEO"],
        "presencePenalty": 0.5,
        "frequencyPenalty": -0.5,
        "speechConfig": {
            "voiceConfig": {
                "replicatedVoiceConfig": {
                    "mimeType": "audio/wav",
                    "voiceSampleAudio": "c2FtcGxl",
                    "consentAudio": "eWVz",
                }
            }
        },
        "translationConfig": {"targetLanguageCode": "de", "echoTargetLanguage": True},
    }
    assert message["proactivity"] == {"proactiveAudio": True, "proactiveVideo": True}
    assert message["avatarConfig"] == {
        "customizedAvatar": {"imageMimeType": "image/png", "imageData": "cGljdHVyZQ=="},
        "videoBitrateBps": 1_000_000,
    }
    assert message["historyConfig"] == {"initialHistoryInClientContent": True}
    assert message["safetySettings"] == [
        {
            "category": "HARM_CATEGORY_HARASSMENT",
            "threshold": "BLOCK_ONLY_HIGH",
            "method": "SEVERITY",
        },
        {"category": "HARM_CATEGORY_JAILBREAK", "threshold": "OFF", "method": "SEVERITY"},
    ]
    assert message["labels"] == {"team": "support"}
    assert message["tools"] == [{"urlContext": {}}]
    assert message["outputAudioTranscription"] == {
        "wordTimestamp": True,
        "diarization": True,
        "mode": "VERBATIM",
    }
    assert "inputAudioTranscription" not in message
    assert message["explicitVadSignal"] is True


def test_history_is_said_by_the_roles_of_the_service() -> None:
    turns = history_of([Line(user="Hi."), Line(model="Hello!")])
    assert [(turn.role, turn.parts[0].text) for turn in turns] == [
        ("user", "Hi."),
        ("model", "Hello!"),
    ]


@pytest.mark.parametrize(
    ("kind", "value", "what"),
    [
        (Line, {}, "either by the `user` or by the `model`"),
        (Line, {"user": "a", "model": "b"}, "either by the `user` or by the `model`"),
        (Avatar, {}, "either `name` or `image`"),
        (Transcribe, {"style": "smart", "speakers": True}, "style: smart excludes"),
    ],
)
def test_groups_of_settings_are_consistent(kind: type, value: dict[str, Any], what: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=what):
        msgspec.convert(value, kind)
