"""Settings that a backend or a model refuses."""

from typing import Any

import pytest

from pipeline import SettingError
from processors.live_api.capabilities import BackendKind, check_wishes, context_window
from processors.live_api.models import MODELS
from processors.live_api.settings import (
    Avatar,
    Compression,
    ResumptionSettings,
    Safety,
    ServiceVad,
    Thinking,
    Translation,
    VoiceSample,
)
from processors.live_api.setup import Wishes

NATIVE = "gemini-live-2.5-flash-native-audio"
TRANSLATOR = "gemini-3.5-live-translate-preview"
CASCADE = "gemini-live-2.5-flash"


def check(
    backend: BackendKind,
    model: str,
    resumption: ResumptionSettings | None = None,
    **wishes: Any,
) -> None:
    check_wishes(Wishes(**wishes), resumption, backend, model)


def problems(
    backend: BackendKind,
    model: str,
    resumption: ResumptionSettings | None = None,
    **wishes: Any,
) -> list[SettingError]:
    with pytest.raises(ExceptionGroup) as raised:
        check(backend, model, resumption, **wishes)
    assert all(isinstance(error, SettingError) for error in raised.value.exceptions)
    return list(raised.value.exceptions)


@pytest.mark.parametrize(
    ("backend", "model", "wishes"),
    [
        ("vertex", NATIVE, {"voice": "Kore", "affective": True, "proactive": True}),
        ("vertex", CASCADE, {"modality": "text", "code_execution": True}),
        ("vertex", f"projects/p/locations/l/publishers/google/models/{NATIVE}", {}),
        ("gemini_api", "gemini-3.8-live", {"thinking": Thinking(level="low")}),
        ("gemini_api", "a-model-of-tomorrow", {"modality": "text", "code_execution": True}),
        ("vertex", NATIVE, {"compression": Compression(trigger=128_000, target=0)}),
        ("vertex", NATIVE, {"compression": Compression(trigger=5_000, target=4_999)}),
        ("gemini_api", "gemini-3.8-live", {"compression": Compression(trigger=1)}),
        ("vertex", NATIVE, {"resumption": ResumptionSettings(transparent=True)}),
        ("gemini_api", "gemini-3.8-live", {"resumption": ResumptionSettings()}),
        ("vertex", "gemini-3.8-live", {"modality": "video", "avatar": Avatar(name="Ada")}),
        ("vertex", NATIVE, {"vad": ServiceVad(report=True)}),
        ("vertex", NATIVE, {"service_tools": {"retrieval": {}, "google_maps": {}}}),
        ("gemini_api", TRANSLATOR, {"translation": Translation("de")}),
        ("gemini_api", "gemini-3.8-live", {"voice_sample": VoiceSample("a.wav", "b.wav")}),
    ],
)
def test_what_is_possible_is_let_through(
    backend: BackendKind, model: str, wishes: dict[str, Any]
) -> None:
    check(backend, model, **wishes)


@pytest.mark.parametrize(
    ("backend", "model", "wishes", "setting", "what", "hint"),
    [
        ("gemini_api", "gemini-2.0-flash-live-001", {}, "model", "no longer", "gemini-3.8-live"),
        ("gemini_api", NATIVE, {}, "model", "not on gemini_api", "gemini-3.8-live"),
        ("vertex", NATIVE, {"modality": "text"}, "modality", "text", "modality: audio"),
        ("vertex", NATIVE, {"thinking": Thinking()}, "thinking", "`thinking`", ""),
        ("vertex", NATIVE, {"code_execution": True}, "code_execution", "`code_execution`", ""),
        (
            "gemini_api",
            "gemini-3.1-flash-live-preview",
            {"affective": True},
            "affective",
            "`affective`",
            "",
        ),
        ("vertex", NATIVE, {"voice": "Kori"}, "voice", '"Kori"', "Kore"),
        ("vertex", CASCADE, {"voice": "Kore", "modality": "text"}, "voice", "text", ""),
        (
            "gemini_api",
            "gemini-3.8-live",
            {"resumption": ResumptionSettings(transparent=True)},
            "resumption",
            "transparent",
            "vertex",
        ),
        (
            "vertex",
            NATIVE,
            {"compression": Compression(trigger=4_999)},
            "compression",
            "5000 to 128000 tokens, got 4999",
            "",
        ),
        (
            "vertex",
            NATIVE,
            {"compression": Compression(target=128_001)},
            "compression",
            "got 128001",
            "",
        ),
        (
            "gemini_api",
            "gemini-3.8-live",
            {"compression": Compression(trigger=100, target=100)},
            "compression",
            "less than",
            "",
        ),
        ("vertex", NATIVE, {"translation": Translation("de")}, "translation", NATIVE, ""),
        ("gemini_api", "gemini-3.8-live", {"vad": ServiceVad(report=True)}, "vad", "`report`", ""),
        (
            "gemini_api",
            "gemini-3.8-live",
            {"safety": Safety(harassment="low", judged_by="severity")},
            "safety",
            "the Gemini API does not take `judged_by`",
            "",
        ),
        (
            "gemini_api",
            "gemini-3.8-live",
            {"service_tools": {"retrieval": {}}},
            "service_tools",
            "`retrieval`",
            "",
        ),
        (
            "vertex",
            NATIVE,
            {"service_tools": {"file_search": {}}},
            "service_tools",
            "Vertex does not take `file_search`",
            "",
        ),
        (
            "vertex",
            NATIVE,
            {"voice_sample": VoiceSample("a.wav", "b.wav")},
            "voice_sample",
            "`consent`",
            "",
        ),
        (
            "vertex",
            "gemini-3.8-live",
            {"avatar": Avatar(name="Ada")},
            "modality",
            "go together",
            "",
        ),
        (
            "vertex",
            NATIVE,
            {"voice": "Kore", "voice_sample": VoiceSample("a.wav")},
            "voice_sample",
            "either",
            "",
        ),
    ],
)
def test_what_would_be_refused_is_found_before(
    backend: BackendKind, model: str, wishes: dict[str, Any], setting: str, what: str, hint: str
) -> None:
    (problem,) = problems(backend, model, **wishes)
    assert problem.setting == setting
    assert what in str(problem)
    assert hint in problem.hint


def test_everything_that_would_be_refused_is_found_at_once() -> None:
    found = problems("vertex", NATIVE, voice="Kori", thinking=Thinking(), code_execution=True)
    assert [problem.setting for problem in found] == ["thinking", "code_execution", "voice"]


def test_only_models_that_are_served_there_are_suggested() -> None:
    hint = problems("vertex", "gemini-2.0-flash-live-preview-04-09")[0].hint
    suggested = {name for name in MODELS if name in hint.replace("choose one of ", "").split(", ")}
    assert suggested == {
        model.name for model in MODELS.values() if "vertex" in model.backends and not model.retired
    }


def test_context_windows() -> None:
    assert context_window(f"projects/p/locations/l/publishers/google/models/{NATIVE}") == 128_000
    assert context_window(CASCADE) == 32_768
    assert context_window("a-model-of-tomorrow") is None
