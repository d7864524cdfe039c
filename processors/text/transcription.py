"""What was said, written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import msgspec

from pipeline import SECOND, OutputPath, Sink, Speaker, Transcript
from processors.files import check_writable


class TranscriptionSink(Sink):
    """Writes one JSON object per utterance and line: speaker, text, start and end in seconds.

    Start and end are on the run's clock; `"interrupted": true` marks what was cut short. Every
    line is with the system as soon as its utterance is final; what is not final when the run ends
    is written then, marked `"unfinished": true`.

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

    async def consume(self, frame: Transcript) -> None:
        if frame.final:
            self._unfinished.pop((frame.speaker, frame.pts), None)
            self._write(frame)
        else:
            self._unfinished[frame.speaker, frame.pts] = frame

    def _write(self, frame: Transcript) -> None:
        assert self._file is not None
        row = {
            "speaker": frame.speaker.value,
            "text": frame.text,
            "start": round(frame.pts / SECOND, 3),
            "end": round(frame.end / SECOND, 3),
        }
        if frame.interrupted:
            row["interrupted"] = True
        if not frame.final:
            row["unfinished"] = True
        self._file.write(msgspec.json.encode(row) + b"\n")
