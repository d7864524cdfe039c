"""Setups that the service refuses, and its words for it."""

from typing import Any

import msgspec
import pytest

from processors.live_api.messages import Content, Part, Setup
from processors.local_live_api.admission import (
    abilities_of,
    check_setup,
    functions_of,
    model_of,
    text_of,
    voice_of,
)
from processors.local_live_api.endpoint import Endpoint
from processors.local_live_api.refusal import INVALID_ARGUMENT, RefusedError
from processors.local_live_api.rules.abilities import Abilities, Function
from processors.local_live_api.switches import Switches
from processors.local_live_api.wire import decode_client

VERTEX, GEMINI = Endpoint("vertex", "v1beta1"), Endpoint("gemini-api", "v1beta")
FULL = "projects/p/locations/us-central1/publishers/google/models/"
NATIVE = "gemini-live-2.5-flash-native-audio"
CASCADE = "gemini-live-2.5-flash"
TRANSCRIBE = "gemini-3.5-transcribe-live"


def setup(model: str = "models/unheard-of", **fields: Any) -> Setup:
    found = decode_client(msgspec.json.encode({"setup": {"model": model, **fields}})).setup
    assert isinstance(found, Setup)
    return found


def generation(model: str = "models/unheard-of", **fields: Any) -> Setup:
    return setup(model, generationConfig=fields)


def refusal(
    wrong: Setup, endpoint: Endpoint = GEMINI, switches: Switches | None = None
) -> tuple[int, str]:
    with pytest.raises(RefusedError) as raised:
        check_setup(wrong, endpoint, switches or Switches())
    return raised.value.code, raised.value.reason


def accepted(right: Setup, *endpoints: Endpoint, switches: Switches | None = None) -> bool:
    for endpoint in endpoints or (VERTEX, GEMINI):
        check_setup(right, endpoint, switches or Switches())
    return True


def speech(name: str) -> dict[str, Any]:
    return {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}}


# --- models ---

STRICT = Switches(strict_models=True)


def test_any_model_will_do_unless_it_is_strict() -> None:
    for name in ("anything", NATIVE, "models/gemini-2.0-flash-live-001", f"{FULL}{NATIVE}"):
        assert accepted(setup(name))


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        (f"{FULL}{NATIVE}", VERTEX),
        (f"publishers/google/models/{NATIVE}", VERTEX),
        (f"{FULL}gemini-3.8-live", VERTEX),
        ("models/gemini-3.8-live", GEMINI),
        ("models/gemini-3.1-flash-live-preview", GEMINI),
    ],
)
def test_models_that_are_served(name: str, endpoint: Endpoint) -> None:
    assert accepted(setup(name), endpoint, switches=STRICT)


@pytest.mark.parametrize(
    "name", [NATIVE, f"models/{NATIVE}", "gemini-2.0-flash-live-preview-04-09"]
)
def test_vertex_wants_full_names(name: str) -> None:
    assert refusal(setup(name), VERTEX, STRICT) == (
        1007,
        "Invalid resource field value in the request.",
    )


@pytest.mark.parametrize(
    "name", ["unheard-of", "gemini-2.0-flash-live-preview-04-09", "gemini-3.1-flash-live-preview"]
)
def test_vertex_does_not_find_other_models(name: str) -> None:
    code, reason = refusal(setup(FULL + name), VERTEX, STRICT)
    assert code == 1008
    assert reason.startswith(f"Publisher Model `{FULL}")


@pytest.mark.parametrize(
    "name", ["models/unheard-of", "models/gemini-2.0-flash-live-001", f"models/{NATIVE}"]
)
def test_the_gemini_api_does_not_find_other_models(name: str) -> None:
    code, reason = refusal(setup(name), GEMINI, STRICT)
    assert code == 1008
    assert reason.startswith(
        f"{name} is not found for API version v1beta, or is not supported for bidiGenerateContent."
    )


def test_a_setup_names_a_model() -> None:
    assert refusal(setup("")) == (1007, INVALID_ARGUMENT)


