import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from pipeline.testing import VirtualTimeLoop
from processors.threads import follow, import_in_thread, run_in_daemon_thread


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def test_results_and_errors_come_back() -> None:
    assert await run_in_daemon_thread(lambda: threading.current_thread().daemon)
    with pytest.raises(ZeroDivisionError):
        await run_in_daemon_thread(lambda: 1 // 0)


async def test_virtual_time_stands_still_meanwhile() -> None:
    gate = threading.Timer(0.02, lambda: None)
    gate.start()
    with anyio.fail_after(0.001):
        await run_in_daemon_thread(gate.join)


def test_the_process_does_not_wait_for_a_thread_that_hangs() -> None:
    code = """
import anyio, threading
from processors.threads import follow, run_in_daemon_thread
async def main():
    with anyio.move_on_after(0.05):
        await run_in_daemon_thread(threading.Event().wait)
    print("left")
anyio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert (done.stdout, done.stderr) == ("left\n", "")


async def test_what_a_thread_reads_comes_in_order_and_ends() -> None:
    async with follow(lambda: iter(range(50)), "reader") as items:
        assert [item async for item in items] == list(range(50))


async def test_it_reads_one_item_ahead_and_no_more() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    async with follow(numbers, "reader") as items:
        assert await anext(items) == 0
        assert await anext(items) == 1
        await to_thread.run_sync(time.sleep, 0.02)
        assert read in ([0, 1], [0, 1, 2])


async def test_what_it_raises_comes_after_what_it_gave() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("the cable is out")

    async with follow(items, "reader") as followed:
        assert await anext(followed) == 1
        with pytest.raises(RuntimeError, match="the cable is out"):
            await anext(followed)


async def test_nobody_waits_for_a_thread_that_reads() -> None:
    going_on = threading.Event()
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield 1
            going_on.wait(10)
            yield 2
        finally:
            closed.set()

    async with follow(items, "reader") as followed:
        assert await anext(followed) == 1
        with anyio.move_on_after(0.01):
            await anext(followed)
    assert not closed.is_set()
    going_on.set()
    assert closed.wait(5)


SLOW = (
    "import threading, time\ntime.sleep(0.2)\nthread = threading.current_thread()\nready = True\n"
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_module_is_imported_in_a_thread_also_by_two_at_once(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"slow_module_{backend}"
    (tmp_path / f"{name}.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    ready: list[bool] = []

    async def use() -> None:
        await import_in_thread(name)
        ready.append(sys.modules[name].ready)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(use)
            group.start_soon(use)
            await anyio.sleep(0.05)  # the event loop goes on
            assert not ready
        await import_in_thread(name)

    anyio.run(main, backend=backend)
    assert ready == [True, True]
    assert sys.modules[name].thread is not threading.current_thread()


def test_what_cannot_be_imported_says_so_each_time() -> None:
    async def main() -> None:
        for _ in range(2):
            with pytest.raises(ModuleNotFoundError, match="there_is_none"):
                await import_in_thread("there_is_none")

    anyio.run(main)
