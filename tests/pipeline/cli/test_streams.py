"""What is said to those who do not read it."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.streams import Outlet, outlet


def test_all_is_written_in_order() -> None:
    stream = io.StringIO()
    with outlet(stream) as out:
        for number in range(1000):
            print(number, file=out)
    assert stream.getvalue().split() == [str(number) for number in range(1000)]


class Stopped(io.StringIO):
    """Takes nothing until somebody goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self.writer = os.pipe()

    def write(self, text: str) -> int:
        os.read(self.reader, 1)
        return super().write(text)

    def go_on(self) -> None:
        os.write(self.writer, b"x" * 100)


def test_what_finds_no_room_is_left_out_and_counted() -> None:
    stream = Stopped()
    out = Outlet(stream, most=100)
    for _ in range(50):
        out.write("0123456789\n")
    left_out = out._left_out
    assert left_out >= 50 - 2 * 9  # what waits, and what the thread has in hand
    stream.go_on()
    out.settle()
    out.write("more\n")
    out.settle()
    said = f"[{left_out} pieces of text are left out]\nmore\n"
    assert stream.getvalue() == "0123456789\n" * (50 - left_out) + said


def test_patience_ends() -> None:
    stream = Stopped()
    out = Outlet(stream)
    out.patience_s = 0.01
    out.write("x")
    out.settle()
    assert stream.getvalue() == ""
    stream.go_on()


def test_one_who_has_gone_is_told_of_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    errors: list[Exception] = []
    with os.fdopen(writer, "w") as stream:
        out = Outlet(stream, gone=errors.append)
        for _ in range(3):
            out.write("x")
            out.settle()
        assert os.fstat(stream.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    assert [type(error) for error in errors] == [BrokenPipeError]


def test_a_stream_that_is_closed_takes_everything() -> None:
    out = Outlet(None)
    assert out.write("x") == 1
    out.settle()
    assert not out.isatty()


# --- the command ---

CONFIG = """
processors:
  talk: {use: ./custom.py:Talk}
  words: {use: transcription_sink, path: words.jsonl}
flow: [talk -> words]
"""
CUSTOM = """
from collections.abc import AsyncIterator
import anyio
from pipeline import *

class Talk(Source):
    async def frames(self) -> AsyncIterator[Transcript]:
        for number in range(300):
            self.context.log.warning("a remark")
            yield Transcript(f"{number} " + "x" * 500, Speaker.USER, final=True, pts=number)
            await anyio.sleep(0)
"""
RUN = f"{sys.executable} -m pipeline run x.yaml"


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's words are those of POSIX")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{RUN} 2>&1 >out | head -n 1", ""),
        (f"{RUN} 2>/dev/full", ""),
        (f"{RUN} 2>&-", ""),
        (f"{RUN} <&- >&- 2>&-", ""),
        (f"{RUN} --view json | head -n 1", ""),
        (f"{RUN} --view json >&-", ""),
        (f"{RUN} --view json >/dev/full", "to standard output: OSError: [Errno 28] No space left"),
        # Nobody reads standard error until all is done.
        (f"{RUN} --debug 2> >(while [ ! -s words.jsonl ]; do sleep 0.1; done; cat >out)", ""),
    ],
)
def test_the_run_goes_on(command: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "custom.py").write_text(CUSTOM)
    (tmp_path / "x.yaml").write_text(CONFIG)
    shell = f"set -o pipefail; {command}"
    result = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, timeout=40
    )
    assert result.returncode == 0, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert "Exception ignored" not in result.stderr + result.stdout
    assert len((tmp_path / "words.jsonl").read_text().splitlines()) == 300
