"""The conversation on the terminal, word by word."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from pipeline.frames import Frame, Speaker, ToolCall, ToolResult, Transcript, TurnEnded, TurnStarted
from pipeline.runtime.wiring import Tap

STYLES = {Speaker.USER: "bold cyan", Speaker.MODEL: "bold green"}
LONGEST = 160


class Talk:
    """Prints both speakers' words as they come, tool calls and interruptions between them."""

    def __init__(self, console: Console) -> None:
        self.turns = 0
        self._console = console
        self._line: tuple[Speaker, int] | None = None
        self._shown: dict[tuple[Speaker, int], int] = {}

    @property
    def taps(self) -> Mapping[type[Frame], Tap]:
        return {
            Transcript: self._transcript,
            ToolCall: self._tool_call,
            ToolResult: self._tool_result,
            TurnStarted: self._turn_started,
            TurnEnded: self._turn_ended,
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
        shown = answer if len(answer) <= LONGEST else f"{answer[:LONGEST]}..."
        self.note(f"{frame.name} -> {shown}")

    def _turn_started(self, _: str, frame: Frame) -> None:
        self.turns += 1

    def _turn_ended(self, _: str, frame: Frame) -> None:
        assert isinstance(frame, TurnEnded)
        if frame.interrupted:
            self.note("interrupted")
