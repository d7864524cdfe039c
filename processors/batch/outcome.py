"""What came of one file: a line of the results."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec

COLUMNS = (
    "file", "status", "attempts", "seconds", "turns", "interruptions", "calls", "user", "model",
    "response_p50_ms", "response_p95_ms", "tokens", "lost_s", "dropped", "error",
)  # fmt: skip
"""Of the table; the lines of the results have more."""


class Said(msgspec.Struct, frozen=True):
    """An utterance; `start` and `end` in seconds since the run began."""

    speaker: str
    text: str
    start: float
    end: float
    interrupted: bool = False


class Outcome(msgspec.Struct, kw_only=True):
    """What came of a file.

    name: of the folder with what the run wrote. sha256: of the file. recipe: of configuration and
    overrides. passing: a failure of which another attempt may come out well. seconds: the last
    attempt. latencies: in milliseconds by name, in order, of runs in real time. tokens: by
    modality. lost_s: sound that was given up. dropped: frames by processor and reason. files: what
    the run wrote.
    """

    file: str
    name: str
    sha256: str
    recipe: str
    status: Literal["done", "failed"]
    error: str = ""
    passing: bool = False
    attempts: int = 1
    seconds: float = 0.0
    turns: int = 0
    interruptions: int = 0
    calls: int = 0
    transcript: list[Said] = []
    latencies: dict[str, list[float]] = {}
    tokens: dict[str, int] = {}
    lost_s: float = 0.0
    dropped: dict[str, int] = {}
    files: list[str] = []

    def words(self, speaker: str) -> str:
        """All that somebody said."""
        return " ".join(said.text.strip() for said in self.transcript if said.speaker == speaker)

    def row(self) -> Iterator[str | int | float]:
        """Its values in the order of `COLUMNS`."""
        response = self.latencies.get("response", [])
        yield from (self.file, self.status, self.attempts, self.seconds)
        yield from (self.turns, self.interruptions, self.calls)
        yield from (self.words("user"), self.words("model"))
        yield from (_quantile(response, 0.5), _quantile(response, 0.95))
        yield from (sum(self.tokens.values()), self.lost_s, sum(self.dropped.values()), self.error)


def _quantile(values: list[float], share: float) -> float | str:
    """By the nearest rank; nothing where there are no values."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else ""
