"""Calls that are pending, answered, repeated and withdrawn."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline import ToolResult
from processors.live_api.calls import Calls
from processors.live_api.messages import ClientMessage, FunctionCall


def call(id: str = "", **args: Any) -> FunctionCall:
    return FunctionCall(id=id, name="f", args=args)


def test_calls_without_an_id_get_one() -> None:
    calls = Calls()
    assert [calls.add(call()), calls.add(call("x")), calls.add(call())] == ["call-1", "x", "call-3"]
    answer = calls.answer(ToolResult("call-1", "f", {"output": 1}), None)
    assert answer is not None
    assert answer.tool_response.function_responses[0].id == ""  # type: ignore[union-attr]


def test_only_the_very_same_call_was_answered() -> None:
    calls = Calls()
    calls.add(call("a", n=1))
    answer = calls.answer(ToolResult("a", "f", {}), None)
    assert not calls.was_answered(call("a", n=2))
    assert not calls.was_answered(call("b", n=1))
    assert calls.was_answered(call("a", n=1))
    assert calls.take_repeated() == [answer]


def test_what_the_service_has_confirmed_is_forgotten_with_the_connection() -> None:
    calls = Calls()
    for id in "ab":
        calls.add(call(id))
    calls.answer(ToolResult("a", "f", {}), None)
    kept = calls.answer(ToolResult("b", "f", {}), None)
    assert kept is not None
    calls.disconnected([kept])
    assert not calls.was_answered(call("a"))
    assert calls.was_answered(call("b"))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["call", "answer", "withdraw"]))))
def test_each_call_is_answered_at_most_once(steps: list[tuple[str, str]]) -> None:
    calls = Calls()
    pending: set[str] = set()
    answers: list[ClientMessage] = []
    for id, step in steps:
        if step == "call":
            calls.add(call(id))
            pending.add(id)
        elif step == "answer":
            answer = calls.answer(ToolResult(id, "f", {}), None)
            assert (answer is not None) is (id in pending)
            answers += [answer] if answer else []
            pending.discard(id)
        else:
            assert calls.withdraw([id]) == ((id,) if id in pending else ())
            pending.discard(id)
        assert set(calls.pending) == pending
