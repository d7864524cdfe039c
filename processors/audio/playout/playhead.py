"""Where a listener is in what is played."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from processors.audio.playout.buffer import Stretch


class Position(NamedTuple):
    """A turn has been heard up to media time `heard` (nanoseconds); `playing`: and goes on."""

    turn: int
    heard: int
    playing: bool


class Playhead:
    """Follows what was handed to a device until it has come out. Times are on its clock."""

    def __init__(self) -> None:
        self._coming: deque[Stretch] = deque()
        self._last = Position(0, 0, False)
        self._closed: set[int] = set()
        self._silent_from = 0

    @property
    def busy(self) -> bool:
        """Whether something is yet to come out, or to be told."""
        return bool(self._coming) or self._last.playing

    @property
    def turn(self) -> int:
        """The turn that is or was heard last."""
        return self._last.turn

    def silence(self, now: int) -> int:
        """For how long all that the device had has come out."""
        return 0 if self._coming else now - self._silent_from

    def add(self, stretch: Stretch) -> None:
        """The device has taken it."""
        if stretch.turn not in self._closed:
            self._coming.append(stretch)
            self._silent_from = stretch.until

    def advance(self, now: int, next_turn: int | None) -> Iterator[Position]:
        """Where the listener is by now in every turn that was heard since the last time, in order,
        and that a turn begins, as soon as the device has it.

        next_turn: the turn of what the device will take next; None if there is nothing.
        """
        heard: dict[int, int] = {}
        if self._last.playing:
            heard[self._last.turn] = self._last.heard
        while self._coming:
            stretch = self._coming[0]
            if stretch.at > now:
                heard.setdefault(stretch.turn, stretch.pts)
                break
            heard[stretch.turn] = _media_time(stretch, now)
            if stretch.until > now:
                break
            self._coming.popleft()
        goes_on = {stretch.turn for stretch in self._coming} | {next_turn}
        for turn, media in heard.items():
            position = Position(turn, media, turn in goes_on)
            if position != self._last:
                self._last = position
                yield position

    def close(self, turn: int) -> tuple[int, int] | None:
        """The turn was cut short. Returns up to which media time it is heard all the same, since
        the device has that already, and when that has come out; None if the device has nothing."""
        mine = [stretch for stretch in self._coming if stretch.turn == turn]
        self._coming = deque(stretch for stretch in self._coming if stretch.turn != turn)
        self._closed.add(turn)
        if self._last.turn == turn:
            self._last = self._last._replace(playing=False)
        return (mine[-1].end, mine[-1].until) if mine else None


def _media_time(stretch: Stretch, now: int) -> int:
    passed, whole = min(now, stretch.until) - stretch.at, stretch.until - stretch.at
    return stretch.pts + (stretch.end - stretch.pts) * passed // whole if whole else stretch.end
