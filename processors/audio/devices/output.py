"""What plays sound: a device of this machine, or nothing at the pace of one.

An output asks for its sound, block by block: `pull(count, at)` gives the next `count` samples of
shape (count, channels), of which the first will be heard at `at`, on the output's clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter_ns
from typing import Any, Protocol

import anyio

from pipeline import SECOND, PipelineError
from processors.arrays import np
from processors.audio.devices.portaudio import SoundDevice, open_stream
from processors.audio.pcm import Samples, nanoseconds_of

Pull = Callable[[int, int], Samples]

BLOCK_MS = 10
LONGEST_LATENCY_S = 5.0
"""Some sound systems do not know when their sound comes out, and give any number."""
SILENT_AFTER = 3 * SECOND
BEHIND = SECOND // 2
DEFAULT_LATENCY = 20_000_000


class Output(Protocol):
    """Something that plays."""

    rate: int
    channels: int
    underflows: int
    """How often it did not get its sound in time."""

    def now(self) -> int:
        """Nanoseconds on its clock."""

    def playing(self, pull: Pull) -> AbstractAsyncContextManager[None]:
        """Play, for as long as the context lasts."""

    def check(self) -> None:
        """Raise PipelineError if it has stopped playing by itself."""


class Loudspeaker:
    """A device of this machine. latency: its delay in seconds; None for the lowest it offers."""

    def __init__(
        self, device: SoundDevice, rate: int, channels: int, latency: float | None = None
    ) -> None:
        self.device = device
        self.rate = rate
        self.channels = channels
        self.underflows = 0
        self._wanted_latency = latency
        self._called = 0
        self._looked = 0
        self._ended = False
        self._failure: BaseException | None = None

    def now(self) -> int:
        return perf_counter_ns()

    @asynccontextmanager
    async def playing(self, pull: Pull) -> AsyncIterator[None]:
        latency = 0.0

        def call(data: Any, count: int, times: Any, status: Any) -> None:
            now = perf_counter_ns()
            self._called = now
            if status and status.output_underflow:
                self.underflows += 1
            delay = times.outputBufferDacTime - times.currentTime
            if not 0 < delay < LONGEST_LATENCY_S:
                delay = latency
            block = np.frombuffer(data, np.int16).reshape(count, self.channels)
            try:
                block[:] = pull(count, now + round(delay * SECOND))
            except BaseException as error:  # it must not reach PortAudio
                self._failure = self._failure or error
                block[:] = 0

        size = self.rate * BLOCK_MS // 1000
        self._called = self._looked = perf_counter_ns()
        async with open_stream(
            self.device, self.rate, self.channels, size, call, self._end, self._wanted_latency
        ) as stream:
            latency = float(getattr(stream, "latency", 0.0))
            yield

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure
        now = perf_counter_ns()
        if now - self._looked > SILENT_AFTER:  # nor did anybody look: the machine may have slept
            self._called = now
        self._looked = now
        if self._ended or now - self._called > SILENT_AFTER:
            raise PipelineError(f"{self.device} has stopped playing: was it disconnected?")

    def _end(self) -> None:
        self._ended = True


class Unheard:
    """Takes sound at the pace of the event loop's clock, for machines without a loudspeaker.

    hear: given each block.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        *,
        latency: int = DEFAULT_LATENCY,
        hear: Callable[[Samples], None] = lambda block: None,
    ) -> None:
        self.rate = rate
        self.channels = channels
        self.underflows = 0
        self._latency = latency
        self._hear = hear

    def now(self) -> int:
        return round(anyio.current_time() * SECOND)

    @asynccontextmanager
    async def playing(self, pull: Pull) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(self._play, pull)
            yield
            group.cancel_scope.cancel()

    def check(self) -> None:
        """It never stops."""

    async def _play(self, pull: Pull) -> None:
        size = self.rate * BLOCK_MS // 1000
        begin, count = self.now(), 0
        while True:
            at = begin + nanoseconds_of(count, self.rate)
            if self.now() - at > BEHIND:  # after a sleep it goes on from here, as devices do
                begin, count = self.now(), 0
                at = begin
            await anyio.sleep(max(0.0, (at - self.now()) / SECOND))
            self._hear(pull(size, at + self._latency))
            count += size
