"""A gate that lets speech through and nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from pipeline import AudioFrame, SettingError, SpeechEnded, SpeechStarted, Transform
from processors.audio.energy import WINDOW_MS, EnergyDetector
from processors.audio.pcm import nanoseconds_of

MS = 1_000_000


class VadGate(Transform):
    """Passes audio while someone speaks, and says when speech begins and ends.

    What came shortly before the onset is let through after `SpeechStarted`, so that no first
    syllable is clipped. Media times are kept: what is left out is a gap in them.

    threshold_db: how far speech stands out of the noise, in dB.
    onset_ms: speech that it takes to open.
    pre_roll_ms: audio from before the onset that is let through too.
    silence_ms: silence that it takes to call speech ended.
    hangover_ms: silence that still passes, counted from the end of speech, so that what listens
      behind the gate can hear that it has ended; then the gate closes.
    """

    def __init__(
        self,
        threshold_db: Annotated[float, Meta(ge=1, le=40)] = 5.0,
        onset_ms: Annotated[int, Meta(ge=WINDOW_MS, le=1000)] = 60,
        pre_roll_ms: Annotated[int, Meta(ge=0, le=5000)] = 300,
        silence_ms: Annotated[int, Meta(ge=WINDOW_MS, le=10_000)] = 300,
        hangover_ms: Annotated[int, Meta(ge=WINDOW_MS, le=10_000)] = 1000,
    ) -> None:
        if silence_ms > hangover_ms:
            raise SettingError("silence_ms must not exceed hangover_ms", setting="silence_ms")
        self.threshold_db = threshold_db
        self.onset_ms = onset_ms
        self.pre_roll_ms = pre_roll_ms
        self.silence_ms = silence_ms
        self.hangover_ms = hangover_ms
        self._detector: EnergyDetector | None = None
        self._clock = 0
        self._recent: deque[AudioFrame] = deque()
        self._open = False
        self._speaking = False
        self._speech_run = 0
        self._silence_run = 0
        self._speech_end = 0

    def process(self, frame: AudioFrame) -> Iterator[AudioFrame | SpeechStarted | SpeechEnded]:
        if self._detector is None or self._detector.rate != frame.rate:
            self._detector = EnergyDetector(frame.rate, self.threshold_db)
        waiting = nanoseconds_of(self._detector.waiting, frame.rate)
        self._clock = frame.pts - waiting
        if self._open:
            yield frame
        else:
            self._recent.append(frame)
        for speech in self._detector.detect(frame.samples):
            self._clock += WINDOW_MS * MS
            yield from self._window(speech)
        if not self._open:
            keep_from = frame.end - (self.pre_roll_ms + self.onset_ms) * MS
            while self._recent and self._recent[0].end <= keep_from:
                self._recent.popleft()

    def flush(self) -> Iterator[SpeechEnded]:
        if self._speaking:
            yield SpeechEnded(pts=self._speech_end)

    def _window(self, speech: bool) -> Iterator[AudioFrame | SpeechStarted | SpeechEnded]:
        """Take in one window, which ended at `_clock`."""
        if speech:
            self._speech_run += WINDOW_MS
            self._silence_run = 0
            if self._speaking or self._speech_run >= self.onset_ms:
                self._speech_end = self._clock
                if not self._speaking:
                    yield SpeechStarted(pts=self._clock - self._speech_run * MS)
                self._speaking = self._open = True
                yield from self._recent
                self._recent.clear()
            return
        self._speech_run = 0
        self._silence_run += WINDOW_MS
        if self._speaking and self._silence_run >= self.silence_ms:
            self._speaking = False
            yield SpeechEnded(pts=self._speech_end)
        if self._open and self._silence_run >= self.hangover_ms:
            self._open = False
