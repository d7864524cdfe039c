"""The conversation on the terminal, word by word."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from pipeline.frames import (
    SECOND,
    Code,
    CodeResult,
    Frame,
    Gap,
    Grounding,
    SessionEvent,
    Speaker,
    Thought,
    ToolCall,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from pipeline.observing.tally import Tally
from pipeline.runtime.wiring import Tap

STYLES = {Speaker.USER: "bold cyan", Speaker.MODEL: "bold green"}
LONGEST = 160
QUIET = {"waiting", "started", "go-away", "gap", "stall", "fresh", "context-low"}
"""Session events that are not shown: the usual, those of the log, and gaps, which are frames."""
NAMED = {"resumed", "restarted"}
"""Session events whose detail is only the session's name."""


class Talk:
    """Prints both speakers' words as they come, and between them what else happens: thoughts, code,
    searches, calls, interruptions, gaps, and what becomes of the session.
    """

    def __init__(self, console: Console) -> None:
        self.tally = Tally()
        self._console = console
        self._line: tuple[Speaker, int] | None = None
        self._shown: dict[tuple[Speaker, int], int] = {}

    @property
    def taps(self) -> Mapping[type[Frame], Tap]:
        return {
            Transcript: self._transcript,
            ToolCall: self._tool_call,
            ToolResult: self._tool_result,
            TurnStarted: self.tally.count,
            TurnEnded: self._turn_ended,
            Thought: self._thought,
            Code: self._code,
            CodeResult: self._code_result,
            Grounding: self._grounding,
            Gap: self._gap,
            SessionEvent: self._session_event,
            Usage: self.tally.count,
        }

    def note(self, text: str) -> None:
        """A remark between the lines."""
        self.end_line()
        self._console.print(Text(f"  {text}", "dim"), soft_wrap=True)

    def end_line(self) -> None:
        """Whatever comes next begins a new line."""
        if self._line is not None:
            self._console.print()
            self._line = None

    def _transcript(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, Transcript)
        utterance = (frame.speaker, frame.pts)
        new = frame.text[self._shown.get(utterance, 0) :]
        if frame.final:
            self._shown.pop(utterance, None)
        else:
            self._shown[utterance] = len(frame.text)
        if not new.strip():
            if frame.final and self._line == utterance:
                self.end_line()
            return
        if self._line != utterance:
            self.end_line()
            self._console.print(
                Text(f"{frame.speaker.value:>5}  ", STYLES.get(frame.speaker, "")), end=""
            )
            self._line = utterance
            new = new.lstrip()
        self._console.print(Text(new), end="", soft_wrap=True)
        if frame.final:
            self.end_line()

    def _tool_call(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, ToolCall)
        arguments = ", ".join(f"{name}={value!r}" for name, value in frame.arguments.items())
        self.note(f"calls {frame.name}({arguments})")

    def _tool_result(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, ToolResult)
        answer = str(frame.response.get("output", frame.response))
        self.note(f"{frame.name} -> {_shortened(answer)}")

    def _turn_ended(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, TurnEnded)
        if frame.interrupted:
            self.note("interrupted")

    def _thought(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, Thought)
        self.note(f"thinks: {' '.join(frame.text.split())}")

    def _code(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, Code)
        self.note(f"runs {frame.language.title()}:")
        for line in frame.code.rstrip().splitlines():
            self.note(f"  {line}")

    def _code_result(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, CodeResult)
        result = "failed" if frame.failed else "prints"
        self.note(f"{result}: {_shortened(frame.output.strip()) or 'nothing'}")

    def _grounding(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, Grounding)
        if frame.queries:
            self.note(f"searches: {'; '.join(frame.queries)}")
        for page in frame.pages:
            self.note(" ".join(filter(None, ("source:", page.title, page.uri))))

    def _gap(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, Gap)
        self.note(f"{frame.duration / SECOND:.2f} s of the {frame.speaker.value}'s sound are lost")

    def _session_event(self, node: str, frame: Frame) -> None:
        assert isinstance(frame, SessionEvent)
        self.tally.count(node, frame)
        if frame.kind not in QUIET:
            detail = f": {frame.detail}" if frame.detail and frame.kind not in NAMED else ""
            self.note(f"session {frame.kind}{detail}")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
