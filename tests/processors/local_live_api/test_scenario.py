"""Scenario files, what they hold clients to, and what is said about those that are none."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import ConfigError, Place
from processors.live_api.messages import (
    ContextWindowCompressionConfig,
    GenerationConfig,
    Setup,
    SlidingWindow,
    Tool,
    TranscriptionConfig,
)
from processors.local_live_api.memory import PendingCall
from processors.local_live_api.scenario import Expectation, Prompt, Scenario, Script, Turn
from processors.local_live_api.steps import Call, Step


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scenario.yaml"


def messages(findings: Any) -> list[str]:
    return [finding.message for finding in findings]


# --- files ---


def test_a_whole_conversation(file: Path) -> None:
    file.write_text(
        """
        setup: {generationConfig: {responseModalities: [AUDIO]}}
        turns:
          - expect: speech
            then:
              - transcript: What time is it in Lisbon?
              - call: {name: get_time, args: {city: Lisbon}}
              - wait_ms: 250
              - say: It is {get_time} in Lisbon.
              - interrupt: 300
          - expect: {text: thank}
            interrupts: false
            then:
              - call: [{name: stop}, {name: look}]
          - then: []
        """
    )
    assert Script.read(file).scenario == Scenario(
        [
            Turn(
                [
                    Step(transcript="What time is it in Lisbon?"),
                    Step(call=Call("get_time", {"city": "Lisbon"})),
                    Step(wait_ms=250),
                    Step(say="It is {get_time} in Lisbon."),
                    Step(interrupt=300),
                ]
            ),
            Turn([Step(call=[Call("stop"), Call("look")])], Expectation(text="thank"), False),
            Turn([]),
        ],
        {"generationConfig": {"responseModalities": ["AUDIO"]}},
    )


def test_the_quickstarts_scenario_is_one() -> None:
    path = Path(__file__).parents[3] / "configs/quickstart/scenario.yaml"
    first = Script.read(path).turn(0)
    assert first is not None
    assert [call.name for step in first.then for call in step.calls] == ["get_weather"]


@pytest.mark.parametrize(
    ("expect", "kind"),
    [
        ("speech", "speech"),
        ("text", "text"),
        ("activity", "activity"),
        ("tool_answer", "tool_answer"),
        ("silence", "silence"),
        ("{text: a}", "text"),
        ("{speech_s: 1}", "speech"),
        ("{tool_answer: {output: 1}}", "tool_answer"),
        ("{silence_s: 0}", "silence"),
    ],
)
def test_each_expectation(file: Path, expect: str, kind: str) -> None:
    file.write_text(f"turns: [{{expect: {expect}, then: []}}]")
    turn = Script.read(file).turn(0)
    assert turn is not None
    assert turn.kind == kind


@pytest.mark.parametrize(
    ("expect", "silence_s"),
    [
        ("silence", 1.0),
        (Expectation(silence_s=0), 0),
        (Expectation(silence_s=3), 3),
        ("text", None),
    ],
)
def test_how_long_silence_lasts(expect: Any, silence_s: float | None) -> None:
    assert Turn([], expect).silence_s == silence_s


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("", "1:1", "expected names with values, got nothing"),
        ("turns: {}", "1:8", "turns: expected a list, got names with values"),
        ("turns: [{}]", "1:9", "turns[0]: object missing required field then"),
        (
            "turns:\n  - then: []\n    expects: text",
            "3:5",
            'unknown field expects; did you mean "expect"?',
        ),
        ("turns: [{then: [], expect: video}]", "1:28", "'video' is none of its values"),
        (
            "turns: [{then: [], expect: {txt: a}}]",
            "1:29",
            'turns[0].expect: object contains unknown field txt; did you mean "text"?',
        ),
        (
            "turns: [{then: [], expect: {text: a, silence_s: 1}}]",
            "1:28",
            "an expectation has one of text, speech_s, tool_answer, silence_s",
        ),
        ("turns: [{then: [], expect: {}}]", "1:28", "an expectation has one of"),
        ("turns:\n- then:\n  - say: a\n  - {}", "4:5", "turns[0].then[1]: a step has one of"),
        ("turns: [{then: [{say: a, wait_ms: 1}]}]", "1:17", "a step has one of transcript, say"),
        (
            "turns: [{then: [{wait_ms: -1}]}]",
            "1:27",
            "wait_ms: expected a whole number >= 0, got -1",
        ),
        ("turns: [{then: [{call: {args: {}}}]}]", "1:24", "missing required field name"),
        (
            "turns: [{then: [{call: [{name: f, arg: {}}]}]}]",
            "1:35",
            'turns[0].then[0].call[0]: object contains unknown field arg; did you mean "args"?',
        ),
        (
            "turns: [{then: [{say: a, sya: b}]}]",
            "1:26",
            'unknown field sya; did you mean "say"?',
        ),
        ("turns: [{then: [{interrupt: 5}]}]", "1:9", "interrupt stands directly after the say"),
        ("turns: [{then: [{close: {code: 2000}}]}]", "1:25", "no close frame can have the code"),
        ("turns: []\nturn: []", "2:1", 'unknown field turn; did you mean "turns"?'),
        ("turns: [", "1:8", "not valid YAML"),
        ("turns: [{then: [{say: '${WHO}'}]}]", "1:23", "the variable WHO is not set"),
        (
            "turns: []\nsetup: {responseModalities: [AUDIO]}",
            "2:1",
            "Unknown name \"responseModalities\" at 'setup': Cannot find field.",
        ),
    ],
)
def test_what_is_no_scenario_is_explained_in_one_line(
    file: Path, text: str, place: str, what: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        Script.read(file)
    message = str(raised.value)
    assert message.startswith(f"{file}:{place}: ")
    assert what in message
    assert "\n" not in message
    assert "`" not in message or "not valid YAML" in message


def test_a_file_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="this is not UTF-8 text; save the file as UTF-8"):
        Script.read(file)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*scenario\.yaml: No such file"):
        Script.read(file)


def test_an_interruption_in_the_wrong_place() -> None:
    for then in ([Step(interrupt=1)], [Step(say="a"), Step(wait_ms=1), Step(interrupt=1)]):
        with pytest.raises(ValueError, match="directly after the say"):
            Turn(then)


# --- what clients are held to ---

SETUP = Setup(
    model="models/m",
    generation_config=GenerationConfig(response_modalities=["AUDIO"], temperature=0.5),
    input_audio_transcription=TranscriptionConfig(),
    tools=[Tool(function_declarations=[{"name": "f", "description": "Does it."}])],
    context_window_compression=ContextWindowCompressionConfig(
        sliding_window=SlidingWindow(target_tokens=512)
    ),
)


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        ({}, []),
        ({"model": "models/m"}, []),
        ({"generationConfig": {"responseModalities": ["AUDIO"]}}, []),
        ({"generation_config": {"response_modalities": "AUDIO"}}, []),
        ({"inputAudioTranscription": {}}, []),
        ({"tools": [{"functionDeclarations": [{"name": "f"}]}]}, []),
        ({"tools": {"function_declarations": {"name": "f"}}}, []),
        ({"contextWindowCompression": {"slidingWindow": {"targetTokens": 512}}}, []),
        ({"model": "m"}, ["setup.model is 'models/m', expected 'm'"]),
        ({"outputAudioTranscription": {}}, ["setup lacks 'outputAudioTranscription'"]),
        (
            {"generationConfig": {"responseModalities": ["TEXT"], "topK": 3}},
            [
                "setup.generationConfig.responseModalities[0] is 'AUDIO', expected 'TEXT'",
                "setup.generationConfig lacks 'topK'",
            ],
        ),
        (
            {"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]},
            [
                "setup.tools[0].functionDeclarations is "
                "[{'name': 'f', 'description': 'Does it.'}], expected "
                "[{'name': 'f'}, {'name': 'g'}]"
            ],
        ),
    ],
)
def test_what_a_setup_has_to_contain(wanted: dict[str, Any], lacking: list[str]) -> None:
    assert messages(Script(Scenario([], wanted)).check_setup(SETUP)) == lacking


def test_a_setup_that_no_client_can_send() -> None:
    with pytest.raises(ConfigError, match="Unknown name \"modle\" at 'setup'"):
        Script(Scenario([], {"modle": "m"}))


@pytest.mark.parametrize(
    ("turn", "prompt", "problems"),
    [
        (Turn([]), Prompt("speech", seconds=1), []),
        (Turn([]), Prompt("activity", seconds=1), []),
        (Turn([], "activity"), Prompt("activity"), []),
        (Turn([], "activity"), Prompt("speech"), ["expected activity, got speech"]),
        (Turn([]), Prompt("text", "Hi"), ["expected speech, got text 'Hi'"]),
        (Turn([], "silence"), Prompt("speech"), ["expected silence, got speech"]),
        (Turn([], "text"), Prompt("text", "anything"), []),
        (Turn([], Expectation(text="THANK")), Prompt("text", "Thank you"), []),
        (
            Turn([], Expectation(text="thank")),
            Prompt("text", "Bye"),
            ["expected text with 'thank', got 'Bye'"],
        ),
        (Turn([], Expectation(speech_s=1.5)), Prompt("speech", seconds=1.5), []),
        (
            Turn([], Expectation(speech_s=1.5)),
            Prompt("activity", seconds=1.25),
            ["expected 1.5 s of speech, got 1.25 s"],
        ),
        (Turn([], Expectation(silence_s=2)), Prompt("silence", seconds=2), []),
        (
            Turn([], Expectation(tool_answer={"output": {"a": 1}})),
            Prompt("tool_answer", answer={"output": {"a": 1, "b": 2}, "id": 5}),
            [],
        ),
        (
            Turn([], Expectation(tool_answer={"output": {"a": 1}, "x": 0})),
            Prompt("tool_answer", answer={"output": {"a": 2}}),
            ["the answer.output.a is 2, expected 1", "the answer lacks 'x'"],
        ),
        (
            Turn([], Expectation(tool_answer={"output": 1})),
            Prompt("tool_answer"),
            ["the answer lacks 'output'"],
        ),
        (Turn([], interrupts=True), Prompt("speech", interrupting=True), []),
        (Turn([], interrupts=False), Prompt("speech"), []),
        (
            Turn([], interrupts=True),
            Prompt("speech"),
            ["this turn did not interrupt the one before it, and had to"],
        ),
        (
            Turn([], interrupts=False),
            Prompt("speech", interrupting=True),
            ["this turn did interrupt the one before it, and must not"],
        ),
    ],
)
def test_what_begins_a_turn_is_checked(turn: Turn, prompt: Prompt, problems: list[str]) -> None:
    script = Script(Scenario([Turn([]), turn]))
    assert messages(script.check(1, prompt)) == [f"turn 2: {problem}" for problem in problems]


def test_after_the_last_turn_nothing_is_expected() -> None:
    script = Script(Scenario([Turn([])]))
    assert script.turn(1) is None
    assert script.check(1, Prompt("text", "Hi")) == []


@pytest.mark.parametrize(
    ("call", "response", "problems"),
    [
        (PendingCall("1", "f", True), {"anything": 1}, []),
        (
            PendingCall("1", "f", True, {"output": [1, {"a": 2}]}),
            {"output": [1, {"a": 2, "b": 3}]},
            [],
        ),
        (
            PendingCall("1", "f", True, {"output": [1, 2]}),
            {"output": [2, 1]},
            [
                "the answer of f.output[0] is 2, expected 1",
                "the answer of f.output[1] is 1, expected 2",
            ],
        ),
        (
            PendingCall("1", "f", True, {"output": 1}),
            {"error": "no"},
            ["the answer of f lacks 'output'"],
        ),
        (
            PendingCall("1", "f", True, {"output": 1}, cancelled=True),
            {"output": 1},
            ["f was answered, not cancelled"],
        ),
    ],
)
def test_answers_of_functions_are_checked(
    call: PendingCall, response: Any, problems: list[str]
) -> None:
    script = Script(Scenario([Turn([])]))
    expected = [f"turn 1: {problem}" for problem in problems]
    assert messages(script.check_answer(0, call, response)) == expected


# --- what never came ---

SPOKEN = Turn([Step(say="a"), Step(interrupt=100), Step(wait_ms=5), Step(go_away=1)])


def test_turns_that_never_came() -> None:
    script = Script(Scenario([Turn([]), Turn([], "text"), Turn([], Expectation(silence_s=1))]))
    assert messages(script.left_over(1, [])) == [
        "turn 2: never came: text",
        "turn 3: never came: silence",
    ]
    assert script.left_over(3, []) == []
    assert script.left_over(4, []) == []


def test_steps_that_were_never_taken() -> None:
    script = Script(Scenario([SPOKEN]))
    left = script.left_over(1, [(0, SPOKEN.then[2:])])
    assert messages(left) == ["turn 1: left over: wait_ms, go_away"]
    assert script.left_over(1, [(0, ())]) == []
    assert script.left_over(1, [(7, SPOKEN.then)]) == []


def test_an_interruption_that_the_script_made_is_not_left_over() -> None:
    cut = Turn([Step(say="a"), Step(interrupt=100)])
    assert Script(Scenario([cut])).left_over(1, [(0, cut.then[1:])]) == []


def test_findings_say_where_in_the_file(file: Path) -> None:
    file.write_text(
        "setup: {inputAudioTranscription: {}}\n"
        "turns:\n"
        "  - expect: text\n"
        "    then:\n"
        "      - say: a\n"
        "      - interrupt: 9\n"
        "      - wait_ms: 1\n"
        "  - then: []\n"
    )
    script = Script.read(file)
    [setup] = script.check_setup(Setup(model="m"))
    assert str(setup) == f"{file}:1:1: error[scenario] setup lacks 'inputAudioTranscription'"
    [prompt] = script.check(0, Prompt("speech"))
    assert str(prompt) == f"{file}:3:5: error[scenario] expected text, got speech"
    [answer] = script.check_answer(0, PendingCall("1", "f", True, cancelled=True), {})
    assert answer.place == Place(str(file), 3, 5)
    turn = script.turn(0)
    assert turn is not None
    left = script.left_over(1, [(0, turn.then[1:])])
    assert [finding.place for finding in left] == [Place(str(file), 7, 9), Place(str(file), 8, 5)]
    assert messages(left) == ["left over: wait_ms", "never came: speech"]
