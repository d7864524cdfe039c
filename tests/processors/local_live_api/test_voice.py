"""Tests of the synthetic voice."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.local_live_api import voice

RATE = 24000
WOMEN = [
    "Achernar", "Aoede", "Autonoe", "Callirrhoe", "Despina", "Erinome", "Gacrux", "Kore",
    "Laomedeia", "Leda", "Pulcherrima", "Sulafat", "Vindemiatrix", "Zephyr",
]  # fmt: skip
MEN = [
    "Achird", "Algenib", "Algieba", "Alnilam", "Charon", "Enceladus", "Fenrir", "Iapetus", "Orus",
    "Puck", "Rasalgethi", "Sadachbia", "Sadaltager", "Schedar", "Umbriel", "Zubenelgenubi",
]  # fmt: skip
VOICES = WOMEN + MEN
TEXT = (
    "The weather in Lisbon will be mostly sunny this weekend, with highs around twenty six "
    "degrees. On Saturday, expect a light breeze from the north; Sunday may bring a few clouds in "
    "the afternoon. Would you like to know about anything else?"
)


def level(samples: np.ndarray) -> float:
    """RMS level in dBFS."""
    return float(10 * np.log10(np.mean((samples / 32768.0) ** 2) + 1e-12))


def pitch(samples: np.ndarray) -> float:
    """Fundamental frequency in Hz, from the highest peak of the autocorrelation."""
    signal = samples[:, 0] / 32768.0
    spectrum = np.fft.rfft(signal, 2 * len(signal))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)
    shortest, longest = RATE // 350, RATE // 70
    return RATE / (shortest + int(np.argmax(correlation[shortest:longest])))


def span(start: float, end: float, rate: int = RATE) -> slice:
    return slice(round(start * rate), round(end * rate))


@settings(max_examples=50)
@given(st.text(max_size=20), st.text(max_size=8))
def test_any_text_and_voice_keep_the_contract(text: str, name: str) -> None:
    samples = voice.synthesize(text, voice=name)
    words = voice.spoken_words(text, voice=name)
    assert samples.dtype == np.int16
    assert samples.shape == (round(words[-1][2] * RATE) if words else 0, 1)
    assert np.abs(samples.astype(int)).max(initial=0) < 0.7 * 32768
    assert np.array_equal(samples, voice.synthesize(text, voice=name))


@given(st.text(max_size=40))
def test_words_are_in_order_and_lose_nothing(text: str) -> None:
    words = voice.spoken_words(text)
    assert "".join(word for word, _, _ in words) == "".join(text.split())
    assert all(start <= end for _, start, end in words)
    assert all(before[2] <= after[1] for before, after in itertools.pairwise(words))


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12))
def test_every_latin_word_is_spoken(word: str) -> None:
    samples = voice.synthesize(word)
    assert level(samples) > -35
    assert 0.1 < len(samples) / RATE < 0.2 * len(word) + 0.2


@pytest.mark.parametrize("text", ["", " \n", "...", "\N{GRINNING FACE} -"])
def test_nothing_to_pronounce_is_no_audio(text: str) -> None:
    samples = voice.synthesize(text)
    assert samples.shape == (0, 1)
    assert samples.dtype == np.int16


@pytest.mark.parametrize("name", VOICES)
def test_pace_is_that_of_speech(name: str) -> None:
    words = voice.spoken_words(TEXT, voice=name)
    assert 145 < 60 * len(words) / words[-1][2] < 170


@pytest.mark.parametrize("name", [*VOICES, "Someone Else"])
def test_words_are_audible_and_pauses_silent(name: str) -> None:
    samples = voice.synthesize(TEXT, voice=name)
    words = voice.spoken_words(TEXT, voice=name)
    for word, start, end in words:
        assert level(samples[span(start, end)]) > -35, word
    for (_, _, end), (_, start, _) in itertools.pairwise(words):
        assert not samples[span(end, start)].any()
    assert samples[0] == samples[-1] == 0
    assert 20 * np.log10(np.abs(samples.astype(int)).max() / 32768) == pytest.approx(-6, abs=1)


def test_punctuation_makes_pauses() -> None:
    (_, _, a), (_, b, c), (_, d, e), (_, f, _) = voice.spoken_words("one two, three. four")
    assert 0 < b - a < d - c < f - e


def test_punctuation_of_its_own_makes_a_pause_but_no_word() -> None:
    one, dash, two = voice.spoken_words("one \N{EN DASH} two")
    assert dash[1] == dash[2] == one[2]
    assert two[1] - one[2] > 0.15


def test_questions_end_higher() -> None:
    last = span(0.7 * voice.spoken_words("ma na la")[-1][2], 99)
    question, statement = (voice.synthesize(f"ma na la{mark}")[last] for mark in "?.")
    assert pitch(question) > 1.1 * pitch(statement)


def test_chinese_takes_a_syllable_a_character() -> None:
    words = voice.spoken_words("\u4f60\u597d\uff0c\u4e16\u754c\u3002\u4eca\u5929")
    assert [word for word, _, _ in words] == [
        "\u4f60\u597d\uff0c",
        "\u4e16\u754c\u3002",
        "\u4eca\u5929",
    ]
    assert all(0.3 < end - start < 0.6 for _, start, end in words)


@pytest.mark.parametrize(
    "text",
    [
        "\u041f\u0440\u0438\u0432\u0435\u0442",  # Cyrillic
        "\u0645\u0631\u062d\u0628\u0627",  # Arabic
        "\u0928\u092e\u0938\u094d\u0924\u0947",  # Devanagari
        "\uc548\ub155\ud558\uc138\uc694",  # Hangul
        "\u3053\u3093\u306b\u3061\u306f",  # Hiragana
    ],
)
def test_other_scripts_are_spoken(text: str) -> None:
    assert 0.15 < voice.spoken_words(text)[-1][2] < 1.2
    assert level(voice.synthesize(text)) > -35


def test_voices_differ_in_pitch() -> None:
    names = ["Aoede", "Charon", "Fenrir", "Kore", "Leda", "Orus", "Puck", "Zephyr"]
    pitches = {name: pitch(voice.synthesize("Mamma, lull a llama.", voice=name)) for name in names}
    assert all(70 < pitches[name] < 150 for name in names if name in MEN)
    assert all(150 < pitches[name] < 280 for name in names if name in WOMEN)
    assert all(b > 1.03 * a for a, b in itertools.pairwise(sorted(pitches.values())))


def test_no_two_voices_are_alike() -> None:
    vowel = {name: voice.synthesize("a", voice=name)[:, 0] for name in MEN + WOMEN}
    assert len({samples.tobytes() for samples in vowel.values()}) == 30
    zero_crossings = {
        name: float(np.mean(np.abs(np.diff(np.sign(samples.astype(int)))))) / 2
        for name, samples in vowel.items()
    }
    assert len(set(zero_crossings.values())) > 25
    assert all(
        voice._speaker(man).pitch < 150 < voice._speaker(woman).pitch
        for man in MEN
        for woman in WOMEN
    )


def test_an_unknown_voice_is_the_same_in_every_process() -> None:
    # Python's own hash would give other values in another process.
    samples = voice.synthesize("Mamma mia", voice="Nobody")
    assert len(samples) == 14277
    assert pitch(samples) == pytest.approx(96, rel=0.01)
    assert not np.array_equal(samples, voice.synthesize("Mamma mia", voice="Nobody else"))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_timing_does_not_depend_on_the_rate(rate: int) -> None:
    samples = voice.synthesize(TEXT, rate=rate)
    words = voice.spoken_words(TEXT)
    assert len(samples) == round(words[-1][2] * rate)
    assert all(level(samples[span(start, end, rate)]) > -35 for _, start, end in words)
