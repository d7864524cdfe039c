import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from pipeline import CodeReference, Frame, InputPath, OutputPath, SettingError, Sink, load_code
from pipeline.registry import find_processor
from pipeline.settings import FromVariable, code_refused, convert, read_settings


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, msgspec.Meta(ge=1)] = 1


class Example:
    def __init__(
        self,
        rate: Annotated[int, msgspec.Meta(ge=8000)],
        path: InputPath | None = None,
        out: OutputPath = "x.wav",
        code: list[CodeReference] | None = None,
        mode: Literal["a", "b"] = "a",
        inner: Inner | None = None,
        gain: float = 1.0,
    ) -> None: ...


def problems(**values: Any) -> list[tuple[tuple[str | int, ...], str, str, str]]:
    return [tuple(problem) for problem in convert(Example, values, Path())[1]]  # type: ignore[misc]


def test_settings_are_the_constructor_arguments() -> None:
    settings = read_settings(Example)
    assert list(settings) == ["rate", "path", "out", "code", "mode", "inner", "gain"]
    assert settings["rate"].required
    assert settings["out"].default == "x.wav"


def test_a_class_without_a_constructor_has_none() -> None:
    class Plain: ...

    assert read_settings(Plain) == {}


def test_an_argument_without_a_type_is_refused() -> None:
    class Untyped:
        def __init__(self, rate) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(SettingError, match="annotate `rate` with its type"):
        read_settings(Untyped)


def test_values_are_converted_and_input_paths_start_beside_the_config() -> None:
    arguments, wrong = convert(
        Example,
        {
            "rate": 16_000,
            "path": "a.wav",
            "out": "b.wav",
            "code": ["./t.py:f", "package.t:f", "t.py"],
            "gain": 2,
            "inner": {"size": 3},
        },
        Path("conf"),
    )
    assert wrong == []
    assert arguments == {
        "rate": 16_000,
        "path": "conf/a.wav",
        "out": "b.wav",
        "code": ["conf/t.py:f", "package.t:f", "conf/t.py"],
        "gain": 2.0,
        "inner": Inner(3),
    }


def test_text_from_a_variable_becomes_what_the_setting_is() -> None:
    arguments, wrong = convert(
        Example, {"rate": FromVariable("16000"), "out": FromVariable("8")}, Path()
    )
    assert wrong == []
    assert arguments == {"rate": 16_000, "out": "8"}
    assert type(arguments["out"]) is str
    [(_, _, message, _)] = problems(rate=FromVariable("fast"))
    assert message == "rate: expected a whole number, got 'fast'"
    [(_, _, message, _)] = problems(rate="16000")
    assert message == "rate: expected a whole number, got '16000'"


def test_absolute_paths_stay() -> None:
    assert convert(Example, {"rate": 8000, "path": "/a.wav"}, Path("conf"))[0]["path"] == "/a.wav"


def test_everything_wrong_is_found_at_once() -> None:
    assert problems(rat=1, gain="loud", mode="c", inner={"size": 0}) == [
        (("rat",), "unknown-setting", 'no setting "rat"', 'did you mean "rate"?'),
        (("gain",), "wrong-setting", "gain: expected a number, got 'loud'", ""),
        (("mode",), "wrong-setting", "mode: 'c' is none of its values", "there are: a, b"),
        (("inner", "size"), "wrong-setting", "inner.size: expected a whole number >= 1, got 0", ""),
        ((), "missing-setting", 'setting "rate" is missing', ""),
    ]


class Nested(msgspec.Struct):
    kind: Literal["low", "high"] = "low"
    mode: Literal["loud", "quiet"] | None = None


class Deep(Sink):
    def __init__(
        self,
        one: Nested | None = None,
        many: list[Nested] | None = None,
        named: dict[str, Literal["x", "y"]] | None = None,
    ) -> None: ...

    async def consume(self, frame: Frame) -> None: ...


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"one": {"kind": "lou"}}, 'did you mean "low"?'),
        ({"one": {"mode": "lou"}}, 'did you mean "loud"?'),
        ({"many": [{}, {"kind": "z"}]}, "there are: high, low"),
        ({"named": {"a": "z"}}, ""),  # msgspec does not say at which key
    ],
)
def test_the_choices_of_a_field_are_its_own(values: dict[str, Any], hint: str) -> None:
    [problem] = convert(Deep, values, Path())[1]
    assert problem.hint == hint


def test_the_place_of_an_item_in_a_list() -> None:
    [(path, *_)] = problems(rate=8000, code=["a.py", 3])
    assert path == ("code", 1)


def test_load_code_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "thing.py"
    file.write_text("def hello(): return 'hello'\n")
    assert load_code(f"{file}:hello")() == "hello"
    assert load_code(str(file)).hello is load_code(f"{file}:hello")


def test_load_code_from_a_module() -> None:
    assert load_code("json:dumps") is sys.modules["json"].dumps


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("missing.py:x", "there is no file missing.py", ""),
        ("no_such_package.sub:x", 'there is no module "no_such_package.sub"', ""),
        ("json:dump_s", 'there is no "dump_s" in json', 'did you mean "dumps"?'),
    ],
)
def test_code_that_is_not_there(reference: str, message: str, hint: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_code(reference)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_code_that_cannot_be_imported(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("1 / 0\n")
    message = f"importing {file} failed: ZeroDivisionError: division by zero"
    for _ in range(2):
        with pytest.raises(SettingError) as caught:
            load_code(f"{file}:x")
        assert str(caught.value) == message


def test_a_path_is_a_path() -> None:
    class WithPath:
        def __init__(self, path: Path) -> None: ...

    assert convert(WithPath, {"path": "a/b"}, Path("conf")) == ({"path": Path("a/b")}, [])
    [problem] = convert(WithPath, {"path": 3}, Path())[1]
    assert problem.path == ("path",)


def test_code_can_be_refused_but_for_what_is_installed() -> None:
    with code_refused():
        with pytest.raises(SettingError, match="json:dumps is code, which --no-code refuses"):
            load_code("json:dumps")
        with pytest.raises(SettingError, match="refuses"):
            find_processor("./here.py:Mine", Path())
        assert find_processor("resampler", Path()).__name__ == "Resampler"
    assert load_code("json:dumps") is json.dumps
