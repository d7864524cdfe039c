"""Tests of the written transcript."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from pipeline import (
    SECOND,
    Code,
    CodeResult,
    Gap,
    Graph,
    Grounding,
    ProcessorFailure,
    Run,
    Source,
    Speaker,
    Thought,
    Transcript,
    WebPage,
)
from pipeline.testing import Given, feed
from processors.text.transcription import TranscriptionSink


def said(text: str, **fields: object) -> Transcript:
    return Transcript(**{"text": text, "speaker": Speaker.USER} | fields)


async def test_every_utterance_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.jsonl"
    frames = [
        said("Hello", pts=SECOND, end=1_500_400_000),
        said("Grüß dich \N{GRINNING FACE}", speaker=Speaker.MODEL, pts=2 * SECOND, end=3 * SECOND),
        said('Say "hi"\nand go', pts=3_000_600_000, end=4 * SECOND, turn=7),
    ]
    await feed(TranscriptionSink(str(path)), frames)
    assert path.read_text(encoding="utf-8") == (
        '{"speaker":"user","text":"Hello","start":1.0,"end":1.5}\n'
        '{"speaker":"model","text":"Grüß dich \N{GRINNING FACE}","start":2.0,"end":3.0}\n'
        '{"speaker":"user","text":"Say \\"hi\\"\\nand go","start":3.001,"end":4.0}\n'
    )


async def test_what_was_cut_short_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await feed(TranscriptionSink(str(path)), [said("Wai", interrupted=True), said("Go on")])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"speaker": "user", "text": "Wai", "start": 0.0, "end": 0.0, "interrupted": True},
        {"speaker": "user", "text": "Go on", "start": 0.0, "end": 0.0},
    ]


async def test_only_what_is_final_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    pieces = [said("Hel", final=False), said("Hello", final=False), said("Hello you")]
    await feed(TranscriptionSink(str(path)), pieces)
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["Hello you"]


async def test_a_line_is_there_as_soon_as_the_utterance_is_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines: list[int] = []

    class Conversation(Source):
        async def frames(self) -> AsyncIterator[Transcript]:
            for number in range(3):
                yield said(str(number))
                await anyio.sleep(1)
                lines.append(path.read_bytes().count(b"\n"))

    sink = TranscriptionSink(str(path))
    await Run(Graph({"talk": Conversation(), "sink": sink}, ["talk -> sink"])).execute()
    assert lines == [1, 2, 3]


async def test_the_file_of_before_is_replaced_even_if_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old\n")
    await feed(TranscriptionSink(str(path)), [])
    assert path.read_text() == ""


async def test_the_report_names_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "a.jsonl")
    graph = Graph({"talk": Given([said("Hi")]), "sink": TranscriptionSink(path)}, ["talk -> sink"])
    report = await Run(graph).execute()
    assert report.files == [path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "{0}/folder is a folder"),
        ("file/a.jsonl", "cannot write {0}/file/a.jsonl: {0}/file is not a folder"),
        ("file/new/a.jsonl", "cannot write {0}/file/new/a.jsonl: {0}/file is not a folder"),
    ],
)
def test_where_no_file_can_be_is_found_before_anything_runs(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    sink = TranscriptionSink(str(tmp_path / name))
    (finding,) = Graph({"talk": Given([said("Hi")]), "sink": sink}, ["talk -> sink"]).check()
    assert finding.code == "environment"
    assert finding.message == f'"sink": {message.format(tmp_path)}'


def test_checking_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("a.jsonl", "new/folder/a.jsonl", str(tmp_path / "new" / "a.jsonl")):
        TranscriptionSink(path).check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_full_disk_ends_the_run_with_the_reason() -> None:
    with pytest.raises(ProcessorFailure, match=r'"tested" failed on Transcript: OSError.*No space'):
        await feed(TranscriptionSink("/dev/full"), [said("Hi")])


async def test_what_is_unfinished_at_the_end_is_written_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    frames = [
        Transcript("It is", Speaker.MODEL, 3 * SECOND, final=False, pts=2 * SECOND),
        Transcript("What time", Speaker.USER, SECOND, final=False),
        Transcript("Hello", Speaker.USER, SECOND, final=False, pts=5),
        Transcript("Hello.", Speaker.USER, SECOND, pts=5),
    ]
    await feed(TranscriptionSink(str(path)), frames)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["text"], row.get("unfinished", False)) for row in rows] == [
        ("Hello.", False),
        ("What time", True),
        ("It is", True),
    ]


async def test_what_else_happened_stands_between_the_utterances(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    pages = (WebPage("https://example.com/a", "A"), WebPage("https://example.com/b"))
    frames = [
        said("What is 6 times 7?", pts=0, end=SECOND),
        Thought("I multiply.", pts=1_000_600_000),
        said("It", speaker=Speaker.MODEL, pts=2 * SECOND, final=False),
        Code("print(6 * 7)", "PYTHON", pts=2 * SECOND),
        CodeResult("42\n", pts=2 * SECOND),
        CodeResult("no", failed=True, pts=2 * SECOND),
        Grounding(("six", "seven"), pages, pts=3 * SECOND),
        said("It is 42.", speaker=Speaker.MODEL, pts=2 * SECOND, end=4 * SECOND),
        Gap(1_250_000_000, pts=5 * SECOND),
    ]
    await feed(TranscriptionSink(str(path)), frames)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"speaker": "user", "text": "What is 6 times 7?", "start": 0.0, "end": 1.0},
        {"thought": "I multiply.", "at": 1.001},
        {"code": "print(6 * 7)", "language": "PYTHON", "at": 2.0},
        {"code_output": "42\n", "failed": False, "at": 2.0},
        {"code_output": "no", "failed": True, "at": 2.0},
        {
            "searched": ["six", "seven"],
            "pages": [
                {"title": "A", "uri": "https://example.com/a"},
                {"title": "", "uri": "https://example.com/b"},
            ],
            "at": 3.0,
        },
        {"speaker": "model", "text": "It is 42.", "start": 2.0, "end": 4.0},
        {"gap": 1.25, "speaker": "user", "at": 5.0},
    ]
