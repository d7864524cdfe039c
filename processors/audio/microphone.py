"""Sound from a microphone."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from time import perf_counter_ns
from typing import Annotated

from anyio import to_thread
from msgspec import Meta

from pipeline import AudioFormat, AudioFrame, PipelineError, Source, waker
from processors.arrays import np
from processors.audio.devices.capture import Capture, CaptureClock
from processors.audio.devices.portaudio import SoundDevice, check_format, find_device, open_stream
from processors.audio.pcm import Channels, Rate

BUFFER_MS = 2000
"""What is kept while the event loop is busy, or what is behind takes nothing."""
WARNINGS = {
    "device overrun": "sound was lost before it could be fetched: the machine is too busy",
    "buffer full": f"sound was lost, for nobody took it for {BUFFER_MS / 1000:g} s",
}
"""What is said the first time; all are counted."""


class Microphone(Source):
    """Gives what a microphone hears, until the run is told to finish.

    It needs the extra `audio`: pip install 'live-pipeline[audio]'.

    device: its number, or words of its name, such as `usb`; left out, the system's default.
      `pipeline doctor` shows what there is.
    rate: in Hz; left out, the one that the device prefers.
    channels: how many of them.
    block_ms: length of a frame in milliseconds.
    """

    device = "microphone"

    def __init__(
        self,
        device: int | str | None = None,
        rate: Rate | None = None,
        channels: Channels = 1,
        block_ms: Annotated[int, Meta(ge=5, le=200)] = 20,
    ) -> None:
        self.wanted = device
        self.rate = rate
        self.channels = channels
        self.block_ms = block_ms
        self._capture: Capture | None = None
        self._counted = Counter[str]()

    def check(self) -> None:
        self._find()

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        rate = self.rate or find_device(self.wanted, "input").rate
        return AudioFormat(rate, self.channels)

    async def lifespan(self) -> AsyncIterator[None]:
        found, rate = await to_thread.run_sync(self._find)
        capture = self._capture = Capture(BUFFER_MS // self.block_ms, waker())
        self._found, self._rate = found, rate
        block = rate * self.block_ms // 1000
        stream = open_stream(found, rate, self.channels, block, capture.callback, capture.end)
        async with stream:
            yield
        self._count_losses(capture)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        capture = self._capture
        assert capture is not None
        clock = CaptureClock(self._rate)
        offset = self.context.now() - perf_counter_ns()
        try:
            while (block := await capture.take()) is not None:
                self._count_losses(capture)
                samples = np.frombuffer(block.data, np.int16).reshape(-1, self.channels)
                pts = clock.place(block.heard + offset, len(samples), broken=block.broken)
                if pts >= 0:  # it was heard when the run had begun
                    yield AudioFrame(samples, self._rate, pts=pts, born=block.heard)
        finally:
            capture.end()  # while the rest of the run comes to its end, nobody takes its sound
        raise PipelineError(f"{self._found} gives no more sound: has it been unplugged?")

    def _count_losses(self, capture: Capture) -> None:
        for reason, count in list(capture.lost.items()):
            if count > self._counted[reason]:
                if not self._counted[reason]:
                    self.context.log.warning("%s: %s", self._found, WARNINGS[reason])
                self.context.dropped(reason, count - self._counted[reason])
                self._counted[reason] = count

    def _find(self) -> tuple[SoundDevice, int]:
        found = find_device(self.wanted, "input")
        rate = self.rate or found.rate
        check_format(found, rate, self.channels)
        return found, rate
