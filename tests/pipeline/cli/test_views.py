"""What is seen of a run: at a terminal, in a pipe, by a program."""

import errno
import fcntl
import json
import logging
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pipeline import Frame, TurnStarted
from pipeline.cli import views
from pipeline.cli.main import main
from pipeline.observing.peeking import event_name

WIDTH, HEIGHT = 70, 16
ENTER, LEAVE, HOME = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[H"
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"

CUSTOM = """
from collections.abc import AsyncIterator, Iterator
import anyio
from pipeline import OutputPath, Sink, Source, Speaker, TextFrame, Transcript, Transform

class Ticks(Source):
    def __init__(self, count: int = 1000, device: str = "") -> None:
        self.count = count
        self.given = 0
        self.device = device or None

    def progress(self) -> float:
        return self.given / self.count

    async def frames(self) -> AsyncIterator[TextFrame | Transcript]:
        while self.given < self.count:
            self.given += 1
            yield Transcript(f"word {self.given}", Speaker.USER)
            yield TextFrame("tick")
            await anyio.sleep(0.01)

class Out(Sink):
    def __init__(
        self, path: OutputPath | None = None, fails: bool = False, seconds: float = 0
    ) -> None:
        self.path = path
        self.fails = fails
        self.seconds = seconds

    async def consume(self, frame: TextFrame) -> None:
        if self.fails:
            raise ValueError("boom")
        await anyio.sleep(self.seconds)
"""

HOLDS = """\
from pipeline import Sink, TextFrame

class Holds(Sink):
    async def consume(self, frame: TextFrame) -> None:
        while True:
            pass
"""

TEXT = """\
processors:
  ticks: {use: ./custom.py:Ticks, count: 5}
  out: {use: ./custom.py:Out}
flow: [ticks -> out]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "custom.py").write_text(CUSTOM)
    (tmp_path / "x.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return tmp_path


def pipeline(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "x.yaml", *arguments])


class Terminal:
    """The command with a pseudo terminal for everything."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self._theirs = theirs
        self.before = termios.tcgetattr(theirs)
        command = [sys.executable, "-m", "pipeline", "run", "x.yaml", *arguments]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        self.output = b""

    def read(self, until: Callable[[bytes], Any], seconds: float = 20) -> None:
        """Take what comes until it is enough, or the command has ended."""
        end = time.monotonic() + seconds
        while not until(self.output):
            ended = self.process.poll() is not None
            if select.select([self._ours], [], [], 0.05)[0]:
                self.output += os.read(self._ours, 65_536)
            elif ended:
                return
            assert time.monotonic() < end, self.output[-2000:]

    def result(self) -> tuple[int, bytes]:
        self.read(lambda _: False)
        self.after = termios.tcgetattr(self._theirs)
        os.close(self._theirs)
        os.close(self._ours)
        return self.process.returncode, self.output


def screens(output: bytes) -> list[list[str]]:
    """The lines of each picture that was shown, without colours."""
    assert output.count(ENTER) == output.count(LEAVE) == 1
    inside = output[output.index(ENTER) : output.index(LEAVE)].decode()
    pictures = inside.split(HOME.decode())[1:]
    plain = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", picture) for picture in pictures]
    return [picture.replace("\r", "").split("\n") for picture in plain if picture.strip()]


# --- at a terminal ---


def test_the_live_view_shows_the_run_and_does_not_scroll() -> None:
    terminal = Terminal("--set", "ticks.count=60")
    status, output = terminal.result()
    assert status == 0, output
    pictures = screens(output)
    assert len(pictures) > 2
    for lines in pictures:
        assert len(lines) <= HEIGHT
        assert max(map(len, lines)) <= WIDTH
    assert lines[0].startswith("x.yaml  0:0")
    assert "left" in lines[0]
    assert re.match(r"ticks +\d+\.\d/s", lines[1])
    assert re.match(r"out +\d+\.\d/s  [█░]{10} +\d+", lines[2])
    assert any(re.match(r" user  word \d+", line) for line in lines[4:])
    assert lines[-1].strip() == "0 turns"


def test_afterwards_the_words_and_the_summary_stay() -> None:
    status, output = Terminal("--set", "ticks.count=30").result()
    assert status == 0
    after = output[output.index(LEAVE) :].decode()
    assert "word 1\x1b" in after or "word 1\r" in after
    assert "word 30" in after
    assert "ticks -> out" in after


@pytest.mark.parametrize(("signals", "seconds", "expected"), [(1, 0, 0), (2, 1000, 130)])
def test_the_terminal_is_as_before_after_one_ctrl_c_and_after_two(
    signals: int, seconds: int, expected: int
) -> None:
    terminal = Terminal("--set", "ticks.count=100000", "--set", f"out.seconds={seconds}")
    terminal.read(lambda output: b"word 5" in output)
    for _ in range(signals):
        terminal.process.send_signal(signal.SIGINT)
        terminal.read(lambda output: b"finishing" in output)
    status, output = terminal.result()
    assert status == expected, output
    assert output.rindex(SHOW) > output.rindex(HIDE)
    assert output.rindex(LEAVE) > output.rindex(ENTER)
    assert terminal.after == terminal.before
    assert b"finishing, for at most 10 s" in output[output.index(LEAVE) :]


def test_the_terminal_is_as_before_after_a_failure() -> None:
    status, output = Terminal("--set", "out.fails=true").result()
    assert status == 1
    assert output.count(ENTER) == output.count(LEAVE) <= 1
    assert output.decode().rstrip().endswith("ValueError: boom\x1b[0m")


def test_who_holds_the_event_loop_is_shown_meanwhile_and_a_forced_end_leaves_the_screen(
    folder: Path,
) -> None:
    (folder / "holds.py").write_text(HOLDS)
    (folder / "x.yaml").write_text(TEXT.replace("./custom.py:Out", "./holds.py:Holds"))
    terminal = Terminal("--drain", "0")
    terminal.read(lambda output: b"has been holding the event loop" in output)
    terminal.process.send_signal(signal.SIGINT)
    status, output = terminal.result()
    assert status == 130
    assert output.rindex(SHOW) > output.rindex(HIDE)
    assert output.rindex(LEAVE) > output.rindex(ENTER)
    assert b'"out" (holds.py:' in output[output.rindex(LEAVE) :]


def test_what_is_wrong_is_said_without_a_screen() -> None:
    status, output = Terminal("--set", "out.fials=true").result()
    assert status == 2
    assert ENTER not in output
    assert b'no setting "fials"' in output


def test_lines_where_the_terminal_can_do_no_more_or_something_is_typed_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, output = Terminal("--set", "ticks.device=keyboard").result()
    assert ENTER not in output
    assert b"word 5" in output
    monkeypatch.setenv("TERM", "dumb")
    assert ENTER not in Terminal().result()[1]


def test_without_colours_if_so_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = re.compile(rb"\x1b\[[0-9;]*3[0-9]m")
    assert coloured.search(Terminal().result()[1])
    monkeypatch.setenv("NO_COLOR", "1")
    status, output = Terminal().result()
    assert status == 0
    assert not coloured.search(output)


# --- in a pipe ---


def test_lines_and_nothing_on_standard_output() -> None:
    result = pipeline()
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith(" user  word 1\n user  word 2\n")
    assert "\x1b" not in result.stderr


def test_nothing_at_all_but_what_is_wrong() -> None:
    result = pipeline("--view", "none")
    assert (result.exit_code, result.output) == (0, "")
    result = pipeline("--view", "none", "--set", "out.fails=true")
    assert result.exit_code == 1
    assert result.stderr == ('x.yaml:3:3: processor "out" failed on TextFrame: ValueError: boom\n')


# --- for programs ---


def events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_events_one_to_a_line() -> None:
    result = pipeline("--view", "json", "--set", "ticks.count=150")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = events(result)
    assert all(list(row)[:2] == ["event", "at"] for row in rows)
    first, *_, last = rows
    assert first == {"event": "started", "at": 0.0, "config": "x.yaml", "nodes": ["ticks", "out"]}
    words = [row for row in rows if row["event"] == "transcript"]
    assert len(words) == 150
    shown = {"node": "ticks", "text": "word 1", "speaker": "user", "final": True, "pts": 0}
    assert shown.items() <= words[0].items()
    assert "born" not in words[0]
    [stats, *_] = [row for row in rows if row["event"] == "stats"]
    out, ticks = stats["nodes"]["out"], stats["nodes"]["ticks"]
    assert set(out) == {"rate", "waiting", "fill", "dropped", "progress", "left"}
    assert out["progress"] is None
    assert 0 < ticks["progress"] == stats["progress"] < 1
    assert ticks["left"] == stats["left"] > 0
    assert last["event"] == "ended"
    assert last["completed"] is True
    assert {"from": "ticks", "to": "out", "frames": 150} in last["edges"]


ODD = """
from collections.abc import AsyncIterator
from pipeline import Frame, Sink, Source, TextFrame

class Endless(Frame, frozen=True):
    data: dict

class Odd(Source):
    async def frames(self) -> AsyncIterator[TextFrame | Endless]:
        yield TextFrame("half a pair: \\ud83d")
        endless = {}
        endless["again"] = endless
        yield Endless(endless)
        yield TextFrame("plain")

class All(Sink):
    def consume(self, frame: TextFrame | Endless) -> None: ...
"""


def test_what_cannot_be_an_event_does_not_end_the_run(folder: Path) -> None:
    (folder / "odd.py").write_text(ODD)
    (folder / "x.yaml").write_text("""
processors:
  odd: {use: ./odd.py:Odd}
  all: {use: ./odd.py:All}
flow: [odd -> all]
""")
    result = pipeline("--view", "json")
    assert result.exit_code == 0, result.output
    rows = events(result)
    assert [row["text"] for row in rows if row["event"] == "text"] == ["half a pair: ?", "plain"]
    [said] = [row["text"] for row in rows if row["event"] == "log"]
    assert said.startswith("JsonLines failed: RecursionError")
    assert rows[-1]["event"] == "ended"


def test_a_failure_is_an_event_too() -> None:
    result = pipeline("--view", "json", "--set", "out.fails=true")
    assert result.exit_code == 1
    last = events(result)[-1]
    assert (last["event"], last["node"]) == ("failed", "out")
    assert "ValueError: boom" in result.stderr


def test_standard_output_belongs_to_one() -> None:
    result = pipeline("--view", "json", "--set", "out.path=-")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        'standard output is taken by "out": --view json has to have it alone\n'
    )


