"""What `docs/serving.md` says of the protocol and the counters is all that there is of them."""

import re
from pathlib import Path
from typing import get_args

import pytest

pytest.importorskip("prometheus_client", reason="the extra serve is not installed")

from processors.serving.metrics import Metrics
from processors.serving.protocol import ClientEvent, ServerEvent
from processors.serving.refusal import REASONS
from processors.serving.session import ENDINGS

PAGE = (Path(__file__).parents[3] / "docs/serving.md").read_text(encoding="utf-8")
UNSAID = {"n"}
"""Of every message, said above the table."""


def rows(heading: str, page: str = PAGE) -> dict[str, str]:
    """Of the first table whose head begins like this: the line of each name."""
    table = page.split(f"\n| {heading}", 1)[1].split("\n\n", 1)[0]
    lines = table.splitlines()[2:]
    return {
        name: line for line in lines for name in re.findall(r"`([\w-]+)`", line.split(" | ")[0])
    }


@pytest.mark.parametrize(
    ("side", "messages"), [("client", get_args(ClientEvent)), ("server", get_args(ServerEvent))]
)
def test_every_message_and_every_field_is_there(side: str, messages: tuple[type, ...]) -> None:
    said = rows("message |", PAGE.split(f"### From the {side}", 1)[1])
    assert set(said) == {message.__name__.lower() for message in messages}
    for message in messages:
        line = said[message.__name__.lower()]
        fields = set(message.__struct_fields__) - UNSAID  # type: ignore[attr-defined]
        assert [field for field in sorted(fields) if f"`{field}`" not in line] == [], line


def test_every_reason_is_there() -> None:
    assert set(rows("`reason` of `refused`")) == set(REASONS)
    nobody_hears = {"left", "gone"}
    assert set(rows("`reason` of `ended`")) == set(ENDINGS) - nobody_hears


def test_every_metric_is_there() -> None:
    told = set(re.findall(r"^# TYPE (\w+)", Metrics().text().decode(), re.MULTILINE))
    told = {name for name in told if not name.endswith("_created")}
    assert set(rows("metric |")) == told
