"""A synthetic, voice-like speech signal made with numpy alone.

Nobody would take it for a person or understand a word, but it has what audio code listens for:
syllables at a speaking pace, a moving pitch, formants, noisy consonants and silent pauses.
Spelling is read by rough English rules; other scripts are approximated.
"""

import hashlib
import re
import unicodedata
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class _Voice(NamedTuple):
    pitch: float  # typical fundamental frequency, Hz
    formants: float  # formant frequencies, relative to an average male voice
    pace: float  # relative to about 160 words a minute


_VOICES = {
    "Achernar": _Voice(pitch=226, formants=1.21, pace=1.00),
    "Achird": _Voice(pitch=136, formants=1.03, pace=1.03),
    "Algenib": _Voice(pitch=89, formants=0.96, pace=0.97),
    "Algieba": _Voice(pitch=121, formants=0.99, pace=0.97),
    "Alnilam": _Voice(pitch=101, formants=0.94, pace=1.03),
    "Aoede": _Voice(pitch=196, formants=1.14, pace=0.98),
    "Autonoe": _Voice(pitch=219, formants=1.21, pace=1.01),
    "Callirrhoe": _Voice(pitch=207, formants=1.15, pace=0.98),
    "Charon": _Voice(pitch=92, formants=0.94, pace=0.97),
    "Despina": _Voice(pitch=184, formants=1.14, pace=1.02),
    "Enceladus": _Voice(pitch=95, formants=0.92, pace=1.02),
    "Erinome": _Voice(pitch=202, formants=1.16, pace=1.03),
    "Fenrir": _Voice(pitch=117, formants=0.98, pace=1.02),
    "Gacrux": _Voice(pitch=160, formants=1.09, pace=1.01),
    "Iapetus": _Voice(pitch=111, formants=0.99, pace=1.01),
    "Kore": _Voice(pitch=178, formants=1.11, pace=1.00),
    "Laomedeia": _Voice(pitch=240, formants=1.19, pace=0.97),
    "Leda": _Voice(pitch=232, formants=1.20, pace=1.01),
    "Orus": _Voice(pitch=104, formants=0.96, pace=0.99),
    "Puck": _Voice(pitch=132, formants=1.00, pace=1.03),
    "Pulcherrima": _Voice(pitch=172, formants=1.13, pace=0.97),
    "Rasalgethi": _Voice(pitch=114, formants=0.95, pace=1.00),
    "Sadachbia": _Voice(pitch=141, formants=1.01, pace=0.98),
    "Sadaltager": _Voice(pitch=128, formants=1.02, pace=0.99),
    "Schedar": _Voice(pitch=108, formants=0.99, pace=0.98),
    "Sulafat": _Voice(pitch=166, formants=1.08, pace=1.00),
    "Umbriel": _Voice(pitch=124, formants=0.98, pace=1.02),
    "Vindemiatrix": _Voice(pitch=190, formants=1.11, pace=0.99),
    "Zephyr": _Voice(pitch=213, formants=1.17, pace=1.03),
    "Zubenelgenubi": _Voice(pitch=98, formants=0.96, pace=0.99),
}


class _Phone(NamedTuple):
    seconds: float
    level: float  # peak, relative to a stressed vowel
    formants: tuple[float, ...] = ()  # Hz; none for noise


_PHONES = {
    "a": _Phone(0.155, 1.0, (730, 1090, 2440)),
    "e": _Phone(0.140, 1.0, (530, 1840, 2480)),
    "i": _Phone(0.135, 1.0, (290, 2290, 3010)),
    "o": _Phone(0.150, 1.0, (570, 840, 2410)),
    "u": _Phone(0.140, 1.0, (310, 870, 2240)),
    "@": _Phone(0.125, 1.0, (500, 1500, 2500)),
    "j": _Phone(0.070, 0.6, (280, 2200, 2900)),
    "l": _Phone(0.075, 0.5, (370, 1200, 2500)),
    "n": _Phone(0.075, 0.5, (260, 1100, 2300)),
    "w": _Phone(0.070, 0.5, (300, 700, 2200)),
    "f": _Phone(0.085, 0.12),
    "s": _Phone(0.105, 0.25),
    "t": _Phone(0.080, 0.3),
}
_UNSTRESSED = 0.8  # level of the vowels after a word's first
_BLEND = 0.025  # seconds by which neighbouring phones overlap

