"""What was sent and not yet confirmed, and what waits to be sent: kept so that nothing is lost.

A message is kept until the service says that it has it. On a new connection everything that is
kept is sent again, in order and before anything new. Numbers count the messages of a connection
from 1; the setup is number 0.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from itertools import chain
from typing import Literal

from msgspec import UNSET, Struct

from pipeline import SECOND
from processors.live_api.messages import ActivityStart, ClientMessage, RealtimeInput

Kind = Literal["media", "words", "answer", "start", "end", "history"]
"""`media` may be given up when there is too much of it; `answer` is that of a function; `start` and
`end` mark what the user says where the service does not find that out itself; `history` is what was
said before the session."""
KINDS: tuple[Kind, ...] = ("media", "words", "answer", "start", "end", "history")

ACTIVITY_START = ClientMessage(realtime_input=RealtimeInput(activity_start=ActivityStart()))
PICTURE = SECOND // 10
"""What a picture counts as: its bytes are those of some seconds of sound."""


class Kept(Struct, eq=False, gc=False):
    """A message and what is known of it.

    pts, duration: media time in nanoseconds. number, sent: its number on the present connection
    and when it was sent; 0 for not sent. message: None for a gap, where `messages` in a row had to
    be given up; it has the number of the last of them, and all of their duration.
    """

    message: ClientMessage | None
    kind: Kind
    pts: int = 0
    duration: int = 0
    number: int = 0
    sent: int = 0
    messages: int = 1

    @property
    def weight(self) -> int:
        """Nanoseconds that count towards the limit."""
        return 0 if self.kind != "media" or self.message is None else self.duration or PICTURE

    def absorb(self, next: Kept) -> None:
        """Make this gap longer by the message after it."""
        self.duration += next.duration
        self.messages += 1
        self.number, self.sent = next.number, next.sent

    def trim(self, number: int) -> None:
        """Make this gap shorter by what was received after all, up to a number."""
        received = number - (self.number - self.messages)
        if received > 0:
            share = self.duration * received // self.messages
            self.pts, self.duration = self.pts + share, self.duration - share
            self.messages -= received


def kind_of(message: ClientMessage) -> Kind:
    """What a message is that is no media."""
    realtime = message.realtime_input
    if message.tool_response is not UNSET:
        return "answer"
    if realtime is UNSET:
        return "words"
    if realtime.activity_start is not None:
        return "start"
    return "words" if realtime.activity_end is None else "end"


class ReplayBuffer:
    """Messages in the order in which the service is to have them.

    Of media there are at most `limit` nanoseconds, or one message.

    numbered: the service tells by number what it has. Otherwise nothing may ever tell, and of what
    was sent on an open connection the oldest counts as received once it has to be given up.
    """

    def __init__(self, limit: int, *, numbered: bool = True) -> None:
        self._limit = limit
        self._numbered = numbered
        self._sent: deque[Kept] = deque()
        self._unsent: deque[Kept] = deque()
        self._rare: Counter[Kind] = Counter()
        """How many messages of a kind were sent; media is not counted."""
        self._weight = 0
        self._waiting_media = 0
        self._number = 0
        self._active = False

    def __len__(self) -> int:
        return len(self._sent) + len(self._unsent)

    def __iter__(self) -> Iterator[Kept]:
        return chain(self._sent, self._unsent)

    @property
    def unsent(self) -> list[ClientMessage]:
        """The messages that wait to be sent."""
        return [kept.message for kept in self._unsent if kept.message is not None]

    @property
    def answers(self) -> list[ClientMessage]:
        """The answers of functions that the service has not confirmed."""
        return [kept.message for kept in self if kept.kind == "answer" and kept.message is not None]

    @property
    def sent(self) -> int:
        """How many messages were sent on the present connection."""
        return self._number

    @property
    def waiting(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._unsent)

    @property
    def waiting_media(self) -> int:
        """Nanoseconds of media that are still to be sent."""
        return self._waiting_media

    def add(self, kept: Kept) -> None:
        """Something new to be sent. The oldest media is given up where there is too much of it."""
        weight = kept.weight
        while weight and self._weight + weight > self._limit and self._give_up():
            pass
        if kept.kind in ("start", "end"):
            self._active = kept.kind == "start"
        self._unsent.append(kept)
        self._weight += weight
        self._waiting_media += weight

    def next(self, now: int) -> Kept | None:
        """The next message to send, with its number, or a gap; None when all is sent.

        A gap is over once it came out here.
        """
        if not self._unsent:
            return None
        kept = self._unsent.popleft()
        self._waiting_media -= kept.weight
        if kept.message is not None:
            self._number += 1
            kept.number, kept.sent = self._number, now
            self._sent.append(kept)
            if kept.kind != "media":
                self._rare[kept.kind] += 1
        return kept

    def disconnected(self) -> None:
        """On the next connection numbers begin anew, and everything that is kept is to be sent."""
        self._number = 0
        self._unsent = deque(self)
        self._sent.clear()
        self._rare.clear()
        self._waiting_media = self._weight
        for kept in self._unsent:
            kept.number = kept.sent = 0

    def begin_activity(self) -> None:
        """The next connection knows nothing of an activity that was under way: begin it anew."""
        marks = (kept.kind for kept in self if kept.kind in ("start", "end"))
        if next(marks, "end" if self._active else "start") == "end":
            self._unsent.appendleft(Kept(ACTIVITY_START, "start"))

    def begin_with(self, message: ClientMessage) -> None:
        """The next connection begins a session that knows nothing: tell it this first."""
        self.forget("history")
        self._unsent.appendleft(Kept(message, "history"))

    def confirm(self, number: int) -> None:
        """The service has everything up to this number of the present connection."""
        while self._sent and self._sent[0].number <= number:
            self._received(self._sent.popleft())
        if self._sent and self._sent[0].message is None:
            self._sent[0].trim(number)

    def confirm_sent(self, by: int, kinds: tuple[Kind, ...] = KINDS) -> None:
        """The service has everything of these kinds that was sent by a time."""
        if "media" not in kinds and not any(self._rare[kind] for kind in kinds):
            return  # or every message would look through half a minute of sound
        rest: deque[Kept] = deque()
        for kept in self._sent:
            if kept.sent <= by and kept.kind in kinds:
                self._received(kept)
            else:
                rest.append(kept)
        self._sent = rest

    def forget(self, kind: Kind) -> None:
        """Messages of this kind make no sense any more."""
        for queue in (self._sent, self._unsent):
            kept = [item for item in queue if item.kind != kind]
            queue.clear()
            queue.extend(kept)
        del self._rare[kind]

    def _received(self, kept: Kept) -> None:
        self._weight -= kept.weight
        if kept.kind != "media":
            self._rare[kept.kind] -= 1

    def _give_up(self) -> bool:
        """Turn the oldest media into a gap, or into part of one."""
        for queue in (self._sent, self._unsent):
            gap: Kept | None = None
            for position, kept in enumerate(queue):
                if kept.message is None:
                    gap = kept
                elif kept.kind != "media":
                    gap = None
                else:
                    self._weight -= kept.weight
                    if queue is self._unsent:
                        self._waiting_media -= kept.weight
                    if queue is self._sent and not self._numbered:
                        del queue[position]
                    elif gap is None:
                        kept.message = None
                    else:
                        gap.absorb(kept)
                        del queue[position]
                    return True
        return False
