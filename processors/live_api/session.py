"""The state of a conversation with the Live API, without sockets, clocks or tasks.

It is told what was sent, what arrived and what time it is, and answers with frames and messages.
Times are nanoseconds on the run's clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline import (
    AudioFrame,
    Frame,
    Interruption,
    SessionEvent,
    Speaker,
    TextFrame,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from processors.live_api.messages import (
    Blob,
    ClientMessage,
    Content,
    FunctionCall,
    FunctionResponse,
    ModalityTokenCount,
    ServerContent,
    ServerMessage,
    ToolResponse,
    UsageMetadata,
)

OUTPUT_RATE = 24_000
_RATE = re.compile(r"rate=(\d+)")


@dataclass
class Utterance:
    """What one side said in one go, as far as it is known."""

    speaker: Speaker
    start: int
    end: int
    text: str = ""
    answered: bool = False

    def transcript(self, turn: int, *, final: bool, interrupted: bool = False) -> Transcript:
        return Transcript(
            self.text.strip(),
            self.speaker,
            self.end,
            final,
            interrupted,
            pts=self.start,
            turn=turn,
        )


@dataclass
class Session:
    """One conversation. `new_turn` gives numbers to the model's turns."""

    new_turn: Callable[[], int]
    turn: int = 0
    """The turn under way; 0 between turns."""
    ready: bool = False
    """The service has accepted the setup."""
    unanswered: int = 0
    """How much the user has said or typed to which no turn has begun yet."""
    playhead: int = 0
    """When all of the model's audio so far will have been played."""
    pending: dict[str, FunctionCall] = field(default_factory=dict)
    """The calls that were not answered, by the id that the graph knows them by."""

    _gated: bool = False
    _cut: bool = False
    _last_turn: int = 0
    _asked: int | None = None
    _user: list[Utterance] = field(default_factory=list)
    _model: Utterance | None = None
    _calls: int = 0

    @property
    def busy(self) -> bool:
        """Whether the service still owes something."""
        return bool(self.turn or self.pending or self.unanswered)

    # --- what the user did ---

    def speech_started(self, pts: int) -> None:
        """The gate heard speech begin."""
        self._gated = True
        if not self._user or self._user[-1].answered:
            self._user.append(Utterance(Speaker.USER, pts, pts))

    def speech_ended(self, pts: int) -> None:
        """The gate heard speech end."""
        if self._user:
            self._user[-1].end = pts
        if not (self._user and self._user[-1].answered):
            self._asked = pts
            self._expect_answer()

    def audio_sent(self, frame: AudioFrame) -> None:
        """Audio went out; without a gate in front, this is all that is known of the user."""
        if self._gated:
            return
        if not self._user or (self._user[-1].answered and not self.turn):
            self._user.append(Utterance(Speaker.USER, frame.pts, frame.end))
            self._expect_answer()
        if not self._user[-1].answered:
            self._user[-1].end = frame.end

    def text_sent(self, frame: TextFrame) -> list[Frame]:
        """Typed text went out."""
        self.unanswered += 1
        self._asked = None
        return [Transcript(frame.text, Speaker.USER, frame.pts, pts=frame.pts)]

    def tool_answered(self, result: ToolResult) -> ClientMessage | None:
        """The message that answers a call; None if the call was withdrawn or answered before."""
        call = self.pending.pop(result.id, None)
        if call is None:
            return None
        if not self.turn:  # some models end their turn at the call
            self._expect_answer()
        response = FunctionResponse(id=call.id, name=call.name, response=result.response)
        return ClientMessage(tool_response=ToolResponse(function_responses=[response]))

    def _expect_answer(self) -> None:
        """Speech with pauses in it gets one answer."""
        self.unanswered = max(1, self.unanswered)

    # --- what the service did ---

    def received(self, message: ServerMessage, now: int) -> list[Frame]:
        """The frames that a server message amounts to, in order. An empty message gives none."""
        return list(self._received(message, now))

    def closed(self, now: int) -> list[Frame]:
        """The connection is over: what is known of both utterances becomes final."""
        frames: list[Frame] = list(self._finish_transcripts(now, interrupted=bool(self.turn)))
        while self._user:
            frames += self._finish_user()
        if self.turn:
            frames.append(TurnEnded(True, pts=now, turn=self.turn))
        self.turn, self.pending, self.unanswered = 0, {}, 0
        return frames

    def _received(self, message: ServerMessage, now: int) -> Iterator[Frame]:
        if message.setup_complete is not None:
            self.ready = True
            yield SessionEvent("started", message.setup_complete.session_id, pts=now)
        if message.server_content is not None:
            yield from self._content(message.server_content, now)
        if message.tool_call is not None:
            for call in message.tool_call.function_calls:
                yield from self._called(call, now)
        if message.tool_call_cancellation is not None:
            ids = tuple(
                id for id in message.tool_call_cancellation.ids if self.pending.pop(id, None)
            )
            if ids:
                yield ToolCallCancelled(ids, pts=now, turn=self.turn)
        if message.usage_metadata is not None:
            yield _usage(message.usage_metadata, self.turn or self._last_turn, now)
        if message.go_away is not None:
            yield SessionEvent("go-away", message.go_away.time_left, pts=now)

    def _content(self, content: ServerContent, now: int) -> Iterator[Frame]:
        if content.input_transcription is not None:
            yield from self._heard(content.input_transcription.text, now)
            if content.input_transcription.finished and self._user:
                yield from self._finish_user()
        if content.model_turn is not None:
            yield from self._begin(now)
            yield from self._output(content.model_turn, now)
        if content.output_transcription is not None and content.output_transcription.text:
            yield from self._begin(now)
            yield from self._said(content.output_transcription.text, now)
        if content.interrupted:
            yield from self._interrupt(now)
        if content.turn_complete:
            yield from self._end(now)

    def _begin(self, now: int) -> Iterator[Frame]:
        if self.turn:
            return
        self.turn = self._last_turn = self.new_turn()
        self._cut = False
        self.unanswered = max(0, self.unanswered - 1)
        if self._user:
            self._user[-1].answered = True
        yield TurnStarted(self._asked, pts=now, turn=self.turn)

    def _output(self, content: Content, now: int) -> Iterator[Frame]:
        for part in content.parts:
            blob = part.inline_data
            if blob is not None and blob.mime_type.startswith("audio/pcm"):
                yield self._audio(blob, now)
            elif part.text and not part.thought:
                yield TextFrame(part.text, Speaker.MODEL, pts=now, turn=self.turn)
                yield from self._said(part.text, now)

    def _audio(self, blob: Blob, now: int) -> AudioFrame:
        rate = _RATE.search(blob.mime_type)
        samples = np.frombuffer(blob.data, "<i2", len(blob.data) // 2).reshape(-1, 1)
        start = max(self.playhead, now)
        frame = AudioFrame(
            samples,
            int(rate[1]) if rate else OUTPUT_RATE,
            Speaker.MODEL,
            pts=start,
            turn=self.turn,
        )
        if not self._cut:
            self.playhead = frame.end
            self._utterance(start).end = frame.end
        return frame

    def _heard(self, text: str, now: int) -> Iterator[Frame]:
        if not text:
            return
        if not self._user:
            self._user.append(Utterance(Speaker.USER, now, now, answered=bool(self.turn)))
        utterance = self._user[0]
        utterance.text += text
        yield utterance.transcript(self.turn, final=False)

    def _said(self, text: str, now: int) -> Iterator[Frame]:
        if self._cut:
            return
        utterance = self._utterance(max(self.playhead, now))
        utterance.text += text
        yield utterance.transcript(self.turn, final=False)

    def _utterance(self, start: int) -> Utterance:
        """The model's utterance of this turn, which begins it if it has not begun."""
        if self._model is None:
            self._model = Utterance(Speaker.MODEL, start, start)
            self._asked = None
        return self._model

    def _called(self, call: FunctionCall, now: int) -> Iterator[Frame]:
        if call.id in self.pending:
            return  # models repeat calls that are still pending
        yield from self._begin(now)
        self._calls += 1
        id = call.id or f"call-{self._calls}"
        self.pending[id] = call
        yield ToolCall(id, call.name, call.args, pts=now, turn=self.turn)

    def _interrupt(self, now: int) -> Iterator[Frame]:
        playing = self.playhead > now
        turn = self.turn or (self._last_turn if playing else 0)
        again, self._cut = self._cut, True
        if not turn or again:
            return  # nothing was being said: some models send it out of nowhere
        if self._model is not None:
            self._model.end = min(self._model.end, max(now, self._model.start))
        self.playhead = min(self.playhead, now)
        yield Interruption(pts=now, turn=turn)
        if self.turn:
            yield from self._finish_transcripts(now, interrupted=True)

    def _end(self, now: int) -> Iterator[Frame]:
        if self.turn:
            if not self._cut:
                yield from self._finish_transcripts(now, interrupted=False)
            yield TurnEnded(self._cut, pts=now, turn=self.turn)
        elif self.unanswered > self._cut:  # silence is an answer, unless it was interrupted
            self.unanswered -= 1
        self.turn, self._cut = 0, False

    def _finish_transcripts(self, now: int, *, interrupted: bool) -> Iterator[Frame]:
        """The user's line first, then the model's: the order in which they were said."""
        if self._user and self._user[0].answered:
            yield from self._finish_user()
        if self._model is not None and self._model.text.strip():
            yield self._model.transcript(self.turn, final=True, interrupted=interrupted)
        self._model = None

    def _finish_user(self) -> Iterator[Frame]:
        utterance = self._user.pop(0)
        if utterance.text.strip():
            yield utterance.transcript(self.turn, final=True)


def _usage(usage: UsageMetadata, turn: int, now: int) -> Usage:
    def by_modality(counts: list[ModalityTokenCount]) -> dict[str, int]:
        return {count.modality: count.token_count for count in counts}

    response = usage.response_tokens_details or usage.candidates_tokens_details
    return Usage(
        by_modality(usage.prompt_tokens_details),
        by_modality(response),
        usage.total_token_count,
        pts=now,
        turn=turn,
    )
