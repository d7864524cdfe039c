"""Tests of the resampler, against soxr and the filter given the whole signal at once."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import SECOND, AudioFormat, AudioFrame, Graph, SettingError, Speaker
from pipeline.testing import Collect, VirtualTimeLoop, feed
from processors.audio.pcm import mix, nanoseconds_of, silence
from processors.audio.resampler import Resampler
from processors.audio.resampling.polyphase import Polyphase
from processors.audio.resampling.stream import Quality
from processors.audio.source import AudioSource

RATES = [8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]
ROUNDED = 0.55
"""Rounding by up to half of the last bit, of what is computed in single precision."""
QUALITIES: list[Quality] = ["live", "best"]


def sound(count: int, channels: int = 1, *, amplitude: float = 8000, seed: int = 0) -> np.ndarray:
    samples = amplitude * np.random.default_rng(seed).standard_normal((count, channels))
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def cut(
    samples: np.ndarray, rate: int, sizes: Iterable[int], *, start: int = 0, **fields: Any
) -> Iterator[AudioFrame]:
    """Frames of these sizes, the last of which takes the rest."""
    at = 0
    for size in (*sizes, len(samples)):
        part = samples[at : at + size]
        yield AudioFrame(part, rate, pts=start + nanoseconds_of(at, rate), **fields)
        at += len(part)
        if at == len(samples):
            return


def whole(samples: np.ndarray, rate: int, to: int, quality: Quality = "live") -> np.ndarray:
    """The signal resampled at once; by soxr in floating point and clipped, but not rounded."""
    if quality == "live":
        filtered = Polyphase(rate, to, samples.shape[1])
        return np.concatenate([filtered.push(samples), filtered.finish()])
    return np.clip(soxr.resample(samples.astype(float), rate, to, quality="VHQ"), -32768, 32767)


def joined(frames: Iterable[Any]) -> np.ndarray:
    return np.concatenate([frame.samples for frame in frames])


@st.composite
def streams(draw: st.DrawFn) -> dict[str, Any]:
    rate, to = draw(st.lists(st.sampled_from(RATES), min_size=2, max_size=2, unique=True))
    count = draw(st.integers(1, 6000))
    samples = sound(
        count,
        draw(st.integers(1, 2)),
        amplitude=draw(st.sampled_from([0, 1, 100, 8000, 32767])),
        seed=draw(st.integers(0, 99)),
    )
    sizes = draw(st.lists(st.integers(1, max(1, count // 3)), max_size=40))
    start = draw(st.integers(0, 3600 * SECOND))
    return {"samples": samples, "rate": rate, "to": to, "sizes": sizes, "start": start}


@settings(deadline=None)
@given(streams(), st.sampled_from(QUALITIES))
def test_any_chunks_give_the_same_as_the_whole_signal(stream: Any, quality: Any) -> None:
    samples, rate, to, start = stream["samples"], stream["rate"], stream["to"], stream["start"]
    given_frames = list(cut(samples, rate, stream["sizes"], start=start))
    options = {"loop_factory": VirtualTimeLoop}
    frames: Any = anyio.run(
        feed, Resampler(to, quality=quality), given_frames, backend_options=options
    )
    expected = whole(samples, rate, to, quality)
    assert abs(len(expected) - len(samples) * to / rate) <= 0.5
    assert sum(len(frame.samples) for frame in frames) == len(expected)
    position = 0
    for frame in frames:
        assert (frame.rate, frame.samples.dtype) == (to, np.int16)
        assert frame.pts == start + nanoseconds_of(position, to)
        part = expected[position : position + len(frame.samples)]
        assert np.abs(frame.samples - part).max() <= ROUNDED
        position += len(frame.samples)


@pytest.mark.parametrize("channels", [1, 2])
async def test_channels_are_mixed_before_resampling(channels: int) -> None:
    samples = sound(4000, 3 - channels)
    frames = await feed(Resampler(16_000, channels), cut(samples, 48_000, [960] * 4))
    expected = whole(mix(samples, channels), 48_000, 16_000)
    assert joined(frames).shape == expected.shape
    assert np.abs(joined(frames) - expected).max() <= ROUNDED


async def test_opposite_channels_cancel_each_other() -> None:
    samples = sound(4800)
    samples = np.concatenate([samples, -samples], axis=1)
    frames = await feed(Resampler(16_000, channels=1), [AudioFrame(samples, 48_000)])
    assert len(joined(frames)) == 1600
    assert np.abs(joined(frames)).max() <= 1


async def test_frames_that_are_right_already_pass_unchanged() -> None:
    given_frames = list(cut(sound(2000, 2), 16_000, [320] * 5))
    for resampler in (Resampler(16_000), Resampler(16_000, channels=2)):
        frames = await feed(resampler, given_frames)
        assert all(a is b for a, b in zip(frames, given_frames, strict=True))


async def test_at_equal_rates_only_the_channels_change() -> None:
    samples = sound(320, 2)
    origin = AudioFrame(samples, 16_000, pts=7, born=8, turn=9, speaker=Speaker.TONE)
    (frame,) = await feed(Resampler(16_000, channels=1), [origin])
    assert np.array_equal(frame.samples, mix(samples, 1))
    assert (frame.rate, frame.pts, frame.born, frame.turn) == (16_000, 7, 8, 9)
    assert frame.speaker is Speaker.TONE


async def test_what_comes_out_belongs_where_it_came_from() -> None:
    origin = AudioFrame(sound(4800), 48_000, pts=5, born=6, turn=7, speaker=Speaker.MODEL)
    for frame in await feed(Resampler(16_000), [origin]):
        assert (frame.born, frame.turn, frame.speaker) == (6, 7, Speaker.MODEL)


FIRST = AudioFrame(sound(481), 48_000, pts=SECOND, turn=1, speaker=Speaker.MODEL)


@pytest.mark.parametrize(
    "change",
    [
        {"pts": FIRST.end + 1_000_000},
        {"pts": FIRST.end - 1_000_000},
        {"pts": 0},
        {"turn": 2},
        {"speaker": Speaker.TONE},
        {"rate": 44_100},
        {"samples": sound(481, 2)},
    ],
    ids=["gap", "overlap", "earlier", "turn", "speaker", "rate", "channels"],
)
async def test_another_stream_begins_after_the_tail_of_the_one_before(change: Any) -> None:
    second = FIRST.replace(**{"pts": FIRST.end, "samples": sound(481, seed=1)} | change)
    alone = [*await feed(Resampler(16_000), [FIRST]), *await feed(Resampler(16_000), [second])]
    together = await feed(Resampler(16_000), [FIRST, second])
    for frame, expected in zip(together, alone, strict=True):
        assert frame.samples.shape == expected.samples.shape
        assert np.array_equal(frame.samples, expected.samples)
        assert frame.pts == expected.pts
        assert (frame.turn, frame.speaker) == (expected.turn, expected.speaker)


async def test_the_tail_comes_before_frames_that_need_no_resampling() -> None:
    second = FIRST.replace(rate=16_000, pts=FIRST.end)
    *tail, last = await feed(Resampler(16_000), [FIRST, second])
    assert last is second
    assert len(joined(tail)) == 160


@pytest.mark.parametrize("shift", [-999_999, 999_999])
async def test_jitter_of_less_than_a_millisecond_is_no_gap(shift: int) -> None:
    second = FIRST.replace(pts=FIRST.end + shift)
    frames = await feed(Resampler(16_000), [FIRST, second])
    assert len(joined(frames)) == 321  # two streams would give 160 each
    assert frames[0].pts == FIRST.pts


def test_an_interruption_drops_the_tail_of_its_turn() -> None:
    resampler = Resampler(16_000)
    given_before = list(resampler.process(FIRST))
    resampler.interrupted(1)
    assert list(resampler.flush()) == []
    assert sum(len(frame.samples) for frame in given_before) < 160


def test_nothing_of_an_interrupted_turn_is_in_the_next_stream() -> None:
    resampler = Resampler(16_000)
    list(resampler.process(FIRST))
    resampler.interrupted(1)
    second = FIRST.replace(samples=sound(481, amplitude=0), pts=FIRST.end, turn=2)
    frames = [*resampler.process(second), *resampler.flush()]
    assert np.abs(joined(frames)).max() <= 1
    assert len(joined(frames)) == 160
    assert frames[0].pts == second.pts


@pytest.mark.parametrize("turn", [0, 2])
def test_an_interruption_leaves_other_turns_alone(turn: int) -> None:
    resampler = Resampler(16_000)
    frames = list(resampler.process(FIRST))
    resampler.interrupted(turn)
    frames += resampler.flush()
    assert len(joined(frames)) == 160


def test_flushing_twice_or_before_anything_came_gives_nothing() -> None:
    resampler = Resampler(16_000)
    assert list(resampler.flush()) == []
    list(resampler.process(FIRST))
    assert list(resampler.flush()) != []
    assert list(resampler.flush()) == []


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100, 48_000])
def test_live_holds_back_less_than_two_milliseconds_and_never_a_whole_frame(rate: int) -> None:
    resampler, given_ns = Resampler(16_000), 0
    for number, frame in enumerate(cut(sound(2 * rate), rate, [rate // 50] * 100)):
        given_frames = list(resampler.process(frame))
        given_ns += sum(given_frame.duration for given_frame in given_frames)
        assert frame.end - given_ns <= 2_000_000
        assert [abs(len(f.samples) - 320) <= 1 for f in given_frames] == [True] or number == 0


def test_best_holds_back_as_much_as_it_says() -> None:
    resampler, given_ns, held = Resampler(16_000, quality="best"), 0, []
    for frame in cut(sound(4 * 48_000), 48_000, [960] * 200):
        given_ns += sum(given_frame.duration for given_frame in resampler.process(frame))
        held.append(frame.end - given_ns)
    assert 0.3 * SECOND < max(held) <= 0.4 * SECOND


async def test_rates_in_no_ratio_of_small_numbers_are_resampled_too() -> None:
    samples = sound(20_011)
    frames = await feed(Resampler(47_999), cut(samples, 48_000, [960] * 10))
    expected = soxr.resample(samples.astype(float), 48_000, 47_999, quality="LQ")
    assert np.abs(joined(frames) - np.clip(expected, -32768, 32767)).max() <= ROUNDED


@pytest.mark.parametrize("quality", QUALITIES)
def test_in_thirty_minutes_it_drifts_by_no_sample(quality: Quality) -> None:
    rate = 44_100
    resampler = Resampler(16_000, quality=quality)
    beeps = np.zeros((rate, 1), np.int16)
    beeps[: rate // 10, 0] = 20_000 * np.sin(np.arange(rate // 10) * 2 * np.pi * 440 / rate)
    seconds, count, ends = 1800, 0, []
    for second in range(seconds):
        kept = beeps if second == seconds - 1 else silence(rate)
        for frame in resampler.process(AudioFrame(kept, rate, pts=second * SECOND)):
            assert frame.pts == nanoseconds_of(count, 16_000)
            count += len(frame.samples)
            ends.append(frame)
    for frame in resampler.flush():
        count += len(frame.samples)
        ends.append(frame)
    assert count == seconds * 16_000
    last = joined(ends[-8:])[-16_000:, 0]
    expected = whole(beeps, rate, 16_000, quality)[:, 0]
    assert np.abs(last[:15_000] - expected[:15_000]).max() <= 1.5


@pytest.mark.parametrize("quality", QUALITIES)
async def test_what_exceeds_the_scale_is_clipped_and_never_wrapped(quality: Quality) -> None:
    square = np.where(np.arange(4800) // 60 % 2, 32767, -32768).astype(np.int16)[:, None]
    output = joined(await feed(Resampler(16_000, quality=quality), cut(square, 48_000, [960] * 5)))
    middles = output.reshape(-1, 20)[1:-1, 8:12].astype(int)  # of the halves of a period
    assert (np.abs(middles) > 28_000).all()
    assert (np.sign(middles) == np.where(np.arange(1, 79) % 2, 1, -1)[:, None]).all()
    assert output.max() == 32767
    assert output.min() == -32768


@pytest.mark.parametrize(
    ("channels", "incoming", "expected"),
    [
        (None, AudioFormat(48_000, 2), AudioFormat(16_000, 2)),
        (None, AudioFormat(), AudioFormat(16_000, None)),
        (1, AudioFormat(48_000, 2), AudioFormat(16_000, 1)),
        (2, AudioFormat(48_000, 1), AudioFormat(16_000, 2)),
        (2, AudioFormat(), AudioFormat(16_000, 2)),
    ],
)
def test_it_says_what_it_gives(
    channels: int | None, incoming: AudioFormat, expected: AudioFormat
) -> None:
    assert Resampler(16_000, channels).audio_out(incoming) == expected


def test_channels_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(SettingError, match="cannot turn 2 channels into 3") as caught:
        Resampler(16_000, channels=3).audio_out(AudioFormat(48_000, 2))
    assert caught.value.setting == "channels"


def test_channels_that_cannot_be_had_are_found_before_anything_runs(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sound(100, 2), 48_000)
    processors = {
        "file": AudioSource(str(tmp_path / "a.wav")),
        "to_16k": Resampler(16_000, channels=3),
        "out": Collect(),
    }
    (finding,) = Graph(processors, ["file -> to_16k -> out"]).check()
    assert finding.code == "environment"
    assert finding.message == '"to_16k": cannot turn 2 channels into 3'
