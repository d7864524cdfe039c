"""Who says what, turn by turn: server messages become frames, whatever order they come in.

Free of sockets, clocks and tasks. Times are nanoseconds on the run's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipeline import (
    AudioFrame,
    Frame,
    Interruption,
    Speaker,
    TextFrame,
    Thought,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
)
from processors.live_api.calls import Calls
from processors.live_api.messages import (
    ClientMessage,
    FunctionCall,
    Part,
    Scheduling,
    ServerContent,
    ServerMessage,
)
from processors.live_api.parts import read_activity, read_audio, read_grounding, read_shown
from processors.live_api.utterance import Utterance

IN_PROGRESS = "IN_PROGRESS"


@dataclass
class Dialogue:
    """One conversation. `new_turn` gives numbers to the model's turns."""

    new_turn: Callable[[], int]
    turn: int = 0
    """The turn under way; 0 between turns."""
    unanswered: int = 0
    """How much the user has said or typed to which no turn has begun yet."""
    asked: bool = False
    """Whether an answer is known to be due: to what was typed, what a gate heard, or a result."""
    generated: bool = False
    """Whether all of the turn under way has come; the rest is playback."""
    speaking: bool = False
    """Whether the user speaks, as far as a gate tells."""
    playhead: int = 0
    """When all of the model's audio so far will have been played."""
    calls: Calls = field(default_factory=Calls)
    transcribed: bool = False
    """Whether the user's words come as transcripts, so that it is worth waiting for them."""

    _gated: bool = False
    _answered: bool = False
    """Whether a turn has begun since the gate heard speech begin, and speech has not cut it."""
    _cut: bool = False
    _more: bool = False
    _echo: bool = False
    _told: bool = False
    """What the user asked is known in full: what is heard until the answer is no new question."""
    _lined: bool = False
    """What the turn answers was spoken and has its final line."""
    _severed: bool = False
    _last_turn: int = 0
    _silenced: int = 0
    _asked_at: int | None = None
    _user: list[Utterance] = field(default_factory=list)
    _model: Utterance | None = None
    _held: list[Transcript] = field(default_factory=list)
    """Final lines of the model that wait for the user's line before them."""

    @property
    def pending(self) -> dict[str, FunctionCall]:
        """The calls that were not answered, by the id that the graph knows them by."""
        return self.calls.pending

    @property
    def busy(self) -> bool:
        """Whether the service still owes something."""
        return bool(self.turn or self.pending or self.unanswered or self._more)

    @property
    def surely_busy(self) -> bool:
        """The same, but for sound of which nobody knows whether it is speech."""
        return bool(self.turn or self.pending or self.asked or self._more or self.speaking)

    # --- what the user did ---

    def speech_started(self, pts: int) -> None:
        """The gate heard speech begin."""
        self._gated = self.speaking = True
        self._echo = self._answered = False
        if not self._user or self._user[-1].answered:
            self._user.append(Utterance(Speaker.USER, pts, pts))

    def speech_ended(self, pts: int) -> None:
        """The gate heard speech end."""
        self.speaking = False
        if self._user:
            self._user[-1].end = pts
        if not self._answered:
            self._asked_at = pts
            self.asked = True
            self._expect_answer()

    def audio_sent(self, frame: AudioFrame) -> None:
        """Audio went out; without a gate in front, this is all that is known of the user."""
        if self._gated or self._told:
            return
        if not self.turn and (not self._user or self._user[-1].answered):
            self._user.append(Utterance(Speaker.USER, frame.pts, frame.end))
            self._expect_answer()
        if self._user and not self._user[-1].answered:
            self._user[-1].end = frame.end

    def text_sent(self, frame: TextFrame) -> list[Frame]:
        """Typed text went out."""
        self.unanswered += 1
        self.asked = True
        self._asked_at = None
        return [Transcript(frame.text, Speaker.USER, frame.pts, pts=frame.pts)]

    def tool_answered(
        self, result: ToolResult, scheduling: Scheduling | None = None
    ) -> ClientMessage | None:
        """The message that answers a call; None if the call was withdrawn or answered before."""
        answer = self.calls.answer(result, scheduling)
        if answer is None:
            return None
        if not self.turn and scheduling != "SILENT":  # some models end their turn at the call
            self._expect_answer()
            self.asked = True
        return answer

    def _expect_answer(self) -> None:
        """Speech with pauses in it gets one answer."""
        self.unanswered = max(1, self.unanswered)

    def silenced(self, turn: int, now: int) -> None:
        """The graph has stopped a turn by itself; the service may go on with it, unheard."""
        if turn == self._last_turn:
            self._silenced, self.playhead = turn, min(self.playhead, now)

    # --- what the service did ---

    def received(self, message: ServerMessage, now: int) -> Iterator[Frame]:
        """The frames that a server message amounts to, in order. An empty message gives none."""
        if message.server_content is not None:
            yield from self._content(message.server_content, now)
        if message.tool_call is not None:
            for call in message.tool_call.function_calls:
                yield from self._called(call, now)
        if message.tool_call_cancellation is not None:
            yield from self._withdraw(message.tool_call_cancellation.ids, now)
        if message.voice_activity is not None:
            activity = read_activity(message.voice_activity)
            if activity is not None:
                yield activity.replace(pts=now)

    def cut_off(self, now: int, *, asks_again: bool = False) -> Iterator[Frame]:
        """The connection was lost: what the model was saying stays unfinished, what the user was
        saying will be heard again, and calls that are pending stay so.

        asks_again: even what has been answered in full, if the turn is not complete.
        """
        if self.turn and self.generated and not asks_again:
            if not self._cut:
                yield from self._finish_transcripts(interrupted=False)
            yield TurnEnded(self._cut, pts=now, turn=self.turn)
        elif self.turn:
            if self._user and self._user[0].answered and self._user[0].said:
                yield from self._finish_user()
            if self._lined and not (self._user and (self._gated or self._user[0].said)):
                self._user.clear()
                self._echo = self._told = True
            yield from self._finish_model(interrupted=True)
            yield TurnEnded(True, pts=now, turn=self.turn)
            self._severed = True
            if not self.pending:
                self._expect_answer()
                self.asked = True
        if self._user:
            self._user[0].stale = True
        self.turn, self._cut, self._more, self.generated = 0, False, False, False

    def ask_again(self) -> None:
        """What was asked has not been answered yet, whatever has come."""
        self._expect_answer()
        self.asked = True

    def give_up(self) -> None:
        """The turn under way will not be asked for again: what has come is all there is."""
        self.generated = True

    def forget_calls(self, now: int) -> Iterator[Frame]:
        """The calls that are pending belong to a session that is gone."""
        self.calls.disconnected(())
        yield from self._withdraw(list(self.pending), now)

    def close(self, now: int) -> Iterator[Frame]:
        """The conversation is over: what is known of both utterances becomes final."""
        turn = self.turn
        yield from self._finish_transcripts(interrupted=bool(turn))
        while self._user:
            yield from self._finish_user()
        yield from self._release()
        if turn:
            yield TurnEnded(True, pts=now, turn=turn)
        self.turn, self.calls, self.unanswered = 0, Calls(), 0
        self._more = self.asked = False

    def _content(self, content: ServerContent, now: int) -> Iterator[Frame]:
        if content.interim_input_transcription is not None:
            yield from self._hears(content.interim_input_transcription.text, now)
        if content.input_transcription is not None:
            yield from self._heard(content.input_transcription.text, now)
            if content.input_transcription.finished and self._user and not self._talks_over():
                yield from self._finish_user()
                self._told = not self.turn
        if content.model_turn is not None:
            yield from self._begin(now)
            for part in content.model_turn.parts:
                yield from self._part(part, now)
        if content.grounding_metadata is not None:
            yield from self._begin(now)
            yield read_grounding(content.grounding_metadata).replace(pts=now, turn=self.turn)
        if content.output_transcription is not None and content.output_transcription.text:
            yield from self._begin(now)
            yield from self._said(content.output_transcription.text, now)
        if content.generation_complete and self.turn:
            self.generated = True
        if content.interrupted:
            yield from self._interrupt(now)
        if content.turn_complete:
            self._more = content.interaction_status == IN_PROGRESS
            yield from self._end(now)

    def _begin(self, now: int) -> Iterator[Frame]:
        if self.turn:
            return
        if self._held and self._user and self._user[0].answered:
            yield from self._finish_user()  # its words have not come, and now they never will
        if self._severed and self.playhead > now:  # the answer comes again, from its beginning
            self.playhead = now
            yield Interruption(pts=now, turn=self._last_turn)
        self._severed = False
        self.turn = self._last_turn = self.new_turn()
        self._cut = self._echo = self._told = self.asked = False
        self.unanswered = max(0, self.unanswered - 1)
        self._answered = True
        if self._user:
            self._user[-1].answered = True
        yield TurnStarted(self._asked_at, pts=now, turn=self.turn)

    def _part(self, part: Part, now: int) -> Iterator[Frame]:
        sound = read_audio(part.inline_data) if part.inline_data is not None else None
        if sound is not None:
            yield self._audio(sound, now)
        for shown in read_shown(part):
            yield shown.replace(pts=now, turn=self.turn)
        if part.text and part.thought:
            yield Thought(part.text, pts=now, turn=self.turn)
        elif part.text:
            yield TextFrame(part.text, Speaker.MODEL, pts=now, turn=self.turn)
            yield from self._said(part.text, now)

    def _audio(self, sound: AudioFrame, now: int) -> AudioFrame:
        start = max(self.playhead, now)
        frame = sound.replace(pts=start, turn=self.turn)
        if not self._cut and self.turn != self._silenced:
            self.playhead = frame.end
            self._utterance(start).end = frame.end
        return frame

    def _hears(self, text: str, now: int) -> Iterator[Frame]:
        """Words that may yet change, while the user speaks."""
        if text and not self._echo:
            utterance = self._utterance_of_user(now)
            utterance.hear(text, certain=False)
            yield utterance.transcript(self.turn, final=False)

    def _heard(self, text: str, now: int) -> Iterator[Frame]:
        if not text or self._echo:
            return
        utterance = self._utterance_of_user(now)
        utterance.hear(text)
        yield utterance.transcript(self.turn, final=False)

    def _utterance_of_user(self, now: int) -> Utterance:
        if not self._user:
            start = min(now, self._model.start) if self._model else now
            self._user.append(Utterance(Speaker.USER, start, start, answered=bool(self.turn)))
        return self._user[0]

    def _said(self, text: str, now: int) -> Iterator[Frame]:
        if self._cut:
            return
        utterance = self._utterance(max(self.playhead, now))
        utterance.hear(text)
        yield utterance.transcript(self.turn, final=False)

    def _utterance(self, start: int) -> Utterance:
        """The model's utterance of this turn, which begins it if it has not begun."""
        if self._model is None:
            self._model = Utterance(Speaker.MODEL, start, start)
            self._asked_at = None
        return self._model

    def _called(self, call: FunctionCall, now: int) -> Iterator[Frame]:
        if call.id in self.pending:
            return  # models repeat calls that are still pending
        yield from self._begin(now)
        if not self.calls.was_answered(call):
            id = self.calls.add(call)
            yield ToolCall(id, call.name, call.args, pts=now, turn=self.turn)

    def _withdraw(self, ids: list[str], now: int) -> Iterator[Frame]:
        withdrawn = self.calls.withdraw(ids)
        if withdrawn:
            yield ToolCallCancelled(withdrawn, pts=now, turn=self.turn)

    def _interrupt(self, now: int) -> Iterator[Frame]:
        playing = self.playhead > now
        turn = self.turn or (self._last_turn if playing else 0)
        again, self._cut = self._cut, True
        self._answered = self._answered and not self.speaking
        if not turn or again:
            return  # nothing was being said: some models send it out of nowhere
        if self._model is not None:
            self._model.end = min(self._model.end, max(now, self._model.start))
        self.playhead = min(self.playhead, now)
        yield Interruption(pts=now, turn=turn)
        if self.turn:
            yield from self._finish_transcripts(interrupted=True)

    def _end(self, now: int) -> Iterator[Frame]:
        if self.turn:
            if not self._cut:
                yield from self._finish_transcripts(interrupted=False)
            yield TurnEnded(self._cut, pts=now, turn=self.turn)
        elif self.unanswered > self._cut:  # silence is an answer, unless it was interrupted
            self.unanswered -= 1
            self.asked = self.asked and bool(self.unanswered)
        self.turn, self._cut, self._lined, self.generated = 0, False, False, False

    # --- final lines, in the order in which they were said ---

    def _finish_transcripts(self, *, interrupted: bool) -> Iterator[Frame]:
        if self._user and self._user[0].answered and not self._words_are_due():
            yield from self._finish_user()
        yield from self._finish_model(interrupted=interrupted)

    def _talks_over(self) -> bool:
        """The user speaks over the model, whose line comes first."""
        user, model = self._user[0], self._model
        return model is not None and not user.answered and model.start < user.start

    def _words_are_due(self) -> bool:
        """The user has spoken, and the service has not said yet what it heard."""
        return self.transcribed and not self._user[0].text.strip()

    def _finish_model(self, *, interrupted: bool) -> Iterator[Frame]:
        model, self._model = self._model, None
        if model is None or not model.text.strip():
            return
        line = model.transcript(self.turn, final=True, interrupted=interrupted)
        user = self._user[0] if self._user else None
        if user and (user.answered or (user.start < line.pts and user.said)):
            self._held.append(line)
        else:
            yield self._said_first(line)

    def _finish_user(self) -> Iterator[Frame]:
        utterance = self._user.pop(0)
        if utterance.said:
            self._lined = True
            yield utterance.transcript(self.turn, final=True)
        yield from self._release()

    def _release(self) -> Iterator[Frame]:
        yield from map(self._said_first, self._held)
        self._held.clear()

    def _said_first(self, line: Transcript) -> Transcript:
        """Of who has no words yet, nothing is known to have been said before this line."""
        for user in self._user:
            if not user.said:
                user.start = max(user.start, line.pts)
                user.end = max(user.end, user.start)
        return line
