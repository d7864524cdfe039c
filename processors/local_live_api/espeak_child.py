"""eSpeak NG in a process of its own: one request on standard input, one answer, and the end.

The library can crash on unusual text, writes to standard error, and carries over to the next text
the state of its flutter and its dynamics. A process for each text keeps all that away. It starts in
milliseconds because this file imports little, and nothing outside the standard library.

Request: a JSON object with `library` and `data`, the paths of both. Without `text`, the answer is a
JSON object: language tag to the identifier of the best voice. With `text`, also `voice`, `pitch`
(0 to 99), `pace` (words a minute) and `volume`; the answer is a line of JSON with `rate` and
`onsets`, pairs of a position in the text and a sample at which a word begins; then the samples,
16-bit, mono, native byte order.

The interface of the library is documented in its speak_lib.h.
"""

import ctypes
import itertools
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

SYNCHRONOUS, DONT_EXIT, UTF_8 = 2, 0x8000, 1
RATE, VOLUME, PITCH = 1, 2, 3
END, WORD = 0, 1  # events


class Event(ctypes.Structure):
    """`espeak_EVENT`."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_uint64),  # a union of a number, a pointer and eight characters
    ]


class Voice(ctypes.Structure):
    """The beginning of `espeak_VOICE`."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # priority byte and tag, over and over, and a zero byte
        ("identifier", ctypes.c_char_p),
    ]


Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


def main() -> None:
    """Answer one request."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints is no answer
    request = json.load(sys.stdin.buffer)
    library = ctypes.CDLL(request["library"])
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, os.fsencode(request["data"]), DONT_EXIT)
    if rate <= 0:
        raise SystemExit("no voices")
    if "text" in request:
        onsets, samples = spoken(library, request)
        answer.write(json.dumps({"rate": rate, "onsets": onsets}).encode() + b"\n" + samples)
    else:
        answer.write(json.dumps(best_voices(library)).encode())
    answer.close()


def spoken(library: Any, request: dict[str, Any]) -> tuple[list[tuple[int, int]], bytes]:
    """Onsets of words and 16-bit samples of a text."""
    onsets: list[tuple[int, int]] = []
    chunks: list[bytes] = []

    def take(wave: Any, count: int, events: Any) -> int:
        current = itertools.takewhile(lambda event: event.type != END, events)
        onsets.extend((e.text_position - 1, e.sample) for e in current if e.type == WORD)
        if wave and count > 0:
            chunks.append(ctypes.string_at(wave, 2 * count))
        return 0

    callback = Callback(take)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(request["voice"].encode())
    for parameter, name in ((RATE, "pace"), (PITCH, "pitch"), (VOLUME, "volume")):
        library.espeak_SetParameter(parameter, request[name], 0)
    text = request["text"].encode() + b"\0"
    library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, UTF_8, None, None)
    return onsets, b"".join(chunks)


def best_voices(library: Any) -> dict[str, str]:
    """The identifier of the best voice for every language tag, in lower case."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(Voice))
    best: dict[str, tuple[int, str]] = {}
    for voice in itertools.takewhile(bool, library.espeak_ListVoices(None)):
        for priority, tag in languages(voice.contents.languages):
            one = (priority, voice.contents.identifier.decode())
            best[tag] = min(best.get(tag, one), one)
    return {tag: identifier for tag, (_, identifier) in best.items()}


def languages(address: int) -> Iterator[tuple[int, str]]:
    """Priority, 1 being best, and tag of each language of a voice."""
    while priority := ctypes.string_at(address, 1)[0]:
        tag = ctypes.string_at(address + 1)
        yield priority, tag.decode()
        address += 2 + len(tag)


if __name__ == "__main__":
    main()
