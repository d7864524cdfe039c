"""OpenTelemetry: spans for a run, its sessions, turns and calls, and metrics of what flows.

What people have said, and what functions were called with and answered, is in attributes whose
names begin with `user_content.`, and in none unless that is asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
from anyio import to_thread

from pipeline import (
    SECOND,
    Frame,
    Observer,
    PipelineError,
    ProcessorFailure,
    Report,
    Run,
    SessionEvent,
    Speaker,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from processors.observability.instruments import Instruments

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

SCOPE = "live-pipeline"
CONTENT = "user_content."
"""How names of attributes begin that hold personal data."""
EVERY_S = 1.0
LATE = 5 * SECOND
"""How long after its end a turn's span stays open for what is measured of it later."""
BEGINS = {"started", "restarted"}
MOST_EARLY = 100
"""Measurements of turns that have not begun."""


class Providers(NamedTuple):
    """Where spans and metrics go. close: exports what is left; may take long."""

    traces: TracerProvider
    metrics: MeterProvider
    close: Callable[[], object]


class _Turn:
    """A turn whose span is open. asked, end: nanoseconds since the run began."""

    def __init__(self, span: Span, asked: int | None) -> None:
        self.span = span
        self.asked = asked
        self.end: int | None = None
        self.said: defaultdict[Speaker, list[str]] = defaultdict(list)


