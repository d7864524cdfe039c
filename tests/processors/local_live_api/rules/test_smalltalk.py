"""Talk without tools."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.rules.smalltalk import asks, is_greeting, reply
from processors.local_live_api.rules.wording import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is 12 times 7?", "12 times 7 is 84."),
        ("what's twelve plus thirty-five minus 2?", "12 plus 35 minus 2 is 45."),
        ("12-7", "12 minus 7 is 5."),
        ("12 -7", "12 minus 7 is 5."),
        ("10 / 4", "10 divided by 4 is 2.5."),
        ("1,000 * 3", "1000 times 3 is 3000."),
        ("5 divided by zero", "Nothing can be divided by zero."),
        ("count to five", "1, 2, 3, 4, 5."),
        ("Count from 3 to 6, please", "3, 4, 5, 6."),
        ("Count down from 3", "3, 2, 1."),
        ("say banana bread", "banana bread"),
        ('Please repeat after me: "Hello World"', "Hello World"),
        ("My dog is called Rex.", "I will remember that. Your dog is called Rex."),
    ],
)
def test_exact_replies(text: str, expected: str) -> None:
    assert reply(plain(text)) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Hello", "simulated Live API"),
        ("Hello? Gemini are you there?", "I am here"),
        ("How are you?", "well"),
        ("Thanks a lot!", "welcome"),
        ("Goodbye", "Goodbye"),
        ("Who are you?", "simulated Live API"),
        ("Are you a robot?", "simulation"),
        ("What can you do?", "functions"),
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("Please water my plants", "water your plants"),
        ("I lost my keys. What should I do?", 'You ask: "What should you do?"'),
        ("My cat is ill. How are you?", "I am well"),
        ("I lost my keys.", "You lost your keys."),
        ("I will show you some pictures.", "You will show me some pictures."),
        ("You are kind, and I am glad.", "I am kind, and you are glad."),
        ("I was ill when you were away.", "You were ill when I was away."),
        ("What do you think of me?", "What do I think of you?"),
        ("Tell me a long story about you.", "long answer about me,"),
        ("What is my name?", "not told me your name"),
        ("???", "no words"),
        ("", "listening"),
    ],
)
def test_replies_about(text: str, part: str) -> None:
    assert part in reply(plain(text))


def test_replies_vary_with_what_is_said() -> None:
    questions = [f"Why is number {word} odd?" for word in ("red", "blue", "green", "tall", "old")]
    assert len({reply(text).partition('" ')[2] for text in questions}) > 1


def test_long_replies_have_their_theme_and_an_end() -> None:
    story = reply("Tell me a long story about my cat.")
    assert len(story.split()) > 150
    assert story.count("your cat") == 5
    assert len(reply("Count to a hundred thousand, no, to 99999").split()) == 500


def test_a_name_is_told_and_used() -> None:
    assert "I am Ada" in reply("Hello", "Ada")
    assert "I am Ada" in reply("What is your name?", "Ada")


@pytest.mark.parametrize("text", ["Is it?", "Do it", "It is."])
def test_one_word_if_wanted(text: str) -> None:
    assert len(reply(text, word=True).split()) == 1


def test_what_asks_last() -> None:
    assert asks("I am here. Are you")
    assert not asks("Are you? I am here.")
    assert not asks("")


def test_greetings() -> None:
    assert is_greeting("Hello")
    assert is_greeting("Good morning, dear model")
    assert not is_greeting("Hello, what is the weather like in Rome?")
    assert not is_greeting("Highway")


@given(st.text(max_size=200))
def test_any_text_has_a_reply(text: str) -> None:
    assert reply(plain(text)).strip()
