"""`pipeline run`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import anyio
from rich.console import Console

from pipeline.cli.findings import print_findings
from pipeline.cli.garbage import sparing_what_is_loaded
from pipeline.cli.status import DONE, FAILED, STOPPED, WRONG_INPUT
from pipeline.cli.stopping import PATIENCE_S, obeying_signals
from pipeline.cli.streams import Outlet
from pipeline.cli.views import Lines, Live, View, ViewName
from pipeline.config import check_file, load
from pipeline.environment import STANDARD
from pipeline.errors import (
    ConfigError,
    ProcessorFailure,
    SettingError,
    describe,
    innermost,
)
from pipeline.graph import Graph
from pipeline.observing.control import ControlledRun
from pipeline.observing.installed import make_observers
from pipeline.runtime.observer import Observer
from pipeline.runtime.report import Report
from pipeline.runtime.run import Run
from pipeline.runtime.watchdog import LONGEST_S, Watchdog


def run_config(
    path: str,
    words: Outlet,
    *,
    debug: bool,
    drain_seconds: float,
    overrides: Sequence[str] = (),
    view: ViewName = "auto",
    observing: Mapping[str, Mapping[str, Any]] | None = None,
    control: bool = True,
    watchdog_s: float = LONGEST_S,
) -> int:
    """Run a configuration with everything a person at a terminal wants to see; the exit status.

    words: where all goes that is said. observing: names of observers that are installed, and their
    settings. control: let other processes of the user look at it. watchdog_s: seconds for which a
    processor may hold the event loop; 0 for as long as it likes.
    """
    observed = observing or {}
    console = Console(file=cast(TextIO, words), highlight=False)
    try:
        graph = load(path, overrides=overrides)
    except ConfigError:  # the machine may lack something besides
        print_findings(check_file(path, overrides=overrides), console)
        return WRONG_INPUT
    if view == "json" and (taken := _on_stdout(graph)):
        message = f'standard output is taken by "{taken}": --view json has to have it alone'
        console.print(message, markup=False, soft_wrap=True)
        return WRONG_INPUT
    try:
        observers = make_observers(observed)
        if control:
            observers.append(ControlledRun(path))
        if watchdog_s:
            observers.append(Watchdog(watchdog_s))
    except SettingError as error:
        hint = f"; {error.hint}" if error.hint else ""
        console.print(f"{error}{hint}", markup=False, soft_wrap=True)
        return WRONG_INPUT
    shown = choose(view, graph, path, console)
    try:
        with shown.showing_log(debug):
            report, stopped_by = anyio.run(_run, graph, shown, observers, drain_seconds)
        if stopped_by:
            words.patience_s = PATIENCE_S
    except ConfigError as error:
        print_findings(error.findings, console)
        return WRONG_INPUT
    except ProcessorFailure as failure:
        shown.failed(failure, debug=debug)
        return FAILED
    except (OSError, RuntimeError, ExceptionGroup) as error:
        if debug or (shortage := _shortage(error)) is None:
            raise
        console.print(f"cannot run: {describe(shortage)}", markup=False, soft_wrap=True)
        return FAILED
    shown.done(report)
    for detached in report.failures:
        shown.failed(detached, debug=False)
    gone = [file for file in report.files if not os.path.lexists(file)]
    for file in gone:
        message = f"{file} is not there any more: it was removed while it was written"
        console.print(message, style="red", markup=False, soft_wrap=True)
    pages = [str(settings["path"]) for settings in observed.values() if "path" in settings]
    if report.completed and (report.failures or gone or not set(pages) <= set(report.files)):
        return FAILED
    return DONE if report.completed else STOPPED + (stopped_by[-1] if stopped_by else signal.SIGINT)


def choose(name: ViewName, graph: Graph, path: str, console: Console) -> View:
    """The view of a name; `auto` is live at a terminal, unless lines are typed there."""
    if name == "auto":
        typing = any(node.processor.device == "keyboard" for node in graph.nodes.values())
        is_busy = typing and sys.stdin is not None and sys.stdin.isatty()
        is_plain = not console.is_terminal or console.is_dumb_terminal
        name = "lines" if is_busy or is_plain else "live"
    if name == "live":
        return Live(console, Path(path).name)
    if name == "lines":
        return Lines(console)
    if name == "json":
        from pipeline.cli.json_lines import JsonLines

        return JsonLines(console, path)
    return View(console)


def _shortage(error: Exception) -> BaseException | None:
    """What the machine lacks, if it is that: files, threads, memory."""
    leaf = innermost(error)
    return leaf if isinstance(leaf, OSError) or "start new thread" in str(leaf) else None


def _on_stdout(graph: Graph) -> str | None:
    """The node that writes to standard output, if one does."""
    writers = (nodes for path, nodes in graph.files_written().items() if path.name == STANDARD)
    return next((node.name for nodes in writers for node, _ in nodes), None)


async def _run(
    graph: Graph, view: View, observers: Sequence[Observer], drain_seconds: float
) -> tuple[Report, list[int]]:
    """The report, and the signals that came."""
    run = Run(graph, observers=[view, *observers], drain_seconds=drain_seconds)

    def finish() -> None:
        run.finish()
        view.note(f"finishing, for at most {drain_seconds:g} s; once more to stop at once")

    stopping = obeying_signals(finish, run.cancel, drain_seconds=drain_seconds)
    with sparing_what_is_loaded(), stopping as stopped_by:
        return await run.execute(), stopped_by
