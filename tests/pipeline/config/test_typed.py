"""YAML files as structures, and what is said where they are not."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from pipeline import ConfigError, Place
from pipeline.config import read_yaml
from pipeline.config.typed import read_text


class Wheel(Struct, forbid_unknown_fields=True, rename="camel"):
    spoke_count: Annotated[int, Meta(ge=0)] = 0
    tyre: Literal["slick", "studded"] = "slick"


class Bicycle(Struct, forbid_unknown_fields=True):
    wheels: list[Wheel]
    spare: Wheel | list[Wheel] | None = None
    bags: dict[str, Wheel] = {}


class Shed(Struct, forbid_unknown_fields=True):
    bicycles: list[Bicycle] = []
    owner: str = ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shed.yaml"


def error(file: Path, text: str, kind: Any = Shed) -> str:
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_yaml(file, kind)
    [finding] = raised.value.findings
    return str(finding).removeprefix(str(file))


def test_a_file_becomes_a_structure_and_knows_its_places(file: Path) -> None:
    file.write_text("owner: Ann\nbicycles:\n  - wheels:\n      - {spokeCount: 32, tyre: studded}\n")
    shed, document = read_yaml(file, Shed)
    assert shed == Shed([Bicycle([Wheel(32, "studded")])], "Ann")
    assert document.place("bicycles", 0, "wheels", 0, "tyre") == Place(str(file), 4, 32)
    assert document.key_place("owner") == Place(str(file), 1, 1)


def test_any_type_can_be_read(file: Path) -> None:
    file.write_text("[1, 2]")
    assert read_yaml(str(file), list[int])[0] == [1, 2]


def test_variables_are_those_that_are_given(file: Path) -> None:
    file.write_text("owner: ${WHO}\nbicycles: [{wheels: [{spokeCount: '${N}'}]}]")
    shed, _ = read_yaml(file, Shed, variables={"WHO": "Ben", "N": "16"})
    assert shed == Shed([Bicycle([Wheel(16)])], "Ben")


def test_without_variables_none_is_known(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "Ben")
    assert error(file, "owner: ${WHO}").startswith(
        ":1:8: error[variable] the variable WHO is not set"
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", ":1:1: error[wrong-setting] expected names with values, got nothing"),
        ("owner: 5", ":1:8: error[wrong-setting] owner: expected text, got 5"),
        (
            "bicycles:\n  - spare: null",
            ":2:5: error[wrong-setting] bicycles[0]: object missing required field wheels",
        ),
        (
            "bicycles:\n  - wheels: [{}, {spokeCount: -1}]",
            ":2:31: error[wrong-setting] bicycles[0].wheels[1].spokeCount: "
            "expected a whole number >= 0, "
            "got -1",
        ),
        (
            "bicycles: [{wheels: [{tyre: slik}]}]",
            ":1:29: error[wrong-setting] bicycles[0].wheels[0].tyre: 'slik' is none of its values; "
            'did you mean "slick"?',
        ),
        ("owner: [", ":1:8: error[yaml] not valid YAML: "),
    ],
)
def test_what_does_not_fit_is_explained_with_its_place(file: Path, text: str, what: str) -> None:
    assert error(file, text).startswith(what)


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("ownr: Ann", "1:1", 'did you mean "owner"?'),
        ("bicycles:\n  - wheels: []\n    sparse: {}", "3:5", 'did you mean "spare"?'),
        ("bicycles: [{wheels: [{}, {tire: x}]}]", "1:27", 'did you mean "tyre"?'),
        ("bicycles: [{wheels: [{spoke_count: 1}]}]", "1:23", 'did you mean "spokeCount"?'),
        ("bicycles: [{wheels: [], spare: {tyr: x}}]", "1:33", 'did you mean "tyre"?'),
        ("bicycles: [{wheels: [], spare: [{tyr: x}]}]", "1:34", 'did you mean "tyre"?'),
        ("bicycles: [{wheels: [{q: x}]}]", "1:23", "there are: spokeCount, tyre"),
    ],
)
def test_unknown_keys_have_their_place_and_the_nearest_known(
    file: Path, text: str, place: str, hint: str
) -> None:
    message = error(file, text)
    assert message.startswith(f":{place}: error[wrong-setting] ")
    assert "unknown field" in message
    assert message.endswith(f"; {hint}")


def test_an_unknown_key_below_a_key_of_the_users_own(file: Path) -> None:
    message = error(file, "bicycles:\n  - {wheels: [], bags: {left: {tire: x}}}")
    assert message.startswith(":2:24: error[wrong-setting] bicycles[0].bags: ")
    assert message.endswith('; did you mean "tyre"?')


def test_files_that_cannot_be_read(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"error\[unreadable\] cannot read .*: No such file"):
        read_yaml(file, Shed)
    file.write_bytes(b"owner: \xff")
    with pytest.raises(ConfigError, match="this is not UTF-8 text; save the file as UTF-8"):
        read_yaml(file, Shed)


def test_a_folder_and_a_file_with_another_name(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").touch()
    with pytest.raises(ConfigError) as caught:
        read_text(tmp_path)
    assert str(caught.value) == f"error[unreadable] {tmp_path} is a folder; name a file in it"
    with pytest.raises(ConfigError) as caught:
        read_text(tmp_path / "tlak.yaml")
    assert str(caught.value) == (
        f"error[unreadable] cannot read {tmp_path}/tlak.yaml: No such file or directory; did you "
        f'mean "{tmp_path}/talk.yaml"?'
    )
