"""Which processor a thread is running at the moment: found from outside, at no cost inside."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from types import CodeType, FrameType
from typing import NamedTuple

from pipeline.processor import Duplex, Processor, Sink, Source, Transform
from pipeline.runtime.station import Station

FRAMEWORK = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
LOOPS = {"asyncio", "trio", "uvloop", "winloop"}
"""Packages of event loops."""


class Work(NamedTuple):
    """What a thread is at: a processor, if it is one's work, and the line, `gain.py:12 in process`.

    The line is the innermost that is of no library: of the processor, or of what it calls.
    """

    processor: Processor | None
    where: str


def work_of(thread: int) -> Work:
    """What the thread of that identifier is doing. Between two frames that a processor gives, the
    line is the first of its method."""
    frame = innermost = sys._current_frames().get(thread)
    own: FrameType | None = None
    while frame is not None:
        code = frame.f_code
        if own is None and not _is_library(code.co_filename):
            own = frame
        if code.co_argcount:
            holder = frame.f_locals.get(code.co_varnames[0])
            if isinstance(holder, Processor) and "context" in vars(holder):
                return Work(holder, _line(own or frame))
        if code.co_filename.startswith(FRAMEWORK) and (station := _station(frame)) is not None:
            method = _method(station.processor)
            where = _line(own) if own else _begin(getattr(method, "__code__", code))
            return Work(station.processor, where)
        frame = frame.f_back
    return Work(None, _line(own or innermost))


def any_work(first: int) -> Work | None:
    """What a thread does for a processor, or if it does nothing for one, any other."""
    threads = sorted(sys._current_frames(), key=lambda thread: thread != first)
    return next((work for work in map(work_of, threads) if work.processor is not None), None)


def is_at_rest(thread: int) -> bool:
    """Whether the thread of an event loop waits for something to do, or does the loop's own work.

    Cheap, and now and then wrong in saying that it is not.
    """
    frame = sys._current_frames().get(thread)
    while frame is not None and _package(frame) == "selectors":
        frame = frame.f_back
    return frame is None or _package(frame) in LOOPS


def _station(frame: FrameType) -> Station | None:
    """Whose frames one of the framework's functions handles."""
    for name in ("station", "target", "self"):
        found = frame.f_locals.get(name)
        if isinstance(found := getattr(found, "station", found), Station):
            return found
    return None


def _method(processor: Processor) -> Callable[..., object]:
    names = {Source: "frames", Transform: "process", Sink: "consume", Duplex: "run"}
    name = next(name for role, name in names.items() if isinstance(processor, role))
    method: Callable[..., object] = getattr(type(processor), name)
    return method


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _line(frame: FrameType | None) -> str:
    return "a thread that has ended" if frame is None else _begin(frame.f_code, frame.f_lineno)


def _begin(code: CodeType, line: int | None = None) -> str:
    return f"{os.path.basename(code.co_filename)}:{line or code.co_firstlineno} in {code.co_name}"


@cache
def _is_library(file: str) -> bool:
    """Whether it is of Python or of an installed package, not of somebody's own project."""
    import sysconfig

    folders = (sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    return file.startswith(("<", FRAMEWORK, *(os.path.join(folder, "") for folder in folders)))
