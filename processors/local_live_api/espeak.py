"""eSpeak NG: real words in a hundred languages.

The package espeakng-loader brings the library and its voices: `pip install
'live-pipeline[speech]'`. eSpeak NG is licensed under the GPL-3.0-or-later and is no part of this
package, hence an extra; it runs in a process of its own (see `espeak_child`).
"""

from __future__ import annotations

import bisect
import hashlib
import importlib.util
import itertools
import json
import logging
import re
import subprocess
import sys
import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.local_live_api import espeak_child
from processors.local_live_api.voice import WORDS

log = logging.getLogger("local_live_api")

Samples = NDArray[np.int16]


class _Speaker(NamedTuple):
    variant: str
    pitch: int  # 0 to 99
    pace: int  # words a minute


_SPEAKERS = {  # in the order of their measured pitch: 89 to 141 Hz, then 160 to 240 Hz
    "Algenib": _Speaker("m3", 28, 165),
    "Charon": _Speaker("m1", 46, 169),
    "Enceladus": _Speaker("m4", 48, 160),
    "Zubenelgenubi": _Speaker("m7", 34, 167),
    "Alnilam": _Speaker("m2", 49, 162),
    "Orus": _Speaker("m6", 51, 170),
    "Schedar": _Speaker("m3", 50, 164),
    "Iapetus": _Speaker("m1", 65, 165),
    "Rasalgethi": _Speaker("m4", 68, 169),
    "Fenrir": _Speaker("m7", 57, 160),
    "Algieba": _Speaker("m2", 65, 167),
    "Umbriel": _Speaker("m6", 69, 162),
    "Sadaltager": _Speaker("m3", 68, 170),
    "Puck": _Speaker("m1", 81, 164),
    "Achird": _Speaker("m4", 86, 165),
    "Sadachbia": _Speaker("m7", 78, 169),
    "Gacrux": _Speaker("f1", 37, 165),
    "Sulafat": _Speaker("f4", 41, 169),
    "Pulcherrima": _Speaker("f2", 34, 160),
    "Kore": _Speaker("f5", 33, 167),
    "Despina": _Speaker("f3", 29, 162),
    "Vindemiatrix": _Speaker("f1", 55, 170),
    "Aoede": _Speaker("f4", 57, 164),
    "Erinome": _Speaker("f2", 51, 165),
    "Callirrhoe": _Speaker("f5", 49, 169),
    "Zephyr": _Speaker("f3", 48, 160),
    "Autonoe": _Speaker("f1", 68, 167),
    "Achernar": _Speaker("f4", 70, 162),
    "Leda": _Speaker("f2", 66, 170),
    "Laomedeia": _Speaker("f5", 64, 164),
}
_VARIANTS = ("m1", "m2", "m3", "m4", "m6", "m7", "f1", "f2", "f3", "f4", "f5")
_SCRIPTS = {  # the first words of the Unicode names of letters
    "ARABIC": "ar",
    "BENGALI": "bn",
    "CJK": "zh",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "GREEK": "el",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}
_ENGLISH = "en-us"
_UNSPOKEN = ("Cc", "Cs", "Co", "Cn")  # a control character can be a command to eSpeak NG
_LOUDNESS = 60  # peaks near -6 dBFS
_AUDIBLE = 100  # about -50 dBFS
_PATIENCE = 60.0  # seconds; it needs less than three for the longest passages


def installed() -> bool:
    """Whether there is an eSpeak NG that works; asks it once, which takes some 40 ms."""
    return importlib.util.find_spec("espeakng_loader") is not None and bool(_identifiers())


