"""Real speech, where eSpeak NG is installed."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processors.local_live_api import espeak, espeak_child
from processors.local_live_api.voice import WORDS

pytest.importorskip(
    "espeakng_loader", reason="needs eSpeak NG: pip install 'live-pipeline[speech]'"
)

RATE = 24000
WOMEN = [
    "Achernar", "Aoede", "Autonoe", "Callirrhoe", "Despina", "Erinome", "Gacrux", "Kore",
    "Laomedeia", "Leda", "Pulcherrima", "Sulafat", "Vindemiatrix", "Zephyr",
]  # fmt: skip
MEN = [
    "Achird", "Algenib", "Algieba", "Alnilam", "Charon", "Enceladus", "Fenrir", "Iapetus", "Orus",
    "Puck", "Rasalgethi", "Sadachbia", "Sadaltager", "Schedar", "Umbriel", "Zubenelgenubi",
]  # fmt: skip
LANGUAGES = [
    "ar-EG", "bn-BD", "de-DE", "en-IN", "en-US", "es-US", "fr-FR", "hi-IN", "id-ID", "it-IT",
    "ja-JP", "ko-KR", "mr-IN", "nl-NL", "pl-PL", "pt-BR", "ro-RO", "ru-RU", "ta-IN", "te-IN",
    "th-TH", "tr-TR", "uk-UA", "vi-VN",
]  # fmt: skip


def spoken(text: str, **settings: Any) -> tuple[np.ndarray, list[tuple[float, float]]]:
    answer = espeak.spoken(text, **settings)
    assert answer is not None
    return answer


def pitch(samples: np.ndarray) -> float:
    """Median fundamental frequency in Hz, by autocorrelation of the voiced parts."""
    size, shortest, longest = RATE // 20, RATE // 400, RATE // 65
    pitches = []
    for begin in range(0, len(samples) - size, size // 2):
        window = samples[begin : begin + size, 0] / 32768 * np.hanning(size)
        if window.std() < 0.02:
            continue
        spectrum = np.abs(np.fft.rfft(window, 2 * size)) ** 2
        correlation = np.fft.irfft(spectrum)[:size] / np.linspace(1, 0.3, size)
        lag = shortest + int(np.argmax(correlation[shortest:longest]))
        for part in (3, 2):  # a multiple of the period correlates about as well
            if lag // part >= shortest and correlation[lag // part] > 0.85 * correlation[lag]:
                lag //= part
                break
        if correlation[lag] > 0.5 * correlation[0]:
            pitches.append(RATE / lag)
    return float(np.median(pitches))


def test_the_voices_sound_as_the_service_describes_them() -> None:
    text = "The weather in Lisbon will be mostly sunny this weekend."
    pitches = {name: pitch(spoken(text, voice=name)[0]) for name in MEN + WOMEN}
    assert all(80 < pitches[name] < 150 < pitches[other] < 260 for name in MEN for other in WOMEN)


def test_no_two_voices_are_alike() -> None:
    speakers = [espeak._speaker(name) for name in MEN + WOMEN]
    assert len(set(speakers)) == 30
    # Voices of one timbre are told apart by their pitch.
    speakers.sort()
    for one, other in itertools.pairwise(speakers):
        assert one.variant != other.variant or other.pitch - one.pitch >= 8


def test_unknown_voices_differ_and_stay_as_they_are() -> None:
    speakers = {espeak._speaker(f"Nobody {n}") for n in range(100)}
    assert len(speakers) > 95
    assert all(
        speaker.variant in espeak._VARIANTS and 30 <= speaker.pitch < 80 for speaker in speakers
    )
    assert espeak._speaker("Nobody") == ("m7", 56, 172)  # in every process


def test_variants_exist() -> None:

    import espeakng_loader

    files = {path.name for path in Path(espeakng_loader.get_data_path(), "voices", "!v").iterdir()}
    assert files.issuperset(espeak._VARIANTS)


@pytest.mark.parametrize(
    ("language", "identifier"),
    [
        ("en-US", "gmw/en-US"),
        ("de-DE", "gmw/de"),
        ("DE_at", "gmw/de"),
        ("ja-JP", "jpx/ja"),
        ("zh-CN", "sit/cmn"),
        ("cmn-Hans-CN", "sit/cmn"),
        ("pt-BR", "roa/pt-BR"),
        ("no-NO", "gmq/nb"),
        ("xx-YY", "gmw/en-US"),
        ("../../etc", "gmw/en-US"),
        ("", "gmw/en-US"),
    ],
)
def test_languages(language: str, identifier: str) -> None:
    assert espeak._identifier("Hello", language) == identifier


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_of_the_service_has_a_voice(language: str) -> None:
    assert espeak._identifier("", language).split("/")[-1].startswith(language[:2])


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("1, 2, Hello", "gmw/en-US"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442", "zle/ru"),
        ("\u3053\u3093\u306b\u3061\u306f", "jpx/ja"),
        ("(\u4f60\u597d)", "sit/cmn"),
        ("42", "gmw/en-US"),
    ],
)
def test_without_a_language_the_script_tells(text: str, identifier: str) -> None:
    assert espeak._identifier(text, None) == identifier


def test_languages_sound_different() -> None:
    text = "Information international"
    english, french = (spoken(text, voice="Puck", language=tag)[0] for tag in ("en-US", "fr-FR"))
    assert not np.array_equal(english[:5000], french[:5000])


@pytest.mark.parametrize(
    "text",
    [
        "Of the people, by the people, I am going to be there.",
        "It costs 25.30 - or so - on 12/3/2024!",
        "Gr\u00fc\u00dfe an \U0001f600 dich \U0001f600\U0001f600 you",
        "end of line\r\nnext\tone \x01\x02 more",
    ],
)
def test_words_take_their_time(text: str) -> None:
    samples, times = spoken(text, voice="Puck")
    words = WORDS.findall(text)
    assert len(times) == len(words)
    for word, (start, end) in zip(words, times, strict=True):
        assert (end - start > 0.03) == any(c.isalnum() or ord(c) > 0xFFFF for c in word), word
    assert len(samples) == round(times[-1][1] * RATE)


def test_markup_and_commands_are_no_markup_and_no_commands() -> None:
    # As markup these would be silent, or change the speed, or be phonemes.
    pause, _ = spoken("a <break time='9s'/> b", voice="Puck")
    assert 2 < len(pause) / RATE < 6
    entity, _ = spoken("a &amp; b", voice="Puck")
    both, _ = spoken("a & b", voice="Puck")
    assert len(entity) > len(both)
    slow, _ = spoken("\x0120S one two three", voice="Puck")
    plain, _ = spoken(" 20S one two three", voice="Puck")
    assert np.array_equal(slow, plain)


def test_pauses_are_silent() -> None:
    samples, ((_, end), (start, _)) = spoken("One. Two.", voice="Kore")
    assert start - end > 0.2
    middle = samples[round((end + 0.05) * RATE) : round((start - 0.02) * RATE)]
    assert np.abs(middle).max() < 100


def test_a_crash_is_no_more_than_no_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak_child, "__file__", "/no/such/file.py")
    assert espeak.spoken("Hello", voice="Puck") is None


def test_a_hang_is_no_more_than_no_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spoken("Hello", voice="Puck")
    monkeypatch.setattr(espeak, "_PATIENCE", 0.0)
    assert espeak.spoken("Hello", voice="Puck") is None


def test_without_a_library_that_works_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import espeakng_loader

    monkeypatch.setattr(espeak, "_identifiers", espeak._identifiers.__wrapped__)
    assert espeak.installed()
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: "/no/such/library")
    assert not espeak.installed()


def test_it_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("Hello <b>", "[[xyz]]", "\ue000\ufffe\udc80", "\u0e2a\u0e27\u0e31 \u65e5"):
        for language in ("en-US", "ja-JP", "vi-VN", "xx"):
            spoken(text, voice="Nobody", language=language)
    assert capfd.readouterr() == ("", "")


# --- onsets into words ---


def bursts(*edges: int) -> np.ndarray:
    signal = np.zeros(1000, np.int16)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        signal[begin:end] = 5000
    return signal


def test_a_word_ends_where_it_falls_silent() -> None:
    spans = espeak._spans(bursts(0, 300, 400, 900), {0: 0, 1: 400}, [3, 3])
    assert spans == [(0, 300), (400, 900)]


def test_words_said_together_share_the_time_by_letters() -> None:
    spans = espeak._spans(bursts(0, 500, 600, 900), {0: 0, 3: 600}, [2, 3, 0, 4])
    assert spans == [(0, 200), (200, 500), (500, 500), (600, 900)]


def test_what_comes_before_the_first_onset_shares_its_time() -> None:
    assert espeak._spans(bursts(100, 500), {1: 100}, [0, 4]) == [(0, 0), (0, 500)]


def test_symbols_said_alone_take_the_time() -> None:
    assert espeak._spans(bursts(0, 500), {0: 0}, [0, 0]) == [(0, 500), (500, 500)]


def test_onsets_never_go_back() -> None:
    spans = espeak._spans(bursts(0, 900), {0: 0, 1: 500, 2: 400}, [1, 1, 1])
    assert spans == [(0, 500), (500, 500), (500, 900)]


def test_silence_takes_no_time() -> None:
    assert espeak._spans(bursts(), {}, [0]) == [(0, 0)]
