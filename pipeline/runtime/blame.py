"""Which processor a thread is running at the moment: found from outside, at no cost inside."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import NamedTuple

from pipeline.processor import Processor


class Work(NamedTuple):
    """A processor that is at work, and the line where it is: `gain.py:12 in process`."""

    processor: Processor
    where: str


def work_of(thread: int) -> Work | None:
    """What the thread of that identifier does for a processor, if it does anything for one."""
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None:
        code = frame.f_code
        if code.co_argcount:
            holder = frame.f_locals.get(code.co_varnames[0])
            if isinstance(holder, Processor) and "context" in vars(holder):
                file = os.path.basename(code.co_filename)
                return Work(holder, f"{file}:{frame.f_lineno} in {code.co_name}")
        frame = frame.f_back
    return None


def any_work(first: int) -> Work | None:
    """What a thread does for a processor, or if it does nothing for one, any other."""
    threads = sorted(sys._current_frames(), key=lambda thread: thread != first)
    return next(filter(None, map(work_of, threads)), None)
