"""Tests of the list of what failed."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    DeadLetter,
    ImageFrame,
    ProcessorFailure,
    SettingError,
    ToolCall,
)
from pipeline.testing import feed
from processors.text.dead_letters import DeadLetterSink


async def test_every_letter_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "failed.jsonl"
    sound = AudioFrame(np.zeros((480, 1), np.int16), 24_000, pts=2 * SECOND, turn=3)
    call = ToolCall("1", "weather", {"city": "Köln"})
    picture = ImageFrame(b"1234")
    given = [DeadLetter("ENOSPC", "file", "full", frame) for frame in (sound, call, picture)]
    await feed(DeadLetterSink(str(path)), given)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row.pop("frame") for row in rows] == [
        {"type": "AudioFrame", "pts": 2.0, "turn": 3, "samples": 480, "rate": 24000,
         "speaker": "user"},
        {"type": "ToolCall", "pts": 0.0, "turn": 0, "id": "1", "name": "weather",
         "arguments": {"city": "Köln"}},
        {"type": "ImageFrame", "pts": 0.0, "turn": 0, "data": 4, "mime_type": "image/jpeg"},
    ]  # fmt: skip
    assert {row.pop("at") >= 0 for row in rows} == {True}
    assert rows[0] == {"code": "ENOSPC", "processor": "file", "message": "full"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_named(tmp_path: Path) -> None:
    full = tmp_path / "full.jsonl"
    full.symlink_to("/dev/full")
    with pytest.raises(ProcessorFailure, match=r"No space left on device: .*jsonl.*; make room"):
        await feed(DeadLetterSink(str(full)), [DeadLetter("x", "y", "z", ToolCall("", "", {}))])


def test_the_form_is_that_of_the_name() -> None:
    with pytest.raises(SettingError, match=r"must end in \.jsonl"):
        DeadLetterSink("failed.txt")
