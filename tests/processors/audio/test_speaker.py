"""Tests of the loudspeaker, in virtual time: what is heard, and what is told of it."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import anyio
import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Graph,
    Interruption,
    Playback,
    ProcessorFailure,
    Report,
    Run,
    Source,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TurnEnded,
    TurnStarted,
)
from pipeline.testing import Collect
from processors.audio.devices.output import Unheard
from processors.audio.pcm import nanoseconds_of
from processors.audio.speaker import LoudSpeaker

RATE = 24_000
LATENCY = 20_000_000
Steps = Iterable[tuple[float, Frame]]


class Script(Source):
    """Gives each frame at its time, in seconds."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def frames(self) -> AsyncIterator[Frame]:
        for at, frame in self._steps:
            await anyio.sleep(max(0, at - self.context.now() / SECOND))
            yield frame


class Heard:
    """A listener on the run's clock, at the device's rate of 24 kHz."""

    def __init__(self, *, latency: int = LATENCY, **settings: Any) -> None:
        self.blocks: list[np.ndarray] = []
        self.speaker = LoudSpeaker(**settings)
        self.speaker.output = Unheard(RATE, 1, latency=latency, hear=self.blocks.append)
        self.told = Collect()
        self.report: Report

    async def play(self, steps: Steps) -> "Heard":
        graph = Graph(
            {"model": Script(steps), "speaker": self.speaker, "told": self.told},
            ["model -> speaker -> told"],
        )
        self.report = await Run(graph).execute()
        return self

    @property
    def sound(self) -> np.ndarray:
        """What comes out, from the beginning of the run on."""
        silent = np.zeros((LATENCY * RATE // SECOND, 1), np.int16)
        return np.concatenate([silent, *self.blocks])[:, 0]

    @property
    def playbacks(self) -> list[Playback]:
        return [frame for frame in self.told.frames if isinstance(frame, Playback)]

    def part(self, begin: float, end: float) -> np.ndarray:
        return self.sound[int(begin * RATE) : int(end * RATE)]

    def loudness(self, begin: float, end: float) -> float:
        return float(np.abs(self.part(begin, end)).max(initial=0))


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    wave = 12_000 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.rint(wave).astype(np.int16).reshape(-1, 1)


def turn(
    number: int, seconds: float, *, at: float, asked: float | None = None, rate: int = RATE
) -> list[tuple[float, Frame]]:
    """All of a turn at once, as the service sends faster than one listens."""
    sound, size, start = tone(seconds, rate), rate // 25, round(at * SECOND)
    asked_ns = None if asked is None else round(asked * SECOND)
    pieces = [
        AudioFrame(
            sound[i : i + size],
            rate,
            Speaker.MODEL,
            pts=start + nanoseconds_of(i, rate),
            turn=number,
        )
        for i in range(0, len(sound), size)
    ]
    frames = [TurnStarted(asked_ns, pts=start, turn=number), *pieces, TurnEnded(turn=number)]
    return [(at, frame) for frame in frames]


async def test_a_turn_is_played_when_it_comes_and_the_run_ends_when_it_was_heard() -> None:
    heard = await Heard().play(turn(1, 2, at=1))
    audible = np.flatnonzero(np.abs(heard.sound) > 100)
    assert audible[0] / RATE == pytest.approx(1.02, abs=0.015)
    assert (audible[-1] - audible[0]) / RATE == pytest.approx(2, abs=0.01)
    assert heard.report.seconds == pytest.approx(3.03, abs=0.05)
    assert heard.report.completed
    assert not heard.report.drops


async def test_it_tells_how_much_has_been_heard() -> None:
    heard = await Heard().play(turn(1, 2, at=1))
    first, *between, last = heard.playbacks
    assert (first.heard, first.playing, first.turn) == (SECOND, True, 1)
    assert (last.heard, last.playing) == (3 * SECOND, False)
    assert 18 <= len(between) <= 22
    start = float(np.flatnonzero(np.abs(heard.sound) > 100)[0] / RATE)
    for frame in between:
        assert frame.playing
        assert frame.heard - SECOND == pytest.approx(frame.pts - start * SECOND, abs=1e6)


async def test_no_one_has_to_listen_to_that() -> None:
    graph = Graph(
        {"model": Script(turn(1, 0.5, at=0)), "speaker": LoudSpeaker(device="none")},
        ["model -> speaker"],
    )
    assert graph.check() == []
    report = await Run(graph).execute()
    assert report.seconds == pytest.approx(0.53, abs=0.05)


@pytest.mark.parametrize("at", [1.5, 1.503, 1.9])
async def test_an_interruption_is_silence_within_a_block(at: float) -> None:
    heard = await Heard().play(
        [*turn(1, 4, at=1), (at, Interruption(turn=1)), *turn(2, 1, at=3, asked=2)]
    )
    assert heard.loudness(1.1, at) > 11_000
    # a block that the device has, one that fades, and what it is late
    assert heard.loudness(at + 0.02 + 0.02, 3) == 0
    assert heard.loudness(3.1, 4) > 11_000
    told = [frame for frame in heard.playbacks if frame.turn == 1]
    assert not told[-1].playing
    assert (told[-1].heard - SECOND) / SECOND == pytest.approx(at - 1, abs=0.03)
    assert told[-1].pts / SECOND == pytest.approx(at + 0.02, abs=0.015)
    assert len([frame for frame in told if not frame.playing]) == 1
    assert heard.report.drops["speaker", "interrupted"] > 50


async def test_of_a_turn_that_was_cut_before_it_began_nothing_was_heard() -> None:
    heard = await Heard().play(
        [*turn(1, 1, at=0), *turn(2, 1, at=0.1), (0.5, Interruption(turn=2)), (1.5, TurnEnded())]
    )
    told = {frame.turn: frame for frame in heard.playbacks}
    assert (told[2].heard, told[2].playing) == (SECOND // 10, False)
    assert (told[1].heard, told[1].playing) == (SECOND, False)
    assert heard.loudness(0.6, 1) > 11_000
    assert heard.loudness(1.05, 1.5) == 0


async def test_what_follows_waits_for_what_plays() -> None:
    heard = await Heard().play([*turn(1, 1, at=0), *turn(2, 1, at=0.2)])
    ends = [(f.turn, f.heard / SECOND) for f in heard.playbacks if not f.playing]
    assert ends == [(1, 1.0), (2, 1.2)]
    audible = np.flatnonzero(np.abs(heard.sound) > 100)
    assert (audible[-1] - audible[0]) / RATE == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
async def test_any_rate_is_played_whole(rate: int) -> None:
    heard = await Heard().play(turn(1, 1, at=0, rate=rate))
    audible = np.flatnonzero(np.abs(heard.sound) > 100)
    assert (audible[-1] - audible[0]) / RATE == pytest.approx(1, abs=0.01)
    assert heard.playbacks[-1].heard == pytest.approx(SECOND, abs=1e5)
    spectrum = np.abs(np.fft.rfft(heard.part(0.2, 0.8) * np.hanning(round(0.6 * RATE))))
    assert np.argmax(spectrum) == pytest.approx(440 * 0.6, abs=1)


async def test_the_end_of_a_turn_is_heard_though_the_service_is_late_to_say_so() -> None:
    """A resampler holds back the last of it."""
    *steps, (_, ended) = turn(1, 1, at=0, rate=16_000)
    heard = await Heard().play([*steps, (3.0, ended)])
    audible = np.flatnonzero(np.abs(heard.sound) > 100)
    assert (audible[-1] - audible[0]) / RATE == pytest.approx(1, abs=0.01)
    assert "underrun" not in heard.report.measurements


async def test_a_full_buffer_makes_what_comes_wait_and_loses_nothing() -> None:
    heard = await Heard(buffer_s=1.0).play(turn(1, 5, at=0))
    audible = np.flatnonzero(np.abs(heard.sound) > 100)
    assert (audible[-1] - audible[0]) / RATE == pytest.approx(5, abs=0.01)
    assert not heard.report.drops
    assert heard.report.high_water["speaker"] == 64


async def test_an_interruption_comes_through_a_full_buffer() -> None:
    heard = await Heard(buffer_s=1.0).play([*turn(1, 5, at=0)[:100], (0.5, Interruption(turn=1))])
    assert heard.loudness(0.1, 0.5) > 11_000
    assert heard.loudness(0.54, 5) == 0
    assert heard.report.seconds < 0.6


async def test_what_comes_late_is_measured() -> None:
    steps = turn(1, 1, at=0)
    late = [(0.3 if number > 10 else 0.0, frame) for number, (_, frame) in enumerate(steps)]
    heard = await Heard().play(late)
    assert "underrun" not in heard.report.measurements
    assert [frame.playing for frame in heard.playbacks].count(False) == 1
    later = [(0.7 if number > 10 else 0.0, frame) for number, (_, frame) in enumerate(steps)]
    [gap] = (await Heard().play(later)).report.measurements["underrun"]
    assert gap / SECOND == pytest.approx(0.7 - 0.4, abs=0.03)


async def test_the_response_is_measured_at_the_ear() -> None:
    steps = turn(1, 1, at=1, asked=0.4)
    silent = np.zeros((RATE // 4, 1), np.int16)
    sound = AudioFrame(silent, RATE, Speaker.MODEL, pts=SECOND, turn=1)
    later = [(at, f.replace(pts=f.pts + SECOND // 4)) for at, f in steps[1:]]
    heard = await Heard().play([steps[0], (1.0, sound), *later])
    start = float(np.flatnonzero(np.abs(heard.sound) > 100)[0] / RATE)
    assert start == pytest.approx(1.27, abs=0.015)
    [response] = heard.report.measurements["response"]
    [playout] = heard.report.measurements["response.playout"]
    assert response / SECOND == pytest.approx(start - 0.4, abs=1e-3)
    assert playout / SECOND == pytest.approx(start - 1.0, abs=1e-3)


# --- while the user speaks ---


def speech(begin: float, end: float) -> list[tuple[float, Frame]]:
    """What a gate gives, the user's sound included."""
    user = AudioFrame(np.full((RATE // 10, 1), 9000, np.int16), RATE, pts=round(begin * SECOND))
    return [
        (begin, SpeechStarted(pts=round(begin * SECOND))),
        (begin, user),
        (end, SpeechEnded(pts=round(end * SECOND))),
    ]


async def test_by_default_speech_changes_nothing() -> None:
    plain = await Heard().play(turn(1, 2, at=0))
    spoken = await Heard().play(
        [
            *turn(1, 2, at=0),
            *(step for step in speech(1, 1.5) if not isinstance(step[1], AudioFrame)),
        ]
    )
    assert np.array_equal(spoken.sound, plain.sound)


async def test_duck() -> None:
    heard = await Heard(on_speech="duck").play([*turn(1, 4, at=0), *speech(1, 1.5)])
    assert heard.loudness(0.5, 1) > 11_000
    assert heard.loudness(1.1, 1.5) == pytest.approx(12_000 * 10 ** (-15 / 20), rel=0.01)
    assert heard.loudness(1.6, 3) > 11_000


async def test_pause() -> None:
    heard = await Heard(on_speech="pause").play([*turn(1, 4, at=0), *speech(1, 1.5)])
    assert heard.loudness(1.04, 1.5) == 0
    assert heard.loudness(1.6, 4.4) > 11_000
    assert heard.playbacks[-1].heard == 4 * SECOND
    assert heard.report.seconds == pytest.approx(4.53, abs=0.05)
    assert "underrun" not in heard.report.measurements


@pytest.mark.parametrize("what", ["duck", "pause"])
async def test_if_the_service_does_not_confirm_it_the_model_goes_on(what: str) -> None:
    heard = await Heard(on_speech=what, confirm_ms=500).play([*turn(1, 6, at=0), *speech(1, 5)])
    assert heard.loudness(1.1, 1.45) < 3000
    assert heard.loudness(1.6, 4) > 11_000


@pytest.mark.parametrize("what", ["duck", "pause"])
async def test_if_the_service_confirms_it_the_turn_is_over(what: str) -> None:
    heard = await Heard(on_speech=what).play(
        [*turn(1, 6, at=0), *speech(1, 3)[:-1], (1.2, Interruption(turn=1)), *turn(2, 1, at=2)]
    )
    assert heard.loudness(1.1, 1.2) < 3000
    assert heard.loudness(1.25, 2) == 0
    assert heard.loudness(2.1, 3) > 11_000


async def test_stop() -> None:
    """The rest of the turn is dropped in all of the graph, and what follows is played."""
    late = [(1.5, frame) for _, frame in turn(1, 1, at=4)[1:-1]]
    heard = await Heard(on_speech="stop").play(
        [*turn(1, 4, at=0)[:-1], *speech(1, 1.4), *late, *turn(2, 1, at=2)]
    )
    assert heard.loudness(1.04, 2) == 0
    assert heard.loudness(2.1, 3) > 11_000
    [end] = [f for f in heard.playbacks if f.turn == 1 and not f.playing]
    assert end.heard / SECOND == pytest.approx(1, abs=0.03)


async def test_the_users_own_sound_is_not_played_with_the_marks_of_a_gate() -> None:
    for what, loud in (("ignore", True), ("duck", False)):
        heard = await Heard(on_speech=what).play(speech(0, 0.5))
        assert (heard.loudness(0, 1) > 0) is loud


def test_without_a_gate_it_says_that_it_cannot_yield_to_the_user() -> None:
    class Talker(Source):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            yield AudioFrame(tone(0.1), RATE, Speaker.MODEL, turn=1)

    speaker = LoudSpeaker("none", on_speech="duck")
    (finding,) = Graph({"model": Talker(), "speaker": speaker}, ["model -> speaker"]).check()
    assert "nothing tells it when the user speaks" in finding.message
    assert finding.hint == "wire a vad_gate to it: `gate -> speaker`"


# --- live sound ---


def live(seconds: float, clock: float) -> list[tuple[float, Frame]]:
    """Sound as from a microphone, whose seconds are `clock` of ours."""
    sound, size = tone(seconds), RATE // 50
    return [
        (
            (i + size) / RATE * clock,
            AudioFrame(sound[i : i + size], RATE, pts=nanoseconds_of(i, RATE)),
        )
        for i in range(0, len(sound), size)
    ]


@pytest.mark.parametrize("clock", [1.0015, 0.9985])
async def test_a_clock_that_drifts_is_followed(clock: float) -> None:
    """Without that, there would be no sound left after a minute, or ever more of it."""
    pytest.importorskip("soxr", "1.1")
    heard = await Heard(prebuffer_ms=80).play(live(40, clock))
    assert not heard.report.measurements["underrun"]
    audible = np.flatnonzero(np.abs(heard.sound) > 100)
    assert (audible[-1] - audible[0]) / RATE == pytest.approx(40 * clock, abs=0.1)
    *_, late = [f for f in heard.playbacks if f.playing]
    behind = late.pts - late.heard * clock
    assert 0 < behind / SECOND < 0.15


# --- what goes wrong ---


class Broken(Unheard):
    def check(self) -> None:
        if self.now() > self._begin + SECOND:
            raise RuntimeError("unplugged")

    async def _play(self, pull: Any) -> None:
        self._begin = self.now()
        await super()._play(pull)


async def test_a_device_that_goes_away_ends_the_run() -> None:
    heard = Heard()
    heard.speaker.output = Broken(RATE, 1)
    with pytest.raises(ProcessorFailure, match='"speaker" failed: RuntimeError: unplugged'):
        await heard.play(turn(1, 4, at=0.5))
