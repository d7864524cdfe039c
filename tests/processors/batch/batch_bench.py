"""A configuration that runs in a moment, and jobs for it."""

import logging
from pathlib import Path
from typing import Any

from processors.batch.job import Job
from processors.batch.outcome import Outcome
from processors.batch.plan import Plan, make_plan

TALK = """
processors:
  typed: {use: text_source, path: nothing.txt}
  gemini: {use: live_api, modality: text, limit: {sessions: 5}}
  words: {use: transcription_sink, path: runs/words.jsonl}
flow:
  - typed -> gemini -> words
"""
CODED = """
processors:
  typed: {use: text_source, path: nothing.txt}
  end: {use: "./ends.py:End", mark: MARK}
flow:
  - typed -> end
"""
ENDS = '''
import os, signal, sys, time
from pathlib import Path
from pipeline import PipelineError, Sink, TextFrame

class Busy(PipelineError):
    passing = True

class End(Sink):
    """Does what the line says; what begins with "once" is done the first time only."""

    def __init__(self, mark: str) -> None:
        self.mark = Path(mark)

    async def consume(self, frame: TextFrame) -> None:
        print("heard", frame.text)
        first, *rest = frame.text.split()
        if first == "once":
            if self.mark.exists():
                return
            self.mark.touch()
            first = rest[0]
        if first == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if first == "leave":
            os._exit(3)
        if first == "busy":
            raise Busy("the service is busy")
        if first == "break":
            raise ValueError("broken")
        if first == "hang":
            self.mark.write_text(str(os.getpid()))
            time.sleep(60)
'''
HELLO = "Hello!\nMy name is Ada.\nWhat is my name?\n"


def config(folder: Path, text: str = TALK) -> str:
    (folder / "ends.py").write_text(ENDS)
    (folder / "talk.yaml").write_text(text.replace("MARK", str(folder / "mark")))
    return str(folder / "talk.yaml")


def write(folder: Path, **files: str) -> list[Path]:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return [folder / f"{name}.txt" for name in files]


def plan(folder: Path, text: str = TALK, **files: str) -> Plan:
    return make_plan(config(folder, text), write(folder, **files), folder=folder / "out")


def jobs(folder: Path, text: str = TALK, **files: str) -> tuple[Job, ...]:
    made = plan(folder, text, **files)
    assert made.findings == ()
    return made.jobs


def job(name: str = "a", **changes: Any) -> Job:
    given = {"file": f"{name}.wav", "name": name, "config": "talk.yaml", "folder": name}
    settings = {"overrides": (), "recipe": "r", "is_timed": False}
    return Job(**{**given, **settings, **changes})


def outcome(name: str = "a", status: Any = "done", **changes: Any) -> Outcome:
    given = {"file": f"{name}.wav", "name": name, "sha256": "s", "recipe": "r", "status": status}
    return Outcome(**{**given, **changes})


def quiet(share: float) -> None:
    """Nobody wants to know."""
    logging.getLogger("test").debug("%s", share)
