"""One conversation: a run of the graph, and the connection that its client has at the moment."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

import anyio
from anyio import to_thread

from pipeline import PipelineError, Run
from processors.serving.binding import Offer
from processors.serving.limits import Limits
from processors.serving.line import Line
from processors.serving.observer import Observer
from processors.serving.onlookers import Onlookers
from processors.serving.protocol import Ended, Start, Welcome

log = logging.getLogger("pipeline.serving")
current: ContextVar[str] = ContextVar("session", default="")
"""The name of the session that the running code belongs to, for the log."""

ENDINGS = {
    "done": "",
    "left": "",
    "gone": "",
    "idle": "Nobody has said anything for a while.",
    "too-long": "The conversation has reached its time limit.",
    "draining": "The server is stopping.",
    "failed": "Something went wrong on the server.",
}
"""Why a conversation is over, and what the user is told of it."""
FINISH_S = 5.0
"""How long an answer may take to be delivered when a limit ends the conversation."""


class Session:
    """A conversation, from its first connection until nobody can come back to it.

    prefix: begins its name.
    """

    def __init__(self, start: Start, limits: Limits, prefix: str = "") -> None:
        self.id = prefix + secrets.token_hex(6)
        self.secret = secrets.token_urlsafe(24)
        self.line = Line(start.rate)
        self.seconds = 0.0
        self.turns = 0
        self.holds: Mapping[str, Sequence[int]] = {}
        """Nanoseconds for which processors have held up all others."""
        self.reason = "done"
        self._limits = limits
        self._ready = anyio.Event()
        self._changed = anyio.Event()
        self._connection: anyio.CancelScope | None = None
        self._left_at = math.inf
        self._end_by = math.inf

    # --- the conversation ---

    async def execute(self, offer: Offer, onlookers: Onlookers) -> None:
        """Run the graph to its end, whatever that is; the client is told why."""
        current.set(self.id)
        began = anyio.current_time()
        try:
            await self._execute(offer, onlookers)
        except PipelineError as error:
            self.reason = "failed"
            log.error("%s", error)
        except Exception:
            self.reason = "failed"
            log.exception("a conversation has failed")
        finally:
            self.seconds = anyio.current_time() - began
            self._ready.set()
            self.line.mailbox.tell(Ended(reason=self.reason, message=ENDINGS[self.reason]))
            self.line.mailbox.close()
            self.line.end_input()

    async def _execute(self, offer: Offer, onlookers: Onlookers) -> None:
        graph = await to_thread.run_sync(offer.graph, self.line, self.id)
        observer = Observer(self.line, private=offer.private)
        observers = onlookers.observers(self.id)
        run = Run(graph, taps=observer.taps, observers=observers, drain_seconds=FINISH_S)
        self._ready.set()
        outcome: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, run, observer)
            try:
                await run.execute()
            except Exception as error:  # raised outside, or the task group would wrap it
                outcome = error
            group.cancel_scope.cancel()
        self.turns, self.holds = observer.turns, run.report.holds
        if outcome is not None:
            raise outcome

    async def _watch(self, run: Run, observer: Observer) -> None:
        """End the run when one of its limits is reached."""
        limits, began = self._limits, anyio.current_time()
        while True:
            ends = {
                "gone": self._left_at + limits.grace_s,
                "left": self._left_at if self.reason == "left" else math.inf,
                "idle": observer.active + limits.idle_s,
                "too-long": began + limits.longest_s,
                "draining": self._end_by,
            }
            reason, at = min(ends.items(), key=lambda item: item[1])
            if at <= anyio.current_time():
                break
            self._changed = anyio.Event()
            with anyio.move_on_at(at):
                await self._changed.wait()
        self.reason = reason
        is_listening = observer.answering or self.line.mailbox.unplayed_ms > 0
        if is_listening and reason not in ("gone", "left"):
            run.finish()
        else:
            run.cancel()

    def end_by(self, moment: float) -> None:
        """The server will be stopped: go on until then."""
        self._end_by = moment
        self._changed.set()

    # --- its connections ---

    async def attach(
        self, connection: anyio.CancelScope, start: Start, *, resumed: bool
    ) -> Welcome:
        """A connection begins; the one before it, if there is one, is cancelled."""
        if self._connection is not None:
            self._connection.cancel()
        self._connection = connection
        self._left_at = math.inf
        self._changed.set()
        await self._ready.wait()
        if resumed:
            self.line.resume(start.rate)
        self.line.mailbox.attach(start.received)
        return Welcome(
            session=self.id,
            resume=self.secret,
            devices=sorted(self.line.devices),
            captured_ms=self.line.captured_ms,
            texts=self.line.texts,
            grace_s=self._limits.grace_s,
            resumed=resumed,
        )

    def detach(self, connection: anyio.CancelScope, *, for_good: bool) -> None:
        """A connection has ended. for_good: the client has said that it will not come back."""
        if self._connection is connection:
            self._connection = None
            self._left_at = anyio.current_time()
            if for_good:
                self.reason = "left"
            self._changed.set()

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def linger(self) -> None:
        """When it is over: wait until the client knows, or has been gone for too long."""
        while True:
            is_told = self.line.mailbox.is_empty or self.reason in ("left", "gone")
            is_late = anyio.current_time() >= self._left_at + self._limits.grace_s
            stopping = self._end_by < math.inf
            if not self.is_connected and (is_told or is_late or stopping):
                return
            self._changed = anyio.Event()
            with anyio.move_on_at(self._left_at + self._limits.grace_s):
                await self._changed.wait()
