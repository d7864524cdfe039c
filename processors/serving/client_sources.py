"""What a client says, types and shows, in the places of this machine's devices."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    Context,
    ImageFrame,
    Source,
    TextFrame,
)
from processors.audio.pcm import nanoseconds_of
from processors.audio.resampler import Resampler
from processors.serving.line import Line, Spoken
from processors.serving.protocol import Typed

MS = 1_000_000
ROUNDING_MS = 1.0
PAUSE = SECOND
"""Nanoseconds without sound, after which it is no longer taken to be late but to be missing."""


class ClientMicrophone(Source):
    """The client's microphone, at the rate and with the channels that the graph asks for."""

    device = "microphone"

    def __init__(self, line: Line, rate: int = 16_000, channels: int = 1) -> None:
        self.line = line
        self.rate = rate
        self.channels = channels

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(self.rate, self.channels)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        resampler = Resampler(self.rate, self.channels)
        clock = _MicrophoneClock(self.line, self.context)
        async for spoken in self.line.sound:
            samples = np.frombuffer(spoken.pcm, "<i2").reshape(-1, 1)
            pts = clock.place(spoken, len(samples))
            for frame in resampler.process(AudioFrame(samples, spoken.rate, pts=pts)):
                yield frame
            if self.line.sound.dropped:
                self.context.dropped("client too fast", self.line.sound.dropped)
                self.line.sound.dropped = 0
        for frame in resampler.flush():
            yield frame


class _MicrophoneClock:
    """Where the client's sound belongs in media time: end to end, but for what is missing."""

    def __init__(self, line: Line, context: Context) -> None:
        self._line = line
        self._context = context
        self._end: int | None = None
        self._end_ms = 0.0
        self._arrived = 0

    def place(self, spoken: Spoken, count: int) -> int:
        """The media time of `count` samples."""
        duration, now = nanoseconds_of(count, spoken.rate), self._context.now()
        begin, silence = self._end, now - self._arrived
        self._arrived = now
        if begin is None:
            begin = max(0, now - duration)
        elif spoken.at_ms - self._end_ms > ROUNDING_MS:
            begin += round((spoken.at_ms - self._end_ms) * MS)
            begin = max(self._end or 0, min(begin, now))  # it cannot have been spoken yet
        elif spoken.prompt and silence > PAUSE:
            begin = max(begin, now - duration)
        if begin != self._end:
            self._line.anchor(begin, spoken.at_ms)
        self._end = begin + duration
        self._end_ms = spoken.at_ms + duration / MS
        return begin


class ClientKeyboard(Source):
    """What the client types, line by line."""

    device = "keyboard"

    def __init__(self, line: Line) -> None:
        self.line = line

    async def frames(self) -> AsyncIterator[TextFrame]:
        async for text in self.line.text:
            if text.strip():
                self.line.mailbox.tell(Typed(text=text.strip()))
                yield TextFrame(text.strip(), pts=self.context.now())
            if self.line.text.dropped:
                self.context.dropped("client too fast", self.line.text.dropped)
                self.line.text.dropped = 0


class ClientCamera(Source):
    """The client's camera: of pictures that come faster than they are taken, the newest."""

    device = "camera"

    def __init__(self, line: Line) -> None:
        self.line = line

    async def frames(self) -> AsyncIterator[ImageFrame]:
        async for image in self.line.images:
            yield ImageFrame(image.data, image.mime_type, pts=self.context.now())
