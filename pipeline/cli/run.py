"""`pipeline run`."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import anyio
from rich.console import Console

from pipeline.cli.findings import print_findings
from pipeline.cli.summary import print_summary
from pipeline.cli.talk import Talk
from pipeline.config import check_file, load
from pipeline.errors import ConfigError, PipelineError, ProcessorFailure
from pipeline.graph import Graph
from pipeline.runtime.report import Report
from pipeline.runtime.run import Run

FAILED, WRONG_INPUT = 1, 2
STOPPED = 128
"""Plus the number of the signal, as a shell would say it."""


def run_config(
    path: str, *, debug: bool, drain_seconds: float, overrides: Sequence[str] = ()
) -> int:
    """Run a configuration with everything a person at a terminal wants to see; the exit status."""
    console = Console(stderr=True, highlight=False)
    talk = Talk(console)
    stopped_by: list[int] = []
    try:
        graph = load(path, overrides=overrides)
    except ConfigError:  # the machine may lack something besides
        print_findings(check_file(path, overrides=overrides), console)
        return WRONG_INPUT
    try:
        with _showing_log(talk, debug):
            report = anyio.run(_run, graph, talk, drain_seconds, stopped_by)
    except ConfigError as error:
        print_findings(error.findings, console)
        return WRONG_INPUT
    except ProcessorFailure as failure:
        talk.end_line()
        if debug:
            console.print_exception()
        console.print(str(failure), style="red", markup=False, soft_wrap=True)
        return FAILED
    talk.end_line()
    print_summary(report, talk.turns, console, talk.tokens)
    return 0 if report.completed else STOPPED + (stopped_by[-1] if stopped_by else signal.SIGINT)


async def _run(graph: Graph, talk: Talk, drain_seconds: float, stopped_by: list[int]) -> Report:
    run = Run(graph, taps=talk.taps, drain_seconds=drain_seconds)
    outcome: Report | PipelineError
    async with anyio.create_task_group() as group:
        group.start_soon(_obey_signals, run, talk.note, stopped_by)
        try:
            outcome = await run.execute()
        except PipelineError as error:  # raised outside, or the task group would wrap it
            outcome = error
        group.cancel_scope.cancel()
    if isinstance(outcome, PipelineError):
        raise outcome
    return outcome


async def _obey_signals(run: Run, note: Callable[[str], None], stopped_by: list[int]) -> None:
    """The first signal lets the run come to its end, the second stops it."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            stopped_by.append(number)
            if len(stopped_by) == 1:
                note(f"finishing, for at most {run.drain_seconds:g} s; once more to stop at once")
                run.finish()
            else:
                run.cancel()


class _LogHandler(logging.Handler):
    """Shows log messages between the lines of the conversation."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        self._talk.note(self.format(record))


@contextmanager
def _showing_log(talk: Talk, debug: bool) -> Iterator[None]:
    """While it lasts, log messages of processors are shown, and only here."""
    logger = logging.getLogger("pipeline")
    before = logger.level, logger.propagate
    handler = _LogHandler(talk)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
