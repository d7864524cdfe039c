"""The tables of the docs that describe what programs read and write: nothing is missing in them,
and nothing is in them that there is not."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from processors.batch.outcome import Outcome
from processors.local_live_api.fault_kinds import AnyFault, Fault
from processors.local_live_api.scenario import Expectation, Kind
from processors.local_live_api.steps import Step
from processors.serving.protocol import ClientEvent, ServerEvent
from processors.serving.refusal import REASONS
from processors.serving.session import ENDINGS

DOCS = Path(__file__).parent.parent / "docs"


def page(name: str, section: str = "\n") -> str:
    """What follows a heading."""
    return (DOCS / f"{name}.md").read_text(encoding="utf-8").split(section, 1)[-1]


def rows(text: str, head: str) -> dict[str, str]:
    """Of the first table whose head begins like this: the line of each name."""
    table = text.split(f"\n| {head}", 1)[1].split("\n\n", 1)[0]
    return {
        name: line
        for line in table.splitlines()[2:]
        for name in re.findall(r"`([\w-]+)`", line.split(" | ")[0])
    }


def unsaid(line: str, fields: Iterable[str]) -> list[str]:
    return [field for field in fields if not re.search(rf"`{field}[`:]", line)]


@pytest.mark.parametrize(
    ("side", "messages"), [("client", get_args(ClientEvent)), ("server", get_args(ServerEvent))]
)
def test_every_message_of_a_served_conversation(side: str, messages: tuple[type, ...]) -> None:
    said = rows(page("serving", f"### From the {side}"), "message |")
    assert set(said) == {message.__name__.lower() for message in messages}
    for message in messages:
        fields = {field.name for field in msgspec.structs.fields(message)}
        assert unsaid(said[message.__name__.lower()], sorted(fields - {"n"})) == []


def test_every_reason_that_a_served_client_is_told() -> None:
    assert set(rows(page("serving"), "`reason` of `refused`")) == set(REASONS)
    nobody_hears = {"left", "gone"}
    assert set(rows(page("serving"), "`reason` of `ended`")) == set(ENDINGS) - nobody_hears


def test_every_metric() -> None:
    pytest.importorskip("prometheus_client", reason="the extra serve is not installed")
    from processors.serving.metrics import Metrics

    told = re.findall(r"^# TYPE (\w+)", Metrics().text().decode(), re.MULTILINE)
    said = rows(page("serving"), "metric |")
    assert set(said) == {name for name in told if not name.endswith("_created")}


def test_every_fault() -> None:
    said = rows(page("local_live_api", "## Faults"), "`do` |")
    kinds = {msgspec.inspect.type_info(kind).tag: kind for kind in get_args(AnyFault)}  # type: ignore[attr-defined]
    assert set(said) == set(kinds)
    of_all = {field.name for field in msgspec.structs.fields(Fault)}
    for name, kind in kinds.items():
        own = {field.name for field in msgspec.structs.fields(kind)} - of_all
        assert unsaid(said[name], sorted(own)) == [], name
    section = page("local_live_api", "## Faults").split("\n## ")[0]
    assert unsaid(section, sorted(of_all)) == []


def test_every_step_of_a_scenario() -> None:
    section = page("local_live_api", "## Scenarios").split("\n## ")[0]
    assert set(rows(section, "step |")) == set(Step.__struct_fields__)
    expected = {*get_args(Kind), *Expectation.__struct_fields__}
    assert [name for name in sorted(expected) if not re.search(rf"`{{?{name}\b", section)] == []


def test_every_field_of_a_batchs_results() -> None:
    assert set(rows(page("batch", "## Results"), "in a line |")) == set(Outcome.__struct_fields__)
