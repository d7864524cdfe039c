"""The graph run for one file, in this process, on real sockets in virtual time."""

import json
import logging
from pathlib import Path
from typing import Any

import anyio
import pytest
from batch_bench import CODED, HELLO, jobs, quiet

from pipeline.testing import VirtualTimeLoop
from processors.batch.job import digest_of_file
from processors.batch.worker import execute, logging_to


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def test_a_conversation_by_file(tmp_path: Path) -> None:
    [job] = jobs(tmp_path, hello=HELLO)
    done = await execute(job, quiet)
    assert (done.status, done.error, done.turns) == ("done", "", 3)
    assert done.sha256 == digest_of_file(job.file)
    assert "Ada" in done.words("model")
    assert done.tokens["TEXT"] > 0
    [written] = done.files
    assert Path(written) == tmp_path / "out/hello/words.jsonl"
    assert len(await anyio.Path(written).read_text()) > 100


async def test_failures_are_outcomes(tmp_path: Path) -> None:
    broken, busy, gone = jobs(tmp_path, CODED, broken="break", busy="busy", gone="x")
    await anyio.Path(gone.file).unlink()
    said = await execute(broken, quiet)
    assert said.status == "failed"
    assert said.error.endswith('processor "end" failed on TextFrame: ValueError: broken')
    assert not said.passing
    assert (await execute(busy, quiet)).passing
    missing = await execute(gone, quiet)
    assert missing.error == f"cannot read {gone.file}: No such file or directory"


async def test_what_is_wrong_with_the_file_is_said_without_the_override(tmp_path: Path) -> None:
    text = CODED.replace("text_source, path: nothing.txt", "audio_source, path: nothing.wav")
    text = text.replace('"./ends.py:End", mark: MARK', "audio_sink, path: a.wav")
    [job] = jobs(tmp_path, text, no="sound")
    failed = await execute(job, quiet)
    assert failed.status == "failed"
    assert failed.error == f'"typed": cannot read {job.file} as sound: Format not recognised'


def test_what_processors_say_goes_into_the_folder(tmp_path: Path) -> None:
    with logging_to(str(tmp_path / "new")):
        logging.getLogger("pipeline.gate").info("it is loud: %s", json.dumps({"db": 3}))
    assert 'pipeline.gate: it is loud: {"db": 3}' in (tmp_path / "new/run.log").read_text()
