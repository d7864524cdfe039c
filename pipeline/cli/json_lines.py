"""A run as events for programs, one JSON object to a line on standard output."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console

from pipeline.cli.stopping import PATIENCE_S
from pipeline.cli.streams import Outlet
from pipeline.cli.views import View
from pipeline.errors import describe
from pipeline.frames import SECOND, Frame
from pipeline.observing.peeking import NOT_SHOWN, event_name, in_json
from pipeline.observing.sampling import Sampler
from pipeline.observing.tally import Tally
from pipeline.runtime.run import Run
from pipeline.runtime.wiring import Taps

if TYPE_CHECKING:
    from pipeline.errors import ProcessorFailure
    from pipeline.runtime.report import Report

STATS_SECONDS = 1.0


class JsonLines(View):
    """Every frame that is no media, where it enters the graph; log messages; once a second, what
    the processors are doing; and how it ended. The command line's page has them in a table."""

    level = logging.INFO

    def __init__(self, console: Console, config: str) -> None:
        super().__init__(console)
        self._config = config
        self._run: Run | None = None
        self._at = 0.0
        self._left_out = 0
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as JSON is, whatever the terminal is
        self._out = Outlet(sys.stdout, gone=self._gone)
        self._tally = Tally()

    @property
    def taps(self) -> Taps:
        kinds = Frame.__subclasses__()  # a tap sees what is derived from those, too
        return {kind: self._frame for kind in kinds if not kind.media}

    def note(self, text: str) -> None:
        self._write("note", text=text)

    def log(self, record: logging.LogRecord, text: str) -> None:
        node = record.name.removeprefix("pipeline").lstrip(".")
        self._write("log", level=record.levelname.lower(), node=node or None, text=text)

    async def watch(self, run: Run) -> None:
        self._run = run
        self._write("started", config=self._config, nodes=[n.name for n in run.graph.order])
        sampler = Sampler(run)
        sampler.take()
        while True:
            await anyio.sleep(STATS_SECONDS)
            sample = sampler.take()
            nodes = {
                node.name: {
                    "rate": round(node.rate, 1),
                    "waiting": node.waiting,
                    "fill": None if node.fill is None else round(node.fill, 3),
                    "dropped": node.dropped,
                    "progress": node.progress,
                    "left": node.left,
                }
                for node in sample.nodes
            }
            self._write("stats", nodes=nodes, progress=sample.progress, left=sample.left)

    def failed(self, failure: ProcessorFailure, *, debug: bool) -> None:
        self._run = None
        self._write("failed", node=failure.processor, text=str(failure))
        self._out.settle()
        super().failed(failure, debug=debug)

    def done(self, report: Report) -> None:
        self._run, self._at = None, report.seconds
        self._write(
            "ended",
            completed=report.completed,
            turns=self._tally.turns,
            tokens=dict(self._tally.tokens),
            edges=[{"from": e.source, "to": e.target, "frames": e.frames} for e in report.edges],
            dropped=[
                {"node": node, "reason": reason, "frames": frames}
                for (node, reason), frames in sorted(report.drops.items())
            ],
            measurements=dict(report.measurements),
            holds=dict(report.holds),
            files=report.files,
        )
        if not report.completed:
            self._out.patience_s = PATIENCE_S
        self._out.settle()

    def _frame(self, node: str, frame: Frame) -> None:
        self._tally.count(node, frame)
        names = (name for name in frame.__struct_fields__ if name not in NOT_SHOWN)
        fields = {name: getattr(frame, name) for name in names}
        self._write(event_name(type(frame)), node=node, **fields)

    def _write(self, event: str, **fields: Any) -> None:
        if self._run is not None:
            self._at = self._run.now() / SECOND
        row = {"event": event, "at": round(self._at, 3), **fields}
        if self._left_out:
            left_out = {"event": "left-out", "at": row["at"], "lines": self._left_out}
            if self._out.offer(in_json(left_out).decode()):
                self._left_out = 0
        if self._left_out or not self._out.offer(in_json(row).decode()):
            self._left_out += 1

    def _gone(self, error: Exception) -> None:
        """Nobody reads any more, which is no trouble; but for other reasons there may be one."""
        if not isinstance(error, BrokenPipeError):
            message = f"no more events are written to standard output: {describe(error)}"
            self.console.print(message, markup=False, soft_wrap=True)
