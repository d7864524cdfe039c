"""Both sides of a session, compressed, and what they look like."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline import SECOND, AudioFrame, Playback, Speaker
from processors.audio.pcm import Samples, count_of
from processors.audio.recording.both_sides import BothSides
from processors.audio.recording.track import Piece

RATE = 16_000
COLUMNS = 50
"""Columns of a waveform in a second."""
WIDTH = RATE // COLUMNS
BEHIND = 2 * SECOND
"""How far behind the clock it is encoded: frames come later than what they hold was heard."""
TYPE = 'audio/ogg; codecs="opus"'
COMPRESSION = 0.95
"""Of 0 to 1: some 30 kbit/s where both speak, a third of a megabyte of page to the minute."""


class SessionSound:
    """Takes frames as they come, and encodes in steps; Opus at 16 kHz, the user left, model right.

    longest_s: what comes later is not kept. reported: a loudspeaker says what was heard. heard:
    told, for each piece of the model's sound, its turn, and its beginning and end in seconds.
    """

    def __init__(
        self, longest_s: float, *, reported: bool, heard: Callable[[int, float, float], None]
    ) -> None:
        self._longest = count_of(round(longest_s * SECOND), RATE)
        self._sides = BothSides(RATE, 2, reported=reported, placed=self._placed)
        self._heard = heard
        self._encoded = io.BytesIO()
        self._file: Any = None
        self._peaks: list[Samples] = []
        self._any = False

    def add(self, frame: AudioFrame) -> None:
        """Keep the sound, if it is not too late for it."""
        if count_of(frame.pts, RATE) < self._longest:
            self._any = True
            self._sides.add(frame)

    def hear(self, report: Playback) -> None:
        """A loudspeaker has played."""
        self._sides.hear(report)

    def cut(self, turn: int, now: int) -> None:
        """The model's turn was interrupted at media time `now`."""
        self._sides.cut(turn, now)

    def take(self, now: int | None) -> Samples:
        """What is complete at media time `now`, or all, for `encode`; in whole columns."""
        if now is None:
            self._sides.flush()
            until = self._sides.end
        else:
            self._sides.flush(now - BEHIND)
            until = count_of(max(0, now - BEHIND), RATE)
        until = min(until, self._longest)
        return self._sides.take(until - until % WIDTH if now is not None else until)

    def encode(self, samples: Samples) -> None:
        """Append what was taken; takes a while, so call it in a thread."""
        import soundfile

        if not len(samples):
            return
        if self._file is None:
            self._file = soundfile.SoundFile(
                self._encoded, "w", RATE, 2, "OPUS", format="OGG", compression_level=COMPRESSION
            )
        self._file.write(samples)
        padded = np.pad(samples, ((0, -len(samples) % WIDTH), (0, 0)))
        columns = padded.reshape(-1, WIDTH, 2) >> 8
        self._peaks.append(np.stack((columns.min(axis=1), columns.max(axis=1)), axis=2))

    def finish(self) -> tuple[bytes, bytes, bytes]:
        """The Ogg file and, as int8, the least and the greatest of each column, alternating, of the
        user and of the model; all empty if there was no sound."""
        if self._file is None or not self._any:
            return b"", b"", b""
        self._file.close()
        peaks = np.concatenate(self._peaks).astype(np.int8)
        return self._encoded.getvalue(), peaks[:, 0].tobytes(), peaks[:, 1].tobytes()

    def _placed(self, speaker: Speaker, piece: Piece) -> None:
        if speaker is Speaker.MODEL and len(piece.samples):
            self._heard(piece.turn, piece.start / RATE, piece.end / RATE)
