"""What was said, written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

import msgspec

from pipeline import (
    SECOND,
    Code,
    CodeResult,
    Gap,
    Grounding,
    OutputPath,
    Sink,
    Speaker,
    Thought,
    Transcript,
)
from processors.files import check_writable

Written = Transcript | Thought | Code | CodeResult | Grounding | Gap


class TranscriptionSink(Sink):
    """Writes one JSON object per utterance and line: speaker, text, start and end in seconds.

    Start and end are on the run's clock; `"interrupted": true` marks what was cut short. Every
    line is with the system as soon as its utterance is final; what is not final when the run ends
    is written then, marked `"unfinished": true`.

    What else there was has lines of its own between them, in the order in which it came, with the
    second that it happened `at`:

      {"thought": "...", "at": 1.5}                           what the model thought
      {"code": "...", "language": "PYTHON", "at": 1.5}        what it ran
      {"code_output": "...", "failed": false, "at": 1.5}      and what came of that
      {"searched": ["..."], "pages": [{"title": "...", "uri": "..."}], "at": 1.5}
      {"gap": 0.75, "speaker": "user", "at": 1.5}             seconds of sound that were lost

    path: the file (.jsonl), replaced if it exists.
    """

    def __init__(self, path: OutputPath) -> None:
        self.path = Path(path)
        self._file: IO[bytes] | None = None
        self._unfinished: dict[tuple[Speaker, int], Transcript] = {}

    def check(self) -> None:
        check_writable(self.path)

    async def lifespan(self) -> AsyncIterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("wb", buffering=0) as self._file:
            self.context.wrote(str(self.path))
            try:
                yield
            finally:
                for frame in sorted(self._unfinished.values(), key=lambda frame: frame.pts):
                    self._write(frame)

    async def consume(self, frame: Written) -> None:
        if isinstance(frame, Transcript):
            self._unfinished.pop((frame.speaker, frame.pts), None)
            if not frame.final:
                self._unfinished[frame.speaker, frame.pts] = frame
                return
        self._write(frame)

    def _write(self, frame: Written) -> None:
        assert self._file is not None
        self._file.write(msgspec.json.encode(_row(frame)) + b"\n")


def _row(frame: Written) -> dict[str, Any]:
    """A line of the file."""
    row: dict[str, Any]
    if isinstance(frame, Transcript):
        row = {
            "speaker": frame.speaker.value,
            "text": frame.text,
            "start": _seconds(frame.pts),
            "end": _seconds(frame.end),
        }
        if frame.interrupted:
            row["interrupted"] = True
        if not frame.final:
            row["unfinished"] = True
        return row
    if isinstance(frame, Thought):
        row = {"thought": frame.text}
    elif isinstance(frame, Code):
        row = {"code": frame.code, "language": frame.language}
    elif isinstance(frame, CodeResult):
        row = {"code_output": frame.output, "failed": frame.failed}
    elif isinstance(frame, Grounding):
        pages = [{"title": page.title, "uri": page.uri} for page in frame.pages]
        row = {"searched": frame.queries, "pages": pages}
    else:
        row = {"gap": _seconds(frame.duration), "speaker": frame.speaker.value}
    return {**row, "at": _seconds(frame.pts)}


def _seconds(nanoseconds: int) -> float:
    return round(nanoseconds / SECOND, 3)