_SYMBOLS = "0123456789&@%"
_SYMBOL_NAMES = "ziro wun tu thri for faiv siks seven eit nain and at persent"
_SPELLING = str.maketrans(
    # Some Latin, all Cyrillic and Greek letters; those that Arabic and Hebrew read as vowels.
    "æœøıłđабвгдежзиклмнопрстуфхцчшщыэюяαβγδεζηθικλμνξοπρσςτυφχψω"
    "\u0627\u0648\u064a\u0649\u05d0\u05d5\u05d9",
    "eeeildabvgdezziklmnoprstufhssssieuaavgdezifiklmnsoprsstifhsoauiiaui",
) | dict(zip(map(ord, _SYMBOLS), _SYMBOL_NAMES.split(), strict=True))
# Looks at the spelling, since an e is silent in English only.
_SILENT_E = re.compile(r"(?<=[aeiou][b-df-hj-np-tv-z])e(?=\W*\Z)", re.IGNORECASE)
_RULES = (  # in order
    (re.compile(r"[sc]h|c(?=[eiy])"), "s"),
    (re.compile(r"[tp]h"), "f"),
    (re.compile(r"(?<=[aeiou])gh|(?<=w)h"), ""),
    (re.compile(r"y(?=[aeiou])"), "j"),
    (re.compile(r"([^aeiou])\1+"), r"\1"),
)
_CLASSES = str.maketrans("bcdgkpqhvmrxyz", "tttttttffnlsis")
_SOUNDS = re.compile(r"[aeiou@]{1,2}|[^aeiou@]")

# Full-width punctuation parts words too, for the scripts that write no spaces.
_WIDE = "\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f"
WORDS = re.compile(rf"[^\s{_WIDE}]+[{_WIDE}]*|[{_WIDE}]+")
_SENTENCE = re.compile("[.!?\u2026\u061f\u06d4\u0964\u3002\uff01\uff1f]")
_QUESTION = re.compile("[?\u061f\uff1f]")
_CLAUSE = re.compile("[,;:\u2013\u2014\u060c\u3001\uff0c\uff1a\uff1b]")
_WORD_PAUSE, _CLAUSE_PAUSE, _SENTENCE_PAUSE = 0.03, 0.18, 0.40  # seconds

_PEAK = 0.5 * 32767  # about -6 dBFS
_CYCLE = 2048  # samples in a tabulated glottal cycle, a power of two
_HISS = np.random.default_rng(0).uniform(-1.0, 1.0, 1 << 15)
_BRIGHT_HISS = (_HISS - np.roll(_HISS, 1)) / 2.0


class _Sound(NamedTuple):
    phones: str  # one consonant, or one or two vowels
    start: float  # seconds, like end
    end: float
    level: float


