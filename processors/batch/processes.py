"""Files run in processes of this machine, one for each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from pipeline import PipelineError
from processors.batch.job import Job
from processors.batch.outcome import Outcome
from processors.batch.worker import LOG, Finished, Message, Progress

CLOSE_S = 5.0
"""How long a worker may take to close its files when it is stopped."""
LONGEST_LINE = 1 << 26


class WorkerLostError(PipelineError):
    """A worker ended before it had said what came of its file."""

    def __init__(self, message: str, *, passing: bool = True) -> None:
        self.passing = passing
        super().__init__(message)


async def execute_in_process(job: Job, tell: Callable[[float], None]) -> Outcome:
    """Run the graph for one file in a process of its own; it ends with a cancellation.

    tell: given how far it is. Raises WorkerLostError.
    """
    process = await anyio.open_process(
        [sys.executable, "-m", "processors.batch.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        start_new_session=True,
    )
    try:
        outcome = await _converse(process, job, tell)
        if outcome is not None:
            return outcome
        status = await process.wait()
    finally:
        await _stop(process)
    what = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    raise WorkerLostError(f"the process of the run {what}; {job.folder}/{LOG} may say why")


async def _converse(process: Process, job: Job, tell: Callable[[float], None]) -> Outcome | None:
    assert process.stdin is not None
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    with suppress(anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
        await process.stdin.send(msgspec.json.encode(job) + b"\n")
        while True:
            line = await lines.receive_until(b"\n", LONGEST_LINE)
            match msgspec.json.decode(line, type=Message):
                case Progress(share):
                    tell(share)
                case Finished(outcome):
                    return outcome
    return None


async def _stop(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.stdin is not None:
            with suppress(anyio.BrokenResourceError):
                await process.stdin.aclose()
        with anyio.move_on_after(CLOSE_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
        await process.aclose()
