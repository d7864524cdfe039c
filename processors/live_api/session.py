"""A conversation over any number of connections, without sockets, clocks or tasks.

It is told what is to be sent, what arrived, what closed and what time it is; it answers with what
to send now, with frames, and with what to do about the end of a connection. Times are nanoseconds
on the run's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Gap,
    ImageFrame,
    SessionEvent,
    TurnEnded,
    TurnStarted,
)
from processors.live_api.dialogue import Dialogue
from processors.live_api.endings import LEFT, TOO_SHORT, Decision, ending_of
from processors.live_api.messages import (
    Blob,
    ClientMessage,
    RealtimeInput,
    ServerMessage,
    SessionResumptionConfig,
    SessionResumptionUpdate,
    parse_duration,
)
from processors.live_api.replay import Kept, ReplayBuffer, kind_of
from processors.live_api.tokens import TokenCount

MARGIN = 2 * SECOND
"""How long before its announced end a connection is left at the latest."""
SETTLED = 10 * SECOND
"""A connection that held for so long was no failure."""
AT_ONCE = SECOND
"""One that was to be left so soon was."""
QUIET = 5 * SECOND
"""After a turn: what was asked by then has been answered."""
IN_FLIGHT = SECOND
"""What was sent so shortly before a handle came may not be in the state that it stands for."""
MOST_REPEATS, MOST_REPEATS_OF_THE_SERVICE = 3, 6
"""With transparent resumption the service itself gives the answer again."""
MOST_REFUSALS = 8
"""Of a handle: then it is taken to be dead."""

State = Literal["closed", "opening", "open", "leaving"]


class Resumption(NamedTuple):
    """Whether sessions outlive their connections.

    wanted: ask the service for handles. transparent: and for which messages they stand for.
    """

    wanted: bool = False
    transparent: bool = False


@dataclass
class Session:
    """One conversation with the service."""

    new_turn: Callable[[], int]
    resumption: Resumption = field(default_factory=lambda: Resumption())
    keep: int = 30 * SECOND
    """How much sound is kept that the service has not confirmed, or that waits to be sent."""
    tokens: TokenCount = field(default_factory=TokenCount)
    history: ClientMessage | None = None
    """What a session is told first that knows nothing."""
    handle: str | None = None
    """The latest that is good for resuming."""
    dialogue: Dialogue = field(init=False)
    state: State = "closed"
    connections: int = 0
    """How many were opened."""
    failures: int = 0
    """Connections in a row that came to nothing."""

    begun: bool = False
    """Whether the service has ever accepted it."""

    repeats: bool = False
    """Whether an answer waits that the service has asked for once more."""

    _buffer: ReplayBuffer = field(init=False)
    _deadline: int | None = None
    _opened_at: int = 0
    _leaving: bool = False
    _resumed: bool = False
    _heard_at: int = 0
    _asked: int = 0
    """How many messages of this connection the model's turn answers: those sent before it began."""
    _doubtful: int = 0
    """How many messages a turn may answer that began right after a resume."""
    _settles: int | None = None
    """When that is certain."""
    _last_turn: int = 0
    _repeats: int = 0
    """How often in a row a turn was cut off by a planned move."""
    _moving: bool = False
    """Nothing is owed any more: what comes is for the next connection."""
    _told_at: int = 0
    """When the service last sent anything."""
    _tried_again: bool = False
    """Another attempt was made that is worth making once."""
    _refusals: int = 0
    """How often in a row the handle was refused without a word on why."""
    _stalled: bool = False
    """A silence was dealt with, and nothing has been said or asked since."""

    def __post_init__(self) -> None:
        self.dialogue = Dialogue(self.new_turn)
        self._buffer = ReplayBuffer(self.keep, numbered=self.resumption.transparent)

    # --- connections ---

    @property
    def ready(self) -> bool:
        """The service has accepted the setup."""
        return self.state in ("open", "leaving")

    @property
    def busy(self) -> bool:
        """Whether something is still to be sent, or the service still owes something; with
        transparent resumption also word that it has what was sent, which it may yet answer.
        """
        return self._buffer.waiting or self.dialogue.busy or bool(self.unconfirmed)

    @property
    def unconfirmed(self) -> int:
        """How many messages the service has not confirmed, if it does."""
        return len(self._buffer) if self.resumption.transparent and self.handle else 0

    @property
    def keeps_nothing(self) -> bool:
        """Whether another connection would have nothing to be sent."""
        return not len(self._buffer)

    @property
    def waiting_media(self) -> int:
        """Nanoseconds of sound that wait to be sent."""
        return self._buffer.waiting_media

    def opening(self, now: int) -> SessionResumptionConfig | None:
        """A connection is about to be opened: what its setup says of resumption."""
        self.state = "opening"
        self.connections += 1
        self._opened_at = self._heard_at = self._told_at = now
        self._deadline, self._leaving, self._moving, self._asked = None, False, False, 0
        self._doubtful, self._settles = 0, None
        self._resumed = self.handle is not None
        if self.history is not None and not self._resumed:
            self._buffer.begin_with(self.history)
        if not self.resumption.wanted:
            return None
        transparent = self.resumption.transparent
        return SessionResumptionConfig(handle=self.handle, transparent=transparent)

    def leave(self) -> None:
        """The connection is about to be closed from this side, to go on with another."""
        self.state, self._leaving = "leaving", True

    def closed(self, code: int, reason: str, now: int) -> tuple[list[Frame], Decision]:
        """The connection is over, or could not be opened at all (1006)."""
        ending = LEFT if self._leaving else ending_of(code, reason)
        was_open = self.ready
        self.state = "closed"
        self._settle(now)
        if self._repeats_for_ever():
            ending = TOO_SHORT
        self._buffer.disconnected()
        self.dialogue.calls.disconnected(self._buffer.answers)
        frames = list(self.dialogue.cut_off(now, asks_again=self.resumption.transparent))
        settled = was_open and now - self._opened_at >= (AT_ONCE if self._leaving else SETTLED)
        self._leaving = False
        self.failures = 0 if settled else self.failures + 1
        remedy = ending.remedy
        if ending.vague and self._resumed and not self.begun:
            remedy = "fresh"  # the handle of an earlier run
        if remedy == "once":
            remedy, self._tried_again = "stop" if self._tried_again else "retry", True
        elif settled:
            self._tried_again = False
        if remedy == "fresh":
            remedy = "stop" if self.handle is None else "resume"
            self.handle = None
        if self._resumed and not was_open and remedy == "retry":
            self._refusals += 1
            if self._refusals >= MOST_REFUSALS:
                self.handle, self._refusals = None, 0
        elif was_open:
            self._refusals = 0
        if self.handle is None and remedy != "stop":
            frames += self._lose_context(now)
        if self.handle is None or not self.resumption.transparent:
            self._buffer.begin_activity()
        pause = remedy == "retry" or not was_open or self.failures > 1
        return frames, Decision(remedy != "stop", pause, ending, code, reason)

    def _repeats_for_ever(self) -> bool:
        """An answer that no connection is long enough for is not asked for a third time; where the
        service gives it again without being asked, that has an end, too.
        """
        cut = self._leaving and self.dialogue.turn and not self.dialogue.generated
        self._repeats = self._repeats + 1 if cut else 0
        if self.resumption.transparent:
            return self._repeats >= MOST_REPEATS_OF_THE_SERVICE
        if self._repeats >= MOST_REPEATS:
            self._buffer.confirm(self._asked)
            self.dialogue.give_up()
        return False

    def _lose_context(self, now: int) -> Iterator[Frame]:
        """The next connection begins a session that knows nothing of this one."""
        self.tokens.begin_anew()
        self._buffer.forget("answer")
        yield from self.dialogue.forget_calls(now)

    # --- time ---

    def next_deadline(self) -> int | None:
        """When the connection has to be left at the latest, if that is known."""
        return self._deadline

    def should_leave(self, now: int) -> bool:
        """Whether to move to another connection now: at a turn boundary, or when time is up."""
        if self.state != "open" or self._deadline is None:
            return False
        if not self._moving:
            dialogue = self.dialogue
            quiet = not dialogue.surely_busy and now - self._told_at >= QUIET
            self._moving = quiet or not (dialogue.busy or dialogue.speaking)
        return self._moving or now >= self._deadline

    def move_by(self, deadline: int) -> None:
        """Go on with another connection: at the next turn boundary, at the latest at a time."""
        self._deadline = deadline if self._deadline is None else min(deadline, self._deadline)

    def stalled_since(self) -> int | None:
        """Since when the model owes a word and has said none; None if it does not."""
        dialogue = self.dialogue
        owes = (dialogue.turn or dialogue.asked) and not dialogue.pending
        if self.state != "open" or self._stalled or not owes:
            return None
        return max(self._heard_at, dialogue.playhead)

    def stall_handled(self, now: int) -> None:
        """Something is done about the silence, once for a question."""
        self._heard_at = now
        self._stalled = True

    # --- to the service ---

    def send_audio(self, frame: AudioFrame, blob: Blob) -> None:
        """Sound of the user's."""
        self.dialogue.audio_sent(frame)
        self.tokens.sent(seconds=frame.duration / SECOND)
        message = ClientMessage(realtime_input=RealtimeInput(audio=blob))
        self._buffer.add(Kept(message, "media", frame.pts, frame.duration))

    def send_image(self, frame: ImageFrame) -> None:
        """A picture."""
        self.tokens.sent(images=1)
        blob = Blob(mime_type=frame.mime_type, data=frame.data)
        message = ClientMessage(realtime_input=RealtimeInput(video=blob))
        self._buffer.add(Kept(message, "media", frame.pts))

    def send(self, message: ClientMessage, pts: int = 0) -> None:
        """Anything else, which is never given up."""
        self._stalled = False
        self._buffer.add(Kept(message, kind_of(message), pts))

    def next(self, now: int) -> ClientMessage | Gap | None:
        """What to send next on the open connection; None when there is nothing.

        A gap stands for sound that waited too long and had to be given up. What comes when the
        connection is about to be left waits for the next one.
        """
        if self._moving:
            return None
        kept = self._buffer.next(now)
        if kept is None:
            self.repeats = False
            return None
        if kept.message is None:
            return Gap(kept.duration, pts=kept.pts)
        if kept.kind != "media" or not (self.dialogue.asked or self.dialogue.turn):
            self._heard_at = now  # the model has not had the time to answer this
        return kept.message

    # --- from the service ---

    def received(self, message: ServerMessage, now: int) -> list[Frame]:
        """The frames that a server message amounts to, in order. An empty message gives none."""
        frames = list(self._received(message, now))
        for answer in self.dialogue.calls.take_repeated():
            if answer not in self._buffer.unsent:
                self.send(answer, now)
                self.repeats = True
        self.should_leave(now)
        return frames

    def finish(self, now: int) -> list[Frame]:
        """The conversation is over: what is known becomes final."""
        self.state = "closed"
        return list(self.dialogue.close(now))

    def _received(self, message: ServerMessage, now: int) -> Iterator[Frame]:
        self._heard_at = self._told_at = now
        self._settle(now)
        if message.setup_complete is not None:
            yield self._began(message.setup_complete.session_id, now)
        for frame in self.dialogue.received(message, now):
            self._stalled = False
            if isinstance(frame, TurnStarted):
                self._turn_begins(now)
            elif isinstance(frame, TurnEnded):
                self._turn_ends(frame, now)
            self._last_turn = frame.turn or self._last_turn
            yield frame
        self._prune(message, now)
        if message.session_resumption_update is not None:
            self._updated(message.session_resumption_update, now)
        if message.usage_metadata is not None:
            yield self.tokens.used(message.usage_metadata, turn=self._last_turn, now=now)
            warning = self.tokens.warning(now)
            if warning is not None:
                yield warning
        if message.go_away is not None:
            yield self._warned_of_end(message.go_away.time_left, now)

    def _turn_begins(self, now: int) -> None:
        """Shortly after a resume it may still answer what an earlier connection was told."""
        if self._resumed and now - self._opened_at < IN_FLIGHT:
            self._doubtful = self._buffer.sent
        else:
            self._asked, self._doubtful = self._buffer.sent, 0
        self._settles = None

    def _turn_ends(self, turn: TurnEnded, now: int) -> None:
        if not self._doubtful:
            return
        if turn.interrupted:  # maybe by the question itself, when it was sent again
            self._doubtful = 0
            self.dialogue.ask_again()
        else:
            self._settles = now + QUIET

    def _settle(self, now: int) -> None:
        """A doubtful turn that no other has followed for a while was the answer after all."""
        if self._settles is not None and now >= self._settles:
            self._buffer.confirm(self._doubtful)
            self._doubtful, self._settles = 0, None

    def _began(self, session_id: str, now: int) -> SessionEvent:
        self.state, self._opened_at = "open", now
        first, self.begun = not self.begun, True
        kind = "resumed" if self._resumed else "started" if first else "restarted"
        return SessionEvent(kind, session_id, pts=now)

    def _updated(self, update: SessionResumptionUpdate, now: int) -> None:
        """A handle and the number of the last message in it are a pair: only both count."""
        if not (self.resumption.wanted and update.resumable and update.new_handle):
            return
        self.handle = update.new_handle
        if self.resumption.transparent:
            self._buffer.confirm(update.last_consumed_client_message_index)
        elif not (self.dialogue.busy or self.dialogue.speaking):
            # or it may stand for what was before the last message
            self._buffer.confirm_sent(now - IN_FLIGHT)

    def _prune(self, message: ServerMessage, now: int) -> None:
        """Without numbers, what the service does tells what it has.

        A turn that is complete has used up what was sent before it began; words after an answer to
        a call came because of that. A call was made because of what was asked before, which a
        session that cannot be resumed has to be asked again.
        """
        if self.resumption.transparent:
            return
        content = message.server_content
        complete = content is not None and (content.turn_complete or content.generation_complete)
        lasting = self.handle is not None or not self.dialogue.pending
        if lasting and (complete or message.tool_call is not None):
            self._buffer.confirm(self._asked)
        if content is not None and content.model_turn is not None:
            self._buffer.confirm_sent(now, ("answer",))

    def _warned_of_end(self, time_left: str, now: int) -> SessionEvent:
        seconds = parse_duration(time_left)
        left = int((seconds if seconds is not None else 0.0) * SECOND)
        self._deadline = now + max(left - MARGIN, left // 2)
        return SessionEvent("go-away", time_left, pts=now)
