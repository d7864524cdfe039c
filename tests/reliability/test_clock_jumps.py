"""What a run makes of clocks that jump, machines that sleep, and an event loop that is held.

On virtual time: the event loop's clock goes on by minutes in one step, as after a sleep on a system
whose clock goes on meanwhile; where it stands still, nothing has happened.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    Graph,
    ImageFrame,
    OnError,
    Processor,
    Report,
    Run,
    Sink,
    Source,
    Supervision,
    TextFrame,
    Transform,
    Watchdog,
)
from pipeline.testing import VirtualTimeLoop
from processors.audio.devices.output import Unheard
from processors.audio.sink import AudioSink
from processors.audio.source import AudioSource
from processors.audio.tone_source import ToneSource
from processors.image.source import ImageSource

SLEPT = 600.0
PICTURE = Path(__file__).parents[2] / "configs/images/1-circle.png"


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Seen(Sink):
    """When each frame came, on the run's clock, and its media time, in seconds; jumps at one."""

    def __init__(self, jump_at: int | None = None, jump: Callable[[], None] | None = None) -> None:
        self.came: list[tuple[float, float]] = []
        self._jump_at, self._jump = jump_at, jump or sleep_for_long

    async def consume(self, frame: AudioFrame | ImageFrame) -> None:
        self.came.append((self.context.now() / SECOND, frame.pts / SECOND))
        if len(self.came) == self._jump_at:
            self._jump()


def sleep_for_long() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.jump(SLEPT)


async def run(*chain: Processor, **settings: Any) -> Report:
    processors = {f"{type(p).__name__.lower()}{n}": p for n, p in enumerate(chain)}
    return await Run(Graph(processors, [" -> ".join(processors)]), **settings).execute()


def most_at_once(came: list[tuple[float, float]], within: float = 0.1) -> int:
    """The most frames in so many seconds."""
    times = [at for at, _ in came]
    return max(sum(begin <= at < begin + within for at in times) for begin in times)


@pytest.mark.parametrize("kind", ["file", "tone"])
async def test_a_recording_goes_on_from_where_it_is_without_a_burst(
    kind: str, tmp_path: Path
) -> None:
    if kind == "tone":
        source: Source = ToneSource(seconds=2.0)
    else:
        await run(ToneSource(seconds=2.0, realtime=False), AudioSink(str(tmp_path / "tone.wav")))
        source = AudioSource(str(tmp_path / "tone.wav"))
    seen = Seen(jump_at=50)
    report = await run(source, seen)
    assert len(seen.came) == 100  # nothing is left out
    assert most_at_once(seen.came) <= 7
    assert all(abs(at - pts) < 0.05 for at, pts in seen.came[:50] + seen.came[52:])
    assert report.seconds == pytest.approx(SLEPT + 2, abs=0.1)
    [late] = report.measurements["source.late"]
    assert late / SECOND == pytest.approx(SLEPT, abs=0.1)


async def test_a_short_hold_up_is_made_up_for_and_media_time_has_no_hole() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    seen = Seen(jump_at=20, jump=lambda: loop.jump(0.9))
    report = await run(ToneSource(seconds=2.0), seen)
    media = [pts for _, pts in seen.came]
    assert all(b - a == pytest.approx(0.02) for a, b in pairwise(media))
    assert report.seconds == pytest.approx(2, abs=0.05)
    assert "source.late" not in report.measurements


async def test_pictures_go_on_without_a_burst() -> None:
    seen = Seen(jump_at=3)
    source = ImageSource(str(PICTURE), interval_s=1, loop=True)
    with anyio.move_on_after(SLEPT + 6.5):
        await run(source, seen)
    assert 8 <= len(seen.came) <= 9
    assert most_at_once(seen.came, within=0.9) <= 2


async def test_a_file_that_is_played_in_real_time_has_silence_where_the_clock_jumped(
    tmp_path: Path,
) -> None:
    class Jumps(Transform):
        count = 0

        def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
            self.count += 1
            if self.count == 50:
                loop = asyncio.get_running_loop()
                assert isinstance(loop, VirtualTimeLoop)
                loop.jump(5)
            yield frame

    file = tmp_path / "played.wav"
    await run(ToneSource(seconds=2.0), Jumps(), AudioSink(str(file), realtime=True))
    import soundfile

    assert soundfile.info(str(file)).duration == pytest.approx(7, abs=0.2)


async def test_the_wall_clock_may_jump_by_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that lasts is measured by it."""
    hours = iter([5, -9, 7, -30] * 1000)
    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * next(hours))
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + 3600 * SECOND * next(hours))
    seen = Seen()
    report = await run(ToneSource(seconds=1.0), seen)
    assert report.seconds == pytest.approx(1, abs=0.05)
    assert [at for at, _ in seen.came] == pytest.approx([n * 0.02 for n in range(50)], abs=0.01)


async def test_limits_on_frames_and_restarts_reckon_in_the_loops_clock() -> None:
    """A frame that is under way when the clock jumps has taken too long, and is one failure: the
    next ones are not."""

    class Waits(Sink):
        count = 0

        async def consume(self, frame: TextFrame) -> None:
            Waits.count += 1
            if Waits.count == 2:
                sleep_for_long()
            await anyio.sleep(0.5)

    class Words(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            for number in range(4):
                yield TextFrame(str(number))

    graph = Graph(
        {"words": Words(), "waits": Waits()},
        ["words -> waits"],
        supervision={"waits": Supervision(OnError(do="skip"), frame_timeout_s=2)},
    )
    report = await Run(graph).execute()
    assert Waits.count == 4
    assert report.drops == {("waits", "failed"): 1}


async def test_a_run_that_is_told_to_finish_is_over_though_the_clock_jumps_meanwhile() -> None:
    class Stuck(Sink):
        async def consume(self, frame: TextFrame) -> None:
            await anyio.sleep_forever()

    class Word(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            yield TextFrame("")

    current = Run(Graph({"word": Word(), "stuck": Stuck()}, ["word -> stuck"]), drain_seconds=10)
    async with anyio.create_task_group() as group:
        group.start_soon(current.execute)
        await anyio.sleep(1)
        current.finish()
        sleep_for_long()
    assert not current.report.completed


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_after_the_loop_was_really_held_sound_goes_on_in_time(
    anyio_backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In real time: a processor sleeps for 1.5 s without awaiting anything."""

    class Holds(Transform):
        count = 0

        def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
            self.count += 1
            if self.count == 10:
                time.sleep(1.5)
            yield frame

    seen = Seen()
    with caplog.at_level(logging.WARNING):
        report = await run(ToneSource(seconds=0.6), Holds(), seen, observers=[Watchdog()])
    assert len(seen.came) == 30
    assert most_at_once(seen.came[9:]) <= 12  # 0.1 s of them, and what a busy machine adds
    assert abs(seen.came[-1][0] - seen.came[-1][1]) < 0.5
    assert report.seconds == pytest.approx(2.1, abs=0.5)
    assert len(report.measurements["source.late"]) == 1
    [held] = report.holds["holds1"]
    assert held / SECOND == pytest.approx(1.45, abs=0.4)
    assert '"holds1" held the event loop' in caplog.text


async def test_a_machine_without_a_loudspeaker_plays_on_without_a_burst() -> None:
    times: list[int] = []

    def pull(count: int, at: int) -> np.ndarray:
        times.append(at)
        return np.zeros((count, 1), np.int16)

    async with Unheard(8000, 1).playing(pull):
        await anyio.sleep(0.095)
        sleep_for_long()
        await anyio.sleep(0.1)
    assert 20 <= len(times) <= 22  # 10 ms each
    assert times == sorted(times)
