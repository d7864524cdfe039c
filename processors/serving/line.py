"""What a conversation's processors share with whatever connection its client has at the moment."""

from __future__ import annotations

from collections import deque
from typing import Generic, NamedTuple, TypeVar

from pipeline import Wakeup
from processors.serving.limits import (
    LINES_PER_S,
    MOST_LINES,
    MOST_PICTURES,
    PICTURES_PER_S,
    SOUND_AHEAD_S,
    SOUND_PACE,
    Allowance,
)
from processors.serving.mailbox import Mailbox
from processors.serving.protocol import DeviceName, Image, Played

T = TypeVar("T")

MOST_SOUNDS = 1500
"""Messages with sound that wait for the graph: 30 s of 20 ms, what a page keeps that is cut off."""
MOST_OTHERS = 64
AHEAD_S = 30.0
"""Seconds of sound that are sent before they are played."""


class Lane(Generic[T]):
    """A queue from the connection to a processor; when it is full, the oldest gives way."""

    def __init__(self, room: int) -> None:
        self.dropped = 0
        self._items: deque[T] = deque()
        self._room = room
        self._changed = Wakeup()
        self._closed = False

    def put(self, item: T) -> None:
        """Never waits."""
        if self._closed:
            return
        if len(self._items) >= self._room:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._changed.wake()

    def close(self) -> None:
        """What is in it can still be taken."""
        self._closed = True
        self._changed.wake()

    def __aiter__(self) -> Lane[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            await self._changed.wait()
        return self._items.popleft()


class Spoken(NamedTuple):
    """Sound of the client's microphone: int16 PCM at `rate` Hz.

    at_ms: its place in all that the microphone has captured.
    prompt: whether it comes as it is spoken; not so after a resume, where it has been kept.
    """

    pcm: bytes
    rate: int
    at_ms: float
    prompt: bool


class Line:
    """From the client: sound, text, pictures, and what it has played. To the client: a mailbox.

    rate: of the microphone, in Hz. devices: those of the client that the graph uses.
    captured_ms: how much sound the microphone has captured, what was lost on the way included.
    texts: how many lines have arrived. *_allowed: of what costs something, however often the
    client comes back.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.devices: set[DeviceName] = set()
        self.sound = Lane[Spoken](MOST_SOUNDS)
        self.text = Lane[str](MOST_OTHERS)
        self.images = Lane[Image](1)
        self.played = Lane[Played](MOST_OTHERS)
        self.mailbox = Mailbox(AHEAD_S)
        self.sound_allowed = Allowance(SOUND_PACE, SOUND_AHEAD_S)
        self.lines_allowed = Allowance(LINES_PER_S, MOST_LINES)
        self.pictures_allowed = Allowance(PICTURES_PER_S, MOST_PICTURES)
        self.captured_ms = 0.0
        self.texts = 0
        self._prompt = True
        self._anchor = (0, 0.0)

    def hear(self, pcm: bytes) -> None:
        """Sound from the client; in pieces of 20 ms, or one could keep the graph busy for long."""
        size = 2 * (self.rate // 50)
        for begin in range(0, len(pcm), size):
            piece = pcm[begin : begin + size]
            self.sound.put(Spoken(piece, self.rate, self.captured_ms, self._prompt))
            self.captured_ms += len(piece) / 2 / self.rate * 1000
            self._prompt = True

    def type(self, text: str) -> None:
        """A line from the client."""
        self.texts += 1
        self.text.put(text)

    def lost(self, ms: float) -> None:
        """The client says that so much is missing before its next sound."""
        self.captured_ms += ms

    def resume(self, rate: int) -> None:
        """The client is back, and may send what it has kept."""
        self.rate = rate
        self._prompt = False

    def heard_back(self, report: Played) -> None:
        """The client says what it has played."""
        self.mailbox.played(report.turn, report.ms)
        self.played.put(report)

    def end_input(self) -> None:
        """The client has nothing more to say."""
        for lane in (self.sound, self.text, self.images):
            lane.close()

    def anchor(self, pts: int, captured_ms: float) -> None:
        """At media time `pts` begins the sound that was captured at `captured_ms`."""
        self._anchor = pts, captured_ms

    def place(self, pts: int) -> float:
        """Where a media time is in what the microphone has captured, in milliseconds."""
        at, captured_ms = self._anchor
        return captured_ms + (pts - at) / 1_000_000
