"""The functions that a graph declares, collected before the session begins."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from pipeline import Frame, Inbox, ToolsDeclared

FrameT = TypeVar("FrameT", bound=Frame)


async def collect_declarations(
    inbox: Inbox[FrameT],
) -> tuple[list[dict[str, Any]], list[FrameT]]:
    """The functions of every tool dispatcher in the graph, and the frames that came before them."""
    waiting = inbox.count_givers(ToolsDeclared)
    declarations: list[dict[str, Any]] = []
    early: list[FrameT] = []
    async with aclosing(_with_late(inbox)) as frames:
        while waiting:
            frame = await anext(frames, None)
            if frame is None:
                break
            if isinstance(frame, ToolsDeclared):
                declarations += frame.declarations
                waiting -= 1
            else:
                early.append(frame)
    return declarations, early


async def _with_late(inbox: Inbox[FrameT]) -> AsyncGenerator[FrameT]:
    """Input that is over at once must not cost the model its tools."""
    async for frame in inbox:
        yield frame
    async for frame in inbox.late():
        yield frame
