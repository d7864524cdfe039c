"""Change of sample rate and of the number of channels."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import AudioFormat, AudioFrame, SettingError, Transform
from processors.audio.pcm import Channels, Rate, Samples, mix, nanoseconds_of
from processors.audio.resampling.stream import Quality, Stream, open_stream

GAP = 1_000_000
"""Nanoseconds by which a frame may miss the end of the one before and still continue it."""


class Resampler(Transform):
    """Resamples as a stream: every chunking of a signal gives the same samples.

    n samples become exactly n * rate / input rate by the end of the stream, rounded to the
    nearest. A gap in media time, another speaker or another turn starts a new stream. What is
    given keeps its place in time: no delay of a filter is left in it.

    rate: output sample rate in Hz.
    channels: output channels; left out, as many as come in. Many become one by their average.
    quality: `live` holds back 1.8 ms; it is flat to 7 kHz at 16 kHz and its aliases are 70 dB
      down. `best`, for files, holds back up to 0.4 s, below 8 kHz 0.7 s; aliases are 120 dB down.
      Rates whose ratio takes large numbers, such as 48 kHz and 47,999 Hz, hold back up to 20 ms.
    """

    def __init__(
        self,
        rate: Rate,
        channels: Channels | None = None,
        quality: Quality = "live",
    ) -> None:
        self.rate = rate
        self.channels = channels
        self.quality = quality
        self._stream: Stream | None = None
        self._last: AudioFrame | None = None
        self._end = 0
        self._begin = 0
        self._given = 0

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        have, want = incoming.channels, self.channels
        if have and want and have != want and 1 not in (have, want):
            raise SettingError(f"cannot turn {have} channels into {want}", setting="channels")
        return AudioFormat(self.rate, self.channels or incoming.channels)

    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        samples = frame.samples
        if self.channels is not None and self.channels != samples.shape[1]:
            samples = mix(samples, self.channels)
        if frame.rate == self.rate:
            if self._stream is not None:
                yield from self.flush()
            yield frame if samples is frame.samples else frame.replace(samples=samples)
            return
        if self._last is not None and not self._continued_by(frame):
            yield from self.flush()
        if self._stream is None:
            self._stream = open_stream(frame.rate, self.rate, samples.shape[1], self.quality)
            self._begin, self._given = frame.pts, 0
        self._last, self._end = frame, frame.end
        output = self._stream.push(samples)
        if len(output):
            yield self._placed(frame, output)

    def flush(self) -> Iterator[AudioFrame]:
        """The tail that the filter still holds."""
        stream, frame = self._stream, self._last
        self._stream = self._last = None
        if stream is not None and frame is not None:
            output = stream.finish()
            if len(output):
                yield self._placed(frame, output)

    def interrupted(self, turn: int) -> None:
        if self._last is not None and self._last.turn == turn:
            self._stream = self._last = None

    def _continued_by(self, frame: AudioFrame) -> bool:
        last = self._last
        return (
            last is not None
            and abs(frame.pts - self._end) < GAP
            and last.rate == frame.rate
            and last.turn == frame.turn
            and last.speaker is frame.speaker
            and last.samples.shape[1] == frame.samples.shape[1]
        )

    def _placed(self, frame: AudioFrame, output: Samples) -> AudioFrame:
        """The next samples of the stream, which belong where `frame` does."""
        pts = self._begin + nanoseconds_of(self._given, self.rate)
        self._given += len(output)
        return frame.replace(samples=output, rate=self.rate, pts=pts)
