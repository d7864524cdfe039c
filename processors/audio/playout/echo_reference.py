"""What a loudspeaker plays, on the clock that a microphone's sound is on."""

from __future__ import annotations

from collections import deque

from pipeline import SECOND, Frame
from processors.audio.pcm import Samples, count_of, nanoseconds_of, silence


class Played(Frame, frozen=True, gc=False):
    """Sound that a loudspeaker gives: `samples`, int16 of shape (n, channels), at `rate` Hz, the
    first of which comes out at `pts` on the run's clock."""

    samples: Samples
    rate: int


TOLERANCE = 30_000_000
"""Nanoseconds by which clocks and delays may be wrong before what is read moves; an echo canceller
finds out a constant delay by itself, but has to begin anew after a jump."""
LONGEST_S = 2


class EchoReference:
    """A track of what was played, mono, read in step with what was heard.

    Nothing played is silence. What was added without a gap is read without one, however the times
    of its pieces jitter.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._parts: deque[Samples] = deque()
        self._count = 0
        self._begin = 0
        """When the first sample that is left came out."""

    def add(self, at: int, samples: Samples) -> None:
        """Sound of shape (n, 1) that comes out from `at` on (nanoseconds)."""
        gap = at - self._end
        if not self._count or not -TOLERANCE <= gap <= LONGEST_S * SECOND:
            self._parts.clear()
            self._count, self._begin = 0, at
        elif gap > TOLERANCE:
            self._append(silence(count_of(gap, self.rate)))
        self._append(samples)
        self._drop(self._count - LONGEST_S * self.rate)

    def take(self, at: int, count: int) -> Samples:
        """The `count` samples from `at` on, of shape (count, 1); what is before them is dropped."""
        late = at - self._begin
        if late > TOLERANCE:
            self._drop(min(self._count, count_of(late, self.rate)))
        early = count_of(self._begin - at, self.rate) if late < -TOLERANCE else 0
        block = silence(count)
        position = min(count, early)
        while position < count and self._parts:
            part = self._parts[0][: count - position]
            block[position : position + len(part)] = part
            position += len(part)
            self._drop(len(part))
        return block

    @property
    def _end(self) -> int:
        return self._begin + nanoseconds_of(self._count, self.rate)

    def _append(self, samples: Samples) -> None:
        if len(samples):  # or `take` would never come past it
            self._parts.append(samples)
            self._count += len(samples)

    def _drop(self, count: int) -> None:
        """Forget the first `count` samples."""
        while count > 0:
            part = self._parts.popleft()
            if len(part) > count:
                self._parts.appendleft(part[count:])
            dropped = min(count, len(part))
            self._count -= dropped
            self._begin += nanoseconds_of(dropped, self.rate)
            count -= dropped