def test_a_reader_that_has_seen_enough_does_not_end_the_run() -> None:
    command = [sys.executable, "-m", "pipeline", "run", "x.yaml", "--view", "json"]
    with subprocess.Popen(
        [*command, "--set", "ticks.count=100"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("name", "event"), [("TurnStarted", "turn-started"), ("Mood", "mood"), ("TextFrame", "text")]
)
def test_events_are_called_like_frames(name: str, event: str) -> None:
    assert event_name(type(name, (Frame,), {}) if name != "TurnStarted" else TurnStarted) == event


def test_plain_lines_say_now_and_then_how_far_the_sources_are(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(views, "PROGRESS_SECONDS", 0.1)
    (folder / "x.yaml").write_text(TEXT.replace("count: 5", "count: 100"))
    notes = re.findall(r"^  (ticks .*)$", pipeline("--view", "lines").output, re.MULTILINE)
    assert len(notes) > 2
    assert all(re.fullmatch(r"ticks [0-9]{1,2}%, 0:0[0-9] left", note) for note in notes)
    shares = [int(re.findall(r"[0-9]+", note)[0]) for note in notes]
    assert shares == sorted(shares)


def test_what_the_event_loop_complains_of_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    view = views.View(Console(stderr=True))
    with view.showing_log(debug=False):
        try:
            raise OSError(errno.EMFILE, "Too many open files")
        except OSError:
            logging.getLogger("asyncio").exception("accept() failed\nsocket: <...>")
    said = capsys.readouterr().err.split()
    assert " ".join(said) == (
        "accept() failed: OSError: [Errno 24] Too many open files; "
        "too many files are open: raise the limit, `ulimit -n`"
    )
