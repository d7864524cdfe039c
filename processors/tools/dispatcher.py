"""Runs the functions that the model calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Annotated, Any

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
    load_code,
)
from processors.threads import run_in_daemon_thread
from processors.tools.declaration import Tool, ToolArgumentError, ToolDeclarationError, tool


class ToolDispatcher(Duplex):
    """Answers the model's calls with the results of Python functions.

    A function is declared from its signature and its docstring. Plain functions run in threads,
    coroutine functions in the event loop, several at once. Whatever goes wrong, the call is
    answered: with `{"output": ...}`, or with `{"error": "..."}` that tells the model why not.
    A call that the model withdraws is stopped and not answered.

    functions: `./tools.py:get_weather`, `package.module:function`; without a name, every public
      function that is defined in the file or module.
    timeout_s: seconds that one call may take.
    at_once: calls that run at the same time; more wait.
    """

    def __init__(
        self,
        functions: Annotated[list[CodeReference], Meta(min_length=1)],
        timeout_s: Annotated[float, Meta(gt=0)] = 30.0,
        at_once: Annotated[int, Meta(ge=1, le=1000)] = 8,
    ) -> None:
        self.functions = functions
        self.timeout_s = timeout_s
        self.at_once = at_once
        self.tools: dict[str, Tool] = {}
        self._running: dict[str, CancelScope] = {}

    def check(self) -> None:
        self.tools = {}
        for reference in self.functions:
            for function in _functions(reference):
                try:
                    declared = tool(function)
                except ToolDeclarationError as error:
                    raise SettingError(str(error), setting="functions") from None
                if declared.name in self.tools:
                    raise SettingError(f'two functions are named "{declared.name}"')
                self.tools[declared.name] = declared

    async def run(
        self,
        inbox: Inbox[ToolCall | ToolCallCancelled],
        outbox: Outbox[ToolResult | ToolsDeclared],
    ) -> None:
        declarations = tuple(tool.declaration() for tool in self.tools.values())
        await outbox.send(ToolsDeclared(declarations))
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
            await outbox.send(ToolResult(call.id, call.name, response, pts=now, turn=call.turn))
        self._running.pop(call.id, None)

    async def _call(self, call: ToolCall, slots: anyio.Semaphore) -> dict[str, Any]:
        """The response to a call; every error becomes one."""
        if call.name not in self.tools:
            known = ", ".join(sorted(self.tools))
            return {"error": f'there is no function "{call.name}"; there are: {known}'}
        try:
            async with slots:
                with anyio.move_on_after(self.timeout_s):
                    output = await _invoke(self.tools[call.name], call.arguments)
                    return {"output": msgspec.json.decode(msgspec.json.encode(output))}
            self.context.log.warning("%s took more than %g s", call.name, self.timeout_s)
            return {"error": f"{call.name} took more than {self.timeout_s:g} s"}
        except ToolArgumentError as error:
            return {"error": str(error)}
        except Exception as error:
            what = f"{type(error).__name__}: {error}".encode(errors="replace").decode()
            self.context.log.warning("%s failed: %s", call.name, what)
            return {"error": what}


async def _invoke(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    bound = partial(tool.function, **tool.bind(arguments))
    if tool.is_async:
        return await bound()
    return await run_in_daemon_thread(bound)


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
