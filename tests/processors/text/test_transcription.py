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
    Interruption,
    Playback,
    ProcessorFailure,
    Run,
    SettingError,
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
        ("folder.txt", "{0}/folder.txt is a folder"),
        ("file/a.jsonl", "cannot write {0}/file/a.jsonl: {0}/file is not a folder"),
        ("file/new/a.jsonl", "cannot write {0}/file/new/a.jsonl: {0}/file is not a folder"),
    ],
)
def test_where_no_file_can_be_is_found_before_anything_runs(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.txt").mkdir()
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
@pytest.mark.parametrize("suffix", [".jsonl", ".vtt", ".srt", ".txt"])
async def test_a_full_disk_ends_the_run_with_path_and_reason(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.symlink_to("/dev/full")
    words = rf'"tested" failed.*OSError: \[Errno 28\] No space left on device: .*a\{suffix}'
    with pytest.raises(ProcessorFailure, match=words):
        await feed(TranscriptionSink(str(path)), [said("Hi")])


@pytest.mark.parametrize("name", ["words", "words.docx"])
def test_other_forms_are_refused(name: str) -> None:
    message = rf"{name} must end in \.jsonl, \.vtt, \.srt or \.txt"
    with pytest.raises(SettingError, match=message) as caught:
        TranscriptionSink(name)
    assert caught.value.setting == "path"


# --- forms that are to be read ---

TALK = [
    Transcript("It is <b>", Speaker.MODEL, 4 * SECOND, final=False, pts=2 * SECOND, turn=1),
    said("What time is it?", pts=SECOND // 2, end=SECOND * 3 // 2),
    Thought("I look at\nthe clock.", pts=2 * SECOND),
    Gap(SECOND * 3 // 4, pts=3 * SECOND),
    said(
        "It is <b>five</b> & a bit, as far as I can tell from here, where there is no clock "
        "at all, and I am",
        speaker=Speaker.MODEL,
        pts=2 * SECOND,
        end=10 * SECOND,
        interrupted=True,
        turn=1,
    ),
    said("Thank you.", pts=3723 * SECOND, end=3724 * SECOND),
]


async def test_webvtt(tmp_path: Path) -> None:
    await feed(TranscriptionSink(str(tmp_path / "a.vtt")), TALK)
    assert (tmp_path / "a.vtt").read_text(encoding="utf-8") == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:00:01.500\n<v User>What time is it?\n\n"
        "00:00:02.000 --> 00:00:08.869\n<v Model>It is &lt;b&gt;five&lt;/b&gt; &amp; a bit, as"
        " far as I can\ntell from here, where there is no clock at\n\n"
        "00:00:03.000 --> 00:00:03.750\n<v User>[0.75 s lost]\n\n"
        "00:00:08.949 --> 00:00:10.000\n<v Model>all, and I am \N{EM DASH}\n\n"
        "01:02:03.000 --> 01:02:04.000\n<v User>Thank you.\n"
    )


async def test_srt(tmp_path: Path) -> None:
    await feed(TranscriptionSink(str(tmp_path / "a.srt")), TALK)
    assert (tmp_path / "a.srt").read_text(encoding="utf-8") == (
        "1\n00:00:00,500 --> 00:00:01,500\nUser: What time is it?\n\n"
        "2\n00:00:02,000 --> 00:00:08,869\nModel: It is <b>five</b> & a bit, as far as I can\n"
        "tell from here, where there is no clock at\n\n"
        "3\n00:00:03,000 --> 00:00:03,750\nUser: [0.75 s lost]\n\n"
        "4\n00:00:08,949 --> 00:00:10,000\nModel: all, and I am \N{EM DASH}\n\n"
        "5\n01:02:03,000 --> 01:02:04,000\nUser: Thank you.\n\n"
    )


async def test_plain_text(tmp_path: Path) -> None:
    more = [
        Code("a = 6\nprint(7 * a)", pts=5 * SECOND),
        CodeResult("42\n", pts=5 * SECOND),
        CodeResult("no", failed=True, pts=5 * SECOND),
        Grounding(("six", "seven"), (WebPage("https://example.com"),), pts=6 * SECOND),
        Grounding(("eight",), pts=6 * SECOND),
    ]
    await feed(TranscriptionSink(str(tmp_path / "a.txt")), [*TALK, *more])
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == (
        "[00:00] user: What time is it?\n"
        "[00:02] (the model thinks: I look at the clock.)\n"
        "[00:02] model: It is <b>five</b> & a bit, as far as I can tell from here, where there is"
        " no clock at all, and I am \N{EM DASH}\n"
        "[00:03] (0.75 s of the user's sound were lost)\n"
        "[00:05] (the model runs:)\n    a = 6\n    print(7 * a)\n"
        "[00:05] (it gave:)\n    42\n"
        "[00:05] (it failed:)\n    no\n"
        "[00:06] (searched: six, seven; found: https://example.com)\n"
        "[00:06] (searched: eight; found: nothing)\n"
        "[1:02:03] user: Thank you.\n"
    )


# --- what was heard of the model ---

WORDS = "One two three four five six seven eight nine ten."


class Model(Source):
    """Says ten words in ten seconds, which come within half a second."""

    def __init__(self, interrupted: float | None, *, transcribed_at: float = 0.5) -> None:
        self.interrupted_at = interrupted
        self.transcribed_at = transcribed_at

    async def frames(self) -> AsyncIterator[Transcript | Interruption]:
        words = WORDS.split()
        turn = self.context.new_turn()
        line = Transcript(WORDS, Speaker.MODEL, 11 * SECOND, pts=SECOND, turn=turn)
        for count in range(1, 11):
            text = " ".join(words[:count])
            yield line.replace(text=text, end=count * SECOND, final=False)
        await anyio.sleep(self.transcribed_at)
        if self.interrupted_at is None:
            yield line
        elif self.interrupted_at < self.transcribed_at:
            yield Interruption(turn=turn)
            yield line.replace(interrupted=True, end=round(max(1.1, self.interrupted_at) * SECOND))
        else:
            yield line
            await anyio.sleep(self.interrupted_at - self.transcribed_at)
            yield Interruption(turn=turn)


class Loudspeaker(Source):
    def __init__(self, *reports: tuple[float, float, bool], turn: int = 1) -> None:
        self._reports = reports
        self._turn = turn

    async def frames(self) -> AsyncIterator[Playback]:
        for at, heard, playing in self._reports:
            await anyio.sleep(at - self.context.now() / SECOND)
            yield Playback(round(heard * SECOND), playing, turn=self._turn)


async def heard(path: Path, model: Model, speaker: Loudspeaker) -> list[dict[str, object]]:
    graph = Graph(
        {"model": model, "speaker": speaker, "words": TranscriptionSink(str(path))},
        ["model -> words", "speaker -> words"],
    )
    await Run(graph).execute()
    return [json.loads(line) for line in path.read_bytes().splitlines()]  # noqa: ASYNC240


@pytest.mark.parametrize(
    ("until", "words"),
    [(1.0, 0), (1.4, 0), (1.6, 1), (4.45, 3), (4.6, 4), (10.4, 9), (10.9, 10)],
)
async def test_what_was_interrupted_ends_with_the_last_word_that_was_heard(
    tmp_path: Path, until: float, words: int
) -> None:
    speaker = Loudspeaker((0.2, 1.0, True), (5, until, False))
    (row,) = await heard(tmp_path / "a.jsonl", Model(4.9, transcribed_at=5.1), speaker)
    part = " ".join(WORDS.split()[:words])
    expected = {"heard": part} if words < 10 else {}
    assert row == {
        "speaker": "model",
        "text": WORDS,
        **expected,
        "start": 1.0,
        "end": min(4.9, until),
        "interrupted": True,
    }


async def test_a_line_that_was_complete_waits_for_the_loudspeaker(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lengths: list[int] = []

    class Watching(Loudspeaker):
        async def frames(self) -> AsyncIterator[Playback]:
            async for frame in super().frames():
                lengths.append(path.stat().st_size)
                yield frame

    reports = [(number / 10, 1 + number / 10, number < 100) for number in range(1, 101)]
    (row,) = await heard(path, Model(None), Watching(*reports))
    assert set(lengths) == {0}
    assert row == {"speaker": "model", "text": WORDS, "start": 1.0, "end": 11.0}


async def test_a_line_that_was_complete_may_still_be_cut(tmp_path: Path) -> None:
    reports = [(number / 10, 1 + number / 10, True) for number in range(1, 40)]
    (row,) = await heard(tmp_path / "a.jsonl", Model(4.0), Loudspeaker(*reports, (4.1, 5.0, False)))
    assert row["heard"] == "One two three four"
    assert row["text"] == WORDS
    assert (row["end"], row["interrupted"]) == (5.0, True)


async def test_a_pause_of_the_loudspeaker_cuts_nothing(tmp_path: Path) -> None:
    speaker = Loudspeaker((1, 2.0, True), (2, 3.0, False), (4, 3.1, True), (12, 11.0, False))
    (row,) = await heard(tmp_path / "a.jsonl", Model(None), speaker)
    assert "heard" not in row
    assert "interrupted" not in row


async def test_a_loudspeaker_that_falls_silent_for_ever_does_not_keep_a_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    seen: list[str] = []

    class Talk(Model):
        async def frames(self) -> AsyncIterator[Transcript | Interruption]:
            async for frame in super().frames():
                yield frame
            await anyio.sleep(6)
            yield said("Hello?", pts=20 * SECOND, end=21 * SECOND)
            await anyio.sleep(0.1)
            seen.append(path.read_text())

    graph = Graph(
        {
            "model": Talk(None),
            "speaker": Loudspeaker((0.3, 3.6, True)),
            "words": TranscriptionSink(str(path)),
        },
        ["model -> words", "speaker -> words"],
    )
    await Run(graph).execute()
    assert seen == ["[00:01] model: One two three \N{EM DASH}\n[00:20] user: Hello?\n"]


async def test_of_a_turn_that_the_loudspeaker_never_began_nothing_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    speaker = Loudspeaker((5.2, 7.0, True), turn=2)
    graph = Graph(
        {"model": Model(0.1), "speaker": speaker, "words": TranscriptionSink(str(path))},
        ["model -> words", "speaker -> words"],
    )
    await Run(graph).execute()
    assert path.read_text() == "[00:01] model: (not heard)\n"


async def test_without_a_loudspeaker_nothing_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    await feed(TranscriptionSink(str(path)), [said(WORDS, speaker=Speaker.MODEL, end=SECOND)])
    assert path.read_text() == (
        "1\n00:00:00,000 --> 00:00:01,000\n"
        "Model: One two three four five six seven eight\nnine ten.\n\n"
    )


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
