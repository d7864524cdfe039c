"""Finds out which processor holds the event loop, while it holds it.

A thread looks a few times a second at what the loop's thread is doing. While that waits, nothing
happens: an idle loop is never woken. Otherwise the loop is asked to answer, which it does with its
next turn; as long as it does not, the thread notes whose code it is in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import anyio

from pipeline.frames import SECOND
from pipeline.runtime.blame import Work, is_at_rest, work_of
from pipeline.runtime.context import RunContext
from pipeline.runtime.observer import Observer
from pipeline.runtime.report import is_round
from pipeline.runtime.waker import waker

if TYPE_CHECKING:
    from pipeline.runtime.run import Run

WATCHDOG = "watchdog"
"""The name of its thread."""
LONGEST_S = 0.2
"""Half of what a speaker has in store: sound still plays without a break."""
LOOKS = 4
"""In the time for which it may be held: so a hold is told a quarter of that too short at most."""
CRY_S = 2.0
"""One that lasts so long is told while it lasts; and again when it lasts ten times as long."""


class Watchdog(Observer):
    """Reports what holds the event loop, so that nothing else runs: `Run(observers=[Watchdog()])`.

    A processor that does is named in the log, with the line, at its first, tenth, hundredth time,
    and has all of them in `Report.holds`. There is one thread for each event loop, however many
    runs are watched in it.

    longest_s: seconds for which the loop may be held.
    """

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        if not longest_s > 0:
            raise ValueError(f"longest_s has to be more than 0, not {longest_s}")
        self.longest_s = longest_s

    async def watch(self, run: Run) -> None:
        with self.watching():
            await anyio.sleep_forever()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While it lasts, watch the event loop that this is called in, with all runs in it."""
        key = threading.get_ident(), self.longest_s
        watch = _watches.get(key)
        if watch is None:
            watch = _watches[key] = _Watch(self.longest_s)
            watch.start()
        watch.users += 1
        try:
            yield
        finally:
            watch.users -= 1
            if not watch.users:
                del _watches[key]
                watch.end()


class Hold(NamedTuple):
    """One turn of the loop that took too long. seen: what it was at, at even times."""

    seconds: float
    seen: Sequence[Work]


class _Watch(threading.Thread):
    """Watches the event loop in whose thread it is made."""

    def __init__(self, longest_s: float) -> None:
        super().__init__(name=WATCHDOG, daemon=True)
        self.users = 0
        self._longest_s = longest_s
        self._wake = waker()
        self._loop = threading.get_ident()
        self._news = threading.Event()
        self._turns = 0
        self._over = False
        self._found: deque[Hold] = deque()
        self._outside = 0

    # --- in the event loop ---

    def end(self) -> None:
        """Stop watching, and report what is yet to be reported."""
        self._over = True
        self._news.set()
        self.join()  # it has nothing to wait for any more
        self._report()

    def _turned(self) -> None:
        self._turns += 1
        self._news.set()

    def _report(self) -> None:
        while self._found:
            hold = self._found.popleft()
            work = main_work(hold.seen)
            if work is not None and work.processor is not None:
                context = work.processor.context
                if isinstance(context, RunContext):
                    context.held(work.where, round(hold.seconds * SECOND))
                continue
            self._outside += 1
            if is_round(self._outside):
                what = (
                    "in one turn, by too much to do at once"
                    if work is None
                    else "outside of processors"
                )
                where = hold.seen[-1].where if work is None else work.where
                logging.getLogger("pipeline").warning(
                    "the event loop was held for %.2f s %s, at %s", hold.seconds, what, where
                )

    # --- in the thread ---

    def run(self) -> None:
        while not self._over:
            took = self._pause()
            if not self._over and not is_at_rest(self._loop):
                self._time_turn(took)

    def _time_turn(self, took: float) -> None:
        """Ask the loop for an answer, and note what it is doing until that comes.

        took: how long it was not looked at: too long where a call has let no other thread run.
        """
        before, seconds, cry, seen = self._turns, 0.0, CRY_S, list[Work]()
        if took >= self._longest_s:
            seconds, seen = took, [work_of(self._loop)]
        self._wake(self._turned)
        while self._turns == before and not self._over:
            took = self._pause()
            seconds += took
            if self._turns == before or took >= self._longest_s:
                seen.append(work_of(self._loop))
            if seconds >= cry and self._turns == before:
                cry *= 10
                _cry(Hold(seconds, seen))
        if seconds >= self._longest_s and seen:
            self._found.append(Hold(seconds, seen))
            self._wake(self._report)

    def _pause(self) -> float:
        """Wait a moment, or for news. Returns for how many seconds: those are left out in which
        the whole process stood still, since the machine slept, or had no time for it."""
        moment = self._longest_s / LOOKS
        began, used = time.monotonic(), time.process_time()
        self._news.wait(moment)
        self._news.clear()
        took = time.monotonic() - began
        stood_still = took >= self._longest_s and time.process_time() - used < took / 10
        return moment if stood_still else took


_watches: dict[tuple[int, float], _Watch] = {}
"""By the thread of the event loop, and for how long that may be held."""


def main_work(seen: Sequence[Work]) -> Work | None:
    """What took at least half of the time, with the line where it was most often, if one did."""
    times = Counter(id(work.processor) for work in seen)
    [(most, count)] = times.most_common(1)
    if 2 * count < len(seen):
        return None
    lines = Counter(work.where for work in seen if id(work.processor) == most)
    processor = next(work.processor for work in seen if id(work.processor) == most)
    return Work(processor, lines.most_common(1)[0][0])


def _cry(hold: Hold) -> None:
    """Say in this thread what holds the loop, which cannot."""
    work = main_work(hold.seen) or hold.seen[-1]
    context = None if work.processor is None else work.processor.context
    if isinstance(context, RunContext):
        context.is_holding(work.where, hold.seconds)
    else:
        logging.getLogger("pipeline").warning(
            "the event loop has been held for %.0f s, at %s", hold.seconds, work.where
        )
