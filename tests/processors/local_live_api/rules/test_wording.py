"""Words, numbers, names and clauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.rules import wording


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lights", "light"),
        ("cities", "city"),
        ("scheduling", "schedule"),
        ("getting", "get"),
        ("booked", "booking"),
        ("colour", "color"),
        ("favourite", "favorite"),
    ],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert wording.stem(one) == wording.stem(other)


def test_different_words_have_different_stems() -> None:
    assert len({wording.stem(word) for word in ("news", "new", "time", "tim", "is", "king")}) == 5


def test_plain_texts() -> None:
    assert wording.plain(" What\u2019s  \u201cup\u201d? ") == 'What is "up"?'
    assert wording.plain("I'm Ada, you're Bob's") == "I am Ada, you are Bob's"
    assert len(wording.plain("x" * 100_000)) == wording.CONSIDERED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 and 3.5, 1,000", [12, 3.5, 1000]),
        ("twenty-one, forty two and seven", [21, 42, 7]),
        ("the 15th of twenty", [15, 20]),
        ("-3 or 4-2", [-3, 4, 2]),
        ("a1 b2c x", []),
    ],
)
def test_numbers(text: str, expected: list[float]) -> None:
    assert [number.value for number in wording.numbers(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is it hot in New York, Rome and Rio de Janeiro?", "New York|Rome|Rio de Janeiro"),
        ("Santa Clara, CA and San Jose", "Santa Clara, CA|San Jose"),
        ("Meet Ada's friend Bob on Monday, please. Thanks, I am Google.", "Ada|Bob"),
        ("The Beatles came. Yesterday was nice.", "Beatles"),
        ("Rome", "Rome"),
        ("WEATHER IN ROME", ""),
        ("nothing here", ""),
    ],
)  # fmt: skip
def test_names(text: str, expected: str) -> None:
    assert "|".join(name.text for name in wording.names(text)) == expected


def test_names_know_their_preposition_and_share_it_in_lists() -> None:
    found = wording.names("fly from Rome, Oslo and Bern to Paris with Ada")
    assert [name.after for name in found] == ["from", "from", "from", "to", "with"]


def test_sentences() -> None:
    text = 'Dr. Who vs. Mr. Bean. It is 3.5! "Really?" Yes\nno\u3002\u597d'
    expected = ["Dr. Who vs. Mr. Bean.", "It is 3.5!", '"Really?"', "Yes", "no\u3002", "\u597d"]
    assert wording.sentences(text) == expected


def test_lists() -> None:
    assert [wording.listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_quotations() -> None:
    assert wording.quoted("say \"a b\" or 'c', don't d'") == ["a b", "c"]


@given(st.text(max_size=200))
def test_any_text_can_be_taken_apart(text: str) -> None:
    assert "".join(wording.fragments(text)) == text
    assert all(0 <= n.start < n.end <= len(text) for n in wording.numbers(text))
    assert all(name.text in text for name in wording.names(text))
    assert len(wording.shortened(text)) <= 164
    assert wording.one_of("ab", text) in "ab"
