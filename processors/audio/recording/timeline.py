"""Sounds put where they belong in time, mixed when they are taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING

from processors.arrays import np
from processors.audio.fade import FADE_MS, rise
from processors.audio.pcm import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABRUPT = 256
"""A sound that begins or ends beyond this, -42 dBFS, would click without a fade."""
JOINT = 2
"""Samples by which two pieces may miss each other and still belong together: times are rounded."""


class Timeline:
    """Pieces of mono sound on channels, by the sample; what overlaps is added, and clipped.

    Pieces of one stream that join stay as they are; where a stream begins or ends abruptly it is
    faded for 5 ms. Positions count samples from 0.

    taken: how far it has been taken; what comes later for before that is lost.
    end: where the last sound ends.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.channels = channels
        self.taken = 0
        self.end = 0
        self._fade = rate * FADE_MS // 1000
        self._pieces: list[_Piece] = []
        self._limits: dict[Hashable, int] = {}

    def put(self, channel: int, start: int, samples: Samples, stream: Hashable = None) -> int:
        """Place int16 samples of shape (n,); returns how many came too late."""
        piece = next((p for p in self._pieces if p.continued_by(channel, stream, start)), None)
        if piece is not None:
            start = piece.end
        late = min(max(0, self.taken - start), len(samples))
        stop = max(0, self._limits.get(stream, start + len(samples)) - start)
        wanted = samples[late:stop]
        if len(wanted):
            if piece is None:
                piece = _Piece(channel, stream, start + late, self._fade)
                self._pieces.append(piece)
            piece.append(wanted)
            self.end = max(self.end, piece.end)
        return late

    def cut(self, stream: Hashable, at: int) -> None:
        """End a stream at a position, whatever it has there and whatever of it still comes."""
        self._limits[stream] = at
        for piece in self._pieces:
            if piece.stream == stream and at <= piece.end:
                piece.end_at(max(at, self.taken), self.taken)
        self._pieces = [piece for piece in self._pieces if piece.start < piece.end]
        self.end = max((piece.end for piece in self._pieces), default=self.taken)

    def take(self, until: int) -> Samples:
        """What there is from `taken` up to a position, of shape (n, channels)."""
        mixed = np.zeros((max(0, until - self.taken), self.channels), np.int32)
        for piece in self._pieces:
            if piece.end <= until + self._fade:  # what would continue it is not to come any more
                piece.end_at(piece.end, self.taken)
            begin, end = max(piece.start, self.taken), min(piece.end, until)
            if begin < end:
                inside = slice(begin - self.taken, end - self.taken)
                mixed[inside, piece.channel] += piece.read(begin, end)
        self._pieces = [piece for piece in self._pieces if piece.end > until]
        self.taken = max(self.taken, until)
        self.end = max(self.end, self.taken)
        limits = np.iinfo(np.int16)
        return np.clip(mixed, limits.min, limits.max).astype(np.int16)


class _Piece:
    """Sound without a gap, read from its beginning on."""

    def __init__(self, channel: int, stream: Hashable, start: int, fade: int) -> None:
        self.channel = channel
        self.stream = stream
        self.start = self.end = start
        self._fade = fade
        self._parts: deque[Samples] = deque()
        self._rise: int | None = None
        self._fall: tuple[int, int] | None = None
        self._ended = False

    def continued_by(self, channel: int, stream: Hashable, start: int) -> bool:
        """Whether a piece that starts there goes on where this one stops."""
        same = self.channel == channel and self.stream == stream
        return same and not self._ended and abs(start - self.end) <= JOINT

    def append(self, samples: Samples) -> None:
        if self.start == self.end and abs(int(samples[0])) > ABRUPT:
            self._rise = self.start
        self._parts.append(samples)
        self.end += len(samples)

    def end_at(self, at: int, taken: int) -> None:
        """Nothing follows `at`; what was `taken` can no longer be faded."""
        while self._parts and self.end > at:
            last = self._parts.pop()
            self.end -= len(last)
            if self.end < at:
                self._parts.append(last[: at - self.end])
                self.end = at
        if self._parts and not self._ended and abs(int(self._parts[-1][-1])) > ABRUPT:
            self._fall = (max(self.end - self._fade, taken), self.end)
        self._ended = True

    def read(self, begin: int, end: int) -> NDArray[np.int32]:
        """The samples there, faded; what is before `end` is forgotten."""
        parts, have = [], 0
        while have < end - begin:
            part = self._parts.popleft()
            if have + len(part) > end - begin:
                self._parts.appendleft(part[end - begin - have :])
                part = part[: end - begin - have]
            parts.append(part)
            have += len(part)
        samples: NDArray[np.int32] = np.concatenate(parts).astype(np.int32)
        if self._rise is not None:
            _shape(samples, begin - self._rise, self._fade)
        if self._fall is not None:
            start, stop = self._fall
            _shape(samples[::-1], stop - end, stop - start)
        return samples


def _shape(samples: NDArray[np.int32], position: int, length: int) -> None:
    """Fade in, in place; `position` samples of it are over."""
    count = min(length - position, len(samples))
    if count > 0:
        samples[:count] = np.rint(samples[:count] * rise(position, count, length))
