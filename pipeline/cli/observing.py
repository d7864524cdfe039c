"""Observers that the command line offers: found by entry point, as processors are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import SettingError
from pipeline.runtime.observer import Observer

GROUP = "pipeline.observers"
"""The entry point group: a name and what makes an `Observer` of settings."""


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