class Telemetry(Observer):
    """Tells providers of OpenTelemetry what happens in a run.

    title: what runs. content: put what was said into attributes, too. session: of a server, whose
    providers are for all its sessions; spans have its name as `session.id`.
    """

    def __init__(
        self, providers: Providers, *, title: str = "", content: bool = False, session: str = ""
    ) -> None:
        self._providers = providers
        self._title = title
        self._content = content
        self._tracer = providers.traces.get_tracer(SCOPE)
        self._named = {"session.id": session} if session else {}
        meter = providers.metrics.get_meter(SCOPE)
        self._instruments = Instruments(meter, is_alone=not session)
        self._epoch: int | None = None
        self._root: Span
        self._sessions: dict[str, Span] = {}
        self._turns: dict[int, _Turn] = {}
        self._early: dict[int, dict[str, float]] = {}
        self._asking: list[str] = []
        self._calls: dict[str, tuple[Span, int, str]] = {}
        self._used: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def begin(self, run: Run) -> None:
        self._run = run
        self._root = self._tracer.start_span(
            "pipeline.run",
            attributes={
                "pipeline.config": self._title,
                "pipeline.processors": len(run.graph.nodes),
                **self._named,
            },
        )

    @property
    def taps(self) -> Mapping[type[Frame], Callable[[str, Any], None]]:
        return {
            SessionEvent: self._session_event,
            TurnStarted: self._turn_started,
            TurnEnded: self._turn_ended,
            Transcript: self._transcript,
            ToolCall: self._called,
            ToolCallCancelled: self._call_cancelled,
            ToolResult: self._answered,
            Usage: self._usage,
        }

    def measured(self, node: str, what: str, nanoseconds: int, turn: int) -> None:
        seconds = nanoseconds / SECOND
        self._instruments.latency.record(seconds, {"what": what, "processor": node})
        if turn in self._turns:
            self._turns[turn].span.set_attribute(f"latency.{what}", seconds)
        elif turn and len(self._early) < MOST_EARLY:
            self._early.setdefault(turn, {})[f"latency.{what}"] = seconds

    def held(self, node: str, where: str, nanoseconds: int) -> None:
        self._instruments.held.record(nanoseconds / SECOND, {"processor": node})

    async def watch(self, run: Run) -> None:
        while True:
            await anyio.sleep(EVERY_S)
            self._instruments.look(run)
            for number, turn in list(self._turns.items()):
                if turn.end is not None and run.now() - turn.end > LATE:
                    self._close(number)

    async def ended(self, report: Report, failure: PipelineError | None) -> None:
        self._instruments.look(self._run)
        self._instruments.leave()
        for number in list(self._turns):
            self._close(number)
        now = self._wall(self._run.now())
        for span, *_ in self._calls.values():
            span.set_attribute("tool.outcome", "unanswered")
            span.end(now)
        for span in self._sessions.values():
            span.end(now)
        self._root.set_attribute("pipeline.completed", report.completed)
        if failure is not None:
            _fail(self._root, failure, self._content)
        self._root.end(now)
        await to_thread.run_sync(self._providers.close, abandon_on_cancel=True)

    # --- spans ---

    def _wall(self, at: int) -> int:
        """Media time as nanoseconds since 1970."""
        if self._epoch is None:
            self._epoch = time_ns() - self._run.now()
        return self._epoch + at

    def _start(self, name: str, parent: Span, at: int, **attributes: Any) -> Span:
        from opentelemetry.trace import set_span_in_context

        named = {key.replace("__", "."): value for key, value in attributes.items()} | self._named
        context = set_span_in_context(parent)
        return self._tracer.start_span(name, context, attributes=named, start_time=self._wall(at))

    def _reveal(self, span: Span, what: str, text: object) -> None:
        if self._content and text:
            span.set_attribute(f"{CONTENT}{what}", str(text))

    def _session_event(self, node: str, frame: SessionEvent) -> None:
        if frame.kind in BEGINS:
            if node in self._sessions:
                self._sessions[node].end(self._wall(frame.pts))
            self._sessions[node] = self._start("session", self._root, frame.pts, processor=node)
        span = self._sessions.get(node, self._root)
        span.add_event(f"session.{frame.kind}", {"detail": frame.detail}, self._wall(frame.pts))

    def _turn_started(self, node: str, frame: TurnStarted) -> None:
        begins = frame.pts if frame.asked is None else frame.asked
        parent = self._sessions.get(node, self._root)
        span = self._start("turn", parent, begins, turn__number=frame.turn, processor=node)
        span.add_event("turn.started", timestamp=self._wall(frame.pts))
        span.set_attributes(self._early.pop(frame.turn, {}))
        self._turns[frame.turn] = turn = _Turn(span, frame.asked)
        turn.said[Speaker.USER] += self._asking
        self._asking = []

    def _turn_ended(self, _: str, frame: TurnEnded) -> None:
        self._instruments.turns.add(1, {"interrupted": frame.interrupted})
        turn = self._turns.get(frame.turn)
        if turn is not None:
            turn.end = frame.pts
            turn.span.set_attribute("turn.interrupted", frame.interrupted)

    def _close(self, number: int) -> None:
        turn = self._turns.pop(number)
        for speaker, said in turn.said.items():
            self._reveal(turn.span, f"{speaker.value}_said", " ".join(said))
        turn.span.end(self._wall(self._run.now() if turn.end is None else turn.end))

    def _transcript(self, _: str, frame: Transcript) -> None:
        """The user's words come before the turn that answers them, or soon after its beginning."""
        if not (self._content and frame.final and frame.text.strip()):
            return
        turn = self._turns[max(self._turns)] if self._turns else None
        asked = None if turn is None else turn.asked
        is_question = asked is not None and frame.pts <= asked
        if turn is not None and (frame.speaker is Speaker.MODEL or is_question):
            turn.said[frame.speaker].append(frame.text.strip())
        elif frame.speaker is Speaker.USER:
            self._asking.append(frame.text.strip())

    def _called(self, node: str, frame: ToolCall) -> None:
        turn = self._turns.get(frame.turn)
        parent = self._sessions.get(node, self._root) if turn is None else turn.span
        now = self._run.now()
        span = self._start(
            f"execute_tool {frame.name}",
            parent,
            now,
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name=frame.name,
            gen_ai__tool__call__id=frame.id,
        )
        self._reveal(span, "tool.arguments", frame.arguments)
        self._calls[frame.id] = span, now, frame.name

    def _call_cancelled(self, _: str, frame: ToolCallCancelled) -> None:
        for id in frame.ids:
            self._end_call(id, "cancelled")

    def _answered(self, _: str, frame: ToolResult) -> None:
        if frame.id in self._calls:
            self._reveal(self._calls[frame.id][0], "tool.response", frame.response)
        self._end_call(frame.id, "failed" if "error" in frame.response else "answered")

    def _end_call(self, id: str, outcome: str) -> None:
        if id not in self._calls:
            return
        span, began, name = self._calls.pop(id)
        if outcome == "failed":
            from opentelemetry.trace import StatusCode

            span.set_status(StatusCode.ERROR)
        span.set_attribute("tool.outcome", outcome)
        now = self._run.now()
        span.end(self._wall(now))
        self._instruments.calls.record(
            (now - began) / SECOND, {"gen_ai.tool.name": name, "tool.outcome": outcome}
        )

    def _usage(self, node: str, frame: Usage) -> None:
        totals = Counter(frame.totals)
        for modality, count in (totals - self._used[node]).items():
            self._instruments.tokens.add(count, {"modality": modality.lower(), "processor": node})
        self._used[node] = totals
        if frame.turn in self._turns:
            span = self._turns[frame.turn].span
            span.set_attribute("gen_ai.usage.input_tokens", sum(frame.prompt.values()))
            span.set_attribute("gen_ai.usage.output_tokens", sum(frame.response.values()))


def _fail(span: Span, failure: PipelineError, content: bool) -> None:
    """A message may quote what was said; what failed, and with which exception, does not."""
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", type(failure.__cause__ or failure).__name__)
    if isinstance(failure, ProcessorFailure):
        span.set_attribute("pipeline.failed", failure.processor)
    if content:
        span.set_attribute(f"{CONTENT}error", str(failure))
    span.set_status(StatusCode.ERROR)
