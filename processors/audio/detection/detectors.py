"""Speech detectors behind one interface: the neural one, and one without a model."""

from __future__ import annotations

from typing import Literal, Protocol

from pipeline import SettingError
from processors.arrays import np
from processors.audio.detection import silero
from processors.audio.detection.energy import EnergyDetector
from processors.audio.pcm import Samples, mix, nanoseconds_of
from processors.audio.resampling.stream import Stream, open_stream

Engine = Literal["auto", "neural", "energy"]


class Detector(Protocol):
    """Hears one stream of sound of one rate, and says how much like speech it is."""

    window: int
    """Nanoseconds that one score is about."""
    trailing: int
    """Nanoseconds for which the scores stay high once speech has ended."""

    @property
    def pending(self) -> int:
        """Nanoseconds of sound since the end of the last window that was scored."""

    def scores(self, samples: Samples) -> list[float]:
        """Take in samples, shape (n, c); a score from 0 to 1 for each window that they complete."""

    def reset(self) -> None:
        """What comes next does not follow what came before."""


class NeuralDetector:
    """The probabilities of Silero VAD, for windows of 32 ms, of sound of any rate in Hz."""

    window = nanoseconds_of(silero.WINDOW, silero.RATE)
    trailing = 64_000_000

    def __init__(self, rate: int, weights: silero.Weights) -> None:
        self._rate = rate
        self._weights = weights
        self.reset()

    def reset(self) -> None:
        self._network = silero.Silero(self._weights)
        self._resampled: Stream | None = None
        if self._rate != silero.RATE:
            self._resampled = open_stream(self._rate, silero.RATE, 1, "live")
        self._waiting = np.zeros(0, np.int16)
        self._taken = 0
        self._windows = 0

    @property
    def pending(self) -> int:
        return nanoseconds_of(self._taken, self._rate) - self._windows * self.window

    def scores(self, samples: Samples) -> list[float]:
        self._taken += len(samples)
        mono = mix(samples, 1)
        if self._resampled is not None:
            mono = self._resampled.push(mono)
        waiting = np.concatenate((self._waiting, mono[:, 0]))
        complete = len(waiting) // silero.WINDOW
        self._waiting = waiting[complete * silero.WINDOW :]
        if not complete:
            return []
        self._windows += complete
        windows = waiting[: complete * silero.WINDOW].astype(np.float32) / np.float32(32768)
        return [self._network.probability(w) for w in windows.reshape(complete, silero.WINDOW)]


def open_detector(engine: Engine, rate: int) -> Detector:
    """A detector for sound of this rate, in Hz. `auto` is the neural one where its weights are.

    Raises SettingError where there are no weights and `engine` is `neural`.
    """
    if engine != "energy":
        try:
            return NeuralDetector(rate, silero.load())
        except silero.WeightsError as error:
            if engine == "neural":
                raise SettingError(
                    f"the neural detector has no weights: {error}",
                    setting="engine",
                    hint=f"install {silero.PACKAGE}, or use `engine: energy`",
                ) from error
    return EnergyDetector(rate, settles=True)


def missing() -> str:
    """Why there is no neural detector on this machine; empty if there is one."""
    try:
        silero.load()
    except silero.WeightsError as error:
        return str(error)
    return ""
