"""What the settings of a session take."""

from typing import Any

import msgspec
import pytest

from processors.live_api.settings import (
    Compression,
    Limit,
    Reconnect,
    ResumptionSettings,
    ServiceVad,
    Stall,
    Thinking,
    Transcribe,
)

GROUPS = (
    Compression,
    Limit,
    Reconnect,
    ResumptionSettings,
    ServiceVad,
    Stall,
    Thinking,
    Transcribe,
)


@pytest.mark.parametrize("group", GROUPS)
def test_every_setting_is_explained_and_none_is_needed(group: type[msgspec.Struct]) -> None:
    msgspec.convert({}, group)
    text = " ".join((group.__doc__ or "").split())
    for name in group.__struct_fields__:
        assert f"{name}: " in text or f"{name}, " in text or f"`{name}`" in text, name


@pytest.mark.parametrize(
    ("group", "values"),
    [
        (ServiceVad, {"silence_ms": 0}),
        (ServiceVad, {"prefix_ms": 10_000}),
        (Compression, {"trigger": 1, "target": 0}),
        (Thinking, {"budget": -1}),
        (Thinking, {"budget": 0}),
        (Transcribe, {"vocabulary": ["Zürich"] * 1000}),
        (Reconnect, {"for_s": 0}),
        (Limit, {"sessions": 1}),
    ],
)
def test_values_at_the_edge_are_taken(group: type[msgspec.Struct], values: dict[str, Any]) -> None:
    taken = msgspec.convert(values, group)
    assert {name: getattr(taken, name) for name in values} == values


@pytest.mark.parametrize(
    ("group", "values"),
    [
        (ServiceVad, {"silence_ms": -1}),
        (ServiceVad, {"silence_ms": 10_001}),
        (ServiceVad, {"prefix_ms": -1}),
        (ServiceVad, {"start_sensitivity": "HIGH"}),
        (ServiceVad, {"covers": "everything"}),
        (Compression, {"trigger": 0}),
        (Compression, {"target": -1}),
        (Thinking, {"budget": -2}),
        (Thinking, {"level": "extreme"}),
        (Transcribe, {"vocabulary": ["a"] * 1001}),
        (Reconnect, {"for_s": -1}),
        (Reconnect, {"first_s": 0}),
        (Reconnect, {"hold_s": 0}),
        (Stall, {"after_s": 0}),
        (Stall, {"then": "wait"}),
        (Limit, {"sessions": 0}),
        (Limit, {"when_full": "fail"}),
        *((group, {"no_such_setting": 1}) for group in GROUPS),
    ],
)
def test_values_that_cannot_be_are_refused(
    group: type[msgspec.Struct], values: dict[str, Any]
) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, group)
