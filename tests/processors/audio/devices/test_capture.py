"""Tests of bringing sound from a device's thread to the event loop."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portaudio import Flags

from pipeline import SECOND, waker
from processors.audio.devices.capture import Capture, CaptureClock

MS = 1_000_000


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """In real time: the threads know no other."""
    return request.param


def at_once(function: Callable[[], None]) -> None:
    function()


def give(capture: Capture, data: bytes, *flags: str, latency: float = 0.03) -> None:
    times = SimpleNamespace(currentTime=100.0, inputBufferAdcTime=100.0 - latency)
    capture.callback(memoryview(data), len(data) // 2, times, Flags(*flags))


async def test_blocks_come_in_order_and_are_copies() -> None:
    capture = Capture(10, at_once)
    memory = bytearray(b"ab")
    give(capture, memory)
    memory[:] = b"cd"
    give(capture, memory)
    memory[:] = b"xx"
    assert [(await take(capture)).data for _ in range(2)] == [b"ab", b"cd"]


async def take(capture: Capture) -> Any:
    with anyio.fail_after(5):
        return await capture.take()


async def test_a_block_was_heard_before_it_came_by_the_device_s_latency() -> None:
    capture = Capture(10, at_once)
    for latency in (0.0, 0.5, -3.0, 1e9):
        give(capture, b"ab", latency=latency)
    none, half, *nonsense = [(await take(capture)).heard for _ in range(4)]
    assert none - half == pytest.approx(0.5 * SECOND, abs=0.4 * SECOND)
    assert all(heard >= none for heard in nonsense)


async def test_what_the_device_lost_is_counted_and_marks_the_next_block() -> None:
    capture = Capture(10, at_once)
    give(capture, b"ab")
    give(capture, b"ab", "input_overflow")
    give(capture, b"ab", "output_underflow")
    assert [(await take(capture)).broken for _ in range(3)] == [False, True, False]
    assert capture.lost == {"device overrun": 1}


async def test_it_keeps_no_more_than_its_limit() -> None:
    capture = Capture(3, at_once)
    for number in range(5):
        give(capture, bytes([number, 0]))
    assert capture.lost == {"buffer full": 2}
    assert [(await take(capture)).data[0] for _ in range(3)] == [0, 1, 2]
    give(capture, b"ab")
    assert (await take(capture)).broken


async def test_its_end_comes_after_the_blocks() -> None:
    capture = Capture(3, at_once)
    give(capture, b"ab")
    capture.end()
    assert (await take(capture)).data == b"ab"
    assert await take(capture) is None
    assert await take(capture) is None


async def test_a_thread_wakes_the_one_that_waits() -> None:
    """As fast as it can: every wake-up that is lost would leave the task waiting for ever."""
    count = 3000
    capture = Capture(count, waker())

    def run() -> None:
        for number in range(count):
            give(capture, number.to_bytes(2, "little"))
        capture.end()

    thread = threading.Thread(target=run)
    thread.start()
    taken = []
    with anyio.fail_after(10):
        while (block := await capture.take()) is not None:
            taken.append(int.from_bytes(block.data, "little"))
    assert taken == list(range(count))
    thread.join()


# --- media times ---


@settings(max_examples=30)
@given(
    st.integers(-300, 300),
    st.integers(0, 15),
    st.integers(0, 2**32 - 1),
    st.sampled_from([8000, 44_100, 48_000]),
)
def test_blocks_follow_each_other_while_the_clocks_drift(
    ppm: int, jitter_ms: int, seed: int, rate: int
) -> None:
    clock = CaptureClock(rate)
    count = rate // 50
    noise = np.random.default_rng(seed).uniform(-jitter_ms, jitter_ms, 1500) * MS
    end: int | None = None
    for number in range(1500):  # half a minute
        true = round(number * count * SECOND / rate * (1 + ppm / 1e6))
        pts = clock.place(true + round(noise[number]), count)
        if end is not None:
            assert abs(pts - end) <= 20_001
        end = pts + count * SECOND // rate
        if number > 1000:
            assert abs(pts - true) < (2 + jitter_ms / 2) * MS


@pytest.mark.parametrize(
    ("late_ms", "broken", "gap_ms"), [(501, False, 501), (30, True, 30), (30, False, 0.02)]
)
def test_what_is_missing_is_a_gap(late_ms: int, broken: bool, gap_ms: float) -> None:
    clock = CaptureClock(48_000)
    assert clock.place(1000 * MS, 960) == 1000 * MS
    assert clock.place((1020 + late_ms) * MS, 960, broken=broken) == (1020 + gap_ms) * MS


@pytest.mark.parametrize("broken", [False, True])
def test_media_time_never_goes_back(broken: bool) -> None:
    clock = CaptureClock(48_000)
    clock.place(1000 * MS, 960)
    assert clock.place(500 * MS, 960, broken=broken) == 1020 * MS - 20_000
