"""Looking at a run of another process."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline import (
    AudioFrame,
    DeadLetter,
    Graph,
    Observer,
    Run,
    Speaker,
    TextFrame,
    ToolResult,
    Transcript,
)
from pipeline.cli.main import main
from pipeline.observing.control import MOST, Control, ControlledRun, runtime_folder
from pipeline.observing.peeking import Peek, Wanted, describe, in_json, unmatched
from pipeline.runtime.wiring import Selects, Tap
from pipeline.testing import Collect, Given

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")

CUSTOM = """
from collections.abc import AsyncIterator, Iterator
import anyio
from pipeline import Sink, Source, TextFrame, Transform

class Ticks(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        while True:
            yield TextFrame("tick")
            await anyio.sleep(0.01)

class Upper(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame.replace(text=frame.text.upper())

class Slow(Sink):
    async def consume(self, frame: TextFrame) -> None:
        await anyio.sleep(0)
"""
ENDLESS = """
processors:
  ticks: {use: ./custom.py:Ticks}
  upper: {use: ./custom.py:Upper}
  out: {use: ./custom.py:Slow}
flow: [ticks -> upper -> out]
"""


@pytest.fixture
def anyio_backend() -> str:
    """Real sockets want real time."""
    return "asyncio"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "custom.py").write_text(CUSTOM)
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "pipeline", "run", "endless.yaml", "--view", "none", "--debug"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("can see this run at" in line for line in process.stderr)
        socket = folder / f"live-pipeline/{process.pid}.sock"
        assert socket.stat().st_mode & 0o077 == 0
        yield process.pid
        process.terminate()
        process.wait(10)
    assert not socket.exists()


def pipeline(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_top_shows_what_a_run_does(running: int) -> None:
    result = pipeline("top", "--once")
    assert result.exit_code == 0, result.output
    first, *rows = result.stdout.splitlines()
    assert first.startswith(f"endless.yaml  process {running}")
    rates = {row.split()[0]: float(row.split()[1].removesuffix("/s")) for row in rows[:3]}
    assert set(rates) == {"ticks", "upper", "out"}
    assert min(rates.values()) > 0
    assert max(rates.values()) - min(rates.values()) < 5  # a frame or two, of half a second
    assert "0 turns" in rows[-1]


def test_tap_prints_frames_until_one_has_seen_enough(running: int) -> None:
    command = [sys.executable, "-m", "pipeline", "tap", "upper.*", "ticks -> upper"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        rows = [json.loads(process.stdout.readline()) for _ in range(20)]
        process.stdout.close()
        assert process.wait(10) == 0
    assert {(row["place"], row["text"]) for row in rows} == {
        ("ticks -> upper", "tick"),
        ("upper", "TICK"),
    }
    assert {row["type"] for row in rows} == {"text"}


def test_a_pattern_that_fits_nothing_says_what_there_is(running: int) -> None:
    result = pipeline("tap", "uper.*")
    assert result.exit_code == 2
    assert result.stderr == 'no processor is called "uper.*"; did you mean "upper"?\n'


def test_without_a_run_there_is_nothing_to_see() -> None:
    result = pipeline("top", "--pid", "1")
    assert result.exit_code == 2
    assert result.stderr.startswith("no run with the process id 1")


def test_no_process_is_number_0(running: int) -> None:
    result = pipeline("top", "--pid", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("no run with the process id 0")


def test_what_a_killed_run_has_left_is_removed(folder: Path) -> None:
    left = runtime_folder() / "4.sock"
    bind = f"import socket; socket.socket(socket.AF_UNIX).bind({str(left)!r})"
    subprocess.run([sys.executable, "-c", bind], check=True)
    assert left.exists()
    assert pipeline("top").exit_code == 2
    assert not left.exists()


def test_a_folder_that_others_can_enter_is_not_used(folder: Path) -> None:
    (folder / "live-pipeline").mkdir()
    (folder / "live-pipeline").chmod(0o755)
    with pytest.raises(PermissionError, match="open to others"):
        runtime_folder()
    result = pipeline("top")
    assert result.exit_code == 2
    assert "open to others" in result.stderr


class _Tapped(Run):
    """Tells when it is tapped, and when no longer."""

    def __init__(self, graph: Graph, observers: Sequence[Observer]) -> None:
        super().__init__(graph, observers=observers)
        self.tapped, self.untapped = anyio.Event(), anyio.Event()

    @contextmanager
    def tapping(self, selects: Selects, tap: Tap) -> Iterator[None]:
        try:
            with super().tapping(selects, tap):
                self.tapped.set()
                yield
        finally:
            self.untapped.set()


@pytest.fixture
def listens(monkeypatch: pytest.MonkeyPatch) -> anyio.Event:
    """Is set when one can connect."""
    event = anyio.Event()

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "can see this run at" in record.getMessage():
                event.set()

    log = logging.getLogger("pipeline")
    monkeypatch.setattr(log, "level", logging.DEBUG)
    monkeypatch.setattr(log, "handlers", [Told()])
    return event


async def test_one_who_does_not_read_costs_frames_of_his_own_and_nobody_elses(
    listens: anyio.Event,
) -> None:
    """The socket is full long before the run is over, which gives all frames to its sink."""
    texts = [TextFrame(f"{number} {'x' * 1500}") for number in range(20 * MOST)]

    class Patient(Given):
        async def frames(self) -> AsyncIterator[TextFrame]:
            path = runtime_folder() / f"{os.getpid()}.sock"
            await listens.wait()
            async with await anyio.connect_unix(path) as stream:
                await stream.send(b'{"tap": ["in.*"]}\n')
                await run.tapped.wait()
                for text in texts:
                    yield text
                    await anyio.lowlevel.checkpoint()
                received = b""
                with anyio.fail_after(10):
                    while b"left_out" not in received:
                        received = received[-100:] + await stream.receive()
            with anyio.fail_after(10):
                await run.untapped.wait()  # it goes with who has tapped

    output = Collect()
    run = _Tapped(
        Graph({"in": Patient([]), "out": output}, ["in -> out"]),
        observers=[ControlledRun("a.yaml")],
    )
    report = await run.execute()
    assert report.completed
    assert len(output.frames) == len(texts)


@pytest.mark.parametrize(
    ("pattern", "place", "kind", "shown"),
    [
        ("gemini", "gemini", TextFrame, True),
        ("gemini.*", "gemini", AudioFrame, True),
        ("gemini.*", "mic -> gemini", AudioFrame, False),
        ("*.Transcript", "gemini", Transcript, True),
        ("*.transcript", "gemini", Transcript, True),
        ("*.Transcript", "gemini", TextFrame, False),
        ("mic -> gemini", "mic -> gemini", AudioFrame, True),
        ("mic->gemini.audio", "mic -> gemini", AudioFrame, True),
        ("* -> gemini", "mic -> gate", AudioFrame, False),
    ],
)
def test_patterns(pattern: str, place: str, kind: type, shown: bool) -> None:
    assert Peek([pattern])(place, kind) is shown


def test_patterns_that_can_show_nothing() -> None:
    graph = Graph({"in": Given([]), "out": Collect()}, ["in -> out"])
    assert unmatched(graph, ["in", "in.*", "*.Transcript", "in -> out", "* -> out.text"]) == ""
    assert unmatched(graph, ["inn"]) == 'no processor is called "inn"; did you mean "in"?'
    assert unmatched(graph, ["out -> in"]).startswith('no edge is called "out->in"; ')


def test_sound_is_described_by_its_length_and_level() -> None:
    samples = np.full((480, 2), 16384, np.int16)
    row = describe(1_500_000_000, "mic", AudioFrame(samples, 48_000, Speaker.MODEL))
    assert (row["at"], row["ms"], row["rate"], row["channels"]) == (1.5, 10.0, 48_000, 2)
    assert (row["rms_db"], row["peak_db"], row["speaker"]) == (-6.0, -6.0, "model")
    quiet = describe(0, "mic", AudioFrame(samples[:, :1] * 0, 48_000))
    assert quiet["rms_db"] is None


def test_long_texts_are_cut() -> None:
    row = describe(0, "in", TextFrame("x" * 5000))
    assert len(row["text"]) < 2100
    assert "born" not in row


def test_long_texts_are_cut_wherever_they_are_and_frames_within_frames_described() -> None:
    row = describe(0, "tools", ToolResult("1", "f", {"output": ["x" * 5000, b"abc"]}))
    assert row["response"]["output"] == ["x" * 2000 + "...", "3 bytes"]
    sound = AudioFrame(np.zeros((480, 1), np.int16), 48_000)
    row = describe(0, "out", DeadLetter("ENOSPC", "out", "full", sound))
    assert (row["type"], row["frame"]["type"], row["frame"]["ms"]) == ("dead-letter", "audio", 10.0)


def test_a_line_is_json_whatever_is_in_it() -> None:
    row = {"text": "half a pair: \ud83d", "by": {(1, 2): float("nan")}}
    assert json.loads(in_json(row | {"by": 1})) == {"text": "half a pair: ?", "by": 1}
    assert json.loads(in_json(row | {"text": "ä"})) == {"text": "ä", "by": {"(1, 2)": None}}


async def test_what_cannot_be_shown_to_one_is_nothing_to_the_others(listens: anyio.Event) -> None:
    """A frame that goes on for ever within itself costs its reader the rest, and nobody else."""
    endless: dict[str, Any] = {}
    endless["again"] = endless
    control = Control("a.yaml", serves=True)

    class Odd(Given):
        async def frames(self) -> AsyncIterator[ToolResult]:
            path = runtime_folder() / f"{os.getpid()}.sock"
            with anyio.fail_after(10):
                await listens.wait()
                async with await anyio.connect_unix(path) as stream:
                    await stream.receive()
                    await stream.send(b'{"tap": ["in.*"]}\n')
                    await run.tapped.wait()
                    yield ToolResult("1", "f", endless)
                    with pytest.raises(anyio.EndOfStream):
                        await stream.receive()
                async with await anyio.connect_unix(path) as stream:
                    assert json.loads(await stream.receive())["sessions"] == ["one"]

    async with anyio.create_task_group() as group:
        group.start_soon(control.listen)
        run = _Tapped(
            Graph({"in": Odd([]), "out": Collect()}, ["in -> out"]),
            observers=[control.observer("one")],
        )
        assert (await run.execute()).completed
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("pattern", "session", "place", "is_name"),
    [
        ("gemini.*", "*", "gemini.*", False),
        ("a1b2/gemini.*", "a1b2", "gemini.*", True),
        ("a1*/mic -> gate", "a1*", "mic -> gate", False),
    ],
)
def test_patterns_may_name_a_session(pattern: str, session: str, place: str, is_name: bool) -> None:
    wanted = Wanted.read(pattern)
    assert wanted == (session, place)
    assert wanted.is_name is is_name


def test_a_run_of_its_own_has_no_sessions(running: int) -> None:
    result = pipeline("top", "--once", "--session", "a1b2")
    assert result.exit_code == 2
    assert result.stderr == "this is a run of its own: it has no sessions\n"
