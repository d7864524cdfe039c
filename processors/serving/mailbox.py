"""What a session has to tell its client, numbered, and kept as long as it may be needed again."""

from __future__ import annotations

from collections import OrderedDict
from itertools import takewhile

import anyio
import msgspec
from msgspec import Struct

from processors.serving.protocol import Event, Interrupted, Sound, Transcript, encode, encode_sound

MOST_EVENTS = 1_000
"""Events that are kept for a client that comes back; of more, the oldest are forgotten."""
ROUNDING_MS = 1.0


class _Kept(Struct, gc=False):
    """data: as it goes over the wire. A sound has a turn and an end, a transcript is a draft."""

    data: bytes
    is_sound: bool
    turn: int = 0
    end_ms: float = 0
    duration_ms: float = 0
    draft_of: tuple[str, float] | None = None


class Mailbox:
    """Messages to one client, over as many connections as it takes.

    Sound is kept until the client has played it, at most `ahead_s` seconds of it (`room` waits
    for that); events are kept for good, up to a number, without what a later one has replaced.
    So a client that comes back gets what it has missed, and one that knows nothing any more gets
    the conversation so far and what it has not heard of the answer.
    """

    def __init__(self, ahead_s: float) -> None:
        self.unplayed_ms = 0.0
        self._ahead_ms = ahead_s * 1000
        self._last = 0
        self._cut: set[int] = set()
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._events: OrderedDict[int, None] = OrderedDict()
        self._sounds: OrderedDict[int, _Kept] = OrderedDict()
        self._drafts: dict[tuple[str, float], int] = {}
        self._unsent: OrderedDict[int, None] = OrderedDict()
        self._changed = anyio.Event()
        self.closed = False

    # --- the session's side ---

    def tell(self, event: Event) -> None:
        """Send an event."""
        self._last += 1
        number = self._last
        kept = _Kept(encode(msgspec.structs.replace(event, n=number)), is_sound=False)
        if isinstance(event, Transcript):
            utterance = (event.speaker, event.start_ms)
            draft = self._drafts.pop(utterance, None)
            if draft is not None:
                self._forget(draft)
            if not event.final:
                self._drafts[utterance] = number
                kept.draft_of = utterance
        self._events[number] = None
        self._keep(number, kept)
        if len(self._events) > MOST_EVENTS:
            self._forget(next(iter(self._events)))

    async def room(self) -> None:
        """Wait until the client has played enough for more sound."""
        while self.unplayed_ms > self._ahead_ms and not self.closed:
            await self._changed.wait()

    def play(self, turn: int, rate: int, ms: float, pcm: bytes) -> None:
        """Send sound."""
        self._last += 1
        sound = Sound(self._last, turn, rate, ms, pcm)
        length = sound.duration_ms
        self.unplayed_ms += length
        kept = _Kept(encode_sound(sound), True, turn, ms + length, length)
        self._sounds[self._last] = kept
        self._keep(self._last, kept)

    def interrupt(self, turn: int) -> None:
        """Forget the sound of a turn, and tell the client to."""
        self._cut.add(turn)
        self._forget_all([n for n, sound in self._sounds.items() if sound.turn == turn])
        self.tell(Interrupted(turn=turn))

    def was_cut(self, turn: int) -> bool:
        """Whether a turn has been interrupted: what waited for room meanwhile is stale."""
        return turn in self._cut

    @property
    def unplayed_turns(self) -> list[int]:
        """The model's turns of which something is left that the client could still play."""
        return sorted({sound.turn for sound in self._sounds.values()} - {0})

    def played(self, turn: int, ms: float) -> None:
        """The client has heard a turn up to `ms`, and all that came before it."""
        heard = (turn, ms + ROUNDING_MS)
        before = takewhile(
            lambda item: (item[1].turn, item[1].end_ms) <= heard, self._sounds.items()
        )
        self._forget_all([number for number, _ in before])

    def close(self) -> None:
        """Nothing more comes; what waits for the client or for room goes on."""
        self.closed = True
        self._notify()

    async def all_played(self) -> None:
        """Wait until nothing is left that the client could still play."""
        while self.unplayed_ms > 0 and not self.closed:
            await self._changed.wait()

    # --- the connection's side ---

    @property
    def is_empty(self) -> bool:
        """Whether everything has been handed to a connection."""
        return not self._unsent

    def attach(self, received: int) -> None:
        """A connection begins; its client has everything up to the number `received`."""
        self._unsent = OrderedDict.fromkeys(n for n in self._kept if n > received)
        self._notify()

    async def next(self) -> tuple[bytes, bool] | None:
        """The next message and whether it is sound; None when there are no more."""
        while not self._unsent:
            if self.closed:
                return None
            await self._changed.wait()
        number, _ = self._unsent.popitem(last=False)
        kept = self._kept[number]
        return kept.data, kept.is_sound

    # --- inside ---

    def _keep(self, number: int, kept: _Kept) -> None:
        self._kept[number] = kept
        self._unsent[number] = None
        self._notify()

    def _forget(self, number: int) -> None:
        kept = self._kept.pop(number, None)
        self._unsent.pop(number, None)
        self._events.pop(number, None)
        self._sounds.pop(number, None)
        if kept is not None and kept.draft_of is not None:
            self._drafts.pop(kept.draft_of, None)

    def _forget_all(self, sounds: list[int]) -> None:
        for number in sounds:
            self.unplayed_ms -= self._sounds[number].duration_ms
            self._forget(number)
        if not self._sounds:
            self.unplayed_ms = 0.0  # whatever rounding has left
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
