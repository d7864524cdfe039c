import subprocess
import sys
import threading
from typing import Any

import anyio
import pytest

from pipeline.testing import VirtualTimeLoop
from processors.threads import run_in_daemon_thread


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
from processors.threads import run_in_daemon_thread
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
