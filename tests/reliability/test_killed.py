"""A process that is killed, as where memory runs out: what it has written is there."""

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.reliability import valid_files

RATE, SLICE = 8000, 160
BEHIND_S = 1.0
"""Sound that may be lost; and as much for a machine that is busy."""

WRITER = """
import os, sys
from collections.abc import AsyncIterator, Iterator
import anyio
import numpy as np
from pipeline import *
from processors.audio.recorder import Recorder
from processors.audio.sink import AudioSink
from processors.text.dead_letters import DeadLetterSink
from processors.text.transcription import TranscriptionSink

class Talk(Source):
    async def frames(self) -> AsyncIterator[AudioFrame | Transcript]:
        number = 0
        while True:
            at = number * SECOND // 50
            await anyio.sleep(max(0, at - self.context.now()) / SECOND)
            samples = np.full((160, 1), number + 1, np.int16)
            yield AudioFrame(samples, 8000, pts=at)
            yield Transcript(f"word {number}", Speaker.USER, at + SECOND // 50, final=True, pts=at)
            os.write(1, b".")
            number += 1

class Fails(Transform):
    def process(self, frame: Transcript) -> Iterator[Transcript]:
        raise ValueError(frame.text)

run(Graph(
    {
        "talk": Talk(),
        "sound": AudioSink("sound.wav"),
        "recorder": Recorder("recorded.wav", "mono", rate=8000),
        "lines": TranscriptionSink("lines.jsonl"),
        "cues": TranscriptionSink("cues.srt"),
        "fails": Fails(),
        "failed": DeadLetterSink("failed.jsonl"),
    },
    ["talk -> sound", "talk -> recorder", "talk -> lines", "talk -> cues",
     "talk -> fails -> failed"],
    supervision={"fails": Supervision("skip")},
))
"""


def samples(path: Path) -> np.ndarray:
    """What the header tells of; killed within a write, the file may have more."""
    with wave.open(str(path), "rb") as file:
        found = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert 0 <= path.stat().st_size - 44 - 2 * len(found) <= 2 * BEHIND_S * RATE
    return found


@pytest.mark.parametrize("frames", [60, 73])
def test_what_was_written_can_be_read_up_to_the_last_second(frames: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        given = len(process.stdout.read(frames))
        process.kill()
        given += len(process.stdout.read())
    for name in ("lines.jsonl", "failed.jsonl", "cues.srt"):
        valid_files.check(tmp_path / name)
    lines = [row["text"] for row in valid_files.json_rows(tmp_path / "lines.jsonl")]
    assert lines == [f"word {number}" for number in range(len(lines))]
    failed = len(valid_files.json_rows(tmp_path / "failed.jsonl"))
    cues = (tmp_path / "cues.srt").read_text().count("-->")
    assert min(len(lines), failed, cues) >= given - 3  # a few are on their way
    for name in ("sound.wav", "recorded.wav"):
        found = samples(tmp_path / name)
        assert len(found) >= given * SLICE - 2 * BEHIND_S * RATE
        numbers = found[SLICE // 2 :: SLICE]
        right = numbers == np.arange(1, len(numbers) + 1)
        assert np.all(right | (numbers == 0))  # a recorder leaves out what comes too late
        assert np.count_nonzero(right) >= len(numbers) / 2
