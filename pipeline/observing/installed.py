"""Observers that the command line offers: found by entry point, as processors are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pipeline.errors import SettingError
from pipeline.runtime.observer import Observer

GROUP = "pipeline.observers"
"""The entry point group: a name and what makes an `Observer` of settings."""


TELEMETRY = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
)
"""Variables of OpenTelemetry that say where to tell it what happens."""


def wants_telemetry() -> bool:
    """Whether the environment asks for OpenTelemetry, by its standard variables."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(
        os.environ.get(name, "none") not in ("", "none") for name in TELEMETRY
    )


def make_observers(wanted: Mapping[str, Mapping[str, Any]]) -> list[Observer]:
    """Observers by name, each with its settings. Raises SettingError if one cannot be had."""
    return [_make(name, settings) for name, settings in wanted.items()]


def _make(name: str, settings: Mapping[str, Any]) -> Observer:
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise SettingError(f'no observer "{name}" is installed', hint="reinstall live-pipeline")
    try:
        make = found[0].load()
    except ImportError as error:
        raise SettingError(f'the observer "{name}" cannot be used: {error}') from error
    observer = make(**settings)
    assert isinstance(observer, Observer)
    return observer
