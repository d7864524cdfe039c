"""Processors look at the machine in a thread, while other runs go on."""

import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from pipeline import ConfigError, Graph, Processor, Run, SettingError, Source, TextFrame
from pipeline.testing import Collect, Given, VirtualTimeLoop

ONE = TextFrame("one")


@pytest.fixture
def anyio_backend() -> Any:
    """Trio's virtual clock does not wait for threads."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Looks(Source):
    """Has a look at something slow."""

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong
        self.begun, self.seen = threading.Event(), threading.Event()
        self.checked_in: list[threading.Thread] = []

    def check(self) -> None:
        self.checked_in.append(threading.current_thread())
        self.begun.set()
        assert self.seen.wait(10)
        if self.wrong:
            raise SettingError(self.wrong)

    async def frames(self) -> AsyncIterator[TextFrame]:
        yield ONE


def run_of(source: Processor) -> Run:
    return Run(Graph({"source": source, "out": Collect()}, ["source -> out"]))


async def test_others_go_on_while_one_looks() -> None:
    looks, other = Looks(), run_of(Given([ONE]))

    async def execute() -> None:
        await run_of(looks).execute()

    async with anyio.create_task_group() as group:
        group.start_soon(execute)
        await anyio.to_thread.run_sync(looks.begun.wait)
        report = await other.execute()
        assert report.frames("source", "out") == 1
        looks.seen.set()
    assert looks.checked_in
    assert threading.current_thread() not in looks.checked_in


async def test_what_is_wrong_is_raised_as_ever() -> None:
    looks = Looks("it is broken")
    looks.seen.set()
    with pytest.raises(ConfigError, match='"source": it is broken'):
        await run_of(looks).execute()


@pytest.mark.parametrize("from_outside", [False, True])
async def test_a_run_that_is_stopped_does_not_wait_for_it(from_outside: bool) -> None:
    looks, began = Looks(), time.monotonic()
    run = run_of(looks)
    async with anyio.create_task_group() as group:
        group.start_soon(run.execute)
        await anyio.to_thread.run_sync(looks.begun.wait)
        if from_outside:
            group.cancel_scope.cancel()
        else:
            run.cancel()
    took = time.monotonic() - began
    looks.seen.set()
    assert took < 5
    assert not run.report.completed


async def test_where_nobody_looks_no_thread_is_asked() -> None:
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    async with limiter:  # anyone who wants a thread has to wait for this
        with anyio.fail_after(1):
            await run_of(Given([ONE])).execute()
