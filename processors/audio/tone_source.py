"""Sound that is made up: for tests, and where there must be some."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Annotated, Literal

from msgspec import Meta

from pipeline import AudioFormat, AudioFrame, SettingError, Source
from processors.arrays import np
from processors.audio.pcm import Channels, Rate, to_int16
from processors.audio.sources import signals
from processors.audio.sources.pace import Pace

Hertz = Annotated[float, Meta(gt=0, le=192_000)]
SWEEP_S = 10.0


class ToneSource(Source):
    """Gives a test signal: silence, a sine, a sweep or noise.

    signal: which one; a `sweep` rises, or falls, from `hertz` to `to_hertz`; noise is white.
    hertz: frequency, at most half the rate.
    to_hertz: frequency at the end of a sweep; left out, 0.45 of the rate.
    level_db: in dB of full scale: the peak of a sine or a sweep, the RMS of noise, whose peaks are
      4.8 dB higher and clipped.
    seconds: how long; left out, until the run is told to finish. A sweep without it begins again
      every 10 s.
    rate: in Hz.
    channels: how many, all alike.
    frame_ms: length of a frame in milliseconds; the last one may be shorter.
    realtime: true gives each frame when it would be heard, false as fast as the graph takes them.
    seed: of the noise; the same gives the same.
    """

    def __init__(
        self,
        signal: Literal["silence", "sine", "sweep", "noise"] = "sine",
        hertz: Hertz = 440.0,
        to_hertz: Hertz | None = None,
        level_db: Annotated[float, Meta(ge=-120, le=0)] = -20.0,
        seconds: Annotated[float, Meta(gt=0)] | None = None,
        rate: Rate = 16_000,
        channels: Channels = 1,
        frame_ms: Annotated[int, Meta(ge=1, le=1000)] = 20,
        realtime: bool = True,
        seed: Annotated[int, Meta(ge=0)] = 0,
    ) -> None:
        to_hertz = to_hertz or 0.45 * rate
        for name, frequency in (("hertz", hertz), ("to_hertz", to_hertz)):
            if frequency > rate / 2:
                raise SettingError(
                    f"{name} must be at most half the rate, {rate / 2:g} Hz", setting=name
                )
        if not realtime and seconds is None:
            raise SettingError(
                "without `realtime` it needs `seconds`: it would never end", setting="seconds"
            )
        self.seconds = seconds
        self.rate = rate
        self.channels = channels
        self.frame_ms = frame_ms
        self.realtime = realtime
        self.factor = signals.FULL_SCALE * 10 ** (level_db / 20)
        self.signal: signals.Signal = signals.silence
        if signal == "sine":
            self.signal = signals.sine(hertz, rate)
        elif signal == "sweep":
            self.signal = signals.sweep(hertz, to_hertz, seconds or SWEEP_S, rate)
        elif signal == "noise":
            self.signal = signals.noise(seed)
        self._given = 0

    def progress(self) -> float | None:
        return None if self.seconds is None else min(1.0, self._given / self.rate / self.seconds)

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(self.rate, self.channels)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        size = max(1, self.rate * self.frame_ms // 1000)
        total = None if self.seconds is None else round(self.seconds * self.rate)
        pace = Pace(self.context, self.rate, realtime=self.realtime)
        for begin in count(0, size):
            length = size if total is None else min(size, total - begin)
            if length <= 0:
                break
            mono = to_int16((self.signal(begin, length) * self.factor).astype(np.float32))
            self._given = begin + length
            yield await pace.frame(np.repeat(mono.reshape(-1, 1), self.channels, axis=1))
        await pace.finish()
