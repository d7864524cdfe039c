"""What a session knows, and where sessions are kept between their connections."""

from __future__ import annotations

import copy
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field

import anyio
from msgspec import Struct
from msgspec.structs import replace

from processors.live_api.messages import ClientMessage
from processors.local_live_api.context import Weighed, weigh
from processors.local_live_api.hearing import Ear
from processors.local_live_api.history import Entry, Heard
from processors.local_live_api.refusal import (
    INTERNAL,
    INTERNAL_ERROR,
    INVALID_ARGUMENT,
    POLICY,
    RefusedError,
)
from processors.local_live_api.steps import Step
from processors.local_live_api.switches import BackendName, Switches

HANDLE_S: dict[BackendName, float] = {"vertex": 24 * 3600.0, "gemini-api": 2 * 3600.0}
SNAPSHOTS = 256
"""Kept of one session; a handle that is older than these is not found."""
REMEMBERED = 1_000
"""Older sessions than the newest of these are forgotten once nobody can resume them."""


class PendingCall(Struct, frozen=True):
    """A function call that was not answered yet.

    expected: what the scenario wants the answer to contain. cancelled: it is to be withdrawn.
    """

    id: str
    name: str
    blocking: bool
    expected: dict[str, object] | None = None
    cancelled: bool = False


@dataclass
class Memory:
    """The state of a conversation. All fields but the ear are immutable values: `copy` is cheap."""

    ear: Ear
    history: tuple[Weighed, ...] = ()
    typed: tuple[str, ...] = ()
    """Content that waits for the message that completes the turn."""
    images: int = 0
    """Pictures since the model's last turn."""
    unanswered_s: float = 0.0
    """Audio since the model's last turn, silence included."""
    pending: tuple[PendingCall, ...] = ()
    todo: tuple[Step, ...] = ()
    """What is left of the model's turn; it waits for the pending calls that block."""
    turns: int = 0
    """How many turns of the scenario have begun."""
    unfinished: bool = False
    """The last turn of the scenario did not come to its end."""
    cut_short: tuple[tuple[int, tuple[Step, ...]], ...] = ()
    """Turns of the scenario that ended with steps left over."""
    calls: int = 0
    salt: int = 0
    """Makes the ids of calls differ between sessions."""
    messages: int = 0
    """How much of the session's journal this state stands for."""
    instruction: str = ""

    def copy(self) -> Memory:
        snapshot = copy.copy(self)
        snapshot.ear = self.ear.copy()
        return snapshot

    def remember(self, entry: Entry, *, spoken_s: float = 0.0) -> None:
        self.history = (*self.history, weigh(entry, spoken_s=spoken_s))

    def hear_words(self, text: str) -> None:
        """It turns out what the user said last."""
        for index in range(len(self.history) - 1, -1, -1):
            item = self.history[index]
            if isinstance(item.entry, Heard):
                item = replace(item, entry=replace(item.entry, text=text))
                self.history = (*self.history[:index], item, *self.history[index + 1 :])
                return

    @property
    def entries(self) -> list[Entry]:
        return [item.entry for item in self.history]

    @property
    def blocked(self) -> bool:
        """Whether a call holds up the model's turn."""
        return any(call.blocking for call in self.pending)

    def answered(self, id: str, name: str) -> PendingCall | None:
        """The call that an answer is for, by id, or by name where there are none."""
        for call in self.pending:
            if (call.id == id) if call.id and id else (call.name == name):
                return call
        return None

    def settle(self, call: PendingCall) -> None:
        """The call needs no answer any more."""
        self.pending = tuple(other for other in self.pending if other is not call)


@dataclass(eq=False)
class Session:
    """One conversation over any number of connections."""

    id: str
    memory: Memory
    model: str
    backend: BackendName
    journal: list[ClientMessage] | None = None
    """Every message that counts, in order, if it is kept: what a resume took back is gone."""
    open: bool = True
    closed: anyio.Event = field(default_factory=anyio.Event)
    replaced: anyio.Event = field(default_factory=anyio.Event)
    """Another connection wants to go on with it."""
    ended: float = 0.0
    """When its last connection was closed."""
    handles: OrderedDict[str, Memory | None] = field(default_factory=OrderedDict)
    connections: int = 1

    def new_handle(self, snapshot: bool) -> str:
        """A handle for the present state, frozen or as it will go on."""
        handle = str(uuid.uuid4())
        self.handles[handle] = self.memory.copy() if snapshot else None
        if len(self.handles) > SNAPSHOTS:
            self.handles.popitem(last=False)
        return handle


class Sessions:
    """All sessions of a server, and the handles that lead to them."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.all: list[Session] = []
        self.begun = 0
        """How many there have been."""

    def begin(self, memory: Memory, model: str, backend: BackendName, journal: bool) -> Session:
        session = Session(str(uuid.uuid4()), memory, model, backend, [] if journal else None)
        self.all.append(session)
        self.begun += 1
        return session

    def forget(self, now: float) -> list[Session]:
        """Take out those that are too old, and return them."""
        older = self.all[:-REMEMBERED]
        gone = [s for s in older if not s.open and (not s.handles or self._expired(s, now))]
        if gone:
            self.all = [s for s in older if s not in gone] + self.all[-REMEMBERED:]
        return gone

    def find(self, handle: str) -> Session:
        """The session that a handle leads to. Raises RefusedError."""
        for session in self.all:
            if handle in session.handles:
                return session
        raise RefusedError("BidiGenerateContent session not found", POLICY)

    def resume(self, session: Session, handle: str, model: str, now: float) -> None:
        """Put a session back to what the handle stands for. Raises RefusedError."""
        if session.open:
            raise RefusedError(INTERNAL_ERROR, INTERNAL)
        if self._expired(session, now):
            raise RefusedError("BidiGenerateContent session expired", POLICY)
        if model != session.model:
            raise RefusedError(INVALID_ARGUMENT)
        snapshot = session.handles[handle]
        if snapshot is not None:
            session.memory = snapshot.copy()
        if session.journal is not None:
            del session.journal[session.memory.messages :]
        session.open = True
        session.closed, session.replaced = anyio.Event(), anyio.Event()
        session.connections += 1

    def _expired(self, session: Session, now: float) -> bool:
        good_for = self._switches.handle_s or HANDLE_S[session.backend]
        return (now - session.ended) * self._switches.time_scale > good_for
