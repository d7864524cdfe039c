"""How instructions and requests shape an answer."""

import pytest

from processors.local_live_api.rules.manner import LANGUAGES, Manner, manner, shaped

TEXT = "Hello! This is a test. It goes on."


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("You are Ada.", "Ada"),
        ("You are Captain Nemo, master of a submarine.", "Captain Nemo"),
        ("Your name is Max. Be nice.", "Max"),
        ("You are a helpful assistant named Zoe.", "Zoe"),
        ("You are a helpful assistant.", None),
        ("", None),
    ],
)
def test_names(instruction: str, expected: str | None) -> None:
    assert manner(instruction, None).name == expected


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("Reply only with OK", "OK"),
        ("Only say 'I do not know'.", "I do not know"),
        ('Always answer only with the word "Moo"!', "Moo"),
        ("Always end with 'Over.'", f"{TEXT} Over."),
        ('End every answer with the words "Over and out"', f"{TEXT} Over and out"),
        ("Begin each reply with 'Well,'", f"Well, {TEXT}"),
        ("Answer in one word.", "Hello."),
        ("Answer in one sentence.", "Hello!"),
        ("Be concise.", "Hello!"),
        ("Be helpful, and end the session when asked.", TEXT),
    ],
)
def test_instructions_shape_the_answer(instruction: str, expected: str) -> None:
    assert shaped(TEXT, manner(instruction, None)) == expected


def test_languages() -> None:
    for item in LANGUAGES[1:]:
        name = item.names[0].capitalize()
        pins = (f"RESPOND IN {name}. YOU MUST RESPOND UNMISTAKABLY IN {name}.", f"Speak {name}.")
        for how in (*(manner(pin, None) for pin in pins), manner("", f"{item.code}-XX")):
            assert how.language is item
            assert shaped(TEXT, how) == f"{item.acknowledgement} {TEXT}"
            assert shaped(TEXT, how, greeting=True).startswith(item.greeting)


@pytest.mark.parametrize(
    "instruction",
    [
        "Speak German",
        "Your language is German.",
        "Language: German",
        "Only in German!",
        "German only.",
        "Always answer the user in the German language",
        "Write everything in simple German, please.",
        "Reply in German unless told otherwise.",
        "You are an expert in Italian cooking. Use only German.",
        f"{'You know a lot. ' * 900}Respond in German.",
    ],
)
def test_pinned_languages(instruction: str) -> None:
    assert manner(instruction, None).language.code == "de"


@pytest.mark.parametrize(
    "instruction",
    [
        "You are an AI assistant in Italian cooking, chime in only when the topic is about "
        "Italian cooking.",
        "Answer questions about Italian cooking.",
        "Talk about life in Italian cities.",
        "You know only Italian food, so use Italian ingredients.",
        "You are an expert in German.",
        "I speak German.",
        "Never answer in French.",
    ],
)
def test_other_mentions_of_a_language_pin_none(instruction: str) -> None:
    assert manner(instruction, None).language.code == "en"


def test_the_request_wins_over_the_instruction_and_that_over_the_code() -> None:
    assert manner("Answer in German.", "fr-FR").language.code == "de"
    assert manner("Answer in German.", "fr-FR", "Please answer in Dutch.").language.code == "nl"
    assert manner("", "xx").language.code == manner("", None).language.code == "en"
    assert manner("In one sentence.", None, "In one word!").length == "word"


def test_what_quotes_is_one_sentence() -> None:
    assert shaped(TEXT, Manner(length="sentence"), whole=True) == TEXT
