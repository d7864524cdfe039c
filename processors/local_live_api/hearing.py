"""How the simulation finds the user's turns in the audio that it gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from processors.audio.energy import WINDOW_MS, EnergyDetector
from processors.live_api.messages import Setup

INPUT_RATE = 16_000
PREFIX_MS, SILENCE_MS = 60, 800

Activity = Literal["start", "end"]


class Ear:
    """Automatic activity detection, with the settings of a setup message.

    It knows time only by the audio that it gets, as the service does.
    """

    def __init__(self, setup: Setup) -> None:
        config = setup.realtime_input_config
        automatic = config.automatic_activity_detection if config else None
        prefix = automatic.prefix_padding_ms if automatic else None
        silence = automatic.silence_duration_ms if automatic else None
        self._prefix_ms = PREFIX_MS if prefix is None else max(prefix, WINDOW_MS)
        self._silence_ms = SILENCE_MS if silence is None else max(silence, WINDOW_MS)
        self._detector = EnergyDetector(INPUT_RATE)
        self._speaking = False
        self._run_ms = 0
        self.seconds = 0.0
        """Audio heard so far."""

    def hear(self, pcm: bytes) -> Iterator[Activity]:
        """Take in 16-bit mono audio; say where speech begins and ends."""
        samples = np.frombuffer(pcm, "<i2", len(pcm) // 2).reshape(-1, 1)
        self.seconds += len(samples) / INPUT_RATE
        for speech in self._detector.detect(samples):
            self._run_ms = self._run_ms + WINDOW_MS if speech is not self._speaking else 0
            if self._run_ms >= (self._silence_ms if self._speaking else self._prefix_ms):
                self._run_ms = 0
                self._speaking = not self._speaking
                yield "start" if self._speaking else "end"

    def stream_ended(self) -> Iterator[Activity]:
        """The microphone is off: what was being said is over."""
        self._detector = EnergyDetector(INPUT_RATE)
        self._run_ms = 0
        if self._speaking:
            self._speaking = False
            yield "end"
