"""What may stand in a step."""

from typing import Any

import msgspec
import pytest

from processors.local_live_api.refusal import INTERNAL
from processors.local_live_api.steps import Call, Close, Code, Ground, Source, Step


def read(values: Any) -> Step:
    return msgspec.convert(values, Step)


@pytest.mark.parametrize(
    ("values", "step", "kind"),
    [
        ({"transcript": "Hi"}, Step(transcript="Hi"), "transcript"),
        ({"say": ""}, Step(say=""), "say"),
        ({"think": "Hm."}, Step(think="Hm."), "think"),
        (
            {"call": {"name": "f", "args": {"a": 1}, "answer": {"output": 2}}},
            Step(call=Call("f", {"a": 1}, {"output": 2})),
            "call",
        ),
        ({"call": {"name": "f", "cancelled": True}}, Step(call=Call("f", cancelled=True)), "call"),
        (
            {"code": {"code": "1/0", "outcome": "OUTCOME_FAILED"}},
            Step(code=Code("1/0", outcome="OUTCOME_FAILED")),
            "code",
        ),
        (
            {"ground": {"queries": ["q"], "sources": [{"uri": "u"}]}},
            Step(ground=Ground(["q"], [Source("u")])),
            "ground",
        ),
        ({"interrupt": 0}, Step(interrupt=0), "interrupt"),
        ({"wait_ms": 0}, Step(wait_ms=0), "wait_ms"),
        ({"go_away": 0}, Step(go_away=0), "go_away"),
        ({"close": {}}, Step(close=Close(INTERNAL, "Internal error encountered.")), "close"),
        ({"close": {"code": 1006}}, Step(close=Close(1006)), "close"),
        (
            {"close": {"code": 4000, "reason": "x" * 123}},
            Step(close=Close(4000, "x" * 123)),
            "close",
        ),
    ],
)
def test_each_kind_of_step(values: dict[str, Any], step: Step, kind: str) -> None:
    assert read(values) == step
    assert step.kind == kind


def test_one_call_or_several() -> None:
    assert read({"call": {"name": "f"}}).calls == [Call("f")]
    assert read({"call": [{"name": "f"}, {"name": "g"}]}).calls == [Call("f"), Call("g")]
    assert read({"say": "a"}).calls == []


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({}, "a step has one of transcript, say, think, call, code, ground, interrupt, wait_ms"),
        ({"say": "a", "wait_ms": 1}, "a step has one of"),
        ({"say": None}, "a step has one of"),
        ({"sing": "a"}, "unknown field `sing`"),
        ({"wait_ms": -1}, ">= 0 - at `$.wait_ms`"),
        ({"interrupt": -1}, ">= 0 - at `$.interrupt`"),
        ({"go_away": -0.5}, ">= 0.0 - at `$.go_away`"),
        ({"call": []}, "length >= 1 - at `$.call`"),
        ({"call": {}}, "missing required field `name`"),
        ({"ground": {}}, "missing required field `queries`"),
        ({"code": {"code": "x", "outcome": "OK"}}, "Invalid enum value 'OK'"),
        ({"close": {"code": 999}}, ">= 1000"),
        ({"close": {"code": 1005}}, "no close frame can have the code 1005"),
        ({"close": {"code": 2000}}, "no close frame can have the code 2000"),
        ({"close": {"reason": "é" * 62}}, "a reason has at most 123 bytes"),
    ],
)
def test_what_is_no_step(values: dict[str, Any], what: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        read(values)
    assert what in str(raised.value)
