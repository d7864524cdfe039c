"""Speech detection by loudness alone: for quiet places, at 5 µs per 20 ms and without a model."""

from __future__ import annotations

import math

from processors.arrays import np
from processors.audio.pcm import Samples, nanoseconds_of

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
SETTLING_WINDOWS, STEADY_DB = 10, 4.0
STEEPNESS = math.log(0.65 / 0.35) / (OPEN_DB - CLOSE_DB)
"""Of the scores, per dB: they are 0.5 and 0.35 where speech begins and ends by default."""


class EnergyDetector:
    """Tells speech from silence, window by window of 20 ms, by the level over the noise floor.

    The level is that of the pre-emphasised signal, smoothed over about 20 ms. The floor is its
    minimum over the last 3.2 s: it falls at once and rises by a twentieth of the gap per window.
    Speech begins `threshold_db` over the floor and above -55 dBFS, and goes on above half of that.

    rate: of the samples, in Hz.
    settles: nothing is speech in the first 200 ms, and what is as loud there for all the time is
      noise. Otherwise sound of more than -45 dBFS is speech at once.
    """

    window = WINDOW_MS * 1_000_000
    """Nanoseconds that one score is about."""
    trailing = 0

    def __init__(self, rate: int, threshold_db: float = OPEN_DB, *, settles: bool = False) -> None:
        self.rate = rate
        self._samples = rate * WINDOW_MS // 1000
        self._unsettled = SETTLING_WINDOWS if settles else 0
        self._loudest = -math.inf
        """While it settles; the quietest is the floor."""
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
    def pending(self) -> int:
        """Nanoseconds of sound that do not fill a window yet."""
        return nanoseconds_of(len(self._tail) - 1, self.rate)

    def reset(self) -> None:
        """What comes next does not follow what came before, in the same room."""
        self._tail = np.zeros(1, np.float32)
        self._speech = False

    def scores(self, samples: Samples) -> list[float]:
        """How much like speech each window is that `samples`, shape (n, c), complete: 0 to 1.

        0.5 is 5 dB over the noise, 0.35 is 2.5 dB, 0.9 is 14 dB.
        """
        return [
            1 / (1 + math.exp(-STEEPNESS * (margin - OPEN_DB))) for margin in self._margins(samples)
        ]

    def detect(self, samples: Samples) -> list[bool]:
        """Whether there is speech, for each window that `samples` of shape (n, c) complete."""
        decisions = []
        for margin in self._margins(samples):
            self._speech = margin > (self._close_db if self._speech else self._open_db)
            decisions.append(self._speech)
        return decisions

    def _margins(self, samples: Samples) -> list[float]:
        mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
        signal = np.concatenate((self._tail, mono), dtype=np.float32)
        complete = (len(signal) - 1) // self._samples * self._samples
        self._tail = signal[complete:]
        if not complete:
            return []
        flat = signal[1 : complete + 1] - PRE_EMPHASIS * signal[:complete]
        windows = flat.reshape(-1, self._samples)
        return [self._margin(float(np.dot(window, window))) for window in windows]

    def _margin(self, energy: float) -> float:
        """By how many dB a window of this energy, pre-emphasised, stands out of the noise.

        It counts as at most `OPEN_DB` where it is at -55 dBFS, whatever the noise.
        """
        power = energy / self._samples
        loudness = 10 * math.log10(power / 32768**2 + 1e-10)
        muted = loudness < MUTED_DBFS
        if self._floor is None:
            if muted:
                self._unsettled = max(self._unsettled - 1, 0)
                return -math.inf
            ceiling = math.inf if self._unsettled else ONSET_CEILING_DBFS
            self._level, self._floor = loudness, min(loudness, ceiling)
        elif muted:
            self._level = loudness
        else:
            smoothing = 1.0 if self._muted else 1 - math.exp(-1)
            self._level += (loudness - self._level) * smoothing
            self._floor = self._follow(self._floor)
        self._muted = muted
        if self._unsettled:
            self._unsettled -= 1
            self._loudest = max(self._loudest, self._level)
            if not self._unsettled and self._loudest - self._floor > STEADY_DB:
                self._floor = min(self._floor, ONSET_CEILING_DBFS)
            return -math.inf
        return min(self._level - self._floor, self._level - QUIETEST_DBFS + OPEN_DB)

    def _follow(self, floor: float) -> float:
        self._block_minimum = min(self._block_minimum, self._level)
        self._windows += 1
        if self._windows % BLOCK_WINDOWS == 0:
            self._minima = (*self._minima, self._block_minimum)[-BLOCKS:]
            self._block_minimum = math.inf
        lowest = min(self._block_minimum, *self._minima, self._level)
        return lowest if lowest < floor else floor + RISE * (lowest - floor)
