"""What the service refuses in a setup message, and in what words."""

from __future__ import annotations

from collections.abc import Iterator

from processors.live_api.messages import Content, Setup
from processors.live_api.models import VOICES, Model, find_model
from processors.local_live_api.endpoint import Endpoint
from processors.local_live_api.refusal import (
    INTERNAL,
    INTERNAL_ERROR,
    INVALID_ARGUMENT,
    POLICY,
    RefusedError,
)
from processors.local_live_api.rules.abilities import Abilities, Function
from processors.local_live_api.switches import Switches
from processors.local_live_api.wire import snake_case

TRIGGER_RANGE, TARGET_RANGE = (5_000, 128_000), (0, 128_000)
"""Tokens, on Vertex."""
UNKNOWN_MODEL = Model("", (), ("TEXT", "AUDIO"), thinking=True, code=True)
"""A name that is not in the table may be a newer model: it is taken to be able to do all."""


def model_of(setup: Setup) -> Model:
    """What is known of the model that a setup names."""
    return find_model(setup.model) or UNKNOWN_MODEL


def check_setup(setup: Setup, endpoint: Endpoint, switches: Switches) -> None:
    """Raise RefusedError for a setup that the service would not take."""
    for problem in _problems(setup, endpoint, switches):
        raise problem


def _problems(setup: Setup, endpoint: Endpoint, switches: Switches) -> Iterator[RefusedError]:
    if not setup.model:
        yield RefusedError(INVALID_ARGUMENT)
    if switches.strict_models:
        yield from _model_problems(setup.model, endpoint)
    if endpoint.backend == "gemini-api":
        yield from _not_on_the_gemini_api(setup)
    yield from _generation_problems(setup, model_of(setup))
    yield from _compression_problems(setup, endpoint)
    yield from _tool_problems(setup, model_of(setup))


def functions_of(setup: Setup) -> list[Function]:
    """Every function that a setup declares; keys in either spelling, as clients send them."""
    blocks = {"BLOCKING": True, "NON_BLOCKING": False}
    default = not model_of(setup).nonblocking
    functions = []
    for tool in setup.tools or []:
        for declared in tool.function_declarations or []:
            given = (declared.get(key) for key in _PARAMETERS)
            schema = next((value for value in given if isinstance(value, dict)), None)
            functions.append(
                Function(
                    str(declared.get("name", "")),
                    str(declared.get("description", "")),
                    schema,
                    blocks.get(str(declared.get("behavior")), default),
                )
            )
    return functions


_PARAMETERS = ("parameters", "parametersJsonSchema", "parameters_json_schema")
_DECLARED = {
    "name",
    "description",
    "behavior",
    "parameters",
    "parameters_json_schema",
    "response",
    "response_json_schema",
}


def abilities_of(setup: Setup, instruction: str) -> Abilities:
    """What the setup lets the model do."""
    tools = setup.tools or []
    generation = setup.generation_config
    speech = generation.speech_config if generation else None
    thinking = generation.thinking_config if generation else None
    return Abilities(
        functions=tuple(functions_of(setup)),
        search=any(tool.google_search is not None for tool in tools),
        code=any(tool.code_execution is not None for tool in tools),
        thoughts=bool(thinking and thinking.include_thoughts),
        instruction=instruction,
        language=speech.language_code if speech else None,
    )


def _model_problems(name: str, endpoint: Endpoint) -> Iterator[RefusedError]:
    known = find_model(name)
    if endpoint.backend == "vertex":
        express = name.startswith("publishers/google/models/")
        if not (name.startswith("projects/") or express):
            yield RefusedError("Invalid resource field value in the request.")
        if known is None or known.retired or "vertex" not in known.backends:
            yield RefusedError(f"Publisher Model `{name}` was not found", POLICY)
    elif known is None or known.retired or "gemini_api" not in known.backends:
        yield RefusedError(
            f"{name} is not found for API version {endpoint.version}, or is not supported for "
            "bidiGenerateContent. Call ListModels to see the list of available models.",
            POLICY,
        )


def _not_on_the_gemini_api(setup: Setup) -> Iterator[RefusedError]:
    given = {
        "transparent": ("setup.session_resumption", bool(
            setup.session_resumption and setup.session_resumption.transparent
        )),
        "explicitVadSignal": ("setup", bool(setup.explicit_vad_signal)),
        "avatarConfig": ("setup", setup.avatar_config is not None),
    }  # fmt: skip
    for name, (where, present) in given.items():
        if present:
            yield RefusedError(
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': "
                "Cannot find field."
            )


def _generation_problems(setup: Setup, model: Model) -> Iterator[RefusedError]:
    generation = setup.generation_config
    if generation is None:
        return
    modalities = generation.response_modalities or []
    if len(modalities) > 1:
        yield RefusedError(INVALID_ARGUMENT)
    voice = voice_of(setup)
    if modalities == ["TEXT"] and (voice or "TEXT" not in model.modalities):
        yield RefusedError("Cannot extract voices from a non-audio request.")
    if modalities == ["AUDIO"] and "AUDIO" not in model.modalities:
        yield RefusedError(
            "The requested combination of response modalities (AUDIO) is not supported by the "
            "model."
        )
    if voice and voice not in VOICES:
        yield RefusedError(INVALID_ARGUMENT)
    if generation.thinking_config is not None and not model.thinking:
        yield RefusedError(INVALID_ARGUMENT)
    if generation.enable_affective_dialog and not model.affective:
        yield RefusedError(INTERNAL_ERROR, INTERNAL)


def _tool_problems(setup: Setup, model: Model) -> Iterator[RefusedError]:
    for index, tool in enumerate(setup.tools or []):
        if tool.code_execution is not None and not model.code:
            yield RefusedError(INVALID_ARGUMENT)
        for number, declared in enumerate(tool.function_declarations or []):
            where = f"setup.tools[{index}].function_declarations[{number}]"
            for name in declared:
                if snake_case(name) not in _DECLARED:
                    yield RefusedError(
                        f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': "
                        "Cannot find field."
                    )
    names = [function.name for function in functions_of(setup)]
    if len(set(names)) < len(names) or "" in names:
        yield RefusedError(INVALID_ARGUMENT)


def text_of(content: Content | None) -> str:
    """The text of all parts."""
    return " ".join(part.text for part in content.parts if part.text) if content else ""


def voice_of(setup: Setup) -> str | None:
    """The prebuilt voice that a setup asks for."""
    generation = setup.generation_config
    speech = generation.speech_config if generation else None
    voice = speech.voice_config if speech else None
    prebuilt = voice.prebuilt_voice_config if voice else None
    return prebuilt.voice_name if prebuilt else None


def _compression_problems(setup: Setup, endpoint: Endpoint) -> Iterator[RefusedError]:
    config = setup.context_window_compression
    if config is None:
        return
    trigger = config.trigger_tokens
    target = config.sliding_window.target_tokens if config.sliding_window else None
    ranges = [(trigger, TRIGGER_RANGE), (target, TARGET_RANGE)]
    outside = any(n is not None and not low <= n <= high for n, (low, high) in ranges)
    crossed = trigger is not None and target is not None and target >= trigger
    if (outside and endpoint.backend == "vertex") or crossed:
        yield RefusedError(INVALID_ARGUMENT)
