"""Tests of typed text."""

import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from pipeline import Graph, ProcessorFailure, Report, Run, SettingError, Sink, Speaker, TextFrame
from pipeline.testing import Collect, VirtualTimeLoop
from processors.text.source import TextSource


@pytest.fixture
def anyio_backend() -> Any:
    """Trio's virtual clock does not wait for the thread that reads."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def frames_of(source: TextSource) -> tuple[list[Any], Report]:
    output = Collect()
    report = await Run(Graph({"text": source, "out": output}, ["text -> out"])).execute()
    return output.frames, report


async def texts_of(source: TextSource) -> list[str]:
    return [frame.text for frame in (await frames_of(source))[0]]


async def test_lines_are_given_one_by_one_without_the_empty_ones() -> None:
    frames, _ = await frames_of(TextSource(lines=["Hello", "", "  ", " how are you? "]))
    assert [frame.text for frame in frames] == ["Hello", "how are you?"]
    assert {frame.speaker for frame in frames} == {Speaker.USER}


async def test_no_lines_are_nothing() -> None:
    assert await texts_of(TextSource(lines=[])) == []


async def test_lines_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Grüß dich\r\n\n \n  second\nlast, without an end".encode())
    assert await texts_of(TextSource(path=str(path))) == [
        "Grüß dich",
        "second",
        "last, without an end",
    ]


async def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfHello\r\n")
    assert await texts_of(TextSource(path=str(tmp_path / "a.txt"))) == ["Hello"]


async def test_a_file_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Hello\nGrüß dich\n".encode("latin-1"))
    with pytest.raises(ProcessorFailure, match=r'"text" failed: .*/a\.txt is not UTF-8: invalid'):
        await texts_of(TextSource(path=str(path)))


@pytest.mark.parametrize("of", ["lines", "file"])
async def test_pauses_are_between_lines_only(tmp_path: Path, of: str) -> None:
    lines = ["a", "", "b", "c", ""]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    chosen: Any = {"lines": lines} if of == "lines" else {"path": str(tmp_path / "a.txt")}
    frames, report = await frames_of(TextSource(**chosen, pause_ms=1500))
    assert [frame.pts for frame in frames] == pytest.approx([0, 1.5e9, 3e9])
    assert report.seconds == pytest.approx(3)


async def test_without_a_pause_it_takes_no_time() -> None:
    frames, report = await frames_of(TextSource(lines=["a", "b"]))
    assert [frame.pts for frame in frames] == pytest.approx([0, 0])
    assert report.seconds == pytest.approx(0)


@pytest.mark.parametrize("path", ["-", "/in/the/folder/of/the/configuration/-"])
async def test_lines_come_from_standard_input(stdin: IO[bytes], path: str) -> None:
    stdin.write("Grüß dich\n\nand bye".encode())
    stdin.close()
    assert await texts_of(TextSource(path=path)) == ["Grüß dich", "and bye"]


async def test_bytes_that_are_no_text_do_not_end_standard_input(stdin: IO[bytes]) -> None:
    stdin.write(b"a\xff\nb\n")
    stdin.close()
    assert await texts_of(TextSource(path="-")) == ["a\N{REPLACEMENT CHARACTER}", "b"]


async def test_a_line_comes_when_it_is_typed_and_finishing_does_not_wait_for_another(
    stdin: IO[bytes],
) -> None:
    class Dialogue(Sink):
        async def consume(self, frame: TextFrame) -> None:
            heard.append(frame.text)
            if len(heard) == 1:
                stdin.write(b"second\n")
            else:
                run.finish()

    heard: list[str] = []
    stdin.write(b"first\n")
    run = Run(Graph({"text": TextSource(path="-"), "dialogue": Dialogue()}, ["text -> dialogue"]))
    report = await run.execute()
    assert heard == ["first", "second"]
    assert report.completed


STOPS_AFTER_A_LINE = """
import anyio

from pipeline import Graph, Run, Sink, TextFrame
from processors.text.source import TextSource


class Stop(Sink):
    async def consume(self, frame: TextFrame) -> None:
        run.finish()


async def main() -> None:
    global run
    run = Run(Graph({"text": TextSource(path="-"), "stop": Stop()}, ["text -> stop"]))
    await run.execute()


anyio.run(main)
"""


def test_a_process_ends_though_its_standard_input_is_open() -> None:
    command = [sys.executable, "-c", STOPS_AFTER_A_LINE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"hello\n")
        try:
            status = process.wait(timeout=30)
        finally:
            process.kill()
        assert process.stderr.read() == b""
        assert status == 0


@pytest.mark.parametrize("settings", [{}, {"lines": ["a"], "path": "a.txt"}])
def test_it_takes_lines_or_a_file(settings: Any) -> None:
    with pytest.raises(SettingError, match="either `lines` or `path`"):
        TextSource(**settings)


@pytest.mark.parametrize(
    ("name", "message"), [("none.txt", "there is no file {}"), ("folder", "{} is a folder")]
)
def test_a_missing_file_is_found_before_anything_runs(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    source = TextSource(path=str(path))
    with pytest.raises(SettingError) as caught:
        source.check()
    assert str(caught.value) == message.format(path)
    assert caught.value.setting == "path"
    (finding,) = Graph({"text": source, "out": Collect()}, ["text -> out"]).check()
    assert finding.code == "environment"
    assert finding.message == f'"text": {message.format(path)}'


@pytest.mark.parametrize("source", [TextSource(lines=["a"]), TextSource(path="-")])
def test_what_needs_no_file_is_not_checked_for_one(source: TextSource) -> None:
    assert Graph({"text": source, "out": Collect()}, ["text -> out"]).check() == []


@pytest.mark.parametrize("last", ["q", "Quit", " EXIT  "])
async def test_a_word_ends_the_input(last: str) -> None:
    source = TextSource(lines=["a", "please quit", last, "b"], ends_on=["q", "quit", "exit"])
    assert await texts_of(source) == ["a", "please quit"]


async def test_no_word_ends_the_input_unless_it_is_asked_for() -> None:
    assert await texts_of(TextSource(lines=["a", "quit", "b"])) == ["a", "quit", "b"]


async def test_a_word_ends_standard_input_though_it_stays_open(stdin: IO[bytes]) -> None:
    stdin.write(b"a\nQUIT\nb\n")
    source = TextSource(path="-", ends_on=["quit"])
    assert await texts_of(source) == ["a"]


async def test_it_ends_at_once_though_lines_have_pauses() -> None:
    _, report = await frames_of(TextSource(lines=["a", "q"], pause_ms=1500, ends_on=["q"]))
    assert report.seconds == pytest.approx(0)


def test_what_is_typed_comes_from_a_keyboard() -> None:
    assert TextSource(path="-").device == "keyboard"
    assert TextSource(lines=["Hello"]).device is None
