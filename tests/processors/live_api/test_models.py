"""The table of models and voices."""

import pytest

from processors.live_api.models import MODELS, VOICES, find_model, short_name


@pytest.mark.parametrize(
    "name",
    [
        "gemini-3.8-live",
        "models/gemini-3.8-live",
        "google/gemini-3.8-live",
        "publishers/google/models/gemini-3.8-live",
        "projects/p/locations/us-central1/publishers/google/models/gemini-3.8-live",
    ],
)
def test_a_model_is_found_by_any_of_its_names(name: str) -> None:
    assert short_name(name) == "gemini-3.8-live"
    assert find_model(name) is MODELS["gemini-3.8-live"]


@pytest.mark.parametrize("name", ["", "/", "models/", "gemini-3.8-live/", "Gemini-3.8-Live"])
def test_other_names_are_not_known(name: str) -> None:
    assert find_model(name) is None


def test_voices() -> None:
    assert len(VOICES) == len(set(VOICES)) == 30
    first = {"Aoede", "Charon", "Fenrir", "Kore", "Leda", "Orus", "Puck", "Zephyr"}
    assert set(VOICES[:8]) == first


def test_every_model_is_served_somewhere_and_answers_somehow() -> None:
    for name, model in MODELS.items():
        assert model.name == name == short_name(name)
        assert model.backends
        assert set(model.modalities) <= {"TEXT", "AUDIO"}
        assert model.modalities


def test_models_differ() -> None:
    assert find_model("gemini-live-2.5-flash").modalities == ("TEXT", "AUDIO")  # type: ignore[union-attr]
    native = MODELS["gemini-live-2.5-flash-native-audio"]
    assert native.modalities == ("AUDIO",)
    assert not native.thinking
    assert not native.code
    newest = MODELS["gemini-3.8-live"]
    assert newest.nonblocking
    assert not newest.content
    assert MODELS["gemini-2.0-flash-live-preview-04-09"].retired
