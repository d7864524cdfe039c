"""One process for each file: what comes back, and what becomes of it when something ends."""

import os
from pathlib import Path

import anyio
import pytest
from batch_bench import CODED, HELLO, jobs, quiet

from processors.batch.processes import WorkerLostError, execute_in_process


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_conversation_in_a_process(tmp_path: Path) -> None:
    [job] = jobs(tmp_path, hello=HELLO)
    done = await execute_in_process(job, quiet)
    assert (done.status, done.turns) == ("done", 3)
    assert "talking to the local Live API" in (tmp_path / "out/hello/run.log").read_text()


async def test_what_is_printed_goes_into_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    [job] = jobs(tmp_path, CODED, hello="hello")
    assert (await execute_in_process(job, quiet)).status == "done"
    assert "heard hello" in (tmp_path / "out/hello/run.log").read_text()
    assert capfd.readouterr() == ("", "")


async def test_a_process_that_is_gone(tmp_path: Path) -> None:
    killed, left = jobs(tmp_path, CODED, killed="die", left="leave")
    with pytest.raises(WorkerLostError, match=r"was killed by signal 9; .*run.log"):
        await execute_in_process(killed, quiet)
    with pytest.raises(WorkerLostError, match="ended with status 3"):
        await execute_in_process(left, quiet)


@pytest.mark.slow
async def test_a_process_that_hangs_ends_with_the_cancellation(tmp_path: Path) -> None:
    [job] = jobs(tmp_path, CODED, hang="hang")
    mark = tmp_path / "mark"
    async with anyio.create_task_group() as group:
        group.start_soon(execute_in_process, job, quiet)
        with anyio.fail_after(20):
            while not mark.exists() or not mark.read_text():  # noqa: ASYNC110 another process's
                await anyio.sleep(0.02)
        group.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
