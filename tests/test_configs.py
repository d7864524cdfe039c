"""The small configurations, each of which shows one feature: they run offline and show it."""

import json
import re
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import anyio
import numpy as np
import pytest
import soundfile
import soxr

from pipeline import (
    SECOND,
    AudioFrame,
    Code,
    CodeResult,
    Frame,
    Gap,
    Grounding,
    ImageFrame,
    Instruction,
    Playback,
    Processor,
    Report,
    Run,
    SessionEvent,
    Speaker,
    SpeechStarted,
    Thought,
    ToolCall,
    ToolResult,
    Transcript,
    TurnEnded,
    Usage,
    load,
)
from pipeline.config import loads
from pipeline.testing import VirtualTimeLoop, run_virtually
from processors.audio.codecs import decode
from processors.audio.half_duplex import HalfDuplex
from processors.audio.sink import AudioSink
from processors.audio.source import AudioSource
from processors.audio.speaker import LoudSpeaker
from processors.image.source import ImageSource
from processors.local_live_api import serve
from processors.local_live_api.speech import speak
from processors.text.source import TextSource

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != "quickstart")
LISBON = "What will the weather be like in Lisbon this weekend?"
PORTO = "Sorry, stop. And what about Porto?"

OF_DEVICES = {"camera", "hands_free", "talk"}
"""Those that need a device, which this machine may not have: in its place runs something else."""

FrameT = TypeVar("FrameT", bound=Frame)


