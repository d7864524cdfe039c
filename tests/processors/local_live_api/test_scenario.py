"""Scenario files, and what is said about those that are none."""

from pathlib import Path

import pytest

from pipeline import SettingError
from processors.local_live_api.scenario import Call, Scenario, Step, Turn, load_scenario


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scenario.yaml"


def test_a_whole_conversation(file: Path) -> None:
    file.write_text(
        """
        turns:
          - expect: speech
            then:
              - transcript: What time is it in Lisbon?
              - call: {name: get_time, args: {city: Lisbon}}
              - wait_ms: 250
              - say: It is {get_time} in Lisbon.
          - expect: text
            then:
              - call: {name: stop}
          - then: []
        """
    )
    assert load_scenario(file) == Scenario(
        [
            Turn(
                [
                    Step(transcript="What time is it in Lisbon?"),
                    Step(call=Call("get_time", {"city": "Lisbon"})),
                    Step(wait_ms=250),
                    Step(say="It is {get_time} in Lisbon."),
                ]
            ),
            Turn([Step(call=Call("stop"))], "text"),
            Turn([]),
        ]
    )


def test_the_quickstarts_scenario_is_one() -> None:
    path = Path(__file__).parents[3] / "configs/quickstart/scenario.yaml"
    first = load_scenario(path).turns[0]
    assert [step.call.name for step in first.then if step.call] == ["get_weather"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Expected object, got null"),
        ("turns: {}", "Expected array, got object - at $.turns"),
        ("turns: [{}]", "missing required field then - at $.turns[0]"),
        ("turns: [{then: [], expects: text}]", "unknown field expects"),
        ("turns: [{then: [], expect: video}]", "Invalid enum value 'video'"),
        ("turns: [{then: [{}]}]", "a step has one of transcript, call, say, wait_ms"),
        ("turns: [{then: [{say: a, wait_ms: 1}]}]", "a step has one of"),
        ("turns: [{then: [{wait_ms: -1}]}]", "Expected int >= 0"),
        ("turns: [{then: [{call: {args: {}}}]}]", "missing required field name"),
        ("turns: [{then: [{call: {name: f, arg: {}}}]}]", "unknown field arg"),
        ("turns: [{then: [{say: a, sya: b}]}]", "unknown field sya"),
        ("turns: []\nturn: []", "unknown field turn"),
        ("turns: [", "while parsing"),
    ],
)
def test_what_is_no_scenario_is_explained_in_one_line(file: Path, text: str, what: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingError) as raised:
        load_scenario(file)
    assert raised.value.setting == "scenario"
    message = str(raised.value)
    assert message.startswith(f"{file} is not a scenario: ")
    assert what in message
    assert "\n" not in message
    assert "`" not in message


def test_a_file_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match="is not a scenario"):
        load_scenario(file)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(SettingError, match=r"cannot read .*scenario\.yaml: No such file"):
        load_scenario(file)
