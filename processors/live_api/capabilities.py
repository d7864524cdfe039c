"""Settings that the chosen backend or model refuses, found before anything connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pipeline import SettingError, did_you_mean
from processors.live_api.models import MODELS, VOICES, Model, find_model, short_name
from processors.live_api.settings import ResumptionSettings
from processors.live_api.setup import Wishes

BackendKind = Literal["vertex", "gemini_api"]
ONLY_VERTEX = {"retrieval", "enterprise_web_search", "parallel_ai_search", "exa_ai_search"}
ONLY_GEMINI_API = {"file_search"}
TRIGGER, TARGET = (5_000, 128_000), (0, 128_000)
"""What Vertex takes, in tokens."""


def check_wishes(
    wishes: Wishes, resumption: ResumptionSettings | None, backend: BackendKind, model: str
) -> None:
    """Raise an ExceptionGroup of SettingErrors for the settings that would be refused."""
    problems = list(_problems(wishes, resumption, backend, model))
    if problems:
        raise ExceptionGroup("refused settings", problems)


def _problems(
    wishes: Wishes, resumption: ResumptionSettings | None, backend: BackendKind, model: str
) -> Iterator[SettingError]:
    known = find_model(model)
    if known is not None:
        yield from _model_problems(wishes, backend, known)
    yield from _backend_problems(wishes, backend)
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
    shows = wishes.modality == "video" and model.video and backend == "vertex"
    if wishes.modality.upper() not in model.modalities and not shows:
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
        ("proactive", wishes.proactive or wishes.proactive_video, model.affective),
        ("translation", wishes.translation is not None, model.translates),
    ):
        if wanted and not able:
            yield SettingError(f"{model.name} does not take `{setting}`", setting=setting)


def _backend_problems(wishes: Wishes, backend: BackendKind) -> Iterator[SettingError]:
    """What only one of the backends takes, whatever the model; and what makes no sense anywhere."""
    vertex, vad, safety = backend == "vertex", wishes.vad, wishes.safety
    refused = wishes.service_tools.keys() & (ONLY_GEMINI_API if vertex else ONLY_VERTEX)
    name = "Vertex" if vertex else "the Gemini API"
    for setting, wanted, words in (
        ("vad", bool(vad and vad.report) and not vertex, "`report`"),
        ("avatar", wishes.avatar is not None and not vertex, "`avatar`"),
        ("safety", bool(safety and safety.judged_by) and not vertex, "`judged_by`"),
        ("voice_sample", bool(wishes.voice_sample and wishes.voice_sample.consent) and vertex,
         "`consent`"),
        ("service_tools", bool(refused), ", ".join(f"`{tool}`" for tool in sorted(refused))),
    ):  # fmt: skip
        if wanted:
            yield SettingError(f"{name} does not take {words}", setting=setting)
    if (wishes.avatar is None) != (wishes.modality != "video"):
        yield SettingError("`avatar` and `modality: video` go together", setting="modality")
    if wishes.voice and wishes.voice_sample is not None:
        yield SettingError("give either `voice` or `voice_sample`", setting="voice_sample")


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
