"""The functions that the model calls: what is pending, and what was answered already."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline import ToolResult
from processors.live_api.messages import (
    ClientMessage,
    FunctionCall,
    FunctionResponse,
    Scheduling,
    ToolResponse,
)


class Calls:
    """Every call is run once and answered once, whatever the service repeats."""

    def __init__(self) -> None:
        self.pending: dict[str, FunctionCall] = {}
        """The calls that were not answered, by the id that the graph knows them by."""
        self._answered: dict[str, tuple[FunctionCall, ClientMessage]] = {}
        """Those whose answers the service may not have, by the service's id."""
        self._repeated: list[ClientMessage] = []
        self._count = 0

    def add(self, call: FunctionCall) -> str:
        """The id by which the graph is to know a call; older models give none."""
        self._count += 1
        id = call.id or f"call-{self._count}"
        self.pending[id] = call
        return id

    def was_answered(self, call: FunctionCall) -> bool:
        """Whether the function has run for this very call: then its answer is sent once more."""
        before, answer = self._answered.get(call.id, (None, None))
        if answer is None or before != call:
            return False
        self._repeated.append(answer)
        return True

    def take_repeated(self) -> list[ClientMessage]:
        """The answers that are to be sent once more."""
        repeated, self._repeated = self._repeated, []
        return repeated

    def answer(self, result: ToolResult, scheduling: Scheduling | None) -> ClientMessage | None:
        """The message that answers a call; None if the call was withdrawn or answered before."""
        call = self.pending.pop(result.id, None)
        if call is None:
            return None
        response = FunctionResponse(
            id=call.id, name=call.name, response=result.response, scheduling=scheduling
        )
        answer = ClientMessage(tool_response=ToolResponse(function_responses=[response]))
        if call.id:
            self._answered[call.id] = call, answer
        return answer

    def withdraw(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Those of the calls that were pending; they need no answer any more."""
        return tuple(id for id in ids if self.pending.pop(id, None))

    def disconnected(self, unconfirmed: Iterable[ClientMessage]) -> None:
        """Of the answers, only these can be asked for again."""
        kept = {id(answer) for answer in unconfirmed}
        self._answered = {
            call.id: (call, answer)
            for call, answer in self._answered.values()
            if id(answer) in kept
        }
