"""Observers see a run and cannot harm it; taps come and go while it runs."""

import logging
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from pipeline import (
    ConfigError,
    Frame,
    Graph,
    Observer,
    PipelineError,
    ProcessorFailure,
    Report,
    Run,
    SettingError,
    Source,
    TextFrame,
    Transcript,
    Transform,
)
from pipeline.runtime.wiring import Taps
from pipeline.testing import Collect, Given


class Ticker(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        for number in range(10):
            yield TextFrame(str(number))
            await anyio.sleep(1)


class Upper(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        if frame.text == "4":
            self.context.measured("delay", 7, turn=3)
        yield frame.replace(text=f"{frame.text}!")


class Diary(Observer):
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.ends: list[tuple[bool, str]] = []
        self.measurements: list[tuple[str, str, int, int]] = []
        self.ticks = 0
        self.begun = 0

    def begin(self, run: Run) -> None:
        self.begun += 1

    @property
    def taps(self) -> Taps:
        return {TextFrame: self._text}

    def measured(self, node: str, what: str, nanoseconds: int, turn: int) -> None:
        self.measurements.append((node, what, nanoseconds, turn))

    async def watch(self, run: Run) -> None:
        while True:
            await anyio.sleep(1.5)
            self.ticks += 1

    async def ended(self, report: Report, failure: PipelineError | None) -> None:
        await anyio.sleep(1)
        self.ends.append((report.completed, "" if failure is None else str(failure)))

    def _text(self, node: str, frame: Frame) -> None:
        assert isinstance(frame, TextFrame)
        self.seen.append(frame.text)


class Clumsy(Diary):
    def measured(self, node: str, what: str, nanoseconds: int, turn: int) -> None:
        raise ValueError("measured")

    async def watch(self, run: Run) -> None:
        raise ValueError("watched")

    def _text(self, node: str, frame: Frame) -> None:
        raise ValueError("seen")


def graph() -> Graph:
    return Graph({"in": Ticker(), "up": Upper(), "out": Collect()}, ["in -> up -> out"])


async def test_an_observer_sees_frames_measurements_and_the_end() -> None:
    diaries = [Diary(), Diary()]
    report = await Run(graph(), observers=diaries).execute()
    for diary in diaries:
        assert diary.seen == [str(number) for number in range(10)]
        assert diary.measurements == [("up", "delay", 7, 3)]
        assert diary.ends == [(True, "")]
        assert diary.ticks == 6
        assert diary.begun == 1
    assert report.completed


async def test_what_goes_wrong_in_an_observer_is_said_once_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    diary = Diary()
    with caplog.at_level(logging.WARNING):
        report = await Run(graph(), observers=[Clumsy(), diary]).execute()
    assert report.completed
    assert len(diary.seen) == 10
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert said[0].startswith("Clumsy failed: ValueError: ")


async def test_a_failure_is_that_of_the_run_and_the_observer_is_told() -> None:
    class Broken(Collect):
        async def consume(self, frame: Frame) -> None:
            raise RuntimeError("boom")

    diary = Diary()
    with pytest.raises(ProcessorFailure, match="boom"):
        await Run(
            Graph({"in": Ticker(), "out": Broken()}, ["in -> out"]), observers=[diary]
        ).execute()
    assert len(diary.ends) == 1
    assert "boom" in diary.ends[0][1]


async def test_a_run_that_never_began_has_no_end() -> None:
    class Absent(Collect):
        def check(self) -> None:
            raise SettingError("there is none")

    diary = Diary()
    with pytest.raises(ConfigError):
        await Run(
            Graph({"in": Given([]), "out": Absent()}, ["in -> out"]), observers=[diary]
        ).execute()
    assert not diary.ends
    used = graph()
    await Run(used).execute()
    with pytest.raises(PipelineError, match="a graph runs once"):
        await Run(used, observers=[diary]).execute()
    assert not diary.ends


async def test_a_run_that_is_cancelled_from_outside_has_an_end() -> None:
    diary = Diary()
    with anyio.move_on_after(2.5):
        await Run(graph(), observers=[diary]).execute()
    assert diary.ends == [(False, "")]


async def test_an_observer_that_does_not_end_is_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Endless(Observer):
        async def ended(self, report: Report, failure: PipelineError | None) -> None:
            await anyio.sleep_forever()

    began = anyio.current_time()
    await Run(graph(), observers=[Endless()]).execute()
    assert anyio.current_time() - began == pytest.approx(40, abs=0.1)
    assert "took more than 30 s to end" in caplog.text


async def test_taps_come_and_go_while_it_runs() -> None:
    places: list[tuple[str, str]] = []

    class Peeking(Observer):
        async def watch(self, run: Run) -> None:
            await anyio.sleep(2.5)
            with run.tapping(_selects, _tap):
                await anyio.sleep(2)

    def _selects(place: str, kind: type[Frame]) -> bool:
        return place in ("up", "in -> up") and kind is not Transcript

    def _tap(place: str, frame: Frame) -> None:
        assert isinstance(frame, TextFrame)
        places.append((place, frame.text))

    run = Run(graph(), observers=[Peeking()])
    await run.execute()
    assert places == [("in -> up", "3"), ("up", "3!"), ("in -> up", "4"), ("up", "4!")]
    assert run.report.frames("up", "out") == 10
