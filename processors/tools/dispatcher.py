"""Runs the functions that the model calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Annotated, Any, Literal

import anyio
import msgspec
from anyio import CancelScope
from msgspec import Meta

from pipeline import (
    CodeReference,
    Duplex,
    Inbox,
    Outbox,
    SettingError,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    ToolsDeclared,
    did_you_mean,
    load_code,
)
from processors.threads import run_in_daemon_thread
from processors.tools.declaration import Tool, ToolArgumentError, ToolDeclarationError, tool

MOST_BYTES = 1 << 20
"""Of a result as JSON: a quarter of a million tokens or so, more than any session has room for."""
MOST_CHARACTERS = 2_000
"""Of the message of an error."""

Seconds = Annotated[float, Meta(gt=0)]
Scheduling = Literal["when_idle", "interrupt", "silent"]


class ToolDispatcher(Duplex):
    """Answers the model's calls with the results of Python functions.

    A function is declared from its signature and its docstring. Plain functions run in threads,
    coroutine functions in the event loop, several at once. Whatever goes wrong, the call is
    answered: with `{"output": ...}`, or with `{"error": "..."}` that tells the model why not; that
    goes for a result of more than 1 MiB as JSON, too. A call that the model withdraws is stopped
    and not answered.

    functions: `./tools.py:get_weather`, `package.module:function`; without a name, every public
      function that is defined in the file or module.
    timeout_s: seconds that one call may take.
    timeouts: seconds for single functions, by name, instead of `timeout_s`.
    background: functions that run while the conversation goes on, by name, and when the model takes
      note of their results: `when_idle`, at once (`interrupt`), or without a word (`silent`).
    at_once: calls that run at the same time; more wait.
    """

    def __init__(
        self,
        functions: Annotated[list[CodeReference], Meta(min_length=1)],
        timeout_s: Seconds = 30.0,
        timeouts: dict[str, Seconds] | None = None,
        background: dict[str, Scheduling] | None = None,
        at_once: Annotated[int, Meta(ge=1, le=1000)] = 8,
    ) -> None:
        self.functions = functions
        self.timeout_s = timeout_s
        self.timeouts = timeouts or {}
        self.background = background or {}
        self.at_once = at_once
        self.tools: dict[str, Tool] = {}
        self._running: dict[str, CancelScope] = {}

    def check(self) -> None:
        self.tools = {}
        for reference in self.functions:
            for function in _find(reference):
                try:
                    declared = tool(function)
                except ToolDeclarationError as error:
                    raise SettingError(str(error), setting="functions") from None
                if declared.name in self.tools:
                    raise SettingError(f'two functions are named "{declared.name}"')
                self.tools[declared.name] = declared
        for setting, names in (("timeouts", self.timeouts), ("background", self.background)):
            for name in names:
                if name not in self.tools:
                    raise SettingError(
                        f'{setting}: there is no function "{name}"',
                        setting=setting,
                        hint=did_you_mean(name, self.tools),
                    )

    async def run(
        self,
        inbox: Inbox[ToolCall | ToolCallCancelled],
        outbox: Outbox[ToolResult | ToolsDeclared],
    ) -> None:
        await outbox.send(ToolsDeclared(tuple(map(self._declaration, self.tools.values()))))
        slots = anyio.Semaphore(self.at_once)
        async with anyio.create_task_group() as group:
            async for frame in inbox:
                if isinstance(frame, ToolCall):
                    scope = self._running[frame.id] = CancelScope()
                    group.start_soon(self._answer, frame, outbox, slots, scope)
                else:
                    for id in frame.ids:
                        if id in self._running:
                            self._running[id].cancel()

    def _declaration(self, tool: Tool) -> dict[str, Any]:
        behavior = {"behavior": "NON_BLOCKING"} if tool.name in self.background else {}
        return tool.declaration() | behavior

    async def _answer(
        self,
        call: ToolCall,
        outbox: Outbox[ToolResult],
        slots: anyio.Semaphore,
        scope: CancelScope,
    ) -> None:
        began = self.context.now()
        with scope:
            response = await self._call(call, slots)
            self._running.pop(call.id, None)
            now = self.context.now()
            self.context.measured("tool", now - began)
            scheduling = self.background.get(call.name)
            await outbox.send(
                ToolResult(call.id, call.name, response, scheduling, pts=now, turn=call.turn)
            )
        self._running.pop(call.id, None)

    async def _call(self, call: ToolCall, slots: anyio.Semaphore) -> dict[str, Any]:
        """The response to a call; every error becomes one."""
        if call.name not in self.tools:
            known = ", ".join(sorted(self.tools))
            return {"error": f'there is no function "{call.name}"; there are: {known}'}
        limit = self.timeouts.get(call.name, self.timeout_s)
        try:
            async with slots:
                with anyio.move_on_after(limit):
                    output = await _invoke(self.tools[call.name], call.arguments)
                    if len(output) <= MOST_BYTES:
                        return {"output": msgspec.json.decode(output)}
                    self.context.log.warning(
                        "the result of %s has %s bytes, and is not sent",
                        call.name,
                        f"{len(output):,}",
                    )
                    what = f"the result of {call.name} has {len(output):,} bytes as JSON"
                    return {"error": f"{what}, and at most {MOST_BYTES:,} can be sent"}
            self.context.log.warning("%s took more than %g s", call.name, limit)
            return {"error": f"{call.name} took more than {limit:g} s"}
        except ToolArgumentError as error:
            return {"error": str(error)}
        except (Exception, SystemExit) as error:
            what = f"{type(error).__name__}: {error}".encode(errors="replace").decode()
            if len(what) > MOST_CHARACTERS:
                what = what[:MOST_CHARACTERS] + "..."
            self.context.log.warning("%s failed: %s", call.name, what)
            return {"error": what}


async def _invoke(tool: Tool, arguments: Mapping[str, Any]) -> bytes:
    """What the function returns, as JSON."""
    bound = partial(tool.function, **tool.bind(arguments))
    if tool.is_async:
        return msgspec.json.encode(await bound())
    return await run_in_daemon_thread(lambda: msgspec.json.encode(bound()))


def _find(reference: str) -> list[Any]:
    try:
        return _functions(reference)
    except SettingError as error:
        raise SettingError(str(error), setting="functions", hint=error.hint) from None


def _functions(reference: str) -> list[Any]:
    found = load_code(reference)
    if not isinstance(found, ModuleType):
        return [found]
    functions = [
        value
        for name, value in vars(found).items()
        if not name.startswith("_")
        and callable(value)
        and not isinstance(value, type)
        and getattr(value, "__module__", None) == found.__name__
    ]
    if not functions:
        raise SettingError(f"{reference} defines no public function", setting="functions")
    return functions
