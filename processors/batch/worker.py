"""The graph, run for one file; and a process that does that once and ends.

The process reads its job from standard input and writes what it has to say to standard output, a
JSON object to a line. It ends when its input ends: so no worker outlives the batch.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio
import msgspec
from anyio import to_thread

from pipeline import (
    ConfigError,
    Finding,
    Graph,
    PipelineError,
    Report,
    Run,
    Source,
    Watchdog,
    load,
)
from processors.batch.job import Job, digest_of_file
from processors.batch.outcome import Outcome
from processors.batch.tally import Tally

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

LOG = "run.log"
"""In the folder of the file's run: what processors and functions say."""
PROGRESS_S = 1.0
CLOSE_S = 3.0
"""How long a run that is stopped may take to close its files."""


class Progress(msgspec.Struct, tag="progress"):
    """How far the sources are, from 0 to 1."""

    share: float


class Finished(msgspec.Struct, tag="finished"):
    """The last that a worker says."""

    outcome: Outcome


Message = Progress | Finished


async def execute(job: Job, tell: Callable[[float], None]) -> Outcome:
    """Run the graph for one file. tell: given how far it is, about once a second.

    A failure is an outcome too; nothing but cancellation is raised.
    """
    tally = Tally()
    report: Report | None = None
    sha256 = error = ""
    passing = False
    try:
        sha256 = await to_thread.run_sync(digest_of_file, job.file)
        graph = load(job.config, overrides=job.overrides)
        run = Run(graph, taps=tally.taps, observers=[Watchdog()])
        report = run.report
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(_watch, run.graph, tell)
            try:
                await run.execute()
            except Exception as raised:  # raised outside, or the task group would wrap it
                failure = raised
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
    except ConfigError as wrong:
        error = "; ".join(_said(finding) for finding in wrong.findings)
    except PipelineError as wrong:
        error, passing = str(wrong), wrong.passing
    except OSError as wrong:
        error = f"cannot read {wrong.filename or job.file}: {wrong.strerror or wrong}"
    except Exception as wrong:
        logging.getLogger("pipeline").exception("the run has failed")
        error = f"{type(wrong).__name__}: {wrong}; {Path(job.folder) / LOG} has more"
    return tally.outcome(job, sha256, report, error, passing)


@contextmanager
def logging_to(folder: str) -> Iterator[BinaryIO]:
    """What processors log goes to a file in the folder, which is given."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("pipeline")
    with (Path(folder) / LOG).open("ab", buffering=0) as file:
        handler = logging.FileHandler(file.name, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield file
        finally:
            logger.removeHandler(handler)
            handler.close()


def _said(finding: Finding) -> str:
    """Without the place, where it is not in the configuration but in what the batch has set."""
    if finding.place is None or finding.place.line:
        return str(finding)
    return "; ".join(filter(None, (finding.message, finding.hint)))


async def _watch(graph: Graph, tell: Callable[[float], None]) -> None:
    sources = [n.processor for n in graph.nodes.values() if isinstance(n.processor, Source)]
    while True:
        await anyio.sleep(PROGRESS_S)
        shares = [source.progress() for source in sources]
        tell(min((share for share in shares if share is not None), default=0.0))


def main() -> None:
    """`python -m processors.batch.worker`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the batch, which tells its workers
    line = sys.stdin.buffer.readline()
    if not line:
        return
    job = msgspec.json.decode(line, type=Job)
    with os.fdopen(os.dup(1), "wb", buffering=0) as told, logging_to(job.folder) as log:
        # Whatever prints, a function of the user's or a library, prints into the log.
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        anyio.run(_main, job, told)


async def _main(job: Job, told: BinaryIO) -> None:
    def tell(message: Message) -> None:
        told.write(msgspec.json.encode(message) + b"\n")

    async with anyio.create_task_group() as group:
        group.start_soon(_end_with_input, group)
        outcome = await execute(job, lambda share: tell(Progress(share)))
        tell(Finished(outcome))
        group.cancel_scope.cancel()
    sys.stdout.flush()
    os._exit(0)  # a thread that reads standard input would be waited for


async def _end_with_input(group: TaskGroup) -> None:
    """Nothing more is said to a worker: the end means that nobody waits for it."""
    await to_thread.run_sync(_await_end, abandon_on_cancel=True)
    group.cancel_scope.cancel()


def _await_end() -> None:
    sys.stdin.buffer.read()
    late = threading.Timer(CLOSE_S, os._exit, (1,))  # an event loop that hangs cancels nothing
    late.daemon = True
    late.start()


if __name__ == "__main__":
    main()
