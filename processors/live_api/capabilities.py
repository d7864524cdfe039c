"""Settings that the chosen backend or model refuses, found before anything connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pipeline import SettingError, did_you_mean
from processors.live_api.models import MODELS, VOICES, Model, find_model, short_name
from processors.live_api.settings import ResumptionSettings
from processors.live_api.setup import Wishes

BackendKind = Literal["vertex", "gemini_api"]
TRIGGER, TARGET = (5_000, 128_000), (0, 128_000)
"""What Vertex takes, in tokens."""


def check_wishes(
    wishes: Wishes, resumption: ResumptionSettings | None, backend: BackendKind, model: str
) -> None:
    """Raise SettingError for the first setting that would be refused."""
    for problem in _problems(wishes, resumption, backend, model):
        raise problem


def _problems(
    wishes: Wishes, resumption: ResumptionSettings | None, backend: BackendKind, model: str
) -> Iterator[SettingError]:
    known = find_model(model)
    if known is not None:
        yield from _model_problems(wishes, backend, known)
    if wishes.voice and wishes.voice not in VOICES:
        hint = did_you_mean(wishes.voice, VOICES)
        yield SettingError(f'no voice is called "{wishes.voice}"', setting="voice", hint=hint)
    if wishes.modality == "text" and wishes.voice:
        yield SettingError("a voice makes no sense with modality: text", setting="voice")
    if resumption is not None and resumption.transparent and backend == "gemini_api":
        yield SettingError(
            "the Gemini API has no transparent resumption",
            setting="resumption",
            hint="use backend: vertex, or backend: local_vertex to try it",
        )
    if backend == "vertex" and wishes.google_search and wishes.code_execution:
        yield SettingError(
            "Vertex takes a search and other tools in different sessions only",
            setting="code_execution",
        )
    yield from _compression_problems(wishes, backend)


def _model_problems(wishes: Wishes, backend: BackendKind, model: Model) -> Iterator[SettingError]:
    current = [m.name for m in MODELS.values() if backend in m.backends and not m.retired]
    choose = f"choose one of {', '.join(current)}"
    if model.retired:
        yield SettingError(f"{model.name} is no longer served", setting="model", hint=choose)
    if backend not in model.backends:
        yield SettingError(f"{model.name} is not on {backend}", setting="model", hint=choose)
    if wishes.modality.upper() not in model.modalities:
        only = model.modalities[0].lower()
        yield SettingError(
            f"{model.name} does not answer with {wishes.modality}",
            setting="modality",
            hint=f"use modality: {only}",
        )
    for setting, wanted, able in (
        ("thinking", wishes.thinking is not None, model.thinking),
        ("code_execution", wishes.code_execution, model.code),
        ("affective", wishes.affective, model.affective),
        ("proactive", wishes.proactive, model.affective),
    ):
        if wanted and not able:
            yield SettingError(f"{model.name} does not take `{setting}`", setting=setting)


def _compression_problems(wishes: Wishes, backend: BackendKind) -> Iterator[SettingError]:
    compression = wishes.compression
    if compression is None:
        return
    trigger, target = compression.trigger, compression.target
    if backend == "vertex":
        for value, (low, high) in ((trigger, TRIGGER), (target, TARGET)):
            if value is not None and not low <= value <= high:
                yield SettingError(
                    f"Vertex takes {low} to {high} tokens, got {value}", setting="compression"
                )
    if trigger is not None and target is not None and target >= trigger:
        yield SettingError("`target` must be less than `trigger`", setting="compression")


def context_window(model: str) -> int | None:
    """Tokens that fit the model's context, if it is known."""
    known = find_model(short_name(model))
    return known.tokens if known else None
