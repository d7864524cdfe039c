"""Searches: what they are made for, and what they find."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.rules.research import is_for_the_web, search


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who won the 2024 Nobel prize in physics?", True),
        ("What is the latest news?", True),
        ("Tell me about the Roman empire.", True),
        ("How many people live in Oslo?", True),
        ("Can you google it for me?", True),
        ("Then use Google Search to look up earthquakes.", True),
        ("Who are you?", False),
        ("What is my name?", False),
        ("How are you?", False),
        ("Hello!", False),
        ("I had a good day.", False),
        ("", False),
    ],
)
def test_the_world_is_searched_and_talk_is_not(text: str, expected: bool) -> None:
    assert is_for_the_web(text) is expected


def test_the_query_is_what_is_asked_and_the_titles_are_about_it() -> None:
    ground, said = search("Can you use Google Search to tell me about the longest river in Peru?")
    assert ground.queries == ["the longest river in Peru"]
    assert len({source.uri for source in ground.sources}) == 2
    for source in ground.sources:
        assert "Longest river Peru" in source.title
        assert source.title in said


def test_different_questions_find_different_pages() -> None:
    first, second = (search(text)[0].sources for text in ("Who was Bach?", "Who was Verdi?"))
    assert not {source.uri for source in first} & {source.uri for source in second}


@given(st.text(max_size=80))
def test_any_text_finds_pages_on_example_domains(text: str) -> None:
    ground, said = search(text)
    assert ground.queries[0]
    for source in ground.sources:
        host = str(urlsplit(source.uri).hostname)
        assert host.removeprefix("www.") in {"example.com", "example.org", "example.net"}
        assert source.uri.isascii()
        assert host.removeprefix("www.") in said
