"""What is seen of a run while it goes on: `--view`.

live   a screen that does not scroll, for a person at a terminal
lines  the conversation line by line, for a person who reads it later, or types
json   events for a program, one JSON object to a line on standard output
none   what is wrong, and nothing else
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import anyio
from anyio.lowlevel import checkpoint
from rich.console import Console
from rich.text import Text

from pipeline.cli.summary import print_summary
from pipeline.cli.talk import Talk
from pipeline.errors import describe
from pipeline.runtime.observer import Observer
from pipeline.runtime.run import Run
from pipeline.runtime.watchdog import WATCHDOG
from pipeline.runtime.wiring import Taps

if TYPE_CHECKING:
    from pipeline.errors import ProcessorFailure
    from pipeline.runtime.report import Report

ViewName = Literal["auto", "live", "lines", "json", "none"]
REFRESH_SECONDS = 0.25
PROGRESS_SECONDS = 30.0
"""From one line to the next that says how far the sources are."""
KEPT = 1_000
"""Lines of the conversation that are printed after the live view."""


class View(Observer):
    """Shows nothing of a run but what goes wrong; base of the others.

    level: from which on it shows log messages.
    """

    level = logging.WARNING

    def __init__(self, console: Console) -> None:
        self.console = console

    def note(self, text: str) -> None:
        """A remark between other things."""
        self.console.print(Text(f"  {text}", "dim"), soft_wrap=True)

    def log(self, record: logging.LogRecord, text: str) -> None:
        """A message of a processor."""
        self.note(text)

    def failed(self, failure: ProcessorFailure, *, debug: bool) -> None:
        """The last thing that is shown of a run that failed."""
        if debug:
            self.console.print_exception()
        self.console.print(str(failure), style="red", markup=False, soft_wrap=True)

    def done(self, report: Report) -> None:
        """The last thing that is shown of a run that did not fail."""

    @contextmanager
    def showing_log(self, debug: bool) -> Iterator[None]:
        """While it lasts, log messages of processors are shown, and only here.

        Those of the event loop, too: what it has to say to a user fits into a line.
        """
        level = logging.DEBUG if debug else self.level
        with (
            _handled_by(_LogHandler(self), "pipeline", level),
            _handled_by(_LogHandler(self) if debug else _BriefLog(self), "asyncio", logging.ERROR),
        ):
            yield


@contextmanager
def _handled_by(handler: logging.Handler, name: str, level: int) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


class _LogHandler(logging.Handler):
    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        self._view.log(record, self.format(record))


class _BriefLog(_LogHandler):
    def format(self, record: logging.LogRecord) -> str:
        first = record.getMessage().partition("\n")[0]
        error = record.exc_info[1] if record.exc_info else None
        return first if error is None else f"{first}: {describe(error)}"


class Lines(View):
    """Both speakers' words as they come, and a summary at the end."""

    level = logging.INFO

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.talk = Talk(console)

    @property
    def taps(self) -> Taps:
        return self.talk.taps

    def note(self, text: str) -> None:
        self.talk.note(text)

    async def watch(self, run: Run) -> None:
        from pipeline.cli.screen import how_far
        from pipeline.observing.sampling import Sampler

        sampler = Sampler(run)
        while True:
            on_the_way = [
                f"{node.name} {how_far(node.progress, node.left)}"
                for node in sampler.take().nodes
                if node.progress is not None and node.left
            ]
            if on_the_way:
                self.note("; ".join(on_the_way))
            await anyio.sleep(PROGRESS_SECONDS)

    def failed(self, failure: ProcessorFailure, *, debug: bool) -> None:
        self.talk.end_line()
        super().failed(failure, debug=debug)

    def done(self, report: Report) -> None:
        self.talk.end_line()
        print_summary(report, self.talk.tally.turns, self.console, self.talk.tally.tokens)


class Live(Lines):
    """The same on a screen of its own, which is gone when the run has ended; the words stay."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__(console)
        self._title = title
        self._scroll = _Scroll()
        self._refresh: Callable[[], None] | None = None
        self.talk = Talk(_quiet_console(self._scroll, console))

    def log(self, record: logging.LogRecord, text: str) -> None:
        super().log(record, text)
        if record.threadName == WATCHDOG and self._refresh is not None:
            self._refresh()  # nothing else does while the event loop is held

    async def watch(self, run: Run) -> None:
        from rich.console import Group
        from rich.live import Live as Screen

        from pipeline.cli.screen import Picture, draw
        from pipeline.observing.sampling import Sampler

        await checkpoint()  # what is wrong with the graph is said without a screen
        sampler = Sampler(run)
        with Screen(
            console=self.console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as screen:

            def refresh() -> None:
                sample = sampler.take()
                picture = Picture(
                    self._title, sample, self._scroll.last(), self.talk.tally.facts(sample.seconds)
                )
                lines = draw(picture, self.console.width, self.console.height)
                screen.update(Group(*lines), refresh=True)

            self._refresh = refresh
            try:
                while True:
                    refresh()
                    await anyio.sleep(REFRESH_SECONDS)
            finally:
                self._refresh = None

    def failed(self, failure: ProcessorFailure, *, debug: bool) -> None:
        self._print_words()
        super().failed(failure, debug=debug)

    def done(self, report: Report) -> None:
        self._print_words()
        super().done(report)

    def _print_words(self) -> None:
        self.talk.end_line()
        for line in self._scroll.lines:
            self.console.print(line, soft_wrap=True)
        self._scroll.lines.clear()


class _Scroll:
    """A file of which the last lines are kept, styles and all."""

    def __init__(self) -> None:
        self.lines: deque[Text] = deque(maxlen=KEPT)
        self._open = ""

    def write(self, text: str) -> int:
        *whole, self._open = (self._open + text).split("\n")
        self.lines.extend(map(Text.from_ansi, whole))
        return len(text)

    def flush(self) -> None:
        """There is nothing to flush."""

    def last(self, most: int = 200) -> list[Text]:
        """The last lines, with the one that is not complete yet."""
        lines = list(self.lines)[-most:]
        return [*lines, Text.from_ansi(self._open)] if self._open else lines


def _quiet_console(scroll: _Scroll, like: Console) -> Console:
    """Writes what another would, styles included, into the scroll."""
    return Console(
        file=scroll,  # type: ignore[arg-type]
        force_terminal=True,
        color_system="standard" if not like.no_color else None,
        no_color=like.no_color,
        width=10_000,
        highlight=False,
    )
