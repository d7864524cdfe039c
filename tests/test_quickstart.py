"""The main job, end to end: file to Live API to file, over a real socket, in virtual time."""

import json
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline import SECOND, Report, load
from pipeline.testing import run_virtually

ROOT = Path(__file__).parent.parent
ANSWER = (
    "In Lisbon this weekend it will be sunny, with 24 degrees at noon and 15 at night. The wind "
    "comes from the Atlantic, so take a jacket for the evening, and if you would like to swim, the "
    "water is still rather cold."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture(scope="module")
def report(folder: Path) -> Iterator[Report]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield run_virtually(load(ROOT / "configs/quickstart.yaml"))


def sound(folder: Path, name: str) -> tuple[np.ndarray, int]:
    with wave.open(str(folder / f"runs/quickstart/{name}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.astype(np.float64), file.getframerate()


def loudness(folder: Path, name: str, start: float, end: float) -> float:
    samples, rate = sound(folder, name)
    part = samples[int(start * rate) : int(end * rate)]
    return float(20 * np.log10(np.sqrt(np.mean(part**2)) / 32768 + 1e-9))


def test_the_transcript_has_both_speakers_in_order(report: Report, folder: Path) -> None:
    text = (folder / "runs/quickstart/transcript.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["speaker"] for row in rows] == ["user", "model", "user", "model"]
    said = [row["text"] for row in rows]
    assert said[0] == "What will the weather be like in Lisbon this weekend?"
    assert ANSWER.startswith(said[1])  # as far as it was sent when the user cut in
    assert "The wind comes from the Atlantic" in said[1]
    assert said[2:] == [
        "Sorry, stop. And what about Porto?",
        "In Porto it will be cloudy, with 19 degrees.",
    ]
    assert [row.get("interrupted", False) for row in rows] == [False, True, False, False]
    times = [(row["start"], row["end"]) for row in rows]
    assert times == [
        (pytest.approx(0.40, abs=0.1), pytest.approx(2.95, abs=0.1)),
        (pytest.approx(3.45, abs=0.1), pytest.approx(8.30, abs=0.1)),
        (pytest.approx(8.20, abs=0.1), pytest.approx(10.75, abs=0.1)),
        (pytest.approx(11.25, abs=0.1), pytest.approx(14.45, abs=0.2)),
    ]


def test_the_users_sound_is_all_there(report: Report, folder: Path) -> None:
    samples, rate = sound(folder, "user")
    assert rate == 16_000
    assert len(samples) == round(572_974 / 3)  # the recording's, at a third of its rate
    assert loudness(folder, "user", 0.5, 2.9) > -35
    assert loudness(folder, "user", 4, 8) < -55


def test_the_models_sound_is_what_could_be_heard(report: Report, folder: Path) -> None:
    assert loudness(folder, "model", 0, 3.4) < -90
    assert loudness(folder, "model", 3.6, 8.2) > -30
    assert loudness(folder, "model", 8.35, 11.2) < -90  # silenced by the interruption
    assert loudness(folder, "model", 11.4, 14.3) > -30


def test_the_answers_come_soon_after_the_end_of_speech(report: Report) -> None:
    # The service waits for 500 ms of silence; all else must fit into a few frames.
    delays = [value / SECOND for value in report.measurements["response"]]
    assert len(delays) == 2
    assert all(0.45 < delay < 0.62 for delay in delays)


def test_every_frame_is_accounted_for(report: Report) -> None:
    assert report.completed
    assert report.frames("question", "to_16k") == 597
    assert report.frames("gate", "gemini") < report.frames("to_16k", "gate")
    assert report.frames("gemini", "tools") == 2
    assert report.frames("tools", "gemini") == 3  # the declarations and two results
    assert len(report.measurements["tool"]) == 2
    assert set(report.drops) == {("speaker", "interrupted")}
    assert report.drops["speaker", "interrupted"] > 20
    names = ["transcript.jsonl", "user.wav", "model.wav"]
    assert report.files == [f"runs/quickstart/{name}" for name in names]


def test_it_is_the_same_every_time(report: Report, folder: Path) -> None:
    files = [folder / name for name in report.files]
    before = [file.read_bytes() for file in files]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        again = run_virtually(load(ROOT / "configs/quickstart.yaml"))
    assert [file.read_bytes() for file in files] == before
    assert [e.frames for e in again.edges] == [e.frames for e in report.edges]