def synthesize(text: str, *, voice: str = "Puck", rate: int = 24000) -> NDArray[np.int16]:
    """Speaks a text.

    Args:
      text: what to say, in any script; punctuation makes pauses and questions.
      voice: a name. Every name, known or not, has its own pitch, timbre and pace.
      rate: samples per second, at least 8000.

    Returns:
      int16, shape (n, 1): peaks near -6 dBFS, zero in pauses and at both ends. It lasts until the
      last of `spoken_words` ends; n is 0 if nothing can be pronounced. Equal arguments give equal
      samples.
    """
    speaker = _speaker(voice)
    words, sounds = _plan(text, speaker.pace)
    if not sounds:
        return np.zeros((0, 1), np.int16)
    signal = np.zeros(round(words[-1][2] * rate))
    pitch = speaker.pitch * _intonation(words, len(signal), rate)
    phase = (np.cumsum(pitch) * (_CYCLE / rate)).astype(np.intp) & (_CYCLE - 1)
    for phones, start, end, level in sounds:
        span = slice(round(start * rate), round(end * rate))
        progress = np.linspace(0.0, 1.0, span.stop - span.start)
        ramp = np.minimum(progress, 1.0 - progress) * ((end - start) * speaker.pace / _BLEND)
        envelope = np.sin(np.pi / 2 * np.minimum(ramp, 1.0)) ** 2
        if _PHONES[phones[0]].formants:
            f0 = float(pitch[(span.start + span.stop) // 2])
            wave = _cycle(phones[0], f0, speaker.formants, rate)[phase[span]]
            if phones[0] != phones[-1]:
                glide = _cycle(phones[-1], f0, speaker.formants, rate)[phase[span]]
                wave += progress * (glide - wave)
        else:
            hiss = _BRIGHT_HISS if phones == "s" else _HISS
            wave = hiss.take(np.arange(span.start, span.stop), mode="wrap")
            if phones == "t":  # a stop is a short burst amid the silence of its closure
                envelope = np.sin(np.pi * progress) ** 8
        signal[span] += level * envelope * wave
    return np.rint(_PEAK * signal).astype(np.int16)[:, np.newaxis]


def spoken_words(text: str, *, voice: str = "Puck") -> list[tuple[str, float, float]]:
    """Tells when `synthesize` speaks each word of a text.

    Returns:
      (word, start, end) in the order of the text, in seconds from its beginning. Words are parted
      by white space and keep their punctuation; full-width punctuation also ends a word. A word
      that cannot be pronounced takes no time.
    """
    return _plan(text, _speaker(voice).pace)[0]


def _speaker(voice: str) -> _Voice:
    if known := _VOICES.get(voice):
        return known
    digest = hashlib.blake2b(voice.encode("utf-8", "surrogatepass"), digest_size=3).digest()
    height, colour, pace = (byte / 255 for byte in digest)
    # Higher voices come from shorter vocal tracts, so the formants follow the pitch.
    return _Voice(90 * 2.6**height, 0.92 + 0.24 * height + 0.06 * colour, 0.97 + 0.06 * pace)


def _plan(text: str, pace: float) -> tuple[list[tuple[str, float, float]], list[_Sound]]:
    """What `spoken_words` returns, and the sounds to make."""
    words: list[tuple[str, float, float]] = []
    sounds: list[_Sound] = []
    end, pause = 0.0, 0.0
    for word in WORDS.findall(text):
        start = end
        if phones := _phones(word):
            start += pause / pace if sounds else 0.0
            cursor, vowel_level = start, 1.0
            for group in phones:
                seconds, level, _ = _PHONES[group[0]]
                if group[0] in "aeiou@":
                    level, vowel_level = vowel_level, _UNSTRESSED
                end = cursor + seconds / pace
                sounds.append(_Sound(group, cursor, end, level))
                cursor = end - _BLEND / pace
            pause = 0.0
        words.append((word, start, end))
        marks = _marks(word)
        at_clause = _CLAUSE_PAUSE if _CLAUSE.search(marks) else _WORD_PAUSE
        pause = max(pause, _SENTENCE_PAUSE if _SENTENCE.search(marks) else at_clause)
    return words, sounds


def _marks(word: str) -> str:
    """The punctuation after a word."""
    return re.split(r"\w", word)[-1]


def _phones(word: str) -> list[str]:
    """The sounds of a word, each one consonant or one or two vowels."""
    letters = "".join(map(_letters, _SILENT_E.sub("", word)))
    for pattern, replacement in _RULES:
        letters = pattern.sub(replacement, letters)
    phones = letters.translate(_CLASSES)
    if phones and not set(phones) & set("aeiou"):
        phones = phones[0] + "@" + phones[1:]
    return _SOUNDS.findall(phones)


def _letters(character: str) -> str:
    """What to read for a character, in the letters a to z; empty if it is not pronounced."""
    base = unicodedata.normalize("NFKD", character)[0].lower()
    spelled = base.translate(_SPELLING)
    if spelled.isascii() and spelled.isalpha():
        return spelled
    if not character.isalnum():
        return ""
    if base < "\u0900":  # the alphabets
        return "t"
    # Beyond, nearly every character is a syllable, and its name often tells which.
    name = unicodedata.name(character, "").rpartition(" ")[2].lower()
    code = ord(character)
    return name if name.isalpha() else "tsnlf"[code % 5] + "aeiou"[code // 5 % 5]


def _intonation(words: list[tuple[str, float, float]], size: int, rate: int) -> NDArray[np.float64]:
    """Pitch relative to the voice's own for each sample, shape (size,)."""
    times, pitches = [0.0], [1.0]
    first = 0.0
    for (word, _, end), following in zip(words, [*words[1:], None], strict=True):
        marks = _marks(word)
        if following is None or _SENTENCE.search(marks):
            times += [first, 0.25 * first + 0.75 * end, end]
            pitches += [1.12, 0.95, 1.2 if _QUESTION.search(marks) else 0.84]
            first = following[1] if following else end
    t = np.arange(0.0, size / rate + 0.005, 0.005)  # fine enough for so slow a movement
    lilt = 1.0 + 0.03 * np.sin(2 * np.pi * 2.1 * t) + 0.012 * np.sin(2 * np.pi * 5.3 * t)
    return np.asarray(np.interp(np.arange(size) / rate, t, lilt * np.interp(t, times, pitches)))


def _cycle(phone: str, f0: float, scale: float, rate: int) -> NDArray[np.float64]:
    """One glottal cycle through the formants of a phone, shape (_CYCLE,), peak 1."""
    harmonics = np.arange(1, min(int(0.45 * rate / f0), _CYCLE // 2) + 1)
    formants = scale * np.array([_PHONES[phone].formants]).T
    ratios = harmonics * f0 / formants
    bandwidths = np.array([[80.0], [110.0], [160.0]])
    response = 1.0 / (1.0 - ratios**2 + 1j * ratios * bandwidths / formants)
    spectrum = np.zeros(_CYCLE // 2 + 1, np.complex128)
    spectrum[harmonics] = response.prod(axis=0) / harmonics
    cycle = np.fft.irfft(spectrum, _CYCLE)
    return np.asarray(cycle / np.abs(cycle).max())
