"""Which frames `pipeline tap` shows, and what of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Self

import msgspec

from pipeline.errors import did_you_mean
from pipeline.frames import SECOND, AudioFrame, Frame
from pipeline.graph import Graph

NOT_SHOWN = {"born"}
"""Fields of frames that mean nothing to another process."""
LONGEST = 2_000
"""Characters of one text."""


class Peek:
    """Whether a pattern is for frames of a type at a place: `gemini`, `gemini.*`, `*.Transcript`
    for what nodes give, `mic -> gemini`, `* -> gemini.AudioFrame` for what goes over edges."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [_plain(pattern) for pattern in patterns]

    def __call__(self, place: str, kind: type[Frame]) -> bool:
        names = [_plain(place), f"{_plain(place)}.{kind.__name__}"]
        names.append(f"{_plain(place)}.{event_name(kind)}")
        return any(
            ("->" in pattern) == ("->" in place) and any(fnmatchcase(n, pattern) for n in names)
            for pattern in self._patterns
        )


class Wanted(NamedTuple):
    """A pattern for sessions, and one for the places in them that `Peek` understands."""

    session: str
    place: str

    @classmethod
    def read(cls, pattern: str) -> Self:
        """`SESSION/PLACE`, or `PLACE`: of all sessions."""
        session, slash, place = pattern.partition("/")
        return cls(session.strip(), place) if slash else cls("*", pattern)

    def fits(self, session: str) -> bool:
        """Whether it is for a session of this name."""
        return fnmatchcase(session, self.session)

    @property
    def is_name(self) -> bool:
        """Whether it can fit one session only."""
        return not any(c in self.session for c in "*?[")


def unmatched(graph: Graph, patterns: Sequence[str]) -> str:
    """Why a pattern can never show anything; empty if all can."""
    edges = [_plain(f"{edge.source.name} -> {edge.target.name}") for edge in graph.edges]
    for pattern in map(_plain, patterns):
        places = edges if "->" in pattern else list(graph.nodes)
        parts = (pattern, pattern.rpartition(".")[0])
        if not any(fnmatchcase(place, part) for place in places for part in parts if part):
            what = "edge" if "->" in pattern else "processor"
            return f'no {what} is called "{pattern}"; {did_you_mean(parts[1] or pattern, places)}'
    return ""


def describe(at: int, place: str, frame: Frame) -> dict[str, Any]:
    """A frame in a line: of sound its length and level, of pictures their size, text as it is.

    at: nanoseconds since the run began, when it was seen; in the row, seconds.
    """
    return {"at": round(at / SECOND, 4), "place": place, **_shown(frame)}


def in_json(row: Any) -> bytes:
    """A line for another process. Half a pair of surrogates, which UTF-8 has not, becomes `?`."""
    try:
        return msgspec.json.encode(row, enc_hook=str) + b"\n"
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(row, enc_hook=str, str_keys=True)
        return (json.dumps(plain, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def event_name(kind: type[Frame]) -> str:
    """`TurnStarted` as `turn-started`."""
    name = kind.__name__.removesuffix("Frame")
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def _shown(value: Any) -> Any:
    if isinstance(value, Frame):
        return {"type": event_name(type(value)), **_fields(value)}
    if isinstance(value, Mapping):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}..."
    return value


def _fields(frame: Frame) -> dict[str, Any]:
    if isinstance(frame, AudioFrame):
        samples = frame.samples.astype("float64") / 32768
        power = float((samples**2).mean()) if samples.size else 0.0
        peak = float(abs(samples).max()) if samples.size else 0.0
        return {
            "speaker": frame.speaker.value,
            "pts": frame.pts,
            "turn": frame.turn,
            "ms": round(frame.duration / 1e6, 2),
            "rate": frame.rate,
            "channels": frame.channels,
            "rms_db": _decibels(power, 10),
            "peak_db": _decibels(peak, 20),
        }
    names = (name for name in frame.__struct_fields__ if name not in NOT_SHOWN)
    return {name: _shown(getattr(frame, name)) for name in names}


def _decibels(value: float, factor: int) -> float | None:
    """Below full scale; None for silence."""
    return round(factor * math.log10(value), 1) if value > 0 else None


def _plain(pattern: str) -> str:
    return "".join(pattern.split())
