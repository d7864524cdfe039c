"""Speech as text: the real recogniser on real speech, where they are installed."""

import importlib.util
import threading

import numpy as np
import pytest

from processors.local_live_api import espeak, recognition
from processors.local_live_api.recognition import Recogniser, recogniser

PHRASES = [
    "What time is it in Lisbon?",
    "Turn the lights off, please.",
    "Set a timer for 25 minutes.",
    "No, thank you.",
]


@pytest.fixture(scope="module")
def ears() -> Recogniser:
    pytest.importorskip(
        "pocketsphinx", reason="needs pocketsphinx: pip install 'live-pipeline[recognition]'"
    )
    found = recogniser([*PHRASES, "\u041f\u0440\u0438\u0432\u0435\u0442", "Dial 12345"])
    assert found is not None
    return found


def say(text: str, *, voice: str = "Kore", rate: int = 16000) -> np.ndarray:
    if not espeak.installed():
        pytest.skip("needs eSpeak NG: pip install 'live-pipeline[speech]'")
    answer = espeak.spoken(text, voice=voice, rate=rate)
    assert answer is not None
    return answer[0]


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
@pytest.mark.parametrize("phrase", PHRASES)
def test_what_is_said_is_understood(ears: Recogniser, phrase: str, rate: int) -> None:
    for voice in ("Kore", "Puck"):
        assert ears.words(say(phrase, voice=voice, rate=rate), rate) == phrase


def test_what_was_heard_before_does_not_matter(ears: Recogniser) -> None:
    samples = say(PHRASES[0])
    ears.words(np.full(16000, 30000, np.int16), 16000)
    ears.words(say("Something else entirely"), 16000)
    assert ears.words(samples, 16000) == PHRASES[0]
    assert ears.words(samples[:, 0], 16000) == PHRASES[0]


def test_threads_take_turns(ears: Recogniser) -> None:
    sounds = [say(phrase) for phrase in PHRASES]
    heard: dict[int, str | None] = {}

    def listen(index: int) -> None:
        heard[index] = ears.words(sounds[index], 16000)

    threads = [threading.Thread(target=listen, args=(index,)) for index in range(len(sounds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [heard[index] for index in range(len(sounds))] == PHRASES


@pytest.mark.parametrize("size", [0, 1, 100, 16000])
def test_silence_is_no_words(ears: Recogniser, size: int) -> None:
    assert ears.words(np.zeros(size, np.int16), 16000) is None
    assert ears.words(np.zeros((size, 1), np.int16), 16000) is None


def test_noise_is_no_words(ears: Recogniser) -> None:
    noise = np.random.default_rng(0).normal(0, 500, 32000).astype(np.int16)
    assert ears.words(noise, 16000) is None


def test_a_word_that_is_in_no_dictionary_is_understood_by_its_spelling() -> None:
    pytest.importorskip("pocketsphinx", reason="needs pocketsphinx")
    found = recogniser(["Call Brindlefomp", "Call the doctor"])
    assert found is not None
    assert found.words(say("Call Brindlefomp"), 16000) == "Call Brindlefomp"
    assert found.words(say("Call the doctor"), 16000) == "Call the doctor"


def test_without_a_sentence_that_can_be_said_there_is_none() -> None:
    assert recogniser([]) is None
    assert recogniser(["\u041f\u0440\u0438\u0432\u0435\u0442", "...", "12345"]) is None


def test_without_pocketsphinx_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert recogniser(PHRASES) is None


def test_it_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pocketsphinx", reason="needs pocketsphinx")
    found = recogniser(["Zzxq", "Hello hello"])
    assert found is not None
    found.words(np.full(16000, 30000, np.int16), 16000)
    assert capfd.readouterr() == ("", "")


def test_the_open_model_knows_words_of_its_own() -> None:
    pytest.importorskip("pocketsphinx", reason="needs pocketsphinx")
    found = recogniser(None)
    assert found is not None
    heard = found.words(say("Yes, I know."), 16000)
    assert heard is not None
    assert heard == heard.lower()
    assert heard.split()


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("Don\u2019t, please!", "don't please"),
        ("'Twas the caf\u00e9's \u2018best\u2019", "twas the cafe's best"),
        ("7 of 20, 42 and 99", "seven of twenty forty two and ninety nine"),
        ("well-known e_mail", None),
        ("\u041f\u0440\u0438\u0432\u0435\u0442 you", None),
        ("100 of them", None),
        ("...", ""),
        ("", ""),
    ],
)
def test_phrases_as_words(phrase: str, said: str | None) -> None:
    assert recognition._said(phrase) == said


@pytest.mark.parametrize(
    ("word", "phones"), [("shthq", "SH TH K"), ("o'box", "OW B OW K S"), ("queen", "K W IY N")]
)
def test_spelling(word: str, phones: str) -> None:
    assert recognition._pronunciation(word) == phones
