from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError, Place
from pipeline.config.document import Document


def read(text: str, **variables: str) -> Any:
    return Document(text, "x.yaml", variables).data


def errors(text: str, **variables: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, **variables)
    return [str(finding) for finding in caught.value.findings]


def test_values_know_their_places() -> None:
    document = Document("a:\n  - b: 1\n    c: [x, 'yy']\n", "x.yaml", {})
    assert document.data == {"a": [{"b": 1, "c": ["x", "yy"]}]}
    assert document.place("a", 0, "c", 1) == Place("x.yaml", 3, 12)
    assert document.text_place("a", 0, "c", 1) == Place("x.yaml", 3, 13)
    assert document.text_place("a", 0, "c", 0) == Place("x.yaml", 3, 9)
    assert document.key_place("a", 0, "c") == Place("x.yaml", 3, 5)
    assert document.place("a", 0, "gone", 7) == Place("x.yaml", 2, 5)


def test_an_empty_document_has_no_data() -> None:
    document = Document("# nothing\n", "x.yaml", {})
    assert document.data is None
    assert document.place() == Place("x.yaml", 1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${RATE}", "16000"),
        ("'${RATE}'", "16000"),
        ("at ${RATE} Hz", "at 16000 Hz"),
        ("${NONE:-8000}", "8000"),
        ("${NONE:-}", ""),
        ("'${NONE:-}'", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("$$5 and $${RATE}", "$5 and ${RATE}"),
        ("5 $", "5 $"),
    ],
)
def test_variables(text: str, value: Any) -> None:
    assert read(f"a: {text}", RATE="16000", EMPTY="", YES="true") == {"a": value}


def test_a_variable_cannot_change_the_structure() -> None:
    assert read("a: ${X}\n", X="1\nb: 2 # {") == {"a": "1\nb: 2 # {"}
    assert read("a: ['${X}']\n", X="1, 2") == {"a": ["1, 2"]}


def test_all_wrong_variables_are_found_with_their_places() -> None:
    assert errors("a: ${ONE}\nb:\n  - ${TWO} ${1}\n") == [
        "x.yaml:1:4: error[variable] the variable ONE is not set; set it, or give a default: "
        "${ONE:-...}",
        "x.yaml:3:5: error[variable] the variable TWO is not set; set it, or give a default: "
        "${TWO:-...}",
        "x.yaml:3:5: error[variable] cannot read '${1}'; write ${NAME} or ${NAME:-default}",
    ]


def test_keys_twice_and_keys_that_are_no_words() -> None:
    assert errors("a: 1\nb: 2\na: 3\n? [x]\n: 4\n") == [
        'x.yaml:3:1: error[duplicate-key] "a" is there twice; the first one is in line 1; rename '
        "or delete one",
        "x.yaml:4:3: error[yaml] a key must be a word",
    ]


@pytest.mark.parametrize("value", ["x", "[x]", "{x: y}"])
@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!thing", "!!set"])
def test_no_tag_makes_anything_but_plain_values(tag: str, value: str) -> None:
    if (tag, value) == ("!!set", "x"):
        tag = "!!nothing"
    assert errors(f"a: {tag} {value}") == [
        f"x.yaml:1:4: error[yaml] the tag `{tag}` means nothing here; delete it"
    ]


def test_what_a_merge_key_brings_is_not_taken() -> None:
    assert errors("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n") == [
        "x.yaml:3:3: error[yaml] `<<` brings no settings in here; write them out, or use a fragment"
    ]


def test_aliases_are_values_and_bombs_are_refused() -> None:
    assert read("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    [error] = errors("\n".join(lines))
    assert "error[yaml] it has too many values" in error


def test_an_alias_to_itself_is_refused() -> None:
    [error] = errors("a: &a [*a]")
    assert "it is nested too deeply" in error


def test_deep_nesting_is_refused() -> None:
    [error] = errors("[" * 5000 + "]" * 5000)
    assert "error[yaml]" in error


@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@`\n \t$0\x00\x85\ud800", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except ConfigError as error:
        assert all(finding.place and finding.place.line >= 1 for finding in error.findings)


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1.0e+400"])
def test_numbers_that_are_not_finite_are_refused(value: str) -> None:
    (error,) = errors(f"a: {value}")
    assert error.startswith("x.yaml:1:4: error[yaml] not a valid value: not a finite number")
