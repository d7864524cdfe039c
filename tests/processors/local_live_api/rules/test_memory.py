"""What is known from a conversation."""

import pytest

from processors.local_live_api.history import Entry, Heard, Said
from processors.local_live_api.rules.memory import (
    REACH,
    facts,
    recalled,
    recollection,
    remembered,
)
from processors.local_live_api.rules.wording import plain

TALK: list[Entry] = [
    Heard("Hello there."),
    Said("Hello!"),
    Heard("How high is Mount Fuji?"),
    Said("Very high."),
    Heard("And Mont Blanc? Please answer."),
    Said("Also high, but", interrupted=True),
    Heard("I see."),
    Said("Good."),
]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was the last question I asked?", "Mont Blanc"),
        ("What was my first question?", "Mount Fuji"),
        ("what did I ask first?", "Mount Fuji"),
        ("What was my second question?", "Mont Blanc"),
        ("What did I say first?", "Hello there."),
        ("What did I just say?", "I see."),
        ("What was my previous message?", "I see."),
        ("Do you remember what I asked at the beginning?", "Mount Fuji"),
        ("What did you say?", "Good."),
        ("What was your first answer?", "Hello!"),
        ("Can you repeat that?", "Good."),
        ("Say that again.", "Good."),
        ("How many questions did I ask?", "4"),
        ("What was my fifth question?", "not asked me that much"),
    ],
)
def test_questions_about_the_conversation(question: str, expected: str) -> None:
    answer = recollection(plain(question), TALK)
    assert answer is not None
    assert expected in answer


def test_everything_that_was_said_is_summed_up() -> None:
    for question in ("What have we talked about?", "Please summarise our conversation so far."):
        answer = str(recollection(question, TALK))
        assert all(
            entry.text in answer for entry in TALK if isinstance(entry, Heard) and entry.text
        )


def test_an_interruption_is_remembered() -> None:
    assert "interrupted" in str(recollection("What did you say?", TALK[:6]))


def test_speech_without_words_is_remembered_as_such() -> None:
    heard = Heard(None, "spoken", 4.2)
    assert "4 seconds" in str(recollection("What did I say?", [heard]))


@pytest.mark.parametrize("question", ["What did I ask?", "What have we discussed?"])
def test_at_first_there_is_nothing_to_remember(question: str) -> None:
    assert "not asked" in str(recollection(question, []))
    assert "not said" in str(recollection("What did you say?", []))


@pytest.mark.parametrize(
    "text",
    ["Hello", "What is the weather?", "Can you say hello?", "I asked Bob to come.", "My question:"],
)
def test_other_requests_are_none_of_it(text: str) -> None:
    assert recollection(text, TALK) is None


@pytest.mark.parametrize(
    ("statement", "question", "expected"),
    [
        ("My name is Ada", "What's my name?", "Your name is Ada."),
        ("Hi, I am Ada, do you hear me?", "Do you know who I am?", "Your name is Ada."),
        ("Hi, I am Ada Lovelace, nice to meet you.", "Who am I?", "Your name is Ada Lovelace."),
        ("Call me Ishmael.", "What am I called?", "Your name is Ishmael."),
        ("I have a dog called Rex.", "What is my dog called?", "Your dog is called Rex."),
        ("I've got a cat named Mia", "What is my cat's name?", "Your cat is called Mia."),
        ("My favourite colour is green.", "what's my favorite color?",
         "Your favourite colour is green."),
        ("I live in Oslo.", "Where do I live?", "You live in Oslo."),
        ("I work at a bakery", "Where do I work?", "You work at a bakery."),
        ("I am 42 years old.", "How old am I?", "You are 42 years old."),
        ("I like tea and cake.", "What do I like?", "You like tea and cake."),
        ("Remember that the code is 4711.", "What is the code?", "The code is 4711."),
        ("Please remember my seat is 12A.", "Which is my seat?", "Your seat is 12A."),
        ("Remember to buy milk.", "What did I tell you to remember?",
         "You asked me to remember to buy milk."),
        ("My name is Ada and my dog is called Rex", "Tell me my name.", "Your name is Ada."),
    ],
)  # fmt: skip
def test_facts_are_told_back(statement: str, question: str, expected: str) -> None:
    history: list[Entry] = [Heard(statement), Said("ok"), Heard("How are you?"), Said("Well.")]
    assert recalled(plain(question), history) == expected
    assert recalled(plain(question), history[1:]) is None


def test_the_latest_statement_counts() -> None:
    history = [Heard("My name is Ada."), Heard("My name is Eve.")]
    assert recalled("What is my name?", history) == "Your name is Eve."


def test_what_memory_does_not_answer_is_left() -> None:
    history = [Heard("My name is Ada.")]
    text = "Hello! What is my name, and where is Oslo?"
    assert remembered(text, history) == (["Your name is Ada."], "Hello!\nwhere is Oslo?")
    assert remembered("Where is Oslo? Hm.", history) == ([], "Where is Oslo? Hm.")


def test_the_beginning_and_the_end_of_a_very_long_talk_are_known() -> None:
    between: list[Entry] = [Said("ok")] * (3 * REACH)
    history = [Heard("My name is Ada."), *between, Heard("My cat is Mia."), Said("ok")]
    assert recalled("What is my name?", history) == "Your name is Ada."
    assert recalled("Who is my cat?", history) == "Your cat is Mia."


def test_plain_statements_are_told_apart_from_those_about_the_user() -> None:
    history = [Heard("The meeting is at noon.")]
    assert recalled("When is the meeting?", history) is None
    assert recalled("When is the meeting?", history, own=False) == "The meeting is at noon."


@pytest.mark.parametrize("text", ["What is my name?", "Is my dog big?", "", "Hello there."])
def test_questions_and_greetings_state_nothing(text: str) -> None:
    assert facts(text) == []
