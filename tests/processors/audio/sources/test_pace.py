"""Tests of when frames are due."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import SECOND
from pipeline.testing import VirtualTimeLoop
from processors.audio.pcm import silence
from processors.audio.sources.pace import Pace

MS = 1_000_000


def context() -> Any:
    measured: list[tuple[str, int]] = []
    return SimpleNamespace(
        now=lambda: round(anyio.current_time() * SECOND),
        measured=lambda what, length: measured.append((what, length)),
        measurements=measured,
    )


def paced(
    waits: list[int], *, realtime: bool, patience_ms: int | None = None, size: int = 160
) -> tuple[list[tuple[int, int]], int]:
    """Media time and time of arrival of 20 ms frames, made after waits in ms; and when it ends."""

    async def execute() -> tuple[list[tuple[int, int]], int]:
        here = context()
        begin = here.now()
        pace = Pace(here, 8000, realtime=realtime, patience_ms=patience_ms)
        came = []
        for wait in waits:
            await anyio.sleep(wait / 1000)
            frame = await pace.frame(silence(size))
            came.append((frame.pts - begin, here.now() - begin))
        await pace.finish()
        return came, here.now() - begin

    return anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})


def near(*milliseconds: float) -> Any:
    return pytest.approx([ms * MS for ms in milliseconds], abs=1000)


def test_in_real_time_each_comes_when_it_is_due() -> None:
    came, end = paced([50, 0, 0], realtime=True)
    assert [pts for pts, _ in came] == near(50, 70, 90)
    assert [at for _, at in came] == near(50, 70, 90)
    assert [end] == near(110)


def test_what_is_late_comes_at_once_and_keeps_its_place() -> None:
    came, _ = paced([0, 50, 0, 0, 0], realtime=True)
    assert [pts for pts, _ in came] == near(0, 20, 40, 60, 80)
    assert [at for _, at in came] == near(0, 50, 50, 60, 80)


def test_a_recording_that_is_very_late_goes_on_from_there() -> None:
    came, end = paced([0, 0, 600_000, 0, 0], realtime=True)
    assert [pts for pts, _ in came] == near(0, 20, 600_020, 600_040, 600_060)
    assert [at for _, at in came] == [pytest.approx(pts, abs=1000) for pts, _ in came]
    assert [end] == near(600_080)


def test_how_late_it_was_is_measured_once_and_a_pause_of_what_is_live_is_none() -> None:
    async def execute(patience_ms: int | None) -> Any:
        here = context()
        pace = Pace(here, 8000, realtime=True, patience_ms=patience_ms)
        for wait in (0, 3, 0, 0):
            await anyio.sleep(wait)
            await pace.frame(silence(160))
        return here.measurements

    options = {"loop_factory": VirtualTimeLoop}
    assert anyio.run(execute, 200, backend_options=options) == []
    [(what, late)] = anyio.run(execute, None, backend_options=options)
    assert what == "source.late"
    assert [late] == near(2980)


def test_otherwise_all_come_at_once() -> None:
    came, end = paced([30, 0, 0], realtime=False)
    assert [pts for pts, _ in came] == near(30, 50, 70)
    assert [at for _, at in came] == near(30, 30, 30)
    assert [end] == near(30)


def test_after_a_pause_of_what_is_live_it_begins_anew() -> None:
    came, _ = paced([0, 0, 240, 0, 100], realtime=True, patience_ms=200)
    assert [pts for pts, _ in came] == near(0, 20, 260, 280, 300)
    assert [at for _, at in came] == near(0, 20, 260, 280, 380)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=20), st.booleans())
def test_media_time_never_goes_back_nor_overlaps(waits: list[int], realtime: bool) -> None:
    came, _ = paced(waits, realtime=realtime, patience_ms=200)
    for (one, _), (other, at) in pairwise(came):
        assert other - one >= 20 * MS - 1000
        assert at - other <= 200 * MS + 1000
        assert at >= other - 1000 or not realtime


def test_no_sound_takes_no_time() -> None:
    assert paced([], realtime=True) == ([], 0)
