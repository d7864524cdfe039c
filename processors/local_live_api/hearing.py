"""How the simulation finds the user's turns in the audio that it gets."""

from __future__ import annotations

import copy
import re
from collections import deque
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from processors.audio.detection.energy import WINDOW_MS, EnergyDetector
from processors.live_api.messages import Blob, RealtimeInputConfig
from processors.local_live_api.refusal import INVALID_ARGUMENT, RefusedError
from processors.local_live_api.switches import Switches

DEFAULT_RATE = 16_000
RATES = (4_000, 192_000)
"""The lowest and the highest, Hz."""
SILENCE_MS_BY_SENSITIVITY = {"END_SENSITIVITY_HIGH": 500, "END_SENSITIVITY_LOW": 1000}
THRESHOLD_DB_BY_SENSITIVITY = {"START_SENSITIVITY_HIGH": 4.0, "START_SENSITIVITY_LOW": 8.0}
THRESHOLD_DB = 5.0
LONGEST_KEPT_S = 60.0
"""Of one utterance, for a recogniser."""
KEPT_BEFORE_S = 1.0
"""What came before its beginning was noticed; automatic detection only."""

_RATE = re.compile(r"rate=([0-9]+)")

Activity = Literal["start", "end"]


class Ear:
    """Finds speech in one connection's audio, and keeps what the user is saying.

    With automatic detection it knows time only by the audio that it gets, as the service does;
    without, it takes the client's word for it.
    """

    def __init__(self, config: RealtimeInputConfig | None, switches: Switches) -> None:
        self._detector: EnergyDetector | None = None
        self._rate: int | None = None
        self._type: str | None = None
        """The type that stated this rate last."""
        self._threshold_db = THRESHOLD_DB
        self._run_ms = 0
        self.speaking = False
        self.seconds = 0.0
        """Audio heard so far: the clock of `audioOffset`."""
        self.speech_seconds = 0.0
        """Of the utterance under way, or of the last one, without the silence that ended it."""
        self._kept: deque[NDArray[np.int16]] | None = None
        self._kept_samples = 0
        self._utterances: deque[NDArray[np.int16]] = deque()
        self.configure(config, switches)

    def configure(self, config: RealtimeInputConfig | None, switches: Switches) -> None:
        """Take on the settings of a setup message; what was heard so far stays.

        Utterances that nobody has taken are those of turns that ended with an earlier connection.
        """
        self._utterances.clear()
        detection = config.automatic_activity_detection if config else None
        self.automatic = not (detection and detection.disabled)
        prefix = detection.prefix_padding_ms if detection else None
        silence = detection.silence_duration_ms if detection else None
        start = (detection.start_of_speech_sensitivity or "") if detection else ""
        end = (detection.end_of_speech_sensitivity or "") if detection else ""
        if silence is None:
            silence = SILENCE_MS_BY_SENSITIVITY.get(end, switches.silence_ms)
        self._prefix_ms = max(switches.prefix_ms if prefix is None else prefix, WINDOW_MS)
        self._silence_ms = max(silence, WINDOW_MS)
        threshold_db = THRESHOLD_DB_BY_SENSITIVITY.get(start, THRESHOLD_DB)
        if threshold_db != self._threshold_db:
            self._threshold_db, self._detector, self._run_ms = threshold_db, None, 0

    def keep_speech(self) -> None:
        """From now on, keep what is said for `utterance`."""
        self._kept = deque()

    def copy(self) -> Ear:
        """As it is now, for a snapshot. The samples, which nothing changes, are shared."""
        snapshot = copy.copy(self)
        snapshot._detector = copy.copy(self._detector)  # all that it keeps is immutable
        snapshot._kept = copy.copy(self._kept)
        snapshot._utterances = copy.copy(self._utterances)
        return snapshot

    def hear(self, audio: Blob) -> Iterator[Activity]:
        """Take in 16-bit mono audio; say where speech begins and ends.

        Raises RefusedError for what is no PCM, and for a rate that changes in mid-session.
        """
        rate = self._check_rate(audio)
        samples = np.frombuffer(audio.data, "<i2", len(audio.data) // 2)
        self.seconds += len(samples) / rate
        self._keep(samples, rate)
        if not self.automatic:
            if self.speaking:
                self.speech_seconds += len(samples) / rate
            return
        if self._detector is None:
            self._detector = EnergyDetector(rate, self._threshold_db)
        for speech in self._detector.detect(samples.reshape(-1, 1)):
            if self.speaking:
                self.speech_seconds += WINDOW_MS / 1000
            self._run_ms = self._run_ms + WINDOW_MS if speech is not self.speaking else 0
            if self._run_ms >= (self._silence_ms if self.speaking else self._prefix_ms):
                yield from self._switch(not self.speaking)

    def stream_ended(self) -> Iterator[Activity]:
        """The microphone is off: what was being said is over."""
        self._detector = None
        yield from self._switch(False)
        self._run_ms = 0

    def told(self, activity: Activity) -> Iterator[Activity]:
        """The client says where speech begins and ends. Raises RefusedError if it may not."""
        if self.automatic:
            raise RefusedError(
                "Explicit activity control is not supported when automatic activity detection "
                "is enabled."
            )
        yield from self._switch(activity == "start")

    def utterance(self) -> tuple[NDArray[np.int16], int]:
        """The samples (n,) of the oldest utterance not yet taken, and their rate in Hz.

        None are left, and none are there that were not to be kept: then n is 0.
        """
        samples = self._utterances.popleft() if self._utterances else np.zeros(0, np.int16)
        return samples, self._rate or DEFAULT_RATE

    def _switch(self, speaking: bool) -> Iterator[Activity]:
        if speaking is self.speaking:
            return
        self.speaking = speaking
        run_s, self._run_ms = self._run_ms / 1000, 0
        if speaking:
            self.speech_seconds = run_s
        else:
            self.speech_seconds -= run_s
            self._finish()
        yield "start" if speaking else "end"

    def _keep(self, samples: NDArray[np.int16], rate: int) -> None:
        """What is said, and a little from before it."""
        if self._kept is None:
            return
        before = KEPT_BEFORE_S if self.automatic else 0.0
        longest = (LONGEST_KEPT_S if self.speaking else before) * rate
        self._kept.append(samples)
        self._kept_samples += len(samples)
        while self._kept_samples > longest and (len(self._kept) > 1 or not longest):
            self._kept_samples -= len(self._kept.popleft())

    def _finish(self) -> None:
        """An utterance is over: it waits, whole, until somebody takes it."""
        if self._kept is not None:
            self._utterances.append(np.concatenate([*self._kept, np.zeros(0, np.int16)]))
            self._kept.clear()
            self._kept_samples = 0

    def _check_rate(self, audio: Blob) -> int:
        if self._rate is not None and audio.mime_type == self._type:
            return self._rate
        if not audio.mime_type.startswith("audio/pcm"):
            raise RefusedError(INVALID_ARGUMENT)
        hertz = rate_of(audio.mime_type)
        if not RATES[0] <= hertz <= RATES[1]:
            raise RefusedError(INVALID_ARGUMENT)
        rate = int(hertz)
        if self._rate not in (None, rate):
            raise RefusedError(
                f"Sample rate changed from previously {self._rate} to {rate}, "
                "which is not supported."
            )
        self._rate, self._type = rate, audio.mime_type
        return rate


def rate_of(mime_type: str) -> float:
    """Samples per second that a type of audio states, however many; 16,000 if it states none."""
    stated = _RATE.search(mime_type)
    return float(stated[1]) if stated else DEFAULT_RATE  # an int takes 4300 digits at most
