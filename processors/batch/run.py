"""`pipeline batch`, from its options to its exit status."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, cast

import anyio
from rich.console import Console
from rich.text import Text

from pipeline import ConfigError, Finding, SettingError
from pipeline.cli.findings import print_findings
from pipeline.cli.status import DONE, FAILED, STOPPED, WRONG_INPUT
from pipeline.cli.stopping import obeying_signals
from pipeline.cli.streams import outlet
from processors.batch.display import Display
from processors.batch.job import Job
from processors.batch.outcome import Outcome
from processors.batch.plan import Plan, find_files, make_plan
from processors.batch.processes import CLOSE_S, execute_in_process
from processors.batch.results import Results, is_done, write_table
from processors.batch.schedule import Execute, Policy, Schedule
from processors.files import check_writable

TO_A_CORE = 4
"""Runs at a time where nothing else limits them: mostly they wait."""


@dataclass(frozen=True)
class Options:
    """What the command line says; see there."""

    inputs: Sequence[str]
    input_node: str | None = None
    overrides: Sequence[str] = ()
    realtime: bool = False
    workers: int | None = None
    retries: int = 2
    longest_s: float = 3600.0
    folder: Path = Path("runs/batch")
    results: Path | None = None
    table: Path | None = None
    again: bool = False
    on: Literal["ray"] | None = None
    address: str | None = None


def run_batch(config: str, options: Options) -> int:
    """Run a configuration for every file; the exit status."""
    with outlet(sys.stderr) as words:
        return _run_batch(config, options, Console(file=cast(TextIO, words), highlight=False))


def _run_batch(config: str, options: Options, console: Console) -> int:
    results = Results(options.results or options.folder / "results.jsonl")
    try:
        files = find_files(options.inputs)
        _check_outputs(results.path, options.table)
        before = results.read()
        plan = make_plan(
            config,
            files,
            folder=options.folder,
            input_node=options.input_node,
            overrides=options.overrides,
            realtime=options.realtime,
        )
    except ConfigError as error:
        return _refuse(error.findings, console)
    if any(finding.severity == "error" for finding in plan.findings):
        return _refuse(plan.findings, console)
    known = {} if options.again else {outcome.file: outcome for outcome in before}
    jobs = [job for job in plan.jobs if job.file not in known or not is_done(job, known[job.file])]
    try:
        wanted = {job.file for job in jobs}
        results.keep(outcome for outcome in before if outcome.file not in wanted)
    except OSError as error:
        return _refuse([_unwritten(error, results)], console)
    try:
        stopped_by = _run(jobs, plan, options, results, console)
        if options.table is not None:
            write_table(options.table, _of_batch(plan, results))
    except ConfigError as error:
        return _refuse(error.findings, console)
    except OSError as error:
        _refuse([_unwritten(error, results)], console)
        return FAILED
    if stopped_by is not None:
        return STOPPED + stopped_by
    failed = any(outcome.status == "failed" for outcome in _of_batch(plan, results))
    return FAILED if failed else DONE


def _check_outputs(results: Path, table: Path | None) -> None:
    """Before anything is run for them. Raises ConfigError."""
    outputs = {"--results": results, "--csv": table}
    for option, path in outputs.items():
        try:
            if path is not None:
                check_writable(path)
        except SettingError as error:
            hint = error.hint or f"name another file with {option}"
            raise ConfigError([Finding("results", str(error), hint=hint)]) from None
    if table is not None and os.path.realpath(table) == os.path.realpath(results):
        message = f"{table} is the file of results, which the table would replace"
        raise ConfigError([Finding("results", message, hint="name another file with --csv")])


def _unwritten(error: OSError, results: Results) -> Finding:
    message = f"cannot write {error.filename or results.path}: {error.strerror}"
    return Finding("results", message, hint="what is done is kept, and not done again")


def _of_batch(plan: Plan, results: Results) -> list[Outcome]:
    """In the order of the files."""
    found = {outcome.file: outcome for outcome in results.read()}
    return [found[job.file] for job in plan.jobs if job.file in found]


def _run(
    jobs: list[Job], plan: Plan, options: Options, results: Results, console: Console
) -> int | None:
    """Run what is left to do; the signal that stopped it, if one did."""
    if done := len(plan.jobs) - len(jobs):
        text = f"{done} of {len(plan.jobs)} are done already: see {results.path}"
        console.print(Text(text), soft_wrap=True)
    if not jobs:
        return None
    with results.appending() as append, _workers(options) as (execute, cores):
        wanted = options.workers or max(1, round(cores * TO_A_CORE))
        at_once = min(n for n in (wanted, plan.sessions, len(jobs)) if n is not None)
        display = Display(len(jobs), append, console)
        files = "file" if len(jobs) == 1 else "files"
        display.note(f"{len(jobs)} {files}, {at_once} at a time")
        policy = Policy(at_once, options.retries, options.longest_s)
        stopped_by = anyio.run(_execute, jobs, execute, policy, display)
    display.summarize(_of_batch(plan, results))
    display.note(f"results: {results.path}")
    return stopped_by


@contextmanager
def _workers(options: Options) -> Iterator[tuple[Execute, float]]:
    """How to run a file, and how many cores there are for it."""
    if options.on == "ray":
        from processors.batch.on_ray import ray_cluster

        with ray_cluster(options.address) as cluster:
            yield cluster
    else:
        yield execute_in_process, os.cpu_count() or 1


async def _execute(
    jobs: list[Job], execute: Execute, policy: Policy, display: Display
) -> int | None:
    schedule = Schedule(jobs, execute, policy, display)

    def finish() -> None:
        schedule.finish()
        display.note("finishing the files under way; once more to stop at once")

    obeying = obeying_signals(finish, schedule.cancel, drain_seconds=math.inf, stop_seconds=CLOSE_S)
    failures: list[OSError] = []
    with display.shown(), obeying as stopped_by:
        try:
            await schedule.run()
        except* OSError as group:  # of the results
            failures += [error for error in group.exceptions if isinstance(error, OSError)]
    if failures:
        raise failures[0]
    return stopped_by[-1] if stopped_by else None


def _refuse(findings: Sequence[Finding], console: Console) -> int:
    print_findings(findings, console)
    return WRONG_INPUT