def test_a_model_that_nobody_knows_can_do_all() -> None:
    unknown = model_of(setup("models/next-year"))
    assert unknown.thinking
    assert unknown.code
    assert unknown.affective
    assert unknown.content
    assert unknown.modalities == ("TEXT", "AUDIO")
    assert model_of(setup(f"{FULL}{NATIVE}")).name == NATIVE


# --- what only one backend takes ---


@pytest.mark.parametrize(
    ("fields", "name", "where"),
    [
        ({"sessionResumption": {"transparent": True}}, "transparent", "setup.session_resumption"),
        ({"explicitVadSignal": True}, "explicitVadSignal", "setup"),
        ({"avatarConfig": {}}, "avatarConfig", "setup"),
    ],
)
def test_what_the_gemini_api_does_not_know(fields: dict[str, Any], name: str, where: str) -> None:
    assert accepted(setup(**fields), VERTEX)
    assert refusal(setup(**fields)) == (
        1007,
        f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field.",
    )


def test_resumption_that_is_not_transparent_is_for_both() -> None:
    assert accepted(setup(sessionResumption={"transparent": False}, explicitVadSignal=False))


# --- how it answers ---


@pytest.mark.parametrize(
    ("model", "config", "code", "reason"),
    [
        (CASCADE, {"responseModalities": ["TEXT", "AUDIO"]}, 1007, INVALID_ARGUMENT),
        (NATIVE, {"responseModalities": ["TEXT"]}, 1007,
         "Cannot extract voices from a non-audio request."),
        (CASCADE, {"responseModalities": ["TEXT"], **speech("Kore")}, 1007,
         "Cannot extract voices from a non-audio request."),
        (TRANSCRIBE, {"responseModalities": ["AUDIO"]}, 1007,
         "The requested combination of response modalities (AUDIO) is not supported by the model."),
        (NATIVE, speech("Nobody"), 1007, INVALID_ARGUMENT),
        (NATIVE, speech("kore"), 1007, INVALID_ARGUMENT),
        (NATIVE, {"thinkingConfig": {"thinkingBudget": 0}}, 1007, INVALID_ARGUMENT),
        ("gemini-3.1-flash-live-preview", {"enableAffectiveDialog": True}, 1011,
         "Internal error encountered."),
    ],
)  # fmt: skip
def test_answers_that_a_model_cannot_give(
    model: str, config: dict[str, Any], code: int, reason: str
) -> None:
    assert refusal(generation(model, **config)) == (code, reason)


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (NATIVE, {}),
        (NATIVE, {"responseModalities": ["AUDIO"], **speech("Zubenelgenubi")}),
        (NATIVE, {"responseModalities": [], "enableAffectiveDialog": True}),
        (CASCADE, {"responseModalities": ["TEXT"], "speechConfig": {"languageCode": "de-DE"}}),
        (TRANSCRIBE, {"responseModalities": ["TEXT"]}),
        ("gemini-3.8-live", {"thinkingConfig": {"thinkingLevel": "LOW"}}),
        ("models/unheard-of", {"thinkingConfig": {}, "responseModalities": ["TEXT"]}),
    ],
)
def test_answers_that_it_can_give(model: str, config: dict[str, Any]) -> None:
    assert accepted(generation(model, **config))


# --- compression ---


@pytest.mark.parametrize(
    ("trigger", "target", "vertex", "gemini"),
    [
        (None, None, True, True),
        (25_600, 12_800, True, True),
        (5_000, 0, True, True),
        (128_000, 127_999, True, True),
        (4_999, None, False, True),
        (128_001, None, False, True),
        (None, 128_001, False, True),
        (10_000, 10_000, False, False),
        (10_000, 20_000, False, False),
    ],
)
def test_compression_has_its_limits(
    trigger: int | None, target: int | None, vertex: bool, gemini: bool
) -> None:
    window: dict[str, Any] = {"slidingWindow": {} if target is None else {"targetTokens": target}}
    window |= {} if trigger is None else {"triggerTokens": str(trigger)}
    asked = setup(contextWindowCompression=window)
    for endpoint, good in ((VERTEX, vertex), (GEMINI, gemini)):
        if good:
            assert accepted(asked, endpoint)
        else:
            assert refusal(asked, endpoint) == (1007, INVALID_ARGUMENT)