class Shown(NamedTuple):
    """What came of a configuration: every frame that a processor gave, and the transcript."""

    report: Report
    frames: list[Frame]
    rows: list[dict[str, Any]]

    def of(self, kind: type[FrameT]) -> list[FrameT]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(row["speaker"], row["text"]) for row in self.rows if "text" in row]

    @property
    def answers(self) -> list[str]:
        return [text for speaker, text in self.said if speaker == "model"]

    @property
    def events(self) -> list[str]:
        return [event.kind for event in self.of(SessionEvent)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def as_the_scenario_has_it(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What differs from a scenario is logged."""
    yield
    assert "error[scenario]" not in caplog.text


def show(name: str, **instead: Processor) -> Shown:
    """instead: what runs in the place of processors, by their names."""
    frames: list[Frame] = []
    graph = load(CONFIGS / f"{name}.yaml", replace=lambda node, given: instead.get(node, given))
    report = run_virtually(graph, taps={Frame: lambda _, frame: frames.append(frame)})
    assert report.completed
    return Shown(report, frames, rows(name))


def rows(name: str) -> list[dict[str, Any]]:
    text = Path(f"runs/{name}/words.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def loudness(name: str, start: float, end: float) -> float:
    """Of the model's sound, in dB below full scale, between two seconds."""
    with wave.open(f"runs/{name}/model.wav") as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    part = samples[int(start * rate) : int(end * rate)].astype(np.float64)
    return float(20 * np.log10(np.sqrt(np.mean(part**2)) / 32768 + 1e-9))


# --- what holds for all ---


def test_each_has_a_test_of_its_own() -> None:
    assert [name for name in NAMES if f"test_{name}" not in globals()] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_passes_the_check_and_says_what_it_is(name: str) -> None:
    assert load(CONFIGS / f"{name}.yaml").check(offline=name in OF_DEVICES) == []
    text = (CONFIGS / f"{name}.yaml").read_text()
    header = re.match(r"# yaml-language-server: \$schema=(.*)\n((?:#.*\n)*)", text)
    assert header is not None
    assert (CONFIGS / header[1]).is_file()
    assert 1 <= header[2].count("\n") <= 3


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_beside_one_belongs_to_one(name: str) -> None:
    text = (CONFIGS / f"{name}.yaml").read_text()
    for file in (CONFIGS / name).glob("*.*"):
        folder = f"{name}/{file.name}" in text or f"path: {name}/" in text
        assert folder, f"{file} is used by no configuration"


# --- words and sound ---


def test_fragments() -> None:
    shown = show("fragments")
    assert len(shown.answers) == 2
    names = {f"{edge.source} -> {edge.target}" for edge in shown.report.edges}
    assert {
        "caller.gate -> gemini",
        "gemini -> said.convert",
        "heard.convert -> heard.file",
    } < names
    for name, rate in (("user", 16_000), ("model", 24_000)):
        with wave.open(f"runs/fragments/{name}.wav") as file:
            assert (file.getframerate(), file.getnchannels()) == (rate, 1)
            assert file.getnframes() > 2 * rate


def test_text() -> None:
    shown = show("text")
    assert [speaker for speaker, _ in shown.said] == ["user", "model"] * 3
    assert "Ada" in shown.answers[2]
    assert set(shown.of(Usage)[-1].totals) == {"TEXT"}


def test_speak() -> None:
    shown = show("speak")
    assert "144" in shown.answers[1]
    assert all(row["start"] < row["end"] for row in shown.rows if row["speaker"] == "model")
    assert loudness("speak", 0.1, 2) > -30


def test_voice() -> None:
    shown = show("voice")
    assert len(shown.answers) == 2
    assert all(answer.startswith("Gerne") for answer in shown.answers)
    assert loudness("voice", 4, 8) > -30


def test_images() -> None:
    shown = show("images")
    given = shown.of(ImageFrame)
    assert [frame.mime_type for frame in given] == ["image/png", "image/png", "image/jpeg"]
    assert [frame.pts for frame in given] == pytest.approx([0, SECOND, 2 * SECOND])
    counted = [re.search(r"(an|\d+) images?", answer) for answer in shown.answers]
    numbers = [match[1].replace("an", "1") for match in counted if match]
    assert sum(map(int, numbers)) == 3  # the first may have come with the first line
    assert shown.of(Usage)[-1].totals["IMAGE"] > 0


def test_camera() -> None:
    camera = ImageSource(str(CONFIGS / "images/*.[pj][np]g"))
    typed = TextSource(lines=["What do you see?", "And now?"], pause_ms=4000)
    shown = show("camera", camera=camera, typed=typed)
    assert len(shown.of(ImageFrame)) == 3
    assert any("image" in answer for answer in shown.answers)
    assert shown.of(Usage)[-1].totals["IMAGE"] > 0


def test_the_pictures_are_what_the_script_makes(folder: Path) -> None:
    script = (CONFIGS / "images/make_pictures.py").read_text()
    (folder / "make_pictures.py").write_text(script)
    subprocess.run([sys.executable, folder / "make_pictures.py"], check=True)
    made = {file.name: file.read_bytes() for file in folder.glob("?-*")}
    pictures = {file.name: file.read_bytes() for file in (CONFIGS / "images").glob("?-*")}
    assert len(made) == 3
    assert made == pictures


@pytest.mark.parametrize("last", ["Quit", None])
def test_chat(last: str | None) -> None:
    """As in a terminal: in a process and a time of its own."""
    lines = ["My name is Ada.", "", "What is my name?", *([last, "Count to 4."] if last else [])]
    result = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", CONFIGS / "chat.yaml"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    talk = re.findall(r"^( user|model)  (.*)$", result.stderr, re.MULTILINE)
    assert [speaker.strip() for speaker, _ in talk] == ["user", "model"] * 2
    assert "Ada" in talk[3][1]


def test_transcripts() -> None:
    shown = show("transcripts")
    assert shown.said == [
        ("user", LISBON),
        ("model", "It will be sunny."),
        ("user", PORTO),
        ("model", "It will be cloudy there."),
    ]
    finals = [frame.text for frame in shown.of(Transcript) if frame.final]
    assert finals == [text for _, text in shown.said]
    early = [frame.text for frame in shown.of(Transcript) if not frame.final]
    assert any(LISBON.startswith(text) for text in early if text != LISBON)
    assert shown.report.seconds < 20  # it does not wait for more


def test_record() -> None:
    show("record")
    samples, rate = soundfile.read("runs/record/talk.flac")
    levels = 20 * np.log10(np.abs(samples).reshape(-1, 2).clip(1e-6) + 1e-9)
    lines = Path("runs/record/talk.flac.markers.jsonl").read_text().splitlines()
    marks = [json.loads(line) for line in lines]
    assert [mark["event"] for mark in marks] == [
        *("started", "interrupted", "ended"),
        *("started", "ended"),
    ]
    cut = marks[1]["at"]
    first, second = (row for row in rows("record") if row["speaker"] == "model")
    assert first["end"] == pytest.approx(cut, abs=0.03)
    speech = speak(first["text"], voice="Puck", language=None, rate=24_000)
    spoken = [word for word, start, end in speech.words if (start + end) / 2 < cut - first["start"]]
    assert abs(len(first["heard"].split()) - len(spoken)) <= 1
    assert "".join(spoken).startswith(first["heard"].rsplit(" ", 1)[0])
    assert len(first["heard"]) < len(first["text"])
    subtitles = Path("runs/record/talk.vtt").read_text()
    last = first["heard"].split()[-1]
    assert f"{last} \N{EM DASH}\n" in subtitles
    assert "<v User>Sorry, stop. And what about Porto?" in subtitles
    assert rate == 24_000

    def loudest(channel: int, start: float, end: float) -> float:
        return float(levels[int(start * rate) : int(end * rate), channel].max())

    assert loudest(0, 0.4, 2.5) > -20  # the user asks
    assert loudest(1, first["start"], cut) > -20  # the model answers
    assert loudest(0, 8.2, cut) > -20  # and is talked over
    assert loudest(1, cut + 0.1, second["start"]) < -100
    assert loudest(1, second["start"], second["end"]) > -20


def test_telephone() -> None:
    shown = show("telephone")
    assert shown.said == [
        ("user", LISBON),
        ("model", "It will be sunny."),
        ("user", PORTO),
        ("model", "It will be cloudy there."),
    ]
    assert {(frame.rate, frame.channels) for frame in shown.of(AudioFrame)} >= {(8000, 1)}
    answers = decode(Path("runs/telephone/model.raw").read_bytes(), "mulaw")[:, 0] / 32768
    spoken = [row for row in shown.rows if row["speaker"] == "model"]
    assert len(answers) / 8000 == pytest.approx(spoken[-1]["end"], abs=0.1)
    for row in spoken:
        part = answers[int(row["start"] * 8000) : int(row["end"] * 8000)]
        assert 20 * np.log10(np.sqrt(np.mean(part**2))) > -30
    before = answers[: int((spoken[0]["start"] - 0.1) * 8000)]
    assert not before.any()


def test_what_the_telephone_carries_is_the_question() -> None:
    line = decode((CONFIGS / "telephone/question.ulaw").read_bytes(), "mulaw")[:, 0]
    sound, rate = soundfile.read(CONFIGS / "speech/question.wav")
    there = soxr.resample(sound.mean(axis=1), rate, 8000) * 32768
    assert len(line) == len(there)
    assert 10 * np.log10(np.mean(there**2) / np.mean((line - there) ** 2)) > 30


def test_talk() -> None:
    microphone = AudioSource(str(CONFIGS / "speech/question.wav"))
    shown = show("talk", microphone=microphone, speaker=LoudSpeaker("none", on_speech="duck"))
    assert len(shown.answers) == 2
    assert shown.report.frames("gate", "speaker") > 100
    heard = [frame for frame in shown.of(Playback) if not frame.playing]
    said = [row["start"] for row in shown.rows if row["speaker"] == "model"]
    assert len(heard) == len(said) == 2
    assert all(frame.heard > start * SECOND for frame, start in zip(heard, said, strict=True))
    parts = ("detection", "service", "first_sound", "playout")
    whole = shown.report.measurements["response"]
    each = (shown.report.measurements[f"response.{part}"] for part in parts)
    summed = [sum(lengths) for lengths in zip(*each, strict=True)]
    assert whole == pytest.approx(summed, abs=5e6)


def test_hands_free() -> None:
    """With the microphone closed while the model is heard, which needs no extra and no room."""
    microphone = AudioSource(str(CONFIGS / "speech/question.wav"))
    speaker, closed = LoudSpeaker("none"), HalfDuplex()
    shown = show("hands_free", microphone=microphone, speaker=speaker, echo=closed)
    assert shown.answers
    heard = shown.of(Playback)
    began, ended = (next(f.pts for f in heard if f.playing is playing) for playing in (True, False))
    passed = [f for f in shown.of(AudioFrame) if f.speaker is Speaker.USER and f.rate == 16_000]
    assert began < 8.2 * SECOND < ended  # the user talks over the model
    assert not any(f.samples.any() for f in passed if began + SECOND // 5 < f.pts < ended)


def test_pipe(folder: Path) -> None:
    caller = AudioSource(str(CONFIGS / "speech/question.wav"))
    shown = show("pipe", caller=caller, player=AudioSink(str(folder / "model.raw"), realtime=True))
    assert len(shown.answers) == 2
    answers = decode((folder / "model.raw").read_bytes(), "s16le")
    assert len(answers) / 24_000 == pytest.approx(shown.rows[-1]["end"], abs=0.1)


# --- sessions ---


def test_long() -> None:
    shown = show("long")
    assert shown.events.count("resumed") >= 2
    assert shown.events.count("go-away") >= 2
    assert set(shown.events) == {"started", "go-away", "resumed"}
    assert [speaker for speaker, _ in shown.said] == ["user", "model"] * 5
    assert "Ada" in shown.answers[4]  # said two connections before
    assert not any(frame.interrupted for frame in shown.of(TurnEnded))


def test_resume() -> None:
    handle = Path("runs/resume/handle.json")
    first = show("resume")
    assert first.events == ["started"]
    assert handle.stat().st_mode & 0o077 == 0
    saved = json.loads(handle.read_text())["handle"]
    second = show("resume")  # the local Live API of the first run is gone
    assert "Ada" not in second.answers[0]
    assert second.events[0] != "resumed"
    assert json.loads(handle.read_text())["handle"] != saved


async def test_resume_with_a_service_that_lives_on(anyio_backend: Any) -> None:
    text = (CONFIGS / "resume.yaml").read_text()
    events: list[Frame] = []
    async with serve() as server:
        elsewhere = text.replace("use: live_api\n", f"use: live_api\n    url: {server.url}\n")
        for _ in range(2):
            run = Run(
                loads(elsewhere, base=CONFIGS),
                taps={SessionEvent: lambda _, frame: events.append(frame)},
            )
            await run.execute()
        assert len(server.sessions) == 1
        assert server.sessions[0].connections == 2
    assert [event.kind for event in events if isinstance(event, SessionEvent)] == [
        "started",
        "resumed",
    ]
    assert rows("resume")[1]["text"] == "Your name is Ada."


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def test_transparent() -> None:
    shown = show("transparent")
    assert shown.said == [
        ("user", LISBON),
        ("model", "It will be sunny."),
        ("user", PORTO),
        ("model", "It will be cloudy there."),
    ]
    assert shown.events == ["started", "resumed", "resumed"]
    assert shown.of(Gap) == []


def test_limits(caplog: pytest.LogCaptureFixture) -> None:
    shown = show("limits")
    assert "stall" in shown.events
    assert shown.events.count("resumed") == 2
    assert [speaker for speaker, _ in shown.said] == ["user", "model"] * 3
    assert "Ada" in shown.answers[2]
    assert "The service is currently unavailable." in caplog.text


# --- turns ---


def test_vad() -> None:
    shown = show("vad")
    assert [speaker for speaker, _ in shown.said] == ["user", "model"] * 2
    first, second = (row for row in shown.rows if row["speaker"] == "model")
    assert "interrupted" not in first
    assert first["end"] > 12  # though the user spoke from 8.2 s on
    assert second["start"] == pytest.approx(first["end"])
    assert loudness("vad", 9, 12) > -30


def test_manual_vad() -> None:
    shown = show("manual_vad")
    assert [text for speaker, text in shown.said if speaker == "user"] == [LISBON, PORTO]
    starts = [frame.pts for frame in shown.of(SpeechStarted)]
    assert starts == [pytest.approx(0.42e9, abs=0.1e9), pytest.approx(8.2e9, abs=0.1e9)]
    answered = [row["start"] for row in shown.rows if row["speaker"] == "model"]
    assert answered == [pytest.approx(3.36, abs=0.1), pytest.approx(11.16, abs=0.1)]


# --- what the model does besides talk ---


def test_tools() -> None:
    shown = show("tools")
    names = ["get_time", "get_weather", "order_taxi", "get_traffic"]
    assert [call.name for call in shown.of(ToolCall)] == names
    results = {result.name: result for result in shown.of(ToolResult)}
    assert len(shown.of(ToolResult)) == 4
    assert results["get_time"].pts == results["get_weather"].pts  # they ran at once
    assert results["get_traffic"].response == {"error": "get_traffic took more than 0.5 s"}
    assert results["order_taxi"].scheduling == "when_idle"
    assert shown.answers == [
        "It is noon in Lisbon, and sunny.",
        "I have ordered one, and will tell you when it is here.",
        "Nobody can tell at the moment.",
        "By the way, the taxi is here.",
    ]


def test_code() -> None:
    shown = show("code")
    [code], [result] = shown.of(Code), shown.of(CodeResult)
    assert "prime" in code.code
    assert (result.output, result.failed) == ("5117\n", False)
    assert {"code_output": "5117\n", "failed": False}.items() <= shown.rows[2].items()
    assert [*shown.rows[1]] == ["code", "language", "at"]
    assert "5117" in shown.answers[0]


def test_search() -> None:
    shown = show("search")
    [grounding] = shown.of(Grounding)
    assert "world cup" in grounding.queries[0]
    row = next(row for row in shown.rows if "searched" in row)
    assert row["searched"] == list(grounding.queries)
    assert [page["uri"] for page in row["pages"]] == [page.uri for page in grounding.pages]
    assert all(page.uri.startswith("https://") for page in grounding.pages)


def test_thinking() -> None:
    shown = show("thinking")
    [thought] = shown.of(Thought)
    assert shown.rows[1] == {"thought": thought.text, "at": 0.0}
    assert thought.text not in shown.answers[0]


def test_instruction() -> None:
    shown = show("instruction")
    assert [frame.text for frame in shown.of(Instruction)] == ["Answer in German."]
    assert len(shown.said) == 4
    assert "Otto" in shown.answers[0]
    assert "Gerne" not in shown.answers[0]
    assert shown.answers[1].startswith("Gerne")


def test_history() -> None:
    shown = show("history")
    assert shown.said == [("user", "What is my name?"), ("model", "Your name is Ada.")]


def test_policy() -> None:
    assert show("policy").answers == ["Your setup was as expected."]


def test_raw() -> None:
    shown = show("raw")
    assert shown.answers == ["Your setup was as expected."]
    recorded = Path("runs/raw/wire.jsonl").read_text()
    assert "candidateCount" in recorded
    assert "x-goog-api-key" not in recorded


def test_it_runs_in_no_time_and_is_the_same_every_time() -> None:
    async def execute() -> None:
        await Run(load(CONFIGS / "tools.yaml")).execute()

    contents = []
    for _ in range(2):
        anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})
        contents.append(Path("runs/tools/words.jsonl").read_bytes())
    assert contents[0] == contents[1]
