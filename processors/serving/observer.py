"""What a client is told of a run: everything that is seen where it enters the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import anyio

from pipeline import (
    SECOND,
    AudioFrame,
    Code,
    CodeResult,
    Frame,
    Gap,
    Grounding,
    SessionEvent,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    Thought,
    ToolCall,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from processors.serving import protocol
from processors.serving.line import Line

MS = 1_000_000
BEHIND_THE_WORDS = (ToolCall, ToolResult, Thought, Code, CodeResult, Grounding)
LONGEST = 2_000
"""Characters of a tool's answer, or of anything else that is only shown."""


class Observer:
    """Turns frames into events for the client; `active` is when last something was said.

    private: tells nothing of what is behind the words: functions, thoughts, code and searches.
    """

    def __init__(self, line: Line, *, private: bool = False) -> None:
        self._line = line
        self._private = private
        self.active = anyio.current_time()
        self.turns = 0
        """How many answers there were."""
        self.answering = False

    @property
    def taps(self) -> dict[type[Frame], Callable[[str, Any], None]]:
        """For `pipeline.Run`."""
        tell = self._line.mailbox.tell
        taps: dict[type[Frame], Callable[[Any], protocol.Event]] = {
            Transcript: _transcript,
            TurnStarted: self._turn_started,
            TurnEnded: self._turn_ended,
            SpeechStarted: lambda _: protocol.Speech(speaking=True),
            SpeechEnded: lambda _: protocol.Speech(speaking=False),
            ToolCall: _call,
            ToolResult: _result,
            Thought: lambda frame: protocol.Note(kind="thought", text=frame.text),
            Code: lambda frame: protocol.Note(kind="code", text=frame.code),
            CodeResult: _code_result,
            Grounding: _grounding,
            Gap: _gap,
            SessionEvent: lambda frame: protocol.Service(kind=frame.kind),
            Usage: lambda frame: protocol.Tokens(totals=frame.totals),
        }

        def tapped(made: Callable[[Any], protocol.Event]) -> Callable[[str, Any], None]:
            def tap(_: str, frame: Any) -> None:
                self.active = anyio.current_time()
                if not (self._private and isinstance(frame, BEHIND_THE_WORDS)):
                    tell(made(frame))

            return tap

        return {
            **{kind: tapped(made) for kind, made in taps.items()},
            AudioFrame: self._audio,
        }

    def _audio(self, _: str, frame: AudioFrame) -> None:
        if frame.speaker is Speaker.MODEL:
            self.active = anyio.current_time()

    def _turn_started(self, frame: TurnStarted) -> protocol.Turn:
        self.turns += 1
        self.answering = True
        asked = None if frame.asked is None else self._line.place(frame.asked)
        return protocol.Turn(turn=frame.turn, state="started", asked_ms=asked)

    def _turn_ended(self, frame: TurnEnded) -> protocol.Turn:
        self.answering = False
        state: Literal["ended", "interrupted"] = "interrupted" if frame.interrupted else "ended"
        return protocol.Turn(turn=frame.turn, state=state)


def _transcript(frame: Transcript) -> protocol.Transcript:
    return protocol.Transcript(
        speaker=frame.speaker.value,
        text=frame.text,
        start_ms=frame.pts / MS,
        end_ms=frame.end / MS,
        final=frame.final,
        interrupted=frame.interrupted,
    )


def _call(frame: ToolCall) -> protocol.Call:
    return protocol.Call(id=frame.id, name=frame.name, arguments=frame.arguments)


def _result(frame: ToolResult) -> protocol.Result:
    response = frame.response
    if len(str(response)) > LONGEST:
        response = {"output": f"{str(response.get('output', response))[:LONGEST]}..."}
    return protocol.Result(id=frame.id, name=frame.name, response=response)


def _code_result(frame: CodeResult) -> protocol.Note:
    return protocol.Note(kind="code-result", text=frame.output[:LONGEST])


def _grounding(frame: Grounding) -> protocol.Note:
    pages = (" ".join(filter(None, (page.title, page.uri))) for page in frame.pages)
    return protocol.Note(kind="search", text="\n".join([*frame.queries, *pages]))


def _gap(frame: Gap) -> protocol.Note:
    lost = f"{frame.duration / SECOND:.2f} s of the {frame.speaker.value}'s sound are lost"
    return protocol.Note(kind="gap", text=lost)
