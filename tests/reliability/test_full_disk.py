"""A disk fills up while a conversation is written: nothing is spoilt, and nothing lost unsaid."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    DeadLetter,
    Graph,
    OnError,
    Processor,
    ProcessorFailure,
    Run,
    Sink,
    Source,
    Speaker,
    Supervision,
    TextFrame,
    Transcript,
    Transform,
)
from pipeline.testing import VirtualTimeLoop
from processors.audio.recorder import Recorder
from processors.audio.sink import AudioSink
from processors.text.dead_letters import DeadLetterSink
from processors.text.transcription import TranscriptionSink
from tests.full_disk import room_in_each_file
from tests.reliability import valid_files

ROOM = 30_001
RATE = 8000
FRAMES = 120
"""Of a tenth of a second: 192 kB."""


class Talk(Source):
    """Each frame of sound has its number in its samples, and some words go with it."""

    async def frames(self) -> AsyncIterator[AudioFrame | Transcript | TextFrame]:
        for number in range(FRAMES):
            at, end = number * SECOND // 10, (number + 1) * SECOND // 10
            samples = np.full((RATE // 10, 1), number + 1, np.int16)
            yield AudioFrame(samples, RATE, pts=at)
            words = f"Words, {number} of them: " + "so it goes on. " * 30
            yield Transcript(words, Speaker.USER, end, final=True, pts=at)
            yield TextFrame("x" * 500)
            await anyio.sleep(0.1)


class Fails(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        raise ValueError("it always does")


class Short(Transform):
    """So that another file has room for all of it."""

    def process(self, frame: AudioFrame | Transcript) -> Iterator[AudioFrame | Transcript]:
        if isinstance(frame, AudioFrame):
            yield frame.replace(samples=frame.samples[: RATE // 100], rate=RATE // 10)
        else:
            yield frame.replace(text=frame.text[:20])


class Letters(Sink):
    def __init__(self) -> None:
        self.codes: list[str] = []

    async def consume(self, frame: DeadLetter) -> None:
        self.codes.append(frame.code)


SINKS: dict[str, Callable[[str], Processor]] = {
    "sound.wav": AudioSink,
    "recorded.wav": lambda path: Recorder(path, "mono", rate=RATE),
    "words.jsonl": TranscriptionSink,
    "words.srt": TranscriptionSink,
    "words.vtt": TranscriptionSink,
    "words.txt": TranscriptionSink,
    "failed.jsonl": DeadLetterSink,
}
POLICIES: dict[str, OnError] = {
    "stop": OnError(do="stop"),
    "skip": OnError(do="skip"),
    "restart": OnError(do="restart", times=3, backoff_s=0.01),
    "restart, then detach": OnError(do="restart", times=3, backoff_s=0.01, then="detach"),
    "detach": OnError(do="detach"),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", SINKS)
def test_files_are_whole_and_other_branches_complete(
    name: str, policy: str, tmp_path: Path
) -> None:
    path = tmp_path / "disk" / name
    letters = Letters()
    processors: dict[str, Processor] = {
        "talk": Talk(),
        "full": SINKS[name](str(path)),
        "short": Short(),
        "sound": AudioSink(str(tmp_path / "sound.wav")),
        "words": TranscriptionSink(str(tmp_path / "words.jsonl")),
        "letters": letters,
    }
    flow = ["talk -> short", "short -> sound", "short -> words", "talk -> full"]
    supervision = {"full": Supervision(POLICIES[policy])}
    if name == "failed.jsonl":
        processors["fails"] = Fails()
        supervision["fails"] = Supervision("skip")
        flow[-1] = "talk -> fails -> full"
    if policy != "stop":
        flow.append("full -> letters")
    else:
        del processors["letters"]
    run: Run | None = None
    failure: ProcessorFailure | None = None

    async def execute() -> None:
        nonlocal run, failure
        run = Run(Graph(processors, flow, supervision=supervision))
        try:
            await run.execute()
        except ProcessorFailure as error:
            failure = error

    with room_in_each_file(ROOM):
        anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})
    assert run is not None

    for file in tmp_path.rglob("*.*"):
        valid_files.check(file)
    written = [file for file in (tmp_path / "disk").iterdir() if "markers" not in file.name]
    assert path in written
    assert path.stat().st_size > ROOM * 0.9  # what was there before the disk was full is kept
    assert {str(file) for file in written} <= set(run.report.files)
    restarts = run.report.restarts["full"]
    assert len(written) == 1 + restarts
    assert (restarts > 0) == policy.startswith("restart")

    failures = [*run.report.failures, *([failure] if failure else [])]
    assert failures or policy == "skip" or restarts
    for each in failures:
        assert str(each).startswith('processor "full" failed')
        assert "File too large" in str(each)
        assert str(tmp_path / "disk") in str(each)
        assert "begin a new one, or raise the limit" in str(each)
    assert set(letters.codes) <= {"EFBIG"}
    assert len(letters.codes) == (run.report.drops["full", "failed"] if policy != "stop" else 0)
    if failure is None:
        assert run.report.completed
        assert len(valid_files.json_rows(tmp_path / "words.jsonl")) == FRAMES
        sound = valid_files.wav_samples(tmp_path / "sound.wav")
        assert sound[:: RATE // 100, 0].tolist() == list(range(1, FRAMES + 1))
    if name == "words.jsonl" and failure is None:
        lines = sum(len(valid_files.json_rows(file)) for file in written)
        dropped = sum(n for (node, _), n in run.report.drops.items() if node == "full")
        assert lines + dropped == FRAMES
    if name == "sound.wav" and failure is None:
        have = {
            number
            for file in written
            for number in valid_files.wav_samples(file)[RATE // 10 - 1 :: RATE // 10, 0].tolist()
        } - {0}
        dropped = sum(n for (node, _), n in run.report.drops.items() if node == "full")
        torn = 5 * (restarts + 1)  # what was written at once with what found no room counts as lost
        assert FRAMES <= len(have) + dropped <= FRAMES + torn
