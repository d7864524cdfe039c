"""A process that obeys signals, whatever its event loop does."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")

TWO = [signal.SIGINT, signal.SIGTERM]
"""Different ones: of the same, two that come at once are one."""

COMMAND = """
import os, sys, threading
import anyio
from pipeline.cli.stopping import obeying_signals

how, drain, stop = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])

def say(text):
    os.write(1, f"{text}\\n".encode())

async def main():
    told, at_once = anyio.Event(), anyio.CancelScope()
    def finish():
        say("finish")
        told.set()
    def cancel():
        say("cancel")
        at_once.cancel()
    signals = obeying_signals(finish, cancel, drain_seconds=drain, stop_seconds=stop)
    with signals as heard, at_once:
        say("ready")
        if how == "blocked":
            threading.Event().wait()
        if how == "noisy":
            while True:
                os.write(2, b"x" * 10_000)
        if how == "thread":
            threading.Thread(target=threading.Event().wait).start()
        await told.wait()
        if how == "drains":
            await anyio.sleep_forever()
    say(f"heard {heard}")

anyio.run(main)
"""


@contextmanager
def running(how: str, drain: float, stop: float = 0) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", COMMAND, how, str(drain), str(stop)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **streams) as process:  # type: ignore[call-overload]
        try:
            assert line(process.stdout) == "ready"
            yield process
        finally:
            process.kill()


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip()


def test_the_first_signal_finishes() -> None:
    with running("waits", 1000) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("finish\nheard [15]\n", "", 0)


@pytest.mark.parametrize("drain", [1000, 1e12, "inf"])
def test_the_second_cancels(drain: float) -> None:
    with running("drains", drain) as process:
        process.send_signal(signal.SIGTERM)
        assert line(process.stdout) == "finish"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("cancel\nheard [15, 2]\n", "", 0)


@pytest.mark.parametrize("how", ["blocked", "noisy", "thread"])
@pytest.mark.parametrize("signals", [[signal.SIGTERM], TWO])
def test_what_hangs_is_ended_by_force(how: str, signals: list[signal.Signals]) -> None:
    """Also where nobody reads its standard error, and everything waits for that."""
    with running(how, 0.3 if len(signals) == 1 else 1000) as process:
        began = time.monotonic()
        for number in signals:
            process.send_signal(number)
        assert process.wait(20) - 128 in signals
        took = time.monotonic() - began
        if how != "noisy":
            assert process.stderr is not None
            assert "something does not come to its end: stopped by force" in process.stderr.read()
    assert 1.0 <= took < 1.5 + 3  # the limit, and a machine that is busy


def test_there_may_be_more_time_after_the_second() -> None:
    with running("blocked", 1000, stop=0.5) as process:
        began = time.monotonic()
        for number in TWO:
            process.send_signal(number)
        assert process.wait(20) - 128 in TWO
        assert time.monotonic() - began >= 1.5
