"""Speech detection by loudness alone: for quiet places, at 5 µs per 20 ms and without a model."""

from __future__ import annotations

import math

import numpy as np

from processors.audio.pcm import Samples

WINDOW_MS = 20
PRE_EMPHASIS = 0.9
OPEN_DB, CLOSE_DB = 5.0, 2.5
QUIETEST_DBFS = -55.0
BLOCK_WINDOWS, BLOCKS = 20, 8
RISE = 0.05
MUTED_DBFS = -95.0
"""Digital silence, which tells nothing about the noise in the room."""
ONSET_CEILING_DBFS = -45.0
"""A signal that begins with speech must not become the floor."""


class EnergyDetector:
    """Tells speech from silence, window by window of 20 ms, by the level over the noise floor.

    The level is that of the pre-emphasised signal, smoothed over about 20 ms. The floor is its
    minimum over the last 3.2 s: it falls at once and rises by a twentieth of the gap per window.
    Speech begins `threshold_db` over the floor and above -55 dBFS, and goes on above half of that.
    """

    def __init__(self, rate: int, threshold_db: float = OPEN_DB) -> None:
        self.rate = rate
        self.window = rate * WINDOW_MS // 1000
        self._open_db = threshold_db
        self._close_db = threshold_db * CLOSE_DB / OPEN_DB
        self._tail = np.zeros(1, np.float32)
        """The last sample of the last window, and what does not fill another one yet."""
        self._level = 0.0
        self._muted = True
        self._floor: float | None = None
        self._minima: tuple[float, ...] = ()
        self._block_minimum = math.inf
        self._windows = 0
        self._speech = False

    @property
    def waiting(self) -> int:
        """Samples that do not fill a window yet."""
        return len(self._tail) - 1

    def detect(self, samples: Samples) -> list[bool]:
        """Whether there is speech, for each window that `samples` of shape (n, c) complete."""
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
        signal = np.concatenate((self._tail, mono), dtype=np.float32)
        complete = (len(signal) - 1) // self.window * self.window
        self._tail = signal[complete:]
        if not complete:
            return []
        flat = signal[1 : complete + 1] - PRE_EMPHASIS * signal[:complete]
        windows = flat.reshape(-1, self.window)
        return [self._window(float(np.dot(window, window))) for window in windows]

    def _window(self, energy: float) -> bool:
        """Take in the energy of a window of the pre-emphasised signal."""
        power = energy / self.window
        loudness = 10 * math.log10(power / 32768**2 + 1e-10)
        muted = loudness < MUTED_DBFS
        if self._floor is None:
            if muted:
                return False
            self._level, self._floor = loudness, min(loudness, ONSET_CEILING_DBFS)
        elif muted:
            self._level = loudness
        else:
            smoothing = 1.0 if self._muted else 1 - math.exp(-1)
            self._level += (loudness - self._level) * smoothing
            self._floor = self._follow(self._floor)
        self._muted = muted
        above = self._level - self._floor
        if self._speech:
            self._speech = above > self._close_db and self._level > QUIETEST_DBFS - CLOSE_DB
        else:
            self._speech = above > self._open_db and self._level > QUIETEST_DBFS
        return self._speech

    def _follow(self, floor: float) -> float:
        self._block_minimum = min(self._block_minimum, self._level)
        self._windows += 1
        if self._windows % BLOCK_WINDOWS == 0:
            self._minima = (*self._minima, self._block_minimum)[-BLOCKS:]
            self._block_minimum = math.inf
        lowest = min(self._block_minimum, *self._minima, self._level)
        return lowest if lowest < floor else floor + RISE * (lowest - floor)
