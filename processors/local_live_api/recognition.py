"""Speech as text, where the package pocketsphinx is installed.

`pip install 'live-pipeline[recognition]'` brings it, with its model of American English; it works
offline and has a BSD-style licence. With a grammar of a few sentences it is quick and mostly right,
but hears one of these sentences in much else too; its open model errs a lot, and understands no
synthetic speech.

A recogniser blocks for some of the time that its speech takes: call it in a worker thread.
"""

from __future__ import annotations

import importlib.util
import os
import re
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

RATE = 16000
_SHORTEST = 0.1  # seconds

_QUIET: dict[str, Any] = {"logfn": os.devnull, "loglevel": "FATAL"}
# Of 60 sentences spoken by eSpeak NG in 12 voices, the defaults understand 44, these 58.
_THOROUGH: dict[str, Any] = {"bestpath": False, "beam": 1e-80, "pbeam": 1e-80, "wbeam": 1e-60}
_NUMBERS = {
    0: "zero", 1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven",
    8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen",
    15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen", 19: "nineteen", 20: "twenty",
    30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety",
}  # fmt: skip
_SPELLINGS = {  # in the phones of the CMU Pronouncing Dictionary, two letters before one
    "ch": "CH", "ck": "K", "ee": "IY", "gh": "G", "ng": "NG", "oo": "UW", "ou": "AW", "ph": "F",
    "qu": "K W", "sh": "SH", "th": "TH", "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH",
    "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N",
    "o": "OW", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W",
    "x": "K S", "y": "IY", "z": "Z", "'": "",
}  # fmt: skip
_SPELLING = re.compile("|".join(_SPELLINGS))


class Recogniser(Protocol):
    """Something that hears words."""

    def words(self, samples: NDArray[np.int16], rate: int) -> str | None:
        """What is said in int16 samples, shape (n,) or (n, 1); None if nothing was understood.

        It blocks; any number of threads may call it, but they take turns.
        """


def recogniser(phrases: Sequence[str] | None) -> Recogniser | None:
    """A recogniser, or None where pocketsphinx is not installed. Making it takes up to a second.

    phrases: the English sentences that it knows; it returns one of them, as it is written here.
    Words that are not in its dictionary are pronounced by simple rules of spelling, and numbers up
    to 99 are read. Sentences with larger numbers or in other scripts are left out; None if no
    sentence remains. Without phrases it knows the 134,000 words of its dictionary, and returns them
    in lower case without punctuation.
    """
    if importlib.util.find_spec("pocketsphinx") is None:
        return None
    if phrases is None:
        return _Sphinx(_decoder(), None)
    said = {said: phrase for phrase in reversed(phrases) if (said := _said(phrase))}
    return _Sphinx(_decoder(list(said)), said) if said else None


class _Sphinx:
    def __init__(self, decoder: Any, phrases: Mapping[str, str] | None) -> None:
        self._decoder = decoder
        self._phrases = phrases
        self._lock = threading.Lock()

    def words(self, samples: NDArray[np.int16], rate: int) -> str | None:
        import soxr

        if len(samples) < _SHORTEST * rate:
            return None
        heard = soxr.resample(samples.reshape(-1), rate, RATE)
        with self._lock:
            self._decoder.start_utt()
            self._decoder.process_raw(heard.tobytes(), full_utt=True)
            self._decoder.end_utt()
            hypothesis = self._decoder.hyp()
        words = hypothesis.hypstr if hypothesis else ""
        return (self._phrases.get(words) if self._phrases else words) or None


def _decoder(phrases: Sequence[str] | None = None) -> Any:
    import pocketsphinx

    if phrases is None:
        return pocketsphinx.Decoder(samprate=RATE, **_QUIET)
    decoder = pocketsphinx.Decoder(samprate=RATE, lm=None, **_THOROUGH, **_QUIET)
    for word in sorted({word for phrase in phrases for word in phrase.split()}):
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, _pronunciation(word), True)
    grammar = f"#JSGF V1.0; grammar phrases; public <phrase> = {' | '.join(phrases)};"
    decoder.add_jsgf_string("phrases", grammar)
    decoder.activate_search("phrases")
    return decoder


def _said(phrase: str) -> str | None:
    """A phrase in lower-case words, the form of the dictionary; None if it has other letters."""
    folded = unicodedata.normalize("NFKD", phrase.lower().replace("\u2019", "'"))
    plain = "".join(c for c in folded if not unicodedata.combining(c))
    words = [word for token in re.findall(r"[\w']+", plain) if (word := token.strip("'_"))]
    read = [_number(int(word)) if re.fullmatch("[0-9]{1,2}", word) else word for word in words]
    return " ".join(read) if all(re.fullmatch("[a-z']+( [a-z]+)?", word) for word in read) else None


def _number(n: int) -> str:
    return _NUMBERS.get(n) or f"{_NUMBERS[n - n % 10]} {_NUMBERS[n % 10]}"


def _pronunciation(word: str) -> str:
    return " ".join(filter(None, (_SPELLINGS[part] for part in _SPELLING.findall(word))))
