"""What failed, written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from pipeline import SECOND, DeadLetter, Frame, OutputPath, SettingError, Sink
from processors.files import append, check_writable, create, named


class DeadLetterSink(Sink):
    """Writes the frames that processors failed on, as JSON Lines.

    A node gives them when its `on_error` is `skip`, `restart` or `detach`, to whatever takes them:
    wire it, `gate -> failed`, a sink too, `speaker -> failed`. Each line is with the system when
    the next frame flows, and says when it happened, the error and the frame; sound and pictures
    are left out of it but for their size:

      {"at": 1.5, "code": "ENOSPC", "processor": "file", "message": "OSError: ...",
       "frame": {"type": "AudioFrame", "pts": 1.48, "turn": 1, "samples": 480, "rate": 24000}}

    path: the file (.jsonl), replaced if it exists.
    """

    def __init__(self, path: OutputPath) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".jsonl":
            raise SettingError(f"{path} must end in .jsonl", setting="path")

    def check(self) -> None:
        check_writable(self.path, pipes=True)

    async def lifespan(self) -> AsyncIterator[None]:
        self.path = self.context.claim(self.path)
        with named(self.path), create(self.path) as self._file:
            self.context.wrote(str(self.path))
            yield

    async def consume(self, frame: DeadLetter) -> None:
        row = {
            "at": _seconds(self.context.now()),
            "code": frame.code,
            "processor": frame.processor,
            "message": frame.message,
            "frame": described(frame.frame),
        }
        with named(self.path):
            append(self._file, msgspec.json.encode(row, enc_hook=str) + b"\n")


def described(frame: Frame) -> dict[str, Any]:
    """A frame in plain values: its type, its media time in seconds, its turn, and its fields.

    Of bytes and arrays there is only the length.
    """
    fields = {name: getattr(frame, name) for name in frame.__struct_fields__}
    del fields["born"]
    pts, turn = fields.pop("pts"), fields.pop("turn")
    sizes = {
        name: len(value) if isinstance(value, bytes) or hasattr(value, "dtype") else value
        for name, value in fields.items()
    }
    return {"type": type(frame).__name__, "pts": _seconds(pts), "turn": turn, **sizes}


def _seconds(nanoseconds: int) -> float:
    return round(nanoseconds / SECOND, 3)
