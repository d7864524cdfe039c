"""Texts as speech, with every engine that is installed."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import SettingError
from processors.local_live_api import espeak, speech
from processors.local_live_api.speech import Engine, Utterance, speak, speech_engine
from processors.local_live_api.voice import synthesize

RATE = 24000
needs_espeak = pytest.mark.skipif(
    not espeak.installed(), reason="needs eSpeak NG: pip install 'live-pipeline[speech]'"
)
SENTENCE = "The weather in Lisbon will be sunny. Would you like to know more?"


@pytest.fixture(params=["synthetic", pytest.param("espeak-ng", marks=needs_espeak)])
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.param
    return chosen


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "_KEPT", speech._Cache())


def joined(utterance: Utterance) -> str:
    return "".join(word for word, _, _ in utterance.words)


def loudness(utterance: Utterance, start: float, end: float) -> float:
    """RMS, in units of the samples."""
    part = utterance.samples[round(start * RATE) : round(end * RATE)].astype(float)
    return float(np.sqrt(np.mean(part**2))) if len(part) else 0.0


def check_contract(utterance: Utterance, text: str, rate: int = RATE) -> None:
    assert utterance.rate == rate
    assert utterance.samples.dtype == np.int16
    last = utterance.words[-1][2] if utterance.words else 0.0
    assert utterance.samples.shape == (pytest.approx(last * rate, abs=1), 1)
    assert joined(utterance) == (text if text.strip() else "")
    times = [time for _, start, end in utterance.words for time in (start, end)]
    assert times == sorted(times)


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=25), st.text(max_size=8))
def test_any_text_and_voice_keep_the_contract(text: str, name: str) -> None:
    for engine in {speech_engine(), "synthetic"}:
        check_contract(speak(text, voice=name, engine=engine), text)


@pytest.mark.parametrize("text", ["", " \n\t", "...", "\x00\x01", "\ud800 \uffff"])
def test_nothing_to_say_is_next_to_no_audio(text: str, engine: Engine) -> None:
    utterance = speak(text, voice="Puck", engine=engine)
    check_contract(utterance, text)
    assert len(utterance.samples) == 0


def test_words_are_audible_where_they_are_said_to_be(engine: Engine) -> None:
    utterance = speak(SENTENCE, voice="Kore", engine=engine)
    check_contract(utterance, SENTENCE)
    assert [word for word, _, _ in utterance.words][:3] == ["The ", "weather ", "in "]
    assert all(0.04 < end - start < 0.8 for _, start, end in utterance.words)
    assert all(loudness(utterance, start, end) > 300 for _, start, end in utterance.words)
    end, start = utterance.words[6][2], utterance.words[7][1]
    assert start - end > 0.2  # between the sentences
    assert loudness(utterance, end, start) < 30


def test_speech_grows_with_its_words(engine: Engine) -> None:
    lengths = [
        len(speak("nine green bottles " * count, voice="Orus", engine=engine).samples)
        for count in (1, 2, 4, 8)
    ]
    assert all(1.6 < b / a < 2.4 for a, b in itertools.pairwise(lengths))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_timing_does_not_depend_on_the_rate(rate: int, engine: Engine) -> None:
    utterance = speak("Hello, world", voice="Puck", rate=rate, engine=engine)
    check_contract(utterance, "Hello, world", rate)
    assert utterance.words == speak("Hello, world", voice="Puck", engine=engine).words


def test_levels_are_those_of_speech(engine: Engine) -> None:
    for name in ("Charon", "Leda"):
        peak = np.abs(speak(SENTENCE, voice=name, engine=engine).samples.astype(int)).max()
        assert 9000 < peak < 26000


def test_equal_arguments_give_equal_samples_whatever_was_said_before(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = speak(SENTENCE, voice="Aoede", engine=engine)
    speak("Something else", voice="Puck", engine=engine)
    monkeypatch.setattr(speech, "_KEPT", speech._Cache())
    second = speak(SENTENCE, voice="Aoede", engine=engine)
    assert second is not first
    assert np.array_equal(first.samples, second.samples)
    assert first.words == second.words


def test_threads_do_not_disturb_each_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"Number {n} of {n + 3}" for n in range(6)]
    alone = [speak(text, voice="Puck", engine=engine).samples for text in texts]
    monkeypatch.setattr(speech, "_KEPT", speech._Cache())
    together: dict[str, np.ndarray] = {}

    def run(text: str) -> None:
        together[text] = speak(text, voice="Puck", engine=engine).samples

    threads = [threading.Thread(target=run, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(together[t], a) for t, a in zip(texts, alone, strict=True))


# --- the cache ---


def test_the_cache_gives_the_same_utterance_which_cannot_be_spoilt() -> None:
    first = speak("Hello", voice="Puck", engine="synthetic")
    assert speak("Hello", voice="Puck", engine="synthetic") is first
    with pytest.raises(ValueError, match="read-only"):
        first.samples[0] = 1
    for other in (
        speak("Hullo", voice="Puck", engine="synthetic"),
        speak("Hello", voice="Kore", engine="synthetic"),
        speak("Hello", voice="Puck", rate=16000, engine="synthetic"),
    ):
        assert other is not first


def test_the_cache_forgets_what_was_used_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "KEPT_COUNT", 2)
    one, two = (speak(text, voice="Puck", engine="synthetic") for text in ("one", "two"))
    assert speak("one", voice="Puck", engine="synthetic") is one
    speak("three", voice="Puck", engine="synthetic")
    assert speak("one", voice="Puck", engine="synthetic") is one
    assert speak("two", voice="Puck", engine="synthetic") is not two


def test_the_cache_is_bounded_by_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "KEPT_SECONDS", 1)
    short = speak("one", voice="Puck", engine="synthetic")
    long = speak("one two three four five six", voice="Puck", engine="synthetic")
    assert speak("one two three four five six", voice="Puck", engine="synthetic") is not long
    assert speak("one", voice="Puck", engine="synthetic") is not short
    assert speech._KEPT._size <= RATE


# --- long texts ---


def test_a_long_text_is_spoken_whole(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "LONGEST_SECONDS", 300)
    text = f"\n {SENTENCE}  " * 25
    utterance = speak(text, voice="Puck", engine=engine)
    check_contract(utterance, text)
    assert len(text) > speech.PASSAGE
    assert all(start < end for _, start, end in utterance.words)


@pytest.mark.parametrize("unit", ["nine ", "\u4e5d", "no.\n\n", " "])
def test_a_text_too_long_is_broken_off(
    unit: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "LONGEST_SECONDS", 1)
    monkeypatch.setattr(speech, "PASSAGE_PAUSE", 0.1)
    text = unit * (100_000 // len(unit.encode()))
    utterance = speak(text, voice="Puck", engine=engine)
    check_contract(utterance, text)
    assert len(utterance.samples) / RATE < speech.PASSAGE  # less than a second a character


# --- the engines ---


def test_the_synthetic_engine_is_the_synthetic_voice() -> None:
    utterance = speak(SENTENCE, voice="Puck", engine="synthetic")
    assert np.array_equal(utterance.samples, synthesize(SENTENCE, voice="Puck"))


def test_without_espeak_the_synthetic_engine_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "installed", lambda: False)
    assert speech_engine() == "synthetic"
    assert np.array_equal(speak("Hello", voice="Puck").samples, synthesize("Hello", voice="Puck"))
    with pytest.raises(SettingError, match="not installed") as error:
        speak("Hello", voice="Puck", engine="espeak-ng")
    assert "live-pipeline[speech]" in error.value.hint


def test_what_many_ask_for_at_a_time_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(text: str, **settings: Any) -> Any:
        made.append(text)
        time.sleep(0.02)  # so that the others ask meanwhile
        return synthesize(text, **settings)

    monkeypatch.setattr(speech, "synthesize", make)
    text = "Everybody says this, and nobody has said it before."
    with ThreadPoolExecutor(8) as pool:
        said = [pool.submit(speak, text, voice="Puck", engine="synthetic") for _ in range(8)]
    assert len({id(future.result()) for future in said}) == len(made) == 1


@needs_espeak
def test_where_espeak_is_installed_it_speaks() -> None:
    assert speech_engine() == "espeak-ng"
    auto = speak("Hello", voice="Puck")
    assert auto is speak("Hello", voice="Puck", engine="espeak-ng")
    assert not np.array_equal(auto.samples, synthesize("Hello", voice="Puck"))


@needs_espeak
def test_what_espeak_cannot_say_is_said_by_the_synthetic_voice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(espeak, "_ask", lambda **request: None)
    utterance = speak(SENTENCE, voice="Puck", language="en-US", engine="espeak-ng")
    assert np.array_equal(utterance.samples, synthesize(SENTENCE, voice="Puck"))
