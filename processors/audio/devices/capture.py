"""Sound from a device's thread to the event loop, and when it was heard."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, NamedTuple

import anyio

from pipeline import SECOND
from processors.audio.pcm import nanoseconds_of

GAIN = 0.01
"""Share of the clocks' difference that a block makes good: with 20 ms, a time constant of 2 s."""
SLEW = 1e-3
"""Share of its length that a block is moved by at most: more than any crystal is off, and less than
anybody notices. What a sound system says of its latency may be wrong by 100 ms for a while."""
JUMP = SECOND // 2
"""A difference that cannot be an error of the measurement."""
LONGEST_LATENCY = 2.0
"""Seconds; what a sound system says beyond that is no latency."""


class Block(NamedTuple):
    """Interleaved int16 samples. heard: `perf_counter_ns` at the first of them. broken: something
    before it is missing."""

    data: bytes
    heard: int
    broken: bool


class Capture:
    """Blocks between a device's callback and a task that takes them: at most `limit`.

    wake: called in the device's thread with a function to be run in the event loop; it must not
    wait, and may be called after the loop has ended.
    """

    def __init__(self, limit: int, wake: Callable[[Callable[[], None]], None]) -> None:
        self.lost = Counter[str]()
        """`device overrun`: how often the device itself had to discard sound. `buffer full`: blocks
        that found `limit` others before them. It only grows."""
        self._limit = limit
        self._wake = wake
        self._blocks: deque[Block] = deque()
        self._broken = False
        self._ended = False
        self._waiting: anyio.Event | None = None

    def callback(self, data: Any, count: int, times: Any, flags: Any) -> None:
        """What PortAudio calls; it copies, for the memory is PortAudio's, and waits for nothing."""
        if self._ended:
            return
        now = perf_counter_ns()
        if flags and flags.input_overflow:
            self.lost["device overrun"] += 1
            self._broken = True
        if len(self._blocks) >= self._limit:
            self.lost["buffer full"] += 1
            self._broken = True
        else:
            latency = times.currentTime - times.inputBufferAdcTime
            if not 0 <= latency <= LONGEST_LATENCY:  # some sound systems know it not
                latency = 0.0
            heard = now - round(latency * SECOND)
            self._blocks.append(Block(bytes(data), heard, self._broken))
            self._broken = False
        self._notify()

    def end(self) -> None:
        """The device gives no more, or nobody wants more of it."""
        self._ended = True
        self._notify()

    async def take(self) -> Block | None:
        """The oldest block, when there is one; None if the device has ended."""
        while not self._blocks:
            if self._ended:
                return None
            self._waiting = waiting = anyio.Event()
            if not self._blocks and not self._ended:  # nothing has come before it was put there
                await waiting.wait()
        return self._blocks.popleft()

    def _notify(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._wake(waiting.set)


class CaptureClock:
    """Media times of consecutive blocks, from a device whose clock is not quite that of the run.

    Moments at which blocks were heard are known to some milliseconds only, while what is behind
    wants no gaps: blocks follow each other, and drift is made good in steps that nobody notices.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next: int | None = None

    def place(self, heard: int, count: int, *, broken: bool = False) -> int:
        """The media time of the next `count` samples.

        heard: when the first was heard, in nanoseconds, roughly. broken: what was before it is
        missing, so that there is a gap.
        """
        length = nanoseconds_of(count, self._rate)
        if self._next is None:
            begin = heard
        else:
            late = heard - self._next
            if late > JUMP or (broken and late > 0):
                begin = heard
            else:
                most = length * SLEW
                begin = self._next + round(max(-most, min(late * GAIN, most)))
        self._next = begin + length
        return begin
