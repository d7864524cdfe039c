"""Files run on a Ray cluster: the same function, as a task for each."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import msgspec
import ray
from ray.exceptions import RayError, RayTaskError

from processors.batch.job import Job
from processors.batch.outcome import Outcome
from processors.batch.processes import WorkerLostError
from processors.batch.schedule import Execute
from processors.batch.worker import execute, logging_to
from processors.ray_cluster import connect

CORES = 0.25
"""What a run is taken to need of a node, where mostly it waits."""


@contextmanager
def ray_cluster(address: str | None) -> Iterator[tuple[Execute, float]]:
    """How to run a file on the cluster at an address, and the cluster's cores.

    Without an address Ray is started on this machine. Raises ConfigError where there is no cluster.
    """
    connect(address)
    try:
        yield _execute_as_task, ray.cluster_resources().get("CPU", 1)
    finally:
        ray.shutdown()


async def _execute_as_task(job: Job, tell: Callable[[float], None]) -> Outcome:
    """Run the graph for one file somewhere in the cluster. Raises WorkerLostError."""
    # One process a task, as without Ray; and attempts are counted in one place, not in two.
    task = ray.remote(max_calls=1, max_retries=0, num_cpus=CORES, scheduling_strategy="SPREAD")
    running = task(_run).remote(_anywhere(job))
    try:
        outcome: Outcome = await running
    except RayTaskError as error:
        raise WorkerLostError(f"the task has failed: {error.cause}", passing=False) from None
    except RayError as error:
        what = next(iter(str(error).splitlines()), type(error).__name__)
        raise WorkerLostError(f"the process or the node of the run is gone: {what}") from None
    finally:
        ray.cancel(running, force=True)  # does nothing to one that has ended
    return msgspec.structs.replace(outcome, file=job.file)


def _anywhere(job: Job) -> Job:
    """With paths that mean the same in whatever folder the task runs."""
    paths = {"file": job.file, "config": job.config, "folder": job.folder}
    return msgspec.structs.replace(
        job, **{name: os.path.abspath(path) for name, path in paths.items()}
    )


def _run(job: Job) -> Outcome:
    """What a task does; a Ctrl-C that reaches it on the batch's own machine is not for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (
        logging_to(job.folder) as log,
        io.TextIOWrapper(log, write_through=True) as text,
        contextlib.redirect_stdout(text),
        contextlib.redirect_stderr(text),
    ):
        return anyio.run(execute, job, lambda _: None)
