"""A node while it runs: what it reads from, where what it gives goes, and what its failures are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import anyio

from pipeline.errors import ProcessorFailure, error_code, innermost
from pipeline.frames import DeadLetter, Frame
from pipeline.graph import Node
from pipeline.inbox import Inbox
from pipeline.processor import Sink
from pipeline.runtime.report import is_round

FAILED = "failed"
"""Why a frame was dropped that a processor failed on."""

Deliver = Callable[[Frame], None]
Targets = Mapping[type, Deliver]
"""What is done with a frame, by its type."""


class Station:
    """A node while it runs."""

    __slots__ = (
        "busy",
        "busy_turn",
        "drops",
        "inbox",
        "latest_turn",
        "limit",
        "name",
        "node",
        "open_feedback",
        "open_inputs",
        "policy",
        "processor",
        "relays",
        "routes",
    )

    def __init__(
        self, node: Node, inbox: Inbox[Frame] | None, drops: Counter[tuple[str, str]]
    ) -> None:
        self.node = node
        self.name = node.name
        self.processor = node.processor
        self.policy = node.supervision.policy
        self.inbox = inbox
        self.drops = drops
        self.open_inputs = sum(not edge.feedback for edge in node.incoming)
        self.open_feedback = sum(edge.feedback for edge in node.incoming)
        self.routes: Targets = {}
        """Where what it gives goes."""
        self.relays: Targets = {}
        """Where what passes it goes."""
        self.latest_turn = 0
        self.busy: anyio.CancelScope | None = None
        self.busy_turn = 0
        self.limit: anyio.CancelScope | None = None
        """Ends what takes too long."""

    @property
    def ends_here(self) -> bool:
        """Whether frames end up in it; dead letters are none of what a run is for."""
        is_worker = isinstance(self.processor, Sink) or not self.node.outgoing
        return is_worker and self.node.ports.takes != (DeadLetter,)

    def push(self, frame: Frame) -> None:
        """Emit a frame that this processor gives."""
        self.routes[type(frame)](frame)

    def relay(self, frame: Frame) -> None:
        """Emit a frame that passes it."""
        self.relays[type(frame)](frame)

    def failure(self, error: BaseException, frame: Frame | None = None) -> ProcessorFailure:
        """The failure of this processor; one of another's, which came through here, stays that."""
        error = innermost(error)
        if isinstance(error, ProcessorFailure):
            return error
        kind = type(frame) if frame is not None else None
        failure = ProcessorFailure(self.name, error, frame=kind, place=self.node.place)
        failure.__cause__ = error  # the leaf, not the group around it
        return failure

    def cope(self, error: BaseException, frame: Frame | None = None) -> None:
        """Account for a frame that this processor failed on; raise the failure, unless it skips.

        What is a failure already has been accounted for where it happened.
        """
        failure = self.failure(error, frame)
        if failure is innermost(error):
            if frame is not None and failure.processor != self.name:
                self.drops[self.name, "run stopped"] += 1
            raise failure from failure.__cause__
        if frame is not None:
            self.drops[self.name, FAILED] += 1
            if self.policy.do != "stop":
                code = error_code(failure.__cause__)
                self.push(DeadLetter(code, self.name, failure.what, frame, turn=frame.turn))
        if self.policy.do != "skip":
            raise failure from failure.__cause__
        if is_round(self.drops[self.name, FAILED]):
            self.processor.context.log.warning("%s; it goes on with the next", failure)
