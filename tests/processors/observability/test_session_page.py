"""The page of a session: what it knows, what it sounds like, and that nothing in it can run."""

import base64
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from browser import CHROMIUM, chromium

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Graph,
    ProcessorFailure,
    SettingError,
    Source,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    ToolCall,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    draw_graph,
)
from pipeline.testing import Collect, run_virtually
from processors.observability.session_page import SessionPage, compose

HOSTILE = (
    '</script><script>window.stolen = 1</script><img src=x onerror="window.stolen = 1">@@data@@'
)


def tone(start: float, seconds: float, rate: int, speaker: Speaker, turn: int = 0) -> AudioFrame:
    phase = np.arange(round(seconds * rate)) * 2 * np.pi * 440 / rate
    samples = (8000 * np.sin(phase)).astype(np.int16)[:, None]
    return AudioFrame(samples, rate, speaker, pts=round(start * SECOND), turn=turn)


class Conversation(Source):
    """The user speaks from 0.5 to 1 s; the model from 1.5 s on, until it is cut short at 2.5 s."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    async def frames(self) -> AsyncIterator[Frame]:
        yield SpeechStarted(pts=SECOND // 2)
        yield tone(0.5, 0.5, 48_000, Speaker.USER)
        await anyio.sleep(1)
        yield SpeechEnded(pts=SECOND)
        yield Transcript(HOSTILE, Speaker.USER, SECOND, pts=SECOND // 2)
        turn = self.context.new_turn()
        self.context.measured("response.service", SECOND // 4, turn)
        await anyio.sleep(0.4)
        yield TurnStarted(SECOND, pts=round(1.4 * SECOND), turn=turn)
        self.context.measured("response", SECOND // 2, turn)
        yield ToolCall("1", "look", {"at": "<b>"})
        await anyio.sleep(0.1)
        yield ToolResult("1", "look", {"output": "there"})
        yield tone(1.5, 3, 24_000, Speaker.MODEL, turn)
        await anyio.sleep(1)
        self.context.dropped("too much", 3)
        yield TurnEnded(True, pts=round(2.5 * SECOND), turn=turn)
        yield Transcript("Well, I", Speaker.MODEL, 2 * SECOND, pts=SECOND, interrupted=True)
        if self.fails:
            raise ValueError("boom <i>")
        await anyio.sleep(1.5)


def made(path: Path, *, fails: bool = False, longest_s: float = 60.0) -> dict[str, Any]:
    """The page, run in virtual time: what it knows."""
    graph = Graph({"talk": Conversation(fails), "out": Collect()}, ["talk -> out"])
    page = SessionPage(path, title=HOSTILE, longest_s=longest_s)
    run_virtually(graph, observers=[page])
    return facts_of(path.read_text(encoding="utf-8"))


def facts_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    assert found is not None
    facts = json.loads(found[1])
    assert isinstance(facts, dict)
    return facts


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return made(tmp_path_factory.mktemp("page") / "session.html")


def test_it_knows_what_happened_when(facts: dict[str, Any]) -> None:
    assert facts["seconds"] == pytest.approx(4)
    assert facts["completed"]
    assert facts["failure"] is None
    assert facts["speech"] == [{"at": 0.5, "end": 1.0}]
    [turn] = facts["turns"]
    assert (turn["asked"], turn["at"], turn["end"], turn["interrupted"]) == (1.0, 1.4, 2.5, True)
    assert turn["heard"] == [1.5, 2.5]
    assert turn["wait"] == {"response.service": 0.25, "response": 0.5}
    [call] = facts["calls"]
    assert (call["name"], call["arguments"], call["response"]) == ("look", "at='<b>'", "there")
    assert call["end"] - call["at"] == pytest.approx(0.1, abs=0.01)
    assert [(row["speaker"], row["interrupted"]) for row in facts["words"]] == [
        ("user", False),
        ("model", True),
    ]
    assert facts["drops"] == [{"node": "talk", "reason": "too much", "frames": 3}]
    assert [row["kind"] for row in facts["events"]] == ["interrupted", "dropped"]
    assert facts["measurements"][1] == {"name": "response", "times": 1, "p50": 500, "p95": 500}


def test_it_sounds_as_it_was_heard(facts: dict[str, Any]) -> None:
    file = io.BytesIO(base64.b64decode(facts["sound"]["data"]))
    sound, rate = soundfile.read(file, always_2d=True)
    assert rate == 16_000
    for channel, begin, end in ((0, 0.5, 1.0), (1, 1.5, 2.5)):
        loud = np.flatnonzero(np.abs(sound[:, channel]) > 0.05)
        assert loud[0] / rate == pytest.approx(begin, abs=0.02)
        assert loud[-1] / rate == pytest.approx(end, abs=0.02)


def test_the_waveforms_are_those_of_the_sound(facts: dict[str, Any]) -> None:
    for side, begin, end in (("user", 0.5, 1.0), ("model", 1.5, 2.5)):
        peaks = np.frombuffer(base64.b64decode(facts["sound"][side]), np.int8).reshape(-1, 2)
        loud = np.flatnonzero(peaks[:, 1] > 10) / facts["sound"]["columns"]
        assert loud[0] == pytest.approx(begin, abs=0.021)
        assert loud[-1] == pytest.approx(end, abs=0.021)
        assert peaks.max() == 31  # 8000 of 32768, on the scale of int8
        assert peaks.min() == -32


def test_what_was_said_is_no_part_of_the_page(tmp_path: Path) -> None:
    made(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "window.stolen" in page
    assert page.count("<script") == 2
    assert "<img" not in page
    assert facts_of(page)["words"][0]["text"] == HOSTILE


def test_sound_beyond_the_limit_is_left_out(tmp_path: Path) -> None:
    facts = made(tmp_path / "a.html", longest_s=1.0)
    file = io.BytesIO(base64.b64decode(facts["sound"]["data"]))
    assert soundfile.info(file).duration == pytest.approx(1.0, abs=0.01)


def test_a_run_that_failed_has_a_page_too(tmp_path: Path) -> None:
    with pytest.raises(ProcessorFailure):
        made(tmp_path / "a.html", fails=True)
    facts = facts_of((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "boom <i>" in facts["failure"]
    assert len(facts["turns"]) == 1


def test_a_conversation_without_sound_has_none(tmp_path: Path) -> None:
    class Typed(Source):
        async def frames(self) -> AsyncIterator[Transcript]:
            yield Transcript("hello", Speaker.USER)

    graph = Graph({"in": Typed(), "out": Collect()}, ["in -> out"])
    run_virtually(graph, observers=[SessionPage(tmp_path / "a.html")])
    assert facts_of((tmp_path / "a.html").read_text(encoding="utf-8"))["sound"] is None


def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="is a folder"):
        SessionPage(tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.slow
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_browser_shows_it_and_plays_it(tmp_path: Path, anyio_backend: str) -> None:
    path = tmp_path / "session.html"
    await anyio.to_thread.run_sync(made, path)
    async with chromium(tmp_path) as page:
        for width in (1280, 390):
            await page.size(width, 900)
            await page.open(path.as_uri())
            await page.until("audio.readyState === 4")
            assert await page.evaluate("document.title") == HOSTILE
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            rows = await page.evaluate(
                "[...document.querySelectorAll('#rows span')].map(x => x.textContent)"
            )
            assert HOSTILE in rows
            assert await page.evaluate("window.stolen === undefined")
            assert await page.evaluate("hits.some(hit => hit[4].includes('interrupted'))")
            times = await page.evaluate("[clock(59.96, 1), clock(3599.6), clock(4.25, 1)]")
            assert times == ["1:00.0", "1:00:00", "0:04.3"]
        assert await page.evaluate("audio.duration") == pytest.approx(2.5, abs=0.1)
        await page.click("#play")
        await page.until("audio.currentTime > 0.5 && position > 0.5")
        await page.click("#in")
        await page.until("view[1] - view[0] < length")
        assert page.complaints == []


def test_the_parts_of_the_page_are_put_in_once() -> None:
    graph = Graph({"talk": Conversation(), "out": Collect()}, ["talk -> out"])
    page = compose({"title": "@@script@@"}, draw_graph(graph))
    assert "<title>@@script@@</title>" in page
    assert page.count("Content-Security-Policy") == 1
