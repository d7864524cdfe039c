"""Texts as speech: samples, and when each word of the text is spoken.

Two engines make them. eSpeak NG speaks real, intelligible words in a hundred languages; it is used
where the package espeakng-loader is installed, which brings it: `pip install
'live-pipeline[speech]'`. eSpeak NG is licensed under the GPL-3.0-or-later and is no part of this
package, hence an extra. Everywhere else the synthetic signal of `voice` stands in, and also for a
passage on which eSpeak NG fails.

`speak` blocks for some milliseconds per second of speech, so that an event loop should call it in a
worker thread; any number of threads may.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import OrderedDict
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline import SettingError
from processors.local_live_api import espeak
from processors.local_live_api.voice import WORDS, spoken_words, synthesize

Engine = Literal["espeak-ng", "synthetic"]
Samples = NDArray[np.int16]

LONGEST_SECONDS = 1800
"""Where an utterance ends, in seconds, up to the end of a passage of `PASSAGE` characters."""
KEPT_SECONDS, KEPT_COUNT = 600, 256
"""The cache: so much audio at 24 kHz (29 MB), and so many utterances, the latest used."""
PASSAGE = 1000
"""Characters spoken at a time, which bounds the memory that it takes."""
PASSAGE_PAUSE = 0.4  # seconds


class Utterance(NamedTuple):
    """A spoken text.

    samples: int16, shape (n, 1), read-only; it lasts until its last word ends. rate: samples per
    second. words: (word, start, end) in the order of the text, in seconds from the beginning. Each
    word keeps its punctuation and the white space that follows, so that the words, joined as they
    are, give the text. A word that is not pronounced takes no time.
    """

    samples: Samples
    rate: int
    words: tuple[tuple[str, float, float], ...]


def speak(
    text: str,
    *,
    voice: str,
    language: str | None = None,
    rate: int = 24000,
    engine: Literal["auto", Engine] = "auto",
) -> Utterance:
    """Speak a text.

    Equal arguments give equal samples, from a cache where they are recent.

    Args:
      text: what to say: plain text in any script, in which markup is no markup. The speech of a
        text too long for `LONGEST_SECONDS` is broken off; the words left over take no time.
      voice: a name. Every name, known or not, has its own pitch, timbre and pace.
      language: a BCP-47 tag such as de-DE. One that eSpeak NG lacks is cut from the right until it
        has one, and is English in the end. None: a language written in the script of the first
        letter. The synthetic engine reads all languages alike.
      rate: samples per second, at least 8000.
      engine: `auto` is eSpeak NG where it is installed.

    Raises:
      SettingError: eSpeak NG is asked for and is not installed.
    """
    chosen = speech_engine() if engine == "auto" else engine
    if chosen == "espeak-ng" and not espeak.installed():
        raise SettingError(
            "eSpeak NG is not installed",
            setting="engine",
            hint="pip install 'live-pipeline[speech]'",
        )
    key = (text, voice, language, rate, chosen)
    utterance = _KEPT.get(key)
    if utterance is None:
        with _MAKING[hash(key) % len(_MAKING)]:  # many sessions may say the same at a time
            utterance = _KEPT.get(key)
            if utterance is None:
                utterance = _spoken(text, voice, language, rate, chosen)
                _KEPT.put(key, utterance)
    return utterance


def speech_engine() -> Engine:
    """The engine that `auto` stands for here."""
    return "espeak-ng" if espeak.installed() else "synthetic"


# --- both engines ---


class _Cache:
    """The utterances used last, within the bounds above."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Any, ...], Utterance] = OrderedDict()
        self._size = 0

    def get(self, key: tuple[Any, ...]) -> Utterance | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[Any, ...], utterance: Utterance) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = utterance
                self._size += len(utterance.samples)
            while self._size > KEPT_SECONDS * 24000 or len(self._kept) > KEPT_COUNT:
                self._size -= len(self._kept.popitem(last=False)[1].samples)


_KEPT = _Cache()
_MAKING = [threading.Lock() for _ in range(64)]
_BLACK = rf"\S(?:.{{0,{PASSAGE - 2}}}\S)?"
_PASSAGE = re.compile(  # to the end of the text, or else of a sentence, or else of a word
    rf"\s*(?:{_BLACK}(?=\s*\Z)|{_BLACK}(?<=[.!?])(?=\s)|{_BLACK}(?<=[\u3002\uff01\uff1f])"
    rf"|{_BLACK}(?=\s)|{_BLACK})\s*",
    re.DOTALL,
)


def _spoken(text: str, voice: str, language: str | None, rate: int, engine: Engine) -> Utterance:
    parts: list[Samples] = []
    words: list[tuple[str, float, float]] = []
    seconds, length = 0.0, 0
    # Of white space alone there is no passage, which would take long to find out.
    for passage in _PASSAGE.findall(text if text.strip() else ""):
        divided = _divided(passage)
        samples, times = np.zeros((0, 1), np.int16), [(0.0, 0.0)] * len(divided)
        if seconds < LONGEST_SECONDS:
            real = engine == "espeak-ng" and espeak.spoken(
                passage, voice=voice, language=language, rate=rate
            )
            samples, times = real or _synthetic(passage, voice, rate)
        if len(samples):
            seconds += PASSAGE_PAUSE if length else 0.0
            parts += [np.zeros((round(seconds * rate) - length, 1), np.int16), samples]
            length += len(parts[-2]) + len(samples)
        words += [
            (word, seconds + start, seconds + end)
            for word, (start, end) in zip(divided, times, strict=True)
        ]
        seconds = words[-1][2]
    joined = np.concatenate(parts) if parts else np.zeros((0, 1), np.int16)
    joined.setflags(write=False)
    return Utterance(joined, rate, tuple(words))


def _synthetic(text: str, voice: str, rate: int) -> tuple[Samples, list[tuple[float, float]]]:
    times = [(start, end) for _, start, end in spoken_words(text, voice=voice)]
    return synthesize(text, voice=voice, rate=rate), times


def _divided(text: str) -> list[str]:
    """The words as `spoken_words` parts them, with white space, which also begins the first."""
    begins = [match.start() for match in WORDS.finditer(text)]
    edges = [0, *begins[1:], len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]