# --- tools ---

SCHEMA = {"type": "OBJECT", "properties": {"any_Name": {"type": "STRING"}}}


def declared(*functions: dict[str, Any], model: str = "models/unheard-of") -> Setup:
    return setup(model, tools=[{"functionDeclarations": list(functions)}])


@pytest.mark.parametrize("key", ["parameters", "parametersJsonSchema", "parameters_json_schema"])
def test_functions_are_read_in_any_spelling(key: str) -> None:
    tools = declared({"name": "f", "description": "Does it.", key: SCHEMA}, {"name": "g"})
    assert accepted(tools)
    assert functions_of(tools) == [Function("f", "Does it.", SCHEMA), Function("g")]


@pytest.mark.parametrize(
    ("behaviour", "on_others", "on_newest"),
    [
        (None, True, False),
        ("UNSPECIFIED", True, False),
        ("BLOCKING", True, True),
        ("NON_BLOCKING", False, False),
    ],
)
def test_whether_a_function_blocks(behaviour: str | None, on_others: bool, on_newest: bool) -> None:
    function = {"name": "f"} | ({"behavior": behaviour} if behaviour else {})
    for model, blocks in ((NATIVE, on_others), ("gemini-3.8-live", on_newest)):
        [found] = functions_of(declared(function, model=model))
        assert found.blocking is blocks


@pytest.mark.parametrize("functions", [[{"name": "f"}, {"name": "f"}], [{"name": ""}], [{}]])
def test_functions_have_names_of_their_own(functions: list[dict[str, Any]]) -> None:
    assert refusal(declared(*functions)) == (1007, INVALID_ARGUMENT)


def test_a_declaration_has_no_other_names() -> None:
    assert refusal(declared({"name": "f"}, {"name": "g", "args": {}})) == (
        1007,
        'Invalid JSON payload received. Unknown name "args" at '
        "'setup.tools[0].function_declarations[1]': Cannot find field."[:123],
    )
    everything = {"response": SCHEMA, "responseJsonSchema": {}, "response_json_schema": {}}
    assert accepted(declared({"name": "f", **everything}))


def test_code_is_run_by_some_models_only() -> None:
    tools: list[dict[str, Any]] = [{"codeExecution": {}}]
    assert accepted(setup(CASCADE, tools=tools))
    assert refusal(setup(NATIVE, tools=tools)) == (1007, INVALID_ARGUMENT)


def test_abilities_are_what_was_asked_for() -> None:
    config = {
        "thinkingConfig": {"includeThoughts": True},
        "speechConfig": {"languageCode": "pt-BR"},
    }
    tools: list[dict[str, Any]] = [
        {"functionDeclarations": [{"name": "f"}]},
        {"googleSearch": {}},
        {"codeExecution": {}},
    ]
    asked = setup(generationConfig=config, tools=tools)
    assert abilities_of(asked, "Be brief.") == Abilities(
        (Function("f"),), search=True, code=True, thoughts=True,
        instruction="Be brief.", language="pt-BR",
    )  # fmt: skip
    assert abilities_of(setup(), "") == Abilities()


# --- what a setup says ---


def test_texts_and_voices() -> None:
    parts = [Part(text="a"), Part(), Part(text=""), Part(text="b")]
    assert text_of(Content(parts=parts)) == "a b"
    assert text_of(None) == text_of(Content()) == ""
    assert voice_of(generation(**speech("Kore"))) == "Kore"
    assert voice_of(setup()) is voice_of(generation()) is None
    assert voice_of(generation(speechConfig={"voiceConfig": {}})) is None
