"""Whatever a run is doing, and however it is told to stop: it is over in time, its files whole."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import (
    SECOND,
    AudioFrame,
    Processor,
    ProcessorFailure,
    Run,
    Sink,
    Speaker,
    Transcript,
    Transform,
)
from pipeline.runtime.closing import CLOSE_SECONDS
from pipeline.testing import VirtualTimeLoop
from processors.audio.recorder import Recorder
from processors.audio.sink import AudioSink
from processors.text.transcription import TranscriptionSink
from tests.reliability import valid_files
from tests.reliability.generated_graphs import Generated, Token, graphs

DRAIN_S = 2.0
WAYS = {
    "finish": DRAIN_S + 1,
    "cancel": 1.0,
    "finish, then cancel": 1.5,
    "cancelled scope": 1.0,
    "finish, then a cancelled scope": DRAIN_S + 1,
}
"""How a run is stopped, and how many seconds later it is gone at the latest."""


COUNT, RATE = 160, 8000
"""Samples of a frame."""


class Voice(Transform):
    """Gives consecutive samples and words for whatever comes."""

    def __init__(self) -> None:
        self.given = 0

    def process(self, frame: Token) -> Iterator[AudioFrame | Transcript]:
        at, end = (n * COUNT * SECOND // RATE for n in (self.given, self.given + 1))
        yield AudioFrame(ramp(COUNT, self.given * COUNT), RATE, pts=at)
        yield Transcript(f"word {self.given}", Speaker.USER, end, final=True, pts=at)
        self.given += 1


def ramp(count: int, begin: int = 0) -> np.ndarray:
    return (np.arange(begin, begin + count) % 30_000 + 1).astype(np.int16).reshape(-1, 1)


def stop(made: Generated, way: str, after: float, giver: int) -> None:
    with TemporaryDirectory() as folder:
        stop_writing(made, way, after, giver, Path(folder))


def stop_writing(made: Generated, way: str, after: float, giver: int, folder: Path) -> None:
    voice = Voice()
    sound, words = folder / "sound.wav", folder / "words.jsonl"
    writers: dict[str, Processor] = {
        "voice": voice,
        "sound": AudioSink(str(sound)),
        "recorder": Recorder(str(folder / "recorded.wav"), rate=RATE),
        "words": TranscriptionSink(str(words)),
        "cues": TranscriptionSink(str(folder / "words.srt")),
    }
    givers = [name for name, kind in made.kinds.items() if not issubclass(kind, Sink)]
    flow = [f"{givers[giver % len(givers)]} -> voice"]
    flow += [f"voice -> {name}" for name in writers if name != "voice"]
    graph = made.build(writers, flow)

    async def execute() -> tuple[Run, float]:
        run = Run(graph, drain_seconds=DRAIN_S)
        stopped_at = 0.0
        scope = anyio.CancelScope()

        async def stopper() -> None:
            nonlocal stopped_at
            await anyio.sleep(after)
            stopped_at = anyio.current_time()
            if way.startswith("finish"):
                run.finish()
                await anyio.sleep(0.5)
            if way.endswith("scope"):
                scope.cancel()
            elif way.endswith("cancel"):
                run.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(stopper)
            with anyio.fail_after(1e6), scope:
                try:
                    await run.execute()
                except ProcessorFailure:
                    assert "stop" in str(made.supervision)
            took = anyio.current_time() - stopped_at if stopped_at else 0.0
            group.cancel_scope.cancel()
        return run, took

    run, took = anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})
    limit = WAYS[way]
    if way.endswith("scope") and run.report.completed:  # it closes by itself: nobody else is told
        limit = max(limit, CLOSE_SECONDS)
    assert took <= limit + 1e-6, took
    made.check(run.report, ended_well=False)
    for file in folder.iterdir():
        valid_files.check(file)
    texts = [row["text"] for row in (valid_files.json_rows(words) if words.exists() else [])]
    assert texts == [f"word {number}" for number in range(len(texts))]
    assert len(texts) <= voice.given
    samples = valid_files.wav_samples(sound) if sound.exists() else ramp(0)
    assert np.array_equal(samples, ramp(len(samples)))
    assert len(samples) <= voice.given * COUNT
    if run.report.completed and not run.report.failures:
        assert (len(texts), len(samples)) == (voice.given, voice.given * COUNT)


CASES = {
    "made": graphs(endless=True),
    "way": st.sampled_from(sorted(WAYS)),
    "after": st.floats(0.0, 3.0).map(lambda seconds: round(seconds, 2)),
    "giver": st.integers(0, 29),
}


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_any_graph_in_any_state_ends(made: Generated, way: str, after: float, giver: int) -> None:
    stop(made, way, after, giver)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_a_thousand_graphs_end(made: Generated, way: str, after: float, giver: int) -> None:
    stop(made, way, after, giver)
