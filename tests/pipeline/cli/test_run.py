"""`pipeline run` as a person at a terminal meets it: messages, exit statuses, signals."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main

RECORDING = Path(__file__).parents[3] / "configs/speech/question.wav"

CUSTOM = """
import anyio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from pipeline import *

class Ticks(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        while True:
            yield TextFrame("tick")
            await anyio.sleep(0.01)

class Broken(Transform):
    def process(self, frame: TextFrame) -> Iterator[Transcript]:
        yield Transcript("something was said", Speaker.USER, final=False)
        raise ValueError("boom")

class Slow(Sink):
    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
    async def lifespan(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self.context.log.info("closed")
    async def consume(self, frame: TextFrame | Transcript) -> None:
        self.context.log.info("got one")
        await anyio.sleep(self.seconds)
"""

TYPED = """
processors:
  typed: {use: text_source, lines: [hello there]}
  gemini: {use: live_api, modality: text}
  words: {use: transcription_sink, path: words.jsonl}
flow: [typed -> gemini -> words]
"""

BROKEN = """
processors:
  typed: {use: text_source, lines: [hello]}
  broken: {use: ./custom.py:Broken}
  slow: {use: ./custom.py:Slow}
flow: [typed -> broken -> slow]
"""

BLOCKING = """
import time
from collections.abc import Iterator
from pipeline import TextFrame, Transform

class Blocks(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        time.sleep(0.3)
        yield frame
"""

BLOCKED = """
processors:
  typed: {use: text_source, lines: [one, two]}
  blocks: {use: ./blocking.py:Blocks}
  slow: {use: ./custom.py:Slow}
flow: [typed -> blocks -> slow]
"""

ENDLESS = """
processors:
  ticks: {use: ./custom.py:Ticks}
  slow: {use: ./custom.py:Slow, seconds: SECONDS}
flow: [ticks -> slow]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "custom.py").write_text(CUSTOM)
    (tmp_path / "typed.yaml").write_text(TYPED)
    (tmp_path / "broken.yaml").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pipeline(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_words_and_a_summary_on_standard_error_and_nothing_on_standard_output() -> None:
    result = pipeline("run", "typed.yaml")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    lines = [line.rstrip() for line in result.stderr.splitlines()]
    assert lines[0].startswith(
        "  no backend is configured: talking to the local Live API, a simulation, on port "
    )
    assert lines[1:3] == [
        " user  hello there",
        "model  Hello! This is the simulated Live API. What would you like to talk about?",
    ]
    summary = {line.split("  ")[0].strip(): line.split()[-1] for line in lines[3:] if line}
    assert summary["turns"] == "1"
    assert summary["typed -> gemini"] == "1"
    assert summary["dropped"] == "nothing"
    assert summary["wrote"] == "words.jsonl"


def test_who_holds_the_event_loop_is_named_with_the_line(folder: Path) -> None:
    (folder / "blocking.py").write_text(BLOCKING)
    (folder / "blocked.yaml").write_text(BLOCKED)
    result = pipeline("run", "blocked.yaml")
    assert result.exit_code == 0
    said = [line for line in result.stderr.splitlines() if "held the event loop" in line]
    assert len(said) == 1  # not for each frame
    assert '"blocks" held the event loop for 0.' in said[0]
    assert "at blocking.py:8 in process" in said[0]
    assert "held all up  blocks, 2 times, for up to 0." in result.stderr
    assert "held" not in pipeline("run", "--watchdog", "0", "blocked.yaml").stderr


def test_a_failure_is_one_message_with_processor_frame_and_line() -> None:
    result = pipeline("run", "broken.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        'broken.yaml:4:3: processor "broken" failed on TextFrame: ValueError: boom'
    )
    assert result.stderr.splitlines()[0] == " user  something was said"
    assert "Traceback" not in result.stderr


def test_the_other_branches_go_on_without_a_node_that_is_detached(folder: Path) -> None:
    (folder / "x.yaml").write_text("""
processors:
  typed: {use: text_source, lines: [hello, bye]}
  broken: {use: ./custom.py:Broken, on_error: detach}
  slow: {use: ./custom.py:Slow}
  failed: {use: dead_letter_sink, path: failed.jsonl}
flow: [typed -> broken -> slow, typed -> slow, broken -> failed]
""")
    result = pipeline("run", "x.yaml")
    assert result.exit_code == 1
    failure = 'x.yaml:4:3: processor "broken" failed on TextFrame: ValueError: boom'
    assert result.stderr.splitlines()[-1] == failure
    assert f"{failure}; the run goes on without it" in result.stderr
    summary = " ".join(result.stderr.split())
    assert "typed -> slow 2" in summary
    assert "1 frames at broken: failed" in summary
    assert "1 frames at broken: detached" in summary
    assert '"code":"ValueError"' in (folder / "failed.jsonl").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_page_that_cannot_be_written_is_said_and_the_status_is_1(folder: Path) -> None:
    (folder / "page.html").symlink_to("/dev/full")
    result = pipeline("run", "typed.yaml", "--report", "page.html")
    assert result.exit_code == 1
    assert "No space left on device: 'page.html'; make room on that disk" in result.stderr.replace(
        f"{folder}/", ""
    ).replace("/dev/full", "page.html")
    assert len((folder / "words.jsonl").read_text().splitlines()) == 2


REMOVES = """
import os
from collections.abc import AsyncIterator
from pipeline import *

class Removes(Source):
    async def frames(self) -> AsyncIterator[Transcript]:
        yield Transcript("one", Speaker.USER, final=True)
        os.unlink("words.jsonl")
        yield Transcript("two", Speaker.USER, final=True)
"""


def test_a_file_that_is_removed_meanwhile_is_not_said_to_be_there(folder: Path) -> None:
    (folder / "removes.py").write_text(REMOVES)
    (folder / "x.yaml").write_text("""
processors:
  talk: {use: ./removes.py:Removes}
  words: {use: transcription_sink, path: words.jsonl}
flow: [talk -> words]
""")
    result = pipeline("run", "x.yaml")
    assert result.exit_code == 1
    gone = "words.jsonl is not there any more: it was removed while it was written"
    assert result.stderr.splitlines()[-1] == gone


@pytest.mark.parametrize("files", [6, 7])
def test_a_machine_that_lacks_something_is_said_in_a_sentence(files: int) -> None:
    resource = pytest.importorskip("resource")
    result = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "typed.yaml"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 1
    assert "Too many open files" in result.stderr
    assert "Traceback" not in result.stderr


NO_THREADS = """
import threading
from pipeline.cli.main import main

def start(_):
    raise RuntimeError("can't start new thread")

threading.Thread.start = start
main(["run", "typed.yaml"])
"""


def test_threads_that_cannot_be_started_are_said_in_a_sentence() -> None:
    result = subprocess.run([sys.executable, "-c", NO_THREADS], capture_output=True, text=True)
    assert result.returncode == 1
    assert "can't start new thread; too many threads run: raise the limit" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_traceback_comes_with_debug() -> None:
    result = pipeline("run", "--debug", "broken.yaml")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert 'raise ValueError("boom")' in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "error[unreadable] cannot read x.yaml: No such file or directory"),
        (
            "a: [",
            "x.yaml:1:4: error[yaml] not valid YAML: there is no `]` for this `[`; add `]` where",
        ),
        (TYPED.replace("text_source", "text_sorce"), "x.yaml:3:16: error[unknown-processor]"),
        (TYPED.replace("lines", "line"), 'x.yaml:3:29: error[unknown-setting] "typed": no setting'),
        (TYPED.replace("[hello there]", "3"), 'x.yaml:3:36: error[wrong-setting] "typed": lines:'),
        (TYPED.replace("lines: [hello there]", "path: no.txt"), "error[environment]"),
        (TYPED.replace("-> words", "-> words -> gemini"), "error[out-of-sink]"),
        (
            TYPED.replace("text_source, lines: [hello there]", f"audio_source, path: {RECORDING}"),
            'x.yaml:6:17: error[format-mismatch] "typed -> gemini": typed gives audio of 48000 Hz '
            "stereo, gemini takes 16000 Hz mono; put a resampler between them: ",
        ),
        (
            TYPED.replace("words: ", "a: {use: vad_gate}\n  b: {use: vad_gate}\n  words: ").replace(
                "[typed -> gemini", "[typed -> a -> b -> a, typed -> gemini"
            ),
            "error[cycle] a -> b -> a is a cycle that could block: each waits for the next; only a "
            "duplex processor, which reads and writes independently, may close a cycle",
        ),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_done(
    text: str | None, message: str, folder: Path
) -> None:
    if text is not None:
        (folder / "x.yaml").write_text(text)
    result = pipeline("run", "x.yaml")
    assert result.exit_code == 2, result.output
    assert message in result.stderr.splitlines()[0]
    assert "Traceback" not in result.stderr
    assert not (folder / "words.jsonl").exists()


def test_a_wrong_command_line_has_status_2() -> None:
    assert pipeline("run").exit_code == 2
    assert pipeline("rum", "x.yaml").exit_code == 2
    for seconds in ("-1", "nan"):
        assert pipeline("run", "--drain", seconds, "typed.yaml").exit_code == 2
        assert pipeline("run", "--watchdog", seconds, "typed.yaml").exit_code == 2


def test_help_and_version() -> None:
    assert pipeline("--version").output == "pipeline 0.1.0\n"
    assert "Exit status" in pipeline("--help").output


class Running:
    """The command in a process of its own, up to the moment when it shows a text."""

    def __init__(self, seconds: str, *arguments: str, text: str = ENDLESS) -> None:
        Path("x.yaml").write_text(text.replace("SECONDS", seconds))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "run", *arguments, "x.yaml"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.seen: list[str] = []

    def wait_for(self, text: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.seen.append(line)
            if text in line:
                return
        pytest.fail(f"it ended without {text!r}: {''.join(self.seen)}")

    def result(self) -> tuple[int, str]:
        _, rest = self.process.communicate(timeout=20)
        return self.process.returncode, "".join(self.seen) + rest


@pytest.fixture
def running() -> Iterator[list[Running]]:
    started: list[Running] = []
    yield started
    for run in started:
        run.process.kill()
        run.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_lets_everything_come_to_its_end(
    number: signal.Signals, running: list[Running]
) -> None:
    running.append(run := Running("0.001"))
    run.wait_for("got one")
    run.process.send_signal(number)
    status, output = run.result()
    assert status == 0, output
    assert "finishing, for at most 10 s; once more to stop at once" in output
    assert "closed" in output
    assert "dropped  nothing" in output


def test_a_second_signal_stops_at_once(running: list[Running]) -> None:
    running.append(run := Running("1000", "--drain", "1000"))
    run.wait_for("got one")
    run.process.send_signal(signal.SIGINT)
    run.wait_for("finishing")
    run.process.send_signal(signal.SIGINT)
    status, output = run.result()
    assert status == 128 + signal.SIGINT, output
    assert "closed" in output
    assert "cut short" in output


def test_draining_is_bounded(running: list[Running]) -> None:
    running.append(run := Running("1000", "--drain", "0.1"))
    run.wait_for("got one")
    run.process.send_signal(signal.SIGTERM)
    status, output = run.result()
    assert status == 128 + signal.SIGTERM, output
    assert "closed" in output


HANGING = """
import threading
import anyio
from pipeline import *

class Spins(Sink):
    async def consume(self, frame: TextFrame) -> None:
        self.context.log.info("got one")
        while True:
            pass

class Waits(Sink):
    async def consume(self, frame: TextFrame) -> None:
        self.context.log.info("got one")
        threading.Event().wait()

class InThread(Sink):
    async def consume(self, frame: TextFrame) -> None:
        await anyio.to_thread.run_sync(self.wait)

    def wait(self) -> None:
        self.context.log.info("got one")
        threading.Event().wait()
"""


@pytest.mark.parametrize("kind", ["Spins", "Waits", "InThread"])
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]])
def test_a_process_in_which_something_hangs_ends_by_force(
    kind: str, signals: list[signal.Signals], folder: Path, running: list[Running]
) -> None:
    (folder / "hanging.py").write_text(HANGING)
    text = ENDLESS.replace("./custom.py:Slow, seconds: SECONDS", f"./hanging.py:{kind}")
    text = text.replace(
        "flow: [", "  file: {use: audio_sink, path: tone.wav}\nflow: [tone -> file, "
    )
    text = text.replace("  slow:", "  tone: {use: tone_source}\n  slow:")
    drain = "0.5" if len(signals) == 1 else "1000"
    running.append(run := Running("0", "--drain", drain, text=text))
    run.wait_for("got one")
    began = time.monotonic()
    for number in signals:  # different ones: of the same, two that come at once are one
        run.process.send_signal(number)
    status, output = run.result()
    assert status - 128 in signals, output
    assert '"slow" (hanging.py:' in output
    assert "does not come to its end: stopped by force" in output
    assert time.monotonic() - began < 1.5 + 3  # the limit, and a machine that is busy
