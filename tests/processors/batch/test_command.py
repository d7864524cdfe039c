"""`pipeline batch` as a process: what it leaves behind, however it ends."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batch_bench import CODED, HELLO, TALK, config, write
from click.testing import CliRunner

from processors.batch.command import batch
from processors.batch.outcome import Outcome
from processors.batch.results import Results


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "pipeline", "batch", "talk.yaml", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> str:
    try:
        _, said = process.communicate(timeout=40)
    finally:
        process.kill()
    assert "Traceback" not in said
    return said


def results() -> dict[str, dict[str, Any]]:
    text = Path("runs/batch/results.jsonl").read_text()
    return {row["file"]: row for row in map(json.loads, text.splitlines())}


def until(what: Any) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_batch_and_what_is_done_the_second_time(folder: Path) -> None:
    config(folder)
    write(folder, one=HELLO, two="Hello!")
    process = start("*.txt", "--csv", "table.csv")
    said = finish(process)
    assert process.returncode == 0, said
    assert "2 files, 2 at a time\n" in said
    assert "done    2 of 2" in said
    assert results()["one.txt"]["turns"] == 3
    with open("table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["one.txt", "two.txt"]
    assert "Ada" in rows[0]["model"]
    assert Path("runs/batch/two/words.jsonl").is_file()

    write(folder, two="Goodbye!", three="What is 12 times 12?")
    before = results()["one.txt"]
    said = finish(start("--inputs", "*.txt"))
    assert "1 of 3 are done already" in said
    assert "2 files" in said
    assert results()["one.txt"] == before
    assert "144" in results()["three.txt"]["transcript"][1]["text"]
    assert results()["two.txt"]["transcript"][0]["text"] == "Goodbye!"


def test_a_killed_worker_costs_no_other_file_and_its_own_is_tried_again(folder: Path) -> None:
    config(folder, CODED)
    write(folder, a="fine", b="once die", c="die", d="break")
    process = start("*.txt", "--retries", "1")
    said = finish(process)
    assert process.returncode == 1
    assert {name: (row["status"], row["attempts"]) for name, row in results().items()} == {
        "a.txt": ("done", 1),
        "b.txt": ("done", 2),
        "c.txt": ("failed", 2),
        "d.txt": ("failed", 1),
    }
    assert "b.txt: the process of the run was killed by signal 9; runs/batch/b/run.log" in said
    assert "failed: d.txt: " in said


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_batch_that_is_killed_leaves_no_process_and_goes_on_where_it_was(folder: Path) -> None:
    config(folder, CODED)
    write(folder, a="fine", b="once hang", c="fine")
    process = start("*.txt", "--workers", "1")
    mark = folder / "mark"
    until(lambda: mark.exists() and mark.read_text())
    process.kill()
    finish(process)
    until(lambda: not is_running(int(mark.read_text())))
    assert list(results()) == ["a.txt"]
    said = finish(start("*.txt"))
    assert "1 of 3 are done already" in said
    assert {row["status"] for row in results().values()} == {"done"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_the_first_signal_finishes_and_the_second_stops(folder: Path) -> None:
    config(folder, CODED)
    write(folder, a="hang", b="fine")
    process = start("*.txt", "--workers", "1")
    until(lambda: (folder / "mark").exists() and (folder / "mark").read_text())
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert "1 at a time" in process.stderr.readline()
    assert "finishing the files under way" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    finish(process)
    assert process.returncode == 130
    assert results() == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_results_that_find_no_room_are_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(folder)
    write(folder, a="Hello!")

    @contextmanager
    def appending(self: Results) -> Iterator[Callable[[Outcome], None]]:
        with open("/dev/full", "ab", buffering=0) as full:

            def append(outcome: Outcome) -> None:
                full.write(b"x")

            yield append

    monkeypatch.setattr(Results, "appending", appending)
    result = CliRunner().invoke(batch, ["talk.yaml", "a.txt"])
    assert result.exit_code == 1
    assert "No space left on device; what is done is kept, and not done again" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.skipif(os.name != "posix", reason="a shell as of POSIX")
def test_a_reader_that_goes_away_does_not_end_a_batch(folder: Path) -> None:
    config(folder)
    write(folder, a="Hello!", b="Hello!")
    command = (
        f"{sys.executable} -m pipeline batch talk.yaml a.txt b.txt --workers 1 2>&1 | head -n 1"
    )
    shell = ["bash", "-c", f"set -o pipefail; {command}"]
    assert subprocess.run(shell, capture_output=True, timeout=60).returncode == 0
    assert {row["status"] for row in results().values()} == {"done"}
    assert len(results()) == 2


BLOCKED = """
import time
from processors.batch.display import Display
from pipeline.cli.main import main

def block(self, *_):
    print("blocks", flush=True)
    time.sleep(1000)

Display.finished = block
Display.advanced = block
main(["batch", "talk.yaml", "a.txt"])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_event_loop_that_is_blocked_is_ended_by_the_second_signal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(folder)
    write(folder, a="Hello!")
    code = "import processors.batch.run as run; run.CLOSE_S = 0.5\n" + BLOCKED
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "blocks\n"
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGINT
    assert "does not come to its end: stopped by force" in said


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(batch, ["talk.yaml", *arguments])
    assert result.exit_code == 2, result.stderr
    return result.stderr


def test_what_is_wrong_is_said_before_anything_runs(folder: Path) -> None:
    config(folder, TALK.replace("modality: text", "modality: txt"))
    write(folder, a="Hello!")
    assert "which files? --inputs 'recordings/*.wav'" in refused()
    assert "error[wrong-setting]" in refused("a.txt")
    assert "b.txt is no file, and no pattern of any" in refused("b.txt")
    config(folder)
    assert "unknown-node" in refused("a.txt", "--set", "nobody.x=1")
    assert "--input-node" in refused("a.txt", "--input-node", "gemini")
    assert "has no results in it" in refused("a.txt", "--results", "talk.yaml")
    assert ". is a folder; name another file with --results" in refused("a.txt", "--results", ".")
    assert ". is a folder; name another file with --csv" in refused("a.txt", "--csv", ".")
    same = refused("a.txt", "--results", "r.jsonl", "--csv", "./r.jsonl")
    assert "r.jsonl is the file of results, which the table would replace" in same
    (folder / "file").touch()
    assert "file" in refused("a.txt", "--results", "file/r.jsonl")
    assert not Path("runs").exists()
