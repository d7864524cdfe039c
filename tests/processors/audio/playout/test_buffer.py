"""Tests of the jitter buffer: what goes in comes out once, in order, and without clicks."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.audio.pcm import nanoseconds_of
from processors.audio.playout.buffer import PlayoutBuffer, Stretch

RATE = 16_000
FADE = RATE * 5 // 1000
BLOCK = RATE // 100
MS = RATE // 1000


def buffer(*, prebuffer_ms: int = 0, channels: int = 1, seconds: float = 60) -> PlayoutBuffer:
    longest = int(seconds * RATE)
    return PlayoutBuffer(RATE, channels, longest=longest, prebuffer=prebuffer_ms * MS)


def tone(count: int, *, frequency: float = 440, phase: float = 1.0) -> np.ndarray:
    """It begins and ends anywhere in its period: bare, that clicks."""
    wave = 12_000 * np.cos(2 * np.pi * frequency * np.arange(count) / RATE + phase)
    return np.rint(wave).astype(np.int16).reshape(-1, 1)


def numbered(count: int, first: int = 0) -> np.ndarray:
    return (1 + (first + np.arange(count)) % 30_000).astype(np.int16).reshape(-1, 1)


class Device:
    """Takes blocks on a clock of its own."""

    def __init__(self, source: PlayoutBuffer, block: int = BLOCK) -> None:
        self.source = source
        self.block = block
        self.sound = np.zeros((0, source.channels), np.int16)

    def play(self, seconds: float) -> np.ndarray:
        before = len(self.sound)
        for _ in range(round(seconds * RATE / self.block)):
            at = nanoseconds_of(len(self.sound), RATE)
            self.sound = np.concatenate([self.sound, self.source.take(self.block, at)])
        return self.sound[before:]


def splatter(sound: np.ndarray) -> float:
    """The strongest that there is above 3 kHz in 4 ms anywhere, in dB below full scale."""
    window = np.hanning(64)
    padded = np.concatenate([np.zeros(64), sound[:, 0] / 32768, np.zeros(64)])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 64)[::8] * window
    spectrum = np.abs(np.fft.rfft(pieces, axis=1)) / window.sum() * 2
    high = spectrum[:, np.fft.rfftfreq(64, 1 / RATE) >= 3000]
    return float(20 * np.log10(high.max() + 1e-9))


CLICK = -65
"""dB; the tone itself, played throughout, stays below this, and any bare cut is far above."""


# --- what comes out ---


def test_what_is_continuous_is_played_as_it_is_but_for_its_ends() -> None:
    source = buffer()
    sound = numbered(RATE)
    for begin in range(0, RATE, 640):
        assert source.put(sound[begin : begin + 640], 1, nanoseconds_of(begin, RATE))
    source.complete(1)
    played = Device(source).play(1.1)
    assert np.array_equal(played[FADE : RATE - FADE], sound[FADE : RATE - FADE])
    assert not played[RATE:].any()
    assert 0 < played[FADE // 2, 0] < sound[FADE // 2, 0]
    assert source.held == 0
    assert not source.underruns


def test_nothing_is_silence() -> None:
    assert not Device(buffer(channels=2)).play(0.1).any()


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3000)),
        st.tuples(st.just("take"), st.integers(1, 2000)),
        st.tuples(st.sampled_from(["next", "complete", "cut", "pause", "resume"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(steps, st.integers(0, 100), st.booleans())
def test_every_sample_once_in_order_or_counted(
    script: list[Step], prebuffer_ms: int, turns: bool
) -> None:
    """Whatever happens in whatever order; nothing of a turn after the fade behind its cut."""
    source = buffer(prebuffer_ms=prebuffer_ms, seconds=0.5)
    turn, put, accepted = int(turns), 0, 0
    clock = 0
    cut: dict[int, int] = {}
    stretches: list[Stretch] = []
    for step, count in script:
        if step == "put":
            full = source.held > 0 and source.held + count > source.longest
            taken = source.put(numbered(count, put), turn, nanoseconds_of(put, RATE))
            assert taken is (not full or turn in cut)
            if taken:
                put += count
                accepted += count
        elif step == "take":
            block = source.take(count, nanoseconds_of(clock, RATE))
            assert block.shape == (count, 1)
            clock += count
        elif step == "next" and turns:
            turn += 1
        elif step == "complete" and turns:
            source.complete(turn)
        elif step == "cut" and turns and turn not in cut:
            source.cut(turn)
            cut[turn] = clock
        elif step in ("pause", "resume"):
            source.pause(step == "pause")
        while source.played:
            stretches.append(source.played.popleft())
    source.pause(False)
    for _ in range(200):
        source.take(BLOCK, nanoseconds_of(clock, RATE))
        clock += BLOCK
    stretches += source.played
    assert source.held == 0
    played = sum(round((s.until - s.at) * RATE / 1e9) for s in stretches)
    assert played + source.dropped == accepted
    for before, after in pairwise(stretches):
        assert before.at < before.until <= after.at
        assert before.turn < after.turn or before.end <= after.pts + 1
        assert abs((before.until - before.at) - (before.end - before.pts)) <= 2
    for stretch in stretches:
        if stretch.turn in cut:
            limit = nanoseconds_of(cut[stretch.turn] + FADE, RATE)
            assert stretch.until <= limit


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=30))
def test_any_size_of_block_gives_the_same(blocks: list[int]) -> None:
    expected, got = [
        source for source in (buffer(), buffer()) if source.put(numbered(20_000), 1, 0)
    ]
    for source in (expected, got):
        source.complete(1)
    whole = expected.take(sum(blocks), 0)
    parts = [got.take(count, 0) for count in blocks]
    assert np.array_equal(np.concatenate(parts), whole)


def test_it_holds_so_much_and_no_more() -> None:
    source = buffer(seconds=1)
    assert source.put(tone(RATE), 1, 0)
    assert not source.put(tone(1), 1, 0)
    Device(source).play(0.01)
    assert source.put(tone(BLOCK), 1, 0)
    assert not source.put(tone(1), 1, 0)
    assert source.held == RATE


def test_a_piece_that_is_too_long_is_taken_when_there_is_nothing_else() -> None:
    source = buffer(seconds=1)
    assert source.put(tone(2 * RATE), 1, 0)
    assert not source.put(tone(1), 1, 0)


def test_two_threads_need_no_lock() -> None:
    """One fills it as fast as it can, with switches of threads at any moment; one takes."""
    source = buffer(seconds=0.2)
    total, taken, failed = 100_000, 0, []

    def take() -> None:
        nonlocal taken
        try:
            while taken < total:
                source.take(BLOCK, 0)
                while source.played:
                    stretch = source.played.popleft()
                    taken += round((stretch.until - stretch.at) * RATE / 1e9)
        except BaseException as error:
            failed.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = Thread(target=take, daemon=True)
    thread.start()
    try:
        put = 0
        while put < total and not failed:
            if source.put(numbered(400, put), 1, nanoseconds_of(put, RATE)):
                put += 400
        source.complete(1)
        thread.join(10)
    finally:
        sys.setswitchinterval(before)
    assert failed == []
    assert taken == total
    assert source.held == 0


# --- where it has come to ---


def test_what_was_played_is_told_with_its_media_time() -> None:
    source = buffer()
    source.put(tone(BLOCK), 7, 5_000_000_000)
    source.put(tone(BLOCK), 7, 9_000_000_000, span=20_000_000)
    source.complete(7)
    source.take(BLOCK // 2, 1_000_000_000)
    source.take(2 * BLOCK, 1_005_000_000)
    assert list(source.played) == [
        Stretch(7, 1_000_000_000, 1_005_000_000, 5_000_000_000, 5_005_000_000),
        Stretch(7, 1_005_000_000, 1_010_000_000, 5_005_000_000, 5_010_000_000),
        Stretch(7, 1_010_000_000, 1_015_000_000, 9_000_000_000, 9_010_000_000),
        Stretch(7, 1_015_000_000, 1_020_000_000, 9_010_000_000, 9_020_000_000),
    ]


# --- jitter ---


def test_it_begins_when_there_is_enough() -> None:
    source = buffer(prebuffer_ms=50)
    device = Device(source)
    source.put(tone(20 * MS), 1, 0)
    assert not device.play(0.03).any()
    source.put(tone(40 * MS), 1, 20_000_000)
    assert device.play(0.01).any()


def test_it_begins_with_less_when_no_more_comes() -> None:
    source = buffer(prebuffer_ms=50)
    source.put(tone(20 * MS), 1, 0)
    source.complete(1)
    assert Device(source).play(0.01).any()


def test_it_waits_for_more_no_longer_than_it_is_told() -> None:
    source = buffer(prebuffer_ms=50)
    source.put(tone(20 * MS), 1, 0)
    played = Device(source).play(0.2)
    assert np.flatnonzero(played)[0] == pytest.approx(50 * MS, abs=2)


def late(times_ms: list[int], prebuffer_ms: int) -> tuple[np.ndarray, list[int]]:
    """What is heard of pieces of 40 ms that come at these times, and the silences within."""
    source = buffer(prebuffer_ms=prebuffer_ms)
    sound, device = tone(40 * MS * len(times_ms)), Device(source)
    for number, at in enumerate(times_ms):
        device.play((at - len(device.sound) / MS) / 1000)
        piece = sound[number * 40 * MS : (number + 1) * 40 * MS]
        source.put(piece, 1, number * 40_000_000 + 500 * at)  # the service's time means nothing
    source.complete(1)
    device.play(0.5)
    return device.sound, list(source.underruns)


def test_jitter_within_the_buffer_is_not_heard() -> None:
    sound, underruns = late([0, 70, 90, 150, 170, 240], 60)
    assert underruns == []
    begin = np.flatnonzero(sound)[0]
    whole = tone(240 * MS)
    begin -= np.flatnonzero(whole)[0]
    end = begin + len(whole)
    assert np.abs(sound[begin:end][FADE + 3 : -FADE] - whole[FADE + 3 : -FADE]).max() == 0
    assert not sound[end:].any()


def test_what_comes_too_late_is_a_silence_without_a_click_and_counted_once() -> None:
    sound, underruns = late([0, 40, 200, 210, 250, 300], 20)
    assert len(underruns) == 1
    assert underruns[0] == pytest.approx(120e6, abs=40e6)
    assert splatter(sound) < CLICK


def test_pieces_that_all_come_late_do_not_click_either() -> None:
    sound, underruns = late([0, 60, 120, 180, 240, 300], 10)
    assert len(underruns) == 5
    assert splatter(sound) < CLICK


def test_a_turn_that_follows_another_is_no_underrun() -> None:
    source = buffer()
    device = Device(source)
    source.put(tone(100 * MS), 1, 0)
    device.play(0.2)
    source.put(tone(100 * MS), 2, 200_000_000)
    device.play(0.2)
    assert not source.underruns


def test_a_gap_in_the_media_time_of_live_sound_is_no_underrun() -> None:
    source = buffer()
    device = Device(source)
    source.put(tone(100 * MS), 0, 0)
    device.play(0.2)
    source.put(tone(100 * MS), 0, 200_000_000)
    device.play(0.2)
    assert not source.underruns
    source.put(tone(100 * MS), 0, 300_000_000)
    device.play(0.2)
    assert list(source.underruns) == [100_000_000]


# --- clicks ---


def test_the_measure_finds_a_click() -> None:
    bare = np.concatenate([np.zeros((800, 1)), tone(1600), np.zeros((800, 1))])
    assert splatter(bare) > CLICK + 20
    assert splatter(tone(1600)[64:-64] * np.hanning(1600 - 128).reshape(-1, 1)) < CLICK


def borders() -> Iterator[np.ndarray]:
    for phase in (0.0, 0.8, 1.6, 2.4):
        source = buffer()
        for turn in (1, 2, 3):
            source.put(tone(1000 + turn, phase=phase * turn), turn, turn * 1_000_000_000)
        source.complete(3)
        yield Device(source).play(0.3)
        source = buffer()
        for number in range(3):  # a gate that closes and opens
            source.put(tone(1000, phase=phase * number), 0, number * 1_000_000_000)
        yield Device(source, 77).play(0.3)


def test_turns_and_gaps_do_not_click_at_their_borders() -> None:
    for sound in borders():
        assert np.count_nonzero(sound) > 2800
        assert splatter(sound) < CLICK


@pytest.mark.parametrize("block", [BLOCK, 64, 1024])
def test_an_interruption_is_silence_within_a_block_and_no_click(block: int) -> None:
    for after in range(3, 12):
        source = buffer()
        source.put(tone(2 * RATE), 1, 0)
        device = Device(source, block)
        device.play(after * block / RATE)
        heard = len(device.sound)
        source.cut(1)
        device.play(0.3)
        end = np.flatnonzero(device.sound)[-1]
        assert heard <= end < heard + FADE
        assert splatter(device.sound) < CLICK
        assert source.dropped == 2 * RATE - heard - FADE
        assert source.dropped_chunks == 1
        source.put(tone(1600), 1, 0)
        source.put(tone(1600), 2, 0)
        source.complete(2)
        assert np.count_nonzero(device.play(0.5)) > 1500
        assert source.dropped == 2 * RATE - heard - FADE + 1600


def test_a_pause_loses_nothing_and_does_not_click() -> None:
    source = buffer()
    source.put(tone(RATE), 1, 0)
    source.complete(1)
    device = Device(source)
    device.play(0.2)
    source.pause(True)
    assert not device.play(0.5)[FADE:].any()
    source.pause(False)
    device.play(1)
    assert np.count_nonzero(np.abs(device.sound) > 1) > RATE * 0.95
    assert source.held == 0
    assert splatter(device.sound) < CLICK
    assert not source.underruns


def test_the_volume_changes_smoothly() -> None:
    source = buffer()
    source.put(tone(RATE), 1, 0)
    device = Device(source)
    device.play(0.2)
    source.set_volume(0.25)
    device.play(0.1)
    quiet = device.play(0.1)
    source.set_volume(1.0)
    device.play(0.1)
    loud = device.play(0.1)
    assert np.abs(quiet).max() == pytest.approx(3000, abs=10)
    assert np.abs(loud).max() == pytest.approx(12_000, abs=10)
    assert splatter(device.sound[BLOCK:-BLOCK]) < splatter(device.sound[BLOCK : 10 * BLOCK]) + 3
