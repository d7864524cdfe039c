"""A conversation over any number of connections, without sockets, clocks or tasks.

It is told what is to be sent, what arrived, what closed and what time it is; it answers with what
to send now, with frames, and with what to do about the end of a connection. Times are nanoseconds
on the run's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from msgspec import UNSET

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Gap,
    ImageFrame,
    SessionEvent,
    TurnStarted,
    Usage,
)
from processors.live_api.dialogue import Dialogue
from processors.live_api.endings import Ending, ending_of
from processors.live_api.messages import (
    Blob,
    ClientMessage,
    ModalityTokenCount,
    RealtimeInput,
    ServerMessage,
    SessionResumptionConfig,
    SessionResumptionUpdate,
    UsageMetadata,
    parse_duration,
)
from processors.live_api.replay import Kept, Kind, ReplayBuffer

MARGIN = 2 * SECOND
"""How long before its announced end a connection is left at the latest."""
SETTLED = 10 * SECOND
"""A connection that held for so long was no failure."""
IN_FLIGHT = SECOND
"""What was sent so shortly before a handle came may not be in the state that it stands for."""
MOST_REPEATS = 3
MOST_REFUSALS = 8
"""Of a handle: then it is taken to be dead."""
AUDIO_TOKENS, IMAGE_TOKENS = 25, 258
"""A second of sound, and a picture, as documented."""
CONTEXT_LOW = 0.8
"""Of the context window: time for a warning."""

State = Literal["closed", "opening", "open", "leaving"]


class Resumption(NamedTuple):
    """Whether sessions outlive their connections.

    wanted: ask the service for handles. transparent: and for which messages they stand for.
    """

    wanted: bool = False
    transparent: bool = False


class Decision(NamedTuple):
    """What to do after the end of a connection.

    again: open another one, `pause` says whether to wait before. ending: what the end means.
    """

    again: bool
    pause: bool
    ending: Ending
    code: int
    reason: str

    @property
    def planned(self) -> bool:
        """Whether the connection was left on purpose."""
        return self.ending is LEFT

    def __str__(self) -> str:
        said = f"{self.code} {self.reason}".rstrip() if self.code != 1006 else "no close frame"
        return f"{self.ending.explanation} ({said})"


@dataclass
class Session:
    """One conversation with the service."""

    new_turn: Callable[[], int]
    resumption: Resumption = field(default_factory=lambda: Resumption())
    keep: int = 30 * SECOND
    """How much sound is kept that the service has not confirmed, or that waits to be sent."""
    window: int | None = None
    """Tokens of the context window, if the session ends when it is full."""
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

    _buffer: ReplayBuffer = field(init=False)
    _deadline: int | None = None
    _opened_at: int = 0
    _leaving: bool = False
    _resumed: bool = False
    _heard_at: int = 0
    _asked: int = 0
    """How many messages of this connection the model's turn answers: those sent before it began."""
    _last_turn: int = 0
    _repeats: int = 0
    """How often in a row a turn was cut off by a planned move."""
    _refusals: int = 0
    """How often in a row the handle was refused without a word on why."""
    _stalled: bool = False
    """A silence was dealt with, and nothing has been said or asked since."""
    _totals: Counter[str] = field(default_factory=Counter)
    _warned: bool = False
    _context: int = 0
    """Tokens at the last count."""
    _sent_s: float = 0.0
    _images: int = 0
    """Sound in seconds, and pictures, since then."""

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
        """Whether something is still to be sent, or the service still owes something."""
        return self._buffer.waiting or self.dialogue.busy

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
        self._opened_at = self._heard_at = now
        self._deadline, self._leaving, self._asked = None, False, 0
        self._resumed = self.handle is not None
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
        self._do_not_repeat_for_ever()
        self._buffer.disconnected()
        frames = list(self.dialogue.cut_off(now, asks_again=self.resumption.transparent))
        settled = was_open and (self._leaving or now - self._opened_at >= SETTLED)
        self.failures = 0 if settled else self.failures + 1
        remedy = ending.remedy
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
        pause = remedy == "retry" or not was_open or self.failures > 1
        return frames, Decision(remedy != "stop", pause, ending, code, reason)

    def _do_not_repeat_for_ever(self) -> None:
        """An answer that no connection is long enough for is not asked for a third time."""
        cut = self._leaving and self.dialogue.turn and not self.dialogue.generated
        self._repeats = self._repeats + 1 if cut else 0
        if self._repeats >= MOST_REPEATS and not self.resumption.transparent:
            self._buffer.confirm(self._asked)
            self.dialogue.give_up()

    def _lose_context(self, now: int) -> Iterator[Frame]:
        """The next connection begins a session that knows nothing of this one."""
        self._warned, self._context, self._sent_s, self._images = False, 0, 0.0, 0
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
        return now >= self._deadline or not (self.dialogue.busy or self.dialogue.speaking)

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
        self._sent_s += frame.duration / SECOND
        message = ClientMessage(realtime_input=RealtimeInput(audio=blob))
        self._buffer.add(Kept(message, "media", frame.pts, frame.duration))

    def send_image(self, frame: ImageFrame) -> None:
        """A picture."""
        self._images += 1
        blob = Blob(mime_type=frame.mime_type, data=frame.data)
        message = ClientMessage(realtime_input=RealtimeInput(video=blob))
        self._buffer.add(Kept(message, "media", frame.pts))

    def send(self, message: ClientMessage, pts: int = 0) -> None:
        """Anything else, which is never given up."""
        kind: Kind = "answer" if message.tool_response is not UNSET else "words"
        self._stalled = False
        self._buffer.add(Kept(message, kind, pts))

    def context_warning(self, now: int) -> SessionEvent | None:
        """Once, when the context window is nearly full: by the last count, and by what was sent
        since at the documented rates."""
        if self.window is None or self._warned:
            return None
        used = self._context + int(self._sent_s * AUDIO_TOKENS) + self._images * IMAGE_TOKENS
        if used <= self.window * CONTEXT_LOW:
            return None
        self._warned = True
        return SessionEvent("context-low", f"{used} of {self.window} tokens", pts=now)

    def next(self, now: int) -> ClientMessage | Gap | None:
        """What to send next on the open connection; None when there is nothing.

        A gap stands for sound that waited too long and had to be given up.
        """
        kept = self._buffer.next(now)
        if kept is None:
            return None
        if kept.message is None:
            return Gap(kept.duration, pts=kept.pts)
        if kept.kind != "media" or not (self.dialogue.asked or self.dialogue.turn):
            self._heard_at = now  # the model has not had the time to answer this
        return kept.message

    # --- from the service ---

    def received(self, message: ServerMessage, now: int) -> list[Frame]:
        """The frames that a server message amounts to, in order. An empty message gives none."""
        return list(self._received(message, now))

    def finish(self, now: int) -> list[Frame]:
        """The conversation is over: what is known becomes final."""
        self.state = "closed"
        return list(self.dialogue.close(now))

    def _received(self, message: ServerMessage, now: int) -> Iterator[Frame]:
        self._heard_at = now
        if message.setup_complete is not None:
            yield self._began(message.setup_complete.session_id, now)
        for frame in self.dialogue.received(message, now):
            self._stalled = False
            if isinstance(frame, TurnStarted) and not self._may_be_old(now):
                self._asked = self._buffer.sent
            self._last_turn = frame.turn or self._last_turn
            yield frame
        self._prune(message, now)
        if message.session_resumption_update is not None:
            self._updated(message.session_resumption_update, now)
        if message.usage_metadata is not None:
            yield from self._used(message.usage_metadata, now)
        if message.go_away is not None:
            yield self._warned_of_end(message.go_away.time_left, now)

    def _may_be_old(self, now: int) -> bool:
        """Whether a turn may answer what the session was told on an earlier connection."""
        return self._resumed and now - self._opened_at < IN_FLIGHT

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

    def _used(self, usage: UsageMetadata, now: int) -> Iterator[Frame]:
        prompt = _by_modality(usage.prompt_tokens_details, usage.prompt_token_count)
        answered = usage.response_token_count or usage.candidates_token_count
        details = usage.response_tokens_details or usage.candidates_tokens_details
        response = _by_modality(details, answered)
        self._totals.update(prompt)
        self._totals.update(response)
        total = usage.total_token_count
        turn = self._last_turn
        yield Usage(prompt, response, total, dict(self._totals), pts=now, turn=turn)
        self._context = sum(prompt.values()) + sum(response.values())
        self._sent_s, self._images = 0.0, 0
        warning = self.context_warning(now)
        if warning is not None:
            yield warning


LEFT = Ending(1000, "", "resume", "left for another connection")


def _by_modality(counts: list[ModalityTokenCount], total: int) -> dict[str, int]:
    """Tokens by modality; what the details leave out is `OTHER`."""
    tokens: Counter[str] = Counter()
    for count in counts:
        tokens[count.modality] += count.token_count
    tokens["OTHER"] += max(0, total - tokens.total())
    return {modality: count for modality, count in tokens.items() if count}