def spoken(
    text: str, *, voice: str, language: str | None = None, rate: int = 24000
) -> tuple[Samples, list[tuple[float, float]]] | None:
    """Speak a text of at least one word, best not longer than some minutes. Blocks.

    Args:
      text: plain text: markup is read out, control characters are silent.
      voice: a name. The known ones sound as the service describes them, others somehow of their
        own.
      language: a BCP-47 tag, looked up as RFC 4647 says (section 3.4), at last English. None: that
        of the script of the first letter.
      rate: samples per second.

    Returns:
      int16, shape (n, 1), peaks near -6 dBFS, and (start, end) in seconds of each match of `WORDS`.
      The samples last until the last word ends. Equal arguments give equal samples. None if
      eSpeak NG fails: some texts of mixed scripts crash it in some languages.
    """
    speaker = _speaker(voice)
    answer = _ask(
        text="".join(" " if unicodedata.category(c) in _UNSPOKEN else c for c in text),
        voice=f"{_identifier(text, language)}+{speaker.variant}",
        pitch=speaker.pitch,
        pace=speaker.pace,
        volume=_LOUDNESS,
    )
    if answer is None:
        log.warning("eSpeak NG failed on a text of %d characters", len(text))
        return None
    header, _, data = answer.partition(b"\n")
    native, events = json.loads(header).values()
    words = list(WORDS.finditer(text))
    begins = [word.start() for word in words]
    onsets: dict[int, int] = {}
    for position, sample in events:
        onsets.setdefault(max(bisect.bisect_right(begins, position) - 1, 0), sample)
    signal = np.frombuffer(data, np.int16)
    letters = [sum(map(str.isalnum, word[0])) for word in words]
    times = [(start / native, end / native) for start, end in _spans(signal, onsets, letters)]
    return _resampled(signal, native, rate, times[-1][1]), times


def _ask(**request: Any) -> bytes | None:
    import espeakng_loader

    request["library"] = espeakng_loader.get_library_path()
    try:
        request["data"] = espeakng_loader.get_data_path()
        child = subprocess.run(
            [sys.executable, "-I", "-S", espeak_child.__file__],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=True,
        )
        return child.stdout
    except (OSError, RuntimeError, subprocess.SubprocessError):
        return None


@cache
def _identifiers() -> dict[str, str]:
    """The best voice of eSpeak NG for every language tag that it knows, in lower case."""
    return dict(json.loads(_ask() or b"{}"))


def _identifier(text: str, language: str | None) -> str:
    if language is None:
        first = next(filter(str.isalpha, text), "a")
        language = _SCRIPTS.get(re.split("[ -]", unicodedata.name(first, ""))[0], _ENGLISH)
    known = _identifiers()
    tag = language.lower().replace("_", "-")
    while tag and tag not in known:
        tag = tag.rpartition("-")[0]
    return known[tag or _ENGLISH]


def _speaker(voice: str) -> _Speaker:
    if known := _SPEAKERS.get(voice):
        return known
    digest = hashlib.blake2b(voice.encode("utf-8", "surrogatepass"), digest_size=3).digest()
    variant = _VARIANTS[digest[0] % len(_VARIANTS)]
    return _Speaker(variant, 30 + digest[1] % 50, 158 + digest[2] % 15)


def _spans(signal: Samples, onsets: dict[int, int], letters: list[int]) -> list[tuple[int, int]]:
    """Where each word begins and ends, in samples.

    onsets: the words that eSpeak NG reports. It takes some together, and says punctuation or not:
    the words up to the next onset share the time in proportion to their letters.
    """
    loud = np.flatnonzero(np.abs(signal.astype(np.int32)) > _AUDIBLE)
    firsts = [0, *sorted(onsets.keys() - {0}), len(letters)]
    begins = [0, *(onsets[first] for first in firsts[1:-1]), len(signal)]
    if onsets and 0 not in onsets:  # what comes before the first onset has no time of its own
        del firsts[1], begins[1]
    begins = list(itertools.accumulate(begins, max))
    spans: list[tuple[int, int]] = []
    for (first, stop), (begin, limit) in zip(
        itertools.pairwise(firsts), itertools.pairwise(begins), strict=True
    ):
        heard = loud[: np.searchsorted(loud, limit)]
        end = max(begin, int(heard[-1]) + 1) if len(heard) else begin
        shares = letters[first:stop] if any(letters[first:stop]) else [1] + [0] * (stop - first - 1)
        edges = [
            begin + (end - begin) * share // sum(shares)
            for share in itertools.accumulate(shares, initial=0)
        ]
        spans += itertools.pairwise(edges)
    return spans


def _resampled(signal: Samples, native: int, rate: int, seconds: float) -> Samples:
    """The first `seconds` of a signal at another rate, shape (n, 1)."""
    import soxr

    # As float: int16 output would be dithered, and pauses no longer silent.
    floats = soxr.resample(signal[: round(seconds * native)].astype(np.float32), native, rate)
    samples = np.zeros((round(seconds * rate), 1), np.int16)
    samples[: len(floats), 0] = np.rint(floats[: len(samples)]).clip(-32768, 32767)
    return samples
