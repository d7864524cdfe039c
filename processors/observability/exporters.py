"""OpenTelemetry as its standard variables of the environment say: where to, and as whom."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline import SettingError, did_you_mean
from processors.observability.complaints import pass_on_complaints
from processors.observability.telemetry import Providers, Telemetry

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace.export import SpanExporter

EXTRA = "pip install 'live-pipeline[otel]'"
KINDS = ("otlp", "console", "none")
PROTOCOL = "http/protobuf"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def telemetry(title: str = "", content: bool = False) -> Telemetry:
    """An observer that exports by OTLP over HTTP, unless OTEL_TRACES_EXPORTER or
    OTEL_METRICS_EXPORTER says `console` or `none`.

    title: what runs. content: what was said, too; the variable that CAPTURE names asks for it as
    well. Raises SettingError if packages are missing or the variables ask for what there is not.
    """
    content = content or wants_content(os.environ)
    return Telemetry(providers(os.environ), title=title, content=content)


def wants_content(environment: Mapping[str, str]) -> bool:
    """Whether the variable that CAPTURE names asks for what was said."""
    return environment.get(CAPTURE, "").lower() == "true"


def providers(environment: Mapping[str, str]) -> Providers:
    """Providers of the SDK; the exporters read the other variables themselves. Raises SettingError
    as `telemetry` does."""
    traces, metrics = (
        _kind(environment, f"OTEL_{what}_EXPORTER") for what in ("TRACES", "METRICS")
    )
    for what in ("", "TRACES_", "METRICS_"):
        name = f"OTEL_EXPORTER_OTLP_{what}PROTOCOL"
        if environment.get(name, PROTOCOL) != PROTOCOL and "otlp" in (traces, metrics):
            raise SettingError(f"{name} is {environment[name]}", hint=f"only {PROTOCOL} is spoken")
    try:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingError("OpenTelemetry is not installed", hint=EXTRA) from error
    pass_on_complaints()
    resource = Resource.create(
        None if _is_named(environment) else {"service.name": "live-pipeline"}
    )
    reader = _reader(metrics)
    meters = MeterProvider([] if reader is None else [reader], resource, shutdown_on_exit=False)
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = _exporter(traces)
    if exporter is not None:
        tracers.add_span_processor(BatchSpanProcessor(exporter))

    def close() -> None:
        tracers.shutdown()
        meters.shutdown()

    return Providers(tracers, meters, close)


def _exporter(kind: str) -> SpanExporter | None:
    if kind == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    if kind == "otlp":
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError as error:
            raise SettingError("the OTLP exporter is not installed", hint=EXTRA) from error
        return OTLPSpanExporter()
    return None


def _reader(kind: str) -> MetricReader | None:
    from opentelemetry.sdk.metrics.export import (
        ConsoleMetricExporter,
        PeriodicExportingMetricReader,
    )

    if kind == "console":
        return PeriodicExportingMetricReader(ConsoleMetricExporter(out=sys.stderr))
    if kind == "otlp":
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        except ImportError as error:
            raise SettingError("the OTLP exporter is not installed", hint=EXTRA) from error
        return PeriodicExportingMetricReader(OTLPMetricExporter())
    return None


def _kind(environment: Mapping[str, str], variable: str) -> str:
    kind = environment.get(variable, "") or "otlp"
    if kind not in KINDS:
        raise SettingError(f"{variable} is {kind}", hint=did_you_mean(kind, KINDS))
    return kind


def _is_named(environment: Mapping[str, str]) -> bool:
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return "OTEL_SERVICE_NAME" in environment or "service.name=" in attributes
