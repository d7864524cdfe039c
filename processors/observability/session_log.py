"""What happened in a run, in the order of a conversation: for the page of a session."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from pipeline import (
    SECOND,
    Code,
    CodeResult,
    Frame,
    Gap,
    Grounding,
    Run,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    Thought,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)

MOST = 5_000
"""Rows of one kind; what comes later is only counted."""
LONGEST = 2_000
"""Characters of one text."""

Row = dict[str, Any]


class SessionLog:
    """Rows for what was said, asked, called and lost. Times are seconds since the run began."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.rows: dict[str, list[Row]] = {
            kind: [] for kind in ("words", "speech", "turns", "calls", "events")
        }
        self.left_out = 0
        self._turns: dict[int, Row] = {}
        self._waits = defaultdict[int, Row](dict)
        self._calls: dict[str, Row] = {}
        self._usage: dict[str, Usage] = {}
        self._drops: Counter[tuple[str, str]] = Counter()

    @property
    def taps(self) -> Mapping[type[Frame], Callable[[str, Any], None]]:
        """What it wants to see."""
        return {
            Transcript: self._transcript,
            SpeechStarted: self._speech_started,
            SpeechEnded: self._speech_ended,
            TurnStarted: self._turn_started,
            TurnEnded: self._turn_ended,
            ToolCall: self._called,
            ToolCallCancelled: self._call_cancelled,
            ToolResult: self._answered,
            Thought: lambda _, frame: self._event("thought", frame.text),
            Code: lambda _, frame: self._event("code", frame.code),
            CodeResult: lambda _, frame: self._event("code result", frame.output),
            Grounding: lambda _, frame: self._event("search", "; ".join(frame.queries)),
            Gap: self._gap,
            SessionEvent: self._session_event,
            Usage: self._used,
        }

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens by modality, as far as they were reported."""
        tokens: Counter[str] = Counter()
        for usage in self._usage.values():
            tokens.update(usage.totals)
        return dict(tokens)

    def measured(self, what: str, nanoseconds: int, turn: int) -> None:
        """The wait for an answer, and its parts, belong to a turn, which may not have begun yet."""
        if what.partition(".")[0] == "response" and len(self._waits) < MOST:
            self._waits[turn][what] = round(nanoseconds / SECOND, 4)

    def heard(self, turn: int, start: float, end: float) -> None:
        """The model's sound of a turn was heard there."""
        row = self._turns.get(turn)
        if row is None or (row["interrupted"] and start >= row["end"]):
            return
        begun, ended = row["heard"] or (start, end)
        row["heard"] = [min(begun, start), max(ended, end)]
        self._cut_short(row)

    def notice_drops(self, drops: Mapping[tuple[str, str], int]) -> None:
        """Note what was dropped since the last time."""
        for (node, reason), frames in drops.items():
            new = frames - self._drops[node, reason]
            if new:
                self._event("dropped", f"{new} frames at {node}: {reason}")
        self._drops = Counter(drops)

    def notice_hold(self, node: str, where: str, nanoseconds: int) -> None:
        """A processor has held up all others."""
        self._event("held up", f"{nanoseconds / SECOND:.2f} s by {node}, at {where}")

    def _now(self) -> float:
        return _seconds(self._run.now())

    def _add(self, kind: str, row: Row) -> None:
        if len(self.rows[kind]) < MOST:
            self.rows[kind].append(row)
        else:
            self.left_out += 1

    def _event(self, kind: str, text: str) -> None:
        self._add("events", {"at": self._now(), "kind": kind, "text": _short(text)})

    def _transcript(self, _: str, frame: Transcript) -> None:
        if frame.final and frame.text.strip():
            self._add(
                "words",
                {
                    "at": _seconds(frame.pts),
                    "end": _seconds(max(frame.end, frame.pts)),
                    "speaker": frame.speaker.value,
                    "text": _short(frame.text.strip()),
                    "interrupted": frame.interrupted,
                },
            )

    def _speech_started(self, _: str, frame: SpeechStarted) -> None:
        self._add("speech", {"at": _seconds(frame.pts), "end": None})

    def _speech_ended(self, _: str, frame: SpeechEnded) -> None:
        if self.rows["speech"] and self.rows["speech"][-1]["end"] is None:
            self.rows["speech"][-1]["end"] = _seconds(frame.pts)

    def _turn_started(self, _: str, frame: TurnStarted) -> None:
        row: Row = {
            "turn": frame.turn,
            "at": _seconds(frame.pts),
            "asked": None if frame.asked is None else _seconds(frame.asked),
            "end": None,
            "interrupted": False,
            "heard": None,
            "wait": self._waits[frame.turn],
        }
        self._turns[frame.turn] = row
        self._add("turns", row)

    def _turn_ended(self, _: str, frame: TurnEnded) -> None:
        row = self._turns.get(frame.turn)
        if row is not None:
            row["end"], row["interrupted"] = _seconds(frame.pts), frame.interrupted
            if frame.interrupted:
                self._event("interrupted", f"turn {frame.turn}")
                self._cut_short(row)

    def _cut_short(self, row: Row) -> None:
        """What was to be heard after an interruption is not."""
        if row["interrupted"] and row["heard"]:
            row["heard"][1] = max(row["heard"][0], min(row["heard"][1], row["end"]))

    def _called(self, _: str, frame: ToolCall) -> None:
        row: Row = {
            "at": self._now(),
            "end": None,
            "name": frame.name,
            "arguments": _short(
                ", ".join(f"{name}={value!r}" for name, value in frame.arguments.items())
            ),
            "response": None,
            "state": "open",
        }
        self._calls[frame.id] = row
        self._add("calls", row)

    def _call_cancelled(self, _: str, frame: ToolCallCancelled) -> None:
        for id in frame.ids:
            if id in self._calls:
                self._calls[id].update(end=self._now(), state="cancelled")

    def _answered(self, _: str, frame: ToolResult) -> None:
        if frame.id in self._calls:
            answer = frame.response.get("output", frame.response.get("error", frame.response))
            state = "failed" if "error" in frame.response else "answered"
            self._calls[frame.id].update(end=self._now(), response=_short(str(answer)), state=state)

    def _gap(self, _: str, frame: Gap) -> None:
        self._event("gap", f"{frame.duration / SECOND:.2f} s of the {frame.speaker.value}'s sound")

    def _session_event(self, node: str, frame: SessionEvent) -> None:
        if frame.kind != "gap":  # which is a frame of its own
            self._event("session", f"{node}: {frame.kind} {frame.detail}".strip())

    def _used(self, node: str, frame: Usage) -> None:
        self._usage[node] = frame


def _seconds(nanoseconds: int) -> float:
    return round(nanoseconds / SECOND, 3)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
