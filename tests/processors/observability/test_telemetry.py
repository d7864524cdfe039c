"""Spans and metrics of a conversation, through the SDK's own exporters in memory."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import anyio
import pytest

from pipeline import (
    SECOND,
    Frame,
    Graph,
    InboxSettings,
    ProcessorFailure,
    SessionEvent,
    SettingError,
    Source,
    Speaker,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from pipeline.testing import Collect, run_virtually

pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from processors.observability.exporters import CAPTURE, providers, telemetry
from processors.observability.telemetry import CONTENT, Providers, Telemetry

SECRET = "my number is 12345"


class Conversation(Source):
    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    async def frames(self) -> AsyncIterator[Frame]:
        yield SessionEvent("started", "abc")
        await anyio.sleep(1)
        yield Transcript(SECRET, Speaker.USER, SECOND, pts=SECOND // 2)
        turn = self.context.new_turn()
        self.context.measured("response.service", SECOND // 4, turn)
        yield TurnStarted(SECOND, pts=self.context.now(), turn=turn)
        yield ToolCall("1", "look", {"at": SECRET}, turn=turn)
        yield ToolCall("2", "wait", {}, turn=turn)
        yield ToolCall("3", "never", {}, turn=turn)
        await anyio.sleep(0.5)
        yield ToolResult("1", "look", {"error": SECRET})
        yield ToolCallCancelled(("2",))
        self.context.measured("response", SECOND // 2, turn)
        yield Transcript("I see", Speaker.MODEL, 2 * SECOND, pts=SECOND)
        await anyio.sleep(0.5)
        yield Usage({"AUDIO": 40}, {"AUDIO": 2, "TEXT": 3}, 45, {"AUDIO": 42, "TEXT": 3}, turn=turn)
        yield TurnEnded(True, pts=self.context.now(), turn=turn)
        self.context.dropped("too much", 3)
        if self.fails:
            raise ValueError(SECRET)
        await anyio.sleep(2)


class Told(NamedTuple):
    spans: dict[str, ReadableSpan]
    metrics: dict[str, list[tuple[dict[str, Any], Any]]]
    closed: list[bool]

    def attributes(self, span: str) -> dict[str, Any]:
        return dict(self.spans[span].attributes or {})

    def seconds(self, span: str) -> float:
        start, end = self.spans[span].start_time, self.spans[span].end_time
        assert start is not None
        assert end is not None
        return (end - start) / SECOND

    def parent(self, span: str) -> str | None:
        above = self.spans[span].parent
        if above is None:
            return None
        return next(n for n, s in self.spans.items() if s.context.span_id == above.span_id)


def tell(*, content: bool = False, fails: bool = False) -> Told:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    closed: list[bool] = []
    observer = Telemetry(
        Providers(tracers, meters, lambda: closed.append(True)), title="a.yaml", content=content
    )
    graph = Graph(
        {"talk": Conversation(fails), "out": Collect()},
        ["talk -> out"],
        inboxes={"out": InboxSettings(frames=10)},
    )
    try:
        run_virtually(graph, observers=[observer])
    except ProcessorFailure:
        assert fails
    data = reader.get_metrics_data()
    metrics: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    assert data is not None
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                metrics[metric.name] = [
                    (dict(p.attributes or {}), p) for p in metric.data.data_points
                ]
    spans = {span.name: span for span in exporter.get_finished_spans()}
    meters.shutdown()
    tracers.shutdown()
    return Told(spans, metrics, closed)


@pytest.fixture(scope="module")
def told() -> Told:
    return tell()


def test_spans_are_nested_as_things_happened(told: Told) -> None:
    assert {name: told.parent(name) for name in told.spans} == {
        "pipeline.run": None,
        "session": "pipeline.run",
        "turn": "session",
        "execute_tool look": "turn",
        "execute_tool wait": "turn",
        "execute_tool never": "turn",
    }
    assert told.attributes("pipeline.run")["pipeline.config"] == "a.yaml"
    assert told.attributes("pipeline.run")["pipeline.completed"] is True
    assert [event.name for event in told.spans["session"].events] == ["session.started"]


def test_a_turn_lasts_from_the_question_to_its_end_and_has_the_parts_of_the_wait(
    told: Told,
) -> None:
    assert told.seconds("turn") == pytest.approx(1, abs=0.01)
    attributes = told.attributes("turn")
    assert attributes["latency.response"] == 0.5
    assert attributes["latency.response.service"] == 0.25  # measured before the turn began
    assert attributes["turn.interrupted"] is True
    assert attributes["gen_ai.usage.input_tokens"] == 40
    assert attributes["gen_ai.usage.output_tokens"] == 5


def test_calls_say_what_became_of_them(told: Told) -> None:
    outcomes = {
        n: told.attributes(f"execute_tool {n}")["tool.outcome"] for n in ("look", "wait", "never")
    }
    assert outcomes == {"look": "failed", "wait": "cancelled", "never": "unanswered"}
    assert told.seconds("execute_tool look") == pytest.approx(0.5, abs=0.01)
    assert not told.spans["execute_tool look"].status.is_ok


def test_metrics_count_what_the_report_counts(told: Told) -> None:
    metrics = told.metrics
    [(edge, frames)] = metrics["pipeline.frames"]
    assert edge == {"source": "talk", "target": "out"}
    assert frames.value == 11
    [(where, dropped)] = metrics["pipeline.frames.dropped"]
    assert (where, dropped.value) == ({"processor": "talk", "reason": "too much"}, 3)
    tokens = {at["modality"]: point.value for at, point in metrics["pipeline.tokens"]}
    assert tokens == {"audio": 42, "text": 3}
    [(_, turns)] = metrics["pipeline.turns"]
    assert turns.value == 1
    latency = {at["what"]: point.sum for at, point in metrics["pipeline.latency"]}
    assert latency == {"response": 0.5, "response.service": 0.25}
    assert {at["tool.outcome"] for at, _ in metrics["pipeline.tool.duration"]} == {
        "failed",
        "cancelled",
    }
    [(inbox, fill)] = metrics["pipeline.inbox.fill"]
    assert inbox == {"processor": "out"}
    assert 0 <= fill.value <= 1


def test_what_was_said_is_told_only_when_asked_for(told: Told) -> None:
    def everything(told: Told) -> str:
        return "".join(span.to_json() for span in told.spans.values()) + str(told.metrics)

    assert "12345" not in everything(told)
    assert CONTENT not in everything(told)
    assert "12345" not in everything(tell(fails=True))
    revealed = tell(content=True, fails=True)
    assert revealed.attributes("turn")["user_content.user_said"] == SECRET
    assert revealed.attributes("turn")["user_content.model_said"] == "I see"
    assert SECRET in revealed.attributes("execute_tool look")["user_content.tool.arguments"]
    assert SECRET in revealed.attributes("execute_tool look")["user_content.tool.response"]
    for span in revealed.spans.values():
        for name, value in (span.attributes or {}).items():
            assert name.startswith(CONTENT) or SECRET not in str(value)


def test_a_failure_names_the_processor_and_the_kind_of_error() -> None:
    told = tell(fails=True)
    attributes = told.attributes("pipeline.run")
    assert attributes["error.type"] == "ValueError"
    assert attributes["pipeline.failed"] == "talk"
    assert attributes["pipeline.completed"] is False
    assert not told.spans["pipeline.run"].status.is_ok
    assert told.closed == [True]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("OTEL_TRACES_EXPORTER", "oltp", 'did you mean "otlp"'),
        ("OTEL_METRICS_EXPORTER", "prometheus", "there are: console, none, otlp"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only http/protobuf is spoken"),
    ],
)
def test_variables_that_ask_for_what_there_is_not_are_explained(
    variable: str, value: str, says: str
) -> None:
    with pytest.raises(SettingError) as raised:
        providers({variable: value})
    assert variable in str(raised.value)
    assert says in raised.value.hint


def test_the_environment_says_where_to_and_what(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "hotline")
    monkeypatch.setenv(CAPTURE, "true")
    graph = Graph({"talk": Conversation(), "out": Collect()}, ["talk -> out"])
    run_virtually(graph, observers=[telemetry("a.yaml")])
    said = capsys.readouterr()
    assert said.out == ""
    assert '"service.name": "hotline"' in said.err
    assert SECRET in said.err
