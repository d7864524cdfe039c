"""A microphone that does not hear the loudspeaker beside it."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from anyio import to_thread

from pipeline import AudioFormat, AudioFrame, SettingError, Speaker, Surroundings, Transform
from processors.arrays import np
from processors.audio.pcm import Samples, nanoseconds_of
from processors.audio.playout.echo_reference import EchoReference, Played
from processors.audio.resampler import Resampler

RATES = (8000, 16_000, 32_000, 48_000)
"""What WebRTC's audio processing works at."""
LEAD = 20_000_000
"""The canceller is shown what was played so much earlier: it finds out how late an echo is, but an
echo must not come before its sound, though the devices' times may be somewhat wrong."""
INSTALL = "pip install 'live-pipeline[echo]'"


class EchoCanceller(Transform):
    """Removes from the microphone's sound what the loudspeaker plays, and what becomes of that in
    the room. The user can interrupt the model without a headset.

    It stands behind the microphone, at 8, 16, 32 or 48 kHz, and the speaker is wired back to it:

      mic -> to_16k -> echo -> gemini -> speaker -> echo

    The echo canceller is that of WebRTC, from the package livekit, an extra:
    pip install 'live-pipeline[echo]'. It takes a second of sound to know a room.

    noise_suppression: also removes steady noise.
    gain_control: also brings speech to an even loudness.
    """

    def __init__(self, noise_suppression: bool = False, gain_control: bool = False) -> None:
        self.noise_suppression = noise_suppression
        self.gain_control = gain_control
        self._rtc: Any = None
        self._processing: Any = None
        self._format: tuple[int, int] | None = None
        self._rest: AudioFrame | None = None
        self._has_speaker = True

    def check(self) -> None:
        _load()

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        if incoming.rate not in (None, *RATES):
            raise SettingError(
                f"it works at 8, 16, 32 or 48 kHz, not at {incoming.rate} Hz",
                hint="put a resampler before it: {use: resampler, rate: 16000}",
            )
        return incoming

    def check_graph(self, around: Surroundings) -> None:
        self._has_speaker = around.can_get(Played)

    async def lifespan(self) -> AsyncIterator[None]:
        if not self._has_speaker:
            self.context.log.warning("there is no echo to cancel: no speaker is wired to it")
        self._rtc = await to_thread.run_sync(_load)
        await to_thread.run_sync(self._new)  # the first one loads the library
        yield
        self._processing = None

    def process(self, frame: AudioFrame | Played) -> Iterator[AudioFrame]:
        if isinstance(frame, Played):
            if self._format is not None:
                self._played(frame)
        elif frame.speaker is Speaker.USER:
            yield from self._heard(frame)
        else:
            yield frame

    def flush(self) -> Iterator[AudioFrame]:
        """What does not fill a block of 10 ms."""
        if self._rest is not None:
            yield self._rest
            self._rest = None

    def _played(self, frame: Played) -> None:
        sound = AudioFrame(frame.samples, frame.rate, Speaker.MODEL, pts=frame.pts)
        for piece in self._to_rate.process(sound):
            self._reference.add(piece.pts, piece.samples)

    def _heard(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        if self._format != (frame.rate, frame.channels):
            yield from self.flush()
            self._open(frame.rate, frame.channels)
        samples, pts = frame.samples, frame.pts
        if self._rest is not None:
            samples = np.concatenate([self._rest.samples, samples])
            pts = frame.pts - self._rest.duration
            self._rest = None
        size = frame.rate // 100
        whole = len(samples) // size * size
        cleaned = [
            self._clean(samples[begin : begin + size], pts + nanoseconds_of(begin, frame.rate))
            for begin in range(0, whole, size)
        ]
        if whole < len(samples):
            rest_pts = pts + nanoseconds_of(whole, frame.rate)
            self._rest = frame.replace(samples=samples[whole:], pts=rest_pts)
        if cleaned:
            yield frame.replace(samples=np.concatenate(cleaned), pts=pts)

    def _open(self, rate: int, channels: int) -> None:
        self._format = rate, channels
        self._reference = EchoReference(rate)
        self._to_rate = Resampler(rate, 1)
        self._processing = self._new()

    def _new(self) -> Any:
        return self._rtc.AudioProcessingModule(
            echo_cancellation=True,
            high_pass_filter=True,
            noise_suppression=self.noise_suppression,
            auto_gain_control=self.gain_control,
        )

    def _clean(self, block: Samples, pts: int) -> Samples:
        """10 ms of the microphone without the echo."""
        rate, channels = self._format or (0, 0)
        played = self._reference.take(pts + LEAD, len(block))
        far = self._rtc.AudioFrame(played.tobytes(), rate, 1, len(block))
        near = self._rtc.AudioFrame(bytearray(block.tobytes()), rate, channels, len(block))
        self._processing.process_reverse_stream(far)
        self._processing.set_stream_delay_ms(LEAD // 1_000_000)
        self._processing.process_stream(near)
        return np.frombuffer(near.data, np.int16).reshape(-1, channels)


def _load() -> Any:
    try:
        return importlib.import_module("livekit.rtc")
    except ImportError:
        raise SettingError(
            "cancelling echo needs the package livekit, which is not installed", hint=INSTALL
        ) from None
