"""The setup message: every field has its place, and values are checked where the service does."""

import json
from typing import Any

import msgspec
import pytest

from processors.live_api.messages import Setup, encode

FIELDS: list[dict[str, Any]] = [
    {
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
        }
    },
    {
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40.0,
            "maxOutputTokens": 256,
            "seed": -7,
            "candidateCount": 1,
            "presencePenalty": 0.0,
            "frequencyPenalty": -0.1,
        }
    },
    {
        "generationConfig": {
            "thinkingConfig": {
                "includeThoughts": True,
                "thinkingBudget": 0,
                "thinkingLevel": "XHIGH",
            },
            "enableAffectiveDialog": True,
            "translationConfig": {"targetLanguageCode": "ja", "echoTargetLanguage": True},
        }
    },
    {
        "generationConfig": {
            "speechConfig": {
                "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
                "languageCode": "de-DE",
            }
        }
    },
    {
        "generationConfig": {
            "speechConfig": {
                "voiceConfig": {
                    "replicatedVoiceConfig": {
                        "mimeType": "audio/wav",
                        "voiceSampleAudio": "+//+AAH/",
                        "consentAudio": "AAE=",
                        "voiceConsentSignature": {"signature": "s"},
                    }
                }
            }
        }
    },
    {"generationConfig": {"speechConfig": {"voiceConfig": {"voice": "v"}}}},
    {"systemInstruction": {"role": "user", "parts": [{"text": "One."}, {"text": "Two."}]}},
    {"tools": [{"functionDeclarations": [{"name": "f", "parameters_json_schema": {"a_b": 1}}]}]},
    {
        "tools": [
            {
                "googleSearch": {},
                "codeExecution": {},
                "urlContext": {},
                "googleMaps": {"enableWidget": True},
                "retrieval": {"vertexRagStore": {"similarityTopK": 3}},
                "enterpriseWebSearch": {},
                "parallelAiSearch": {},
                "exaAiSearch": {},
                "fileSearch": {"fileSearchStoreNames": ["fileSearchStores/x"]},
                "mcpServers": [{"name": "m"}],
            }
        ]
    },
    {"sessionResumption": {}},
    {"sessionResumption": {"handle": "h", "transparent": True}},
    {"contextWindowCompression": {}},
    {"contextWindowCompression": {"triggerTokens": 25600, "slidingWindow": {}}},
    {"contextWindowCompression": {"slidingWindow": {"targetTokens": 0}}},
    {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}},
    {
        "realtimeInputConfig": {
            "automaticActivityDetection": {
                "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
                "endOfSpeechSensitivity": "END_SENSITIVITY_UNSPECIFIED",
                "prefixPaddingMs": 0,
                "silenceDurationMs": 500,
            },
            "activityHandling": "NO_INTERRUPTION",
            "turnCoverage": "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
            "interimTranscriptTimestampEnabled": True,
        }
    },
    {"inputAudioTranscription": {}, "outputAudioTranscription": {"languageCodes": ["en-US"]}},
    {
        "inputAudioTranscription": {
            "customVocabulary": ["Kwsj"],
            "wordTimestamp": True,
            "diarization": True,
            "mode": "VERBATIM",
            "sourceText": "t",
            "languageAuto": {},
            "languageHints": {"languageCodes": ["ja-JP"]},
            "adaptationPhrases": ["p"],
        }
    },
    {"proactivity": {"proactiveAudio": True, "proactiveVideo": True}},
    {"explicitVadSignal": True},
    {"historyConfig": {"initialHistoryInClientContent": True}},
    {
        "avatarConfig": {
            "avatarName": "Ava",
            "audioBitrateBps": 64_000,
            "videoBitrateBps": 1_000_000,
        }
    },
    {
        "avatarConfig": {
            "customizedAvatar": {"imageMimeType": "image/jpeg", "imageData": "/9j/4A=="}
        }
    },
    {
        "safetySettings": [
            {
                "category": "HARM_CATEGORY_HARASSMENT",
                "threshold": "BLOCK_ONLY_HIGH",
                "method": "SEVERITY",
            }
        ]
    },
    {"labels": {"cost_center": "a", "teamName": "b"}},
    {"prefixTurns": [{"role": "user", "parts": [{"text": "Before."}]}]},
]


def decode(**fields: Any) -> Setup:
    data = json.dumps({"model": "models/m", **fields})
    return msgspec.json.decode(data, type=Setup, strict=False)


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: "+".join(fields))
def test_every_field_is_kept_to_the_letter(fields: dict[str, Any]) -> None:
    assert json.loads(encode(decode(**fields))) == {"model": "models/m", **fields}


def test_together_they_are_all_the_fields_that_there_are() -> None:
    named = {name for fields in FIELDS for name in fields} | {"model"}
    assert named == {field.encode_name for field in msgspec.structs.fields(Setup)}


def test_presence_and_absence_differ() -> None:
    present, absent = decode(sessionResumption={}), decode()
    assert present.session_resumption is not None
    assert present.session_resumption.handle is None
    assert absent.session_resumption is None


@pytest.mark.parametrize("number", [25600, "25600"])
def test_numbers_may_be_strings(number: Any) -> None:
    window = {"targetTokens": number}
    setup = decode(contextWindowCompression={"triggerTokens": number, "slidingWindow": window})
    compression = setup.context_window_compression
    assert compression is not None
    assert compression.sliding_window is not None
    assert compression.trigger_tokens == compression.sliding_window.target_tokens == 25600


@pytest.mark.parametrize(
    "fields",
    [
        {"generationConfig": {"responseModalities": ["audio"]}},
        {"generationConfig": {"mediaResolution": "LOW"}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "DEEP"}}},
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 2**31}}},
        {"generationConfig": {"temperature": "warm"}},
        {"generationConfig": {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {}}}}},
        {"realtimeInputConfig": {"turnCoverage": "ALL"}},
        {"realtimeInputConfig": {"activityHandling": "INTERRUPT"}},
        {
            "realtimeInputConfig": {
                "automaticActivityDetection": {"startOfSpeechSensitivity": "HIGH"}
            }
        },
        {
            "realtimeInputConfig": {
                "automaticActivityDetection": {"endOfSpeechSensitivity": "START_SENSITIVITY_HIGH"}
            }
        },
        {"inputAudioTranscription": {"mode": "LITERAL"}},
        {"inputAudioTranscription": True},
        {"contextWindowCompression": {"triggerTokens": 2**63}},
        {"safetySettings": [{"category": "HARM"}]},
        {"safetySettings": [{"threshold": "HARM"}]},
        {"safetySettings": [{"method": "HARM"}]},
        {"systemInstruction": "Be brief."},
        {"labels": {"a": 1}},
        {"tools": {}},
    ],
    ids=str,
)
def test_values_that_the_service_does_not_know_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(**fields)
