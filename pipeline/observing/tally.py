"""What a run has had so far: turns, tokens, sessions and their ages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipeline.frames import SECOND, Frame, SessionEvent, TurnStarted, Usage
from pipeline.runtime.wiring import Tap

CONNECTED = {"started", "resumed", "restarted"}


def clock(seconds: float) -> str:
    """`1:05`, `1:01:05`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


class Tally:
    """Counts what its taps see."""

    def __init__(self) -> None:
        self.turns = 0
        self._usage: dict[str, Usage] = {}
        self._sessions: dict[str, tuple[int, int]] = {}
        """By node: when the session began, and how many connections it has had."""

    @property
    def taps(self) -> Mapping[type[Frame], Tap]:
        """What it has to see."""
        return {TurnStarted: self.count, SessionEvent: self.count, Usage: self.count}

    @property
    def tokens(self) -> Mapping[str, int]:
        """Tokens of the whole run by modality, as far as they were reported."""
        tokens: Counter[str] = Counter()
        for usage in self._usage.values():
            tokens.update(usage.totals)
        return tokens

    def facts(self, seconds: float) -> list[str]:
        """Turns, tokens, and the ages of sessions, `seconds` after the run began."""
        facts = [f"{self.turns} turn{'' if self.turns == 1 else 's'}"]
        facts += [f"{count:,} {kind.lower()} tokens" for kind, count in sorted(self.tokens.items())]
        for node, (since, connections) in self._sessions.items():
            age = clock(seconds - since / SECOND)
            again = f" on connection {connections}" if connections > 1 else ""
            facts.append(f"{node}: session {age}{again}")
        return facts

    def count(self, node: str, frame: Frame) -> None:
        """See a frame that a node gives."""
        match frame:
            case TurnStarted():
                self.turns += 1
            case Usage():
                self._usage[node] = frame
            case SessionEvent(kind=kind) if kind in CONNECTED:
                since, connections = self._sessions.get(node, (frame.pts, 0))
                begun = since if kind == "resumed" else frame.pts
                self._sessions[node] = begun, connections + 1
