"""Tests of a conversation in one file: whose sound is where, to the sample."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from anyio.lowlevel import checkpoint

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Gap,
    Graph,
    Interruption,
    Playback,
    ProcessorFailure,
    Report,
    Run,
    SettingError,
    Source,
    Speaker,
    TurnEnded,
    TurnStarted,
)
from pipeline.testing import VirtualTimeLoop, run_virtually
from processors.audio.files.sound_file import SUFFIXES
from processors.audio.pcm import count_of, nanoseconds_of
from processors.audio.recorder import Recorder

RATE = 8000
FADE = RATE // 200
Step = tuple[float, Frame]


@pytest.fixture
def anyio_backend() -> Any:
    """Trio's virtual clock does not wait for the thread that writes."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Script(Source):
    """Gives each frame at its time, in seconds."""

    def __init__(self, steps: Iterable[Step], until: float = 0) -> None:
        self._steps = sorted(steps, key=lambda step: step[0])
        self._until = until

    async def frames(
        self,
    ) -> AsyncIterator[AudioFrame | TurnStarted | TurnEnded | Interruption | Gap]:
        for at, frame in self._steps:
            await anyio.sleep(max(0, at - self.context.now() / SECOND))
            yield frame  # type: ignore[misc]
        await anyio.sleep(max(0, self._until - self.context.now() / SECOND))


class Listener(Script):
    """Reports what it has heard."""

    async def frames(self) -> AsyncIterator[Playback]:
        async for frame in super().frames():
            assert isinstance(frame, Playback)
            yield frame


def sound(count: int, channels: int = 1, *, first: int = 3) -> np.ndarray:
    """Samples that tell where they are, soft at both ends."""
    values = first + np.arange(count) * 7 % 20_000
    values[-1] = values[0] = 0
    return np.repeat(values.astype(np.int16)[:, None], channels, axis=1)


def chirp(seconds: float, rate: int) -> np.ndarray:
    """Rises from 200 to 2000 Hz, so that it fits itself at one place only."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (200 * time + 900 * time**2 / seconds)
    return np.rint(10_000 * np.sin(phase) * np.sin(np.pi * time / seconds)).astype(np.int16)


def user(samples: np.ndarray, at: float = 0, rate: int = RATE) -> list[Step]:
    """As it is spoken, in frames of 20 ms."""
    size = rate // 50
    begin = round(at * SECOND)
    return [
        (
            at + min(i + size, len(samples)) / rate,
            AudioFrame(samples[i : i + size], rate, pts=begin + nanoseconds_of(i, rate)),
        )
        for i in range(0, len(samples), size)
    ]


def model(samples: np.ndarray, at: float, turn: int = 1, *, rate: int = RATE) -> list[Step]:
    """All at once, in frames of 100 ms that follow one another in media time."""
    size = rate // 10
    begin = round(at * SECOND)
    return [
        (
            at,
            AudioFrame(
                samples[i : i + size],
                rate,
                Speaker.MODEL,
                pts=begin + nanoseconds_of(i, rate),
                turn=turn,
            ),
        )
        for i in range(0, len(samples), size)
    ]


def perform(
    steps: Iterable[Step], recorder: Recorder, until: float = 0, heard: Iterable[Step] | None = None
) -> Report:
    processors = {"talk": Script(steps, until), "recorder": recorder}
    flow = ["talk -> recorder"]
    if heard is not None:
        processors["listener"] = Listener(heard, until)
        flow.append("listener -> recorder")
    return run_virtually(Graph(processors, flow))


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16", always_2d=True)[0]


def marks(path: Path) -> list[dict[str, Any]]:
    text = path.with_name(f"{path.name}.markers.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


# --- where the sound is ---


def test_the_user_is_on_the_left_and_the_model_on_the_right_when_they_spoke(tmp_path: Path) -> None:
    path = tmp_path / "new" / "talk.wav"
    one, two, three = sound(2 * RATE), sound(3 * RATE, first=50), sound(RATE, first=90)
    steps = [*user(one, 0.5), *model(two, 2.0), *user(three, 3.25)]
    report = perform(steps, Recorder(str(path), rate=RATE))
    expected = np.zeros((5 * RATE, 2), np.int16)
    expected[RATE // 2 :][: len(one), 0] = one[:, 0]
    expected[13 * RATE // 4 :][: len(three), 0] = three[:, 0]
    expected[2 * RATE :][: len(two), 1] = two[:, 0]
    assert np.array_equal(read(path), expected)
    assert soundfile.info(path).samplerate == RATE
    assert report.files == [str(path)]
    assert not report.drops


def test_in_mono_both_are_in_one_channel_and_what_is_too_loud_is_clipped(tmp_path: Path) -> None:
    loud = np.full((RATE, 1), 20_000, np.int16)
    steps = [*user(loud), *model(loud, 0.5)]
    perform(steps, Recorder(str(tmp_path / "a.wav"), "mono", RATE))
    (have,) = read(tmp_path / "a.wav").T
    assert len(have) == 3 * RATE // 2
    assert np.all(have[FADE : RATE // 2] == 20_000)
    assert np.all(have[RATE // 2 + FADE : RATE - FADE] == 32_767)
    assert have.min() >= 0


def test_two_users_at_once_are_added(tmp_path: Path) -> None:
    steps = user(sound(RATE)) + user(sound(RATE // 2, first=500), 0.2515)
    perform(steps, Recorder(str(tmp_path / "a.wav"), rate=RATE))
    expected = sound(RATE)[:, 0].astype(int)
    expected[2012 : 2012 + RATE // 2] += sound(RATE // 2, first=500)[:, 0]
    assert np.array_equal(read(tmp_path / "a.wav")[:, 0], np.minimum(expected, 32_767))


@pytest.mark.parametrize(("mine", "its"), [(8000, 24_000), (16_000, 48_000), (44_100, 8000)])
def test_rates_become_one_and_everything_stays_in_its_place(
    tmp_path: Path, mine: int, its: int
) -> None:
    steps = user(np.repeat(chirp(1.5, mine)[:, None], 2, axis=1), 0.25, mine)
    steps += model(chirp(1, its)[:, None], 0.5, rate=its)
    report = perform(steps, Recorder(str(tmp_path / "a.flac"), rate=24_000))
    have = read(tmp_path / "a.flac").astype(float)
    for channel, at, seconds in ((0, 0.25, 1.5), (1, 0.5, 1.0)):
        wanted = chirp(seconds, 24_000).astype(float)
        place = round(at * 24_000)
        part = np.pad(have[:, channel], 60)[place : place + len(wanted) + 120]
        fits = np.correlate(part, wanted)
        assert int(fits.argmax()) == 60
        assert np.abs(part[60:-60] - wanted).max() < 30  # -50 dB of its level
    assert len(have) == 24_000 * 7 // 4
    assert not report.drops


def test_frames_whose_times_waver_join(tmp_path: Path) -> None:
    one = sound(2 * RATE)
    wavering = np.random.default_rng(1).integers(-2_500_000, 2_500_000, 200)
    steps = [
        (at, frame.replace(pts=frame.pts + (int(more) if i else 0)))
        for i, ((at, frame), more) in enumerate(zip(user(one), wavering, strict=False))
    ]
    perform(steps, Recorder(str(tmp_path / "a.wav"), rate=RATE))
    assert np.array_equal(read(tmp_path / "a.wav")[:, 0], one[:, 0])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "minutes" in metafunc.fixturenames:
        slow = metafunc.config.option.markexpr == "slow"
        metafunc.parametrize("minutes", [pytest.param(30, marks=pytest.mark.slow)] if slow else [2])


def test_a_long_session_drifts_by_no_sample(tmp_path: Path, minutes: int) -> None:
    """At a rate in which 20 ms and a nanosecond are no whole numbers of samples."""
    rate, count = 11_025, minutes * 60 * 50
    size, click = 221, np.zeros((221, 1), np.int16)
    click[100] = 200

    class Live(Source):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            for number in range(count):
                yield AudioFrame(click, rate, pts=nanoseconds_of(number * size, rate))
                end = nanoseconds_of((number + 1) * size, rate)
                await anyio.sleep((end - self.context.now()) / SECOND)

    recorder = Recorder(str(tmp_path / "a.wav"), rate=rate)
    run_virtually(Graph({"live": Live(), "recorder": recorder}, ["live -> recorder"]))
    left = read(tmp_path / "a.wav")[:, 0]
    assert len(left) == count * size
    assert np.array_equal(np.flatnonzero(left), 100 + size * np.arange(count))


# --- what was heard of the model ---


def test_an_interruption_cuts_what_has_not_been_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    first, second = sound(4 * RATE), sound(RATE, first=90)
    late = model(sound(RATE), 5.0)  # goes on with the first turn
    steps = [*model(first, 1.0), (2.345, Interruption(turn=1))]
    steps += [(2.345, frame) for _, frame in late]
    perform([*steps, *model(second, 3.0, 2)], Recorder(str(path), rate=RATE))
    right = read(path)[:, 1]
    cut = count_of(2_345_000_000, RATE)
    assert np.array_equal(right[RATE : cut - FADE], first[: cut - RATE - FADE, 0])
    assert abs(int(right[cut - 1])) < 10
    assert not right[cut : 3 * RATE].any()
    assert np.array_equal(right[3 * RATE :], second[:, 0])
    assert {"at": 2.345, "turn": 1, "event": "interrupted"} in marks(path)


def reports(turn: int, begin: float, seconds: float, delay: float) -> list[Step]:
    """Ten a second, of a turn that a loudspeaker plays `delay` later than it was made for."""
    ends = [min(seconds, (number + 1) / 10) for number in range(round(seconds * 10 + 0.499))]
    return [
        (
            begin + delay + heard,
            Playback(
                round((begin + heard) * SECOND),
                heard < seconds,
                pts=round((begin + delay + heard) * SECOND) + (number % 3 - 1) * 3_000_000,
                turn=turn,
            ),
        )
        for number, heard in enumerate(ends)
    ]


def test_what_a_loudspeaker_played_is_where_and_as_long_as_it_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    first, second = sound(4 * RATE), sound(RATE, first=90)
    steps = [*model(first, 1.0), (2.5, Interruption(turn=1)), *model(second, 3.0, 2)]
    heard = reports(1, 1.0, 1.25, 0.2) + reports(2, 3.0, 1.0, 0.15)
    perform(steps, Recorder(str(path), rate=RATE), 5, heard)
    right = read(path)[:, 1]
    begin = count_of(1_200_000_000 - 3_000_000, RATE)  # as the first report has it
    stop = begin + 5 * RATE // 4
    assert np.array_equal(right[begin : stop - FADE], first[: 5 * RATE // 4 - FADE, 0])
    assert not right[:begin].any()
    assert not right[stop : 3 * RATE].any()
    begin = count_of(3_150_000_000 - 3_000_000, RATE)
    assert np.array_equal(right[begin : begin + RATE], second[:, 0])
    assert not right[begin + RATE :].any()


def test_a_pause_of_the_loudspeaker_is_a_pause_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    first = sound(RATE)
    half = [step for step in reports(1, 1.0, 1.0, 0.1) if step[1].heard <= 1.5 * SECOND]  # type: ignore[attr-defined]
    rest = [step for step in reports(1, 1.0, 1.0, 0.4) if step[1].heard > 1.5 * SECOND]  # type: ignore[attr-defined]
    perform(model(first, 1.0), Recorder(str(path), rate=RATE), 3, half + rest)
    right = read(path)[:, 1]
    begin = count_of(1_097_000_000, RATE)
    assert np.array_equal(right[begin : begin + RATE // 2 - FADE], first[: RATE // 2 - FADE, 0])
    pause = right[begin + RATE // 2 :][: RATE * 3 // 10 - FADE]
    assert not pause.any()
    assert np.array_equal(right[right != 0][-RATE // 4 :], first[-RATE // 4 - 1 : -1, 0])


def test_a_loudspeaker_that_heard_nothing_of_a_turn_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    heard = [(1.5, Playback(SECOND, False, pts=SECOND * 3 // 2, turn=1))]
    perform(model(sound(RATE), 1.0), Recorder(str(path), rate=RATE), 3, heard)
    assert not read(path).any()


# --- marks ---


def test_gaps_turns_and_holes_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    steps: list[Step] = [
        *user(sound(RATE)),
        (1.0, Gap(SECOND // 2, pts=SECOND // 4)),
        (1.5, TurnStarted(turn=1, pts=SECOND * 3 // 2)),
        *user(sound(RATE), 1.75),
        (3.0, TurnEnded(turn=1, pts=3 * SECOND)),
    ]
    perform(steps, Recorder(str(path), rate=RATE))
    assert marks(path) == [
        {"at": 0.25, "gap": 0.5, "speaker": "user"},
        {"at": 1.5, "turn": 1, "event": "started"},
        {"at": 1.0, "silence": 0.75, "speaker": "user"},
        {"at": 3.0, "turn": 1, "event": "ended"},
    ]


def test_marks_can_be_left_out(tmp_path: Path) -> None:
    recorder = Recorder(str(tmp_path / "a.wav"), rate=RATE, markers=False)
    perform([(0, Gap(SECOND))], recorder, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]


def test_a_recording_goes_on_from_file_to_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    one = sound(5 * RATE // 2)
    report = perform(user(one), Recorder(str(path), rate=RATE, rotate_s=1.0))
    paths = [tmp_path / f"a-00{number}.wav" for number in (1, 2, 3)]
    assert report.files == [str(file) for file in paths]
    assert np.array_equal(np.concatenate([read(file) for file in paths])[:, 0], one[:, 0])
    assert [len(read(file)) for file in paths] == [RATE, RATE, RATE // 2]
    assert marks(path) == [{"at": number, "file": f"a-00{number + 1}.wav"} for number in range(3)]


# --- the file while the run goes on, and when something fails ---


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_the_file_is_less_than_a_second_behind_also_in_silence(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    rate = 16_000
    behind = []

    class Live(Source):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            for at, frame in user(sound(rate), 0, rate):
                await anyio.sleep(at - self.context.now() / SECOND)
                yield frame  # type: ignore[misc]
            for _ in range(25):
                await anyio.sleep(0.1011)
                behind.append(self.context.now() / SECOND - len(read(path)) / rate)

    recorder = Recorder(str(path), rate=rate)
    await Run(Graph({"live": Live(), "recorder": recorder}, ["live -> recorder"])).execute()
    assert len(behind) == 25
    assert max(behind) < 1


def test_what_comes_too_late_is_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    late = [(at + 2, frame) for at, frame in user(sound(RATE))]
    report = perform(late, Recorder(str(tmp_path / "a.wav"), rate=RATE), 5)
    assert report.drops["recorder", "too late for the recording"] == 50
    (message,) = caplog.messages
    assert message == "sound came more than 0.5 s late, and is not in the recording"


def test_a_loop_that_was_held_up_loses_nothing(tmp_path: Path) -> None:
    class HeldUp(Source):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            steps = user(sound(4 * RATE))
            for number, (at, frame) in enumerate(steps):
                if number == 50:
                    import asyncio

                    loop = asyncio.get_running_loop()
                    assert isinstance(loop, VirtualTimeLoop)
                    loop.jump(2)
                await anyio.sleep(max(0, at - self.context.now() / SECOND))
                yield frame  # type: ignore[misc]

    recorder = Recorder(str(tmp_path / "a.wav"), rate=RATE)
    report = run_virtually(Graph({"user": HeldUp(), "rec": recorder}, ["user -> rec"]))
    assert not report.drops
    assert np.array_equal(read(tmp_path / "a.wav")[:, 0], sound(4 * RATE)[:, 0])


def test_sound_that_comes_faster_than_time_needs_little_memory(tmp_path: Path) -> None:
    size, count = 10 * RATE, 60
    recorder = Recorder(str(tmp_path / "a.wav"), "mono", RATE)
    waiting = []

    class Fast(Source):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            for number in range(count):
                samples = np.full((size, 1), number, np.int16)
                yield AudioFrame(samples, RATE, pts=nanoseconds_of(number * size, RATE))
                await checkpoint()
                waiting.append(recorder._sides.end - recorder._sides.taken)

    run_virtually(Graph({"fast": Fast(), "recorder": recorder}, ["fast -> recorder"]))
    assert max(waiting) <= 311 * RATE
    have = read(tmp_path / "a.wav")[:, 0]
    assert np.array_equal(have[::size], np.arange(count))
    assert len(have) == count * size


def test_a_run_that_is_cancelled_keeps_what_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def execute() -> None:
        graph = Graph(
            {"talk": Script(model(sound(5 * RATE), 1.0), 9), "rec": Recorder(str(path), rate=RATE)},
            ["talk -> rec"],
        )
        run = Run(graph)
        async with anyio.create_task_group() as group:
            group.start_soon(run.execute)
            await anyio.sleep(2.5)
            run.cancel()

    anyio.run(execute, backend_options={"loop_factory": VirtualTimeLoop})
    right = read(path)[:, 1]
    assert len(right) == pytest.approx(2.5 * RATE, abs=2)
    assert np.array_equal(right[RATE : 2 * RATE], sound(5 * RATE)[:RATE, 0])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_ends_the_run_with_path_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.symlink_to("/dev/full")
    words = r'"recorder" failed: OSError: \[Errno 28\] No space left on device: .*a\.wav'
    with pytest.raises(ProcessorFailure, match=words):
        perform(user(sound(RATE)), Recorder(str(path), rate=RATE, markers=False))


def test_a_disk_that_fills_up_is_told_with_the_next_frame(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.wav"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (44 + 8 * RATE, before[1]))
    words = r'"recorder" failed on AudioFrame: OSError: \[Errno 27\] File too large: .*a\.wav'
    try:
        with pytest.raises(ProcessorFailure, match=words):
            perform(user(sound(9 * RATE)), Recorder(str(path), rate=RATE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    left = read(path)[:, 0]
    assert 1.9 * RATE <= len(left) <= 2 * RATE
    assert np.array_equal(left, sound(9 * RATE)[: len(left), 0])


TALK = """
import os, sys
from collections.abc import AsyncIterator

import anyio
import numpy as np

from pipeline import AudioFrame, Graph, Source, Speaker, run
from processors.audio.recorder import Recorder

RATE = 16_000


class Talk(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        count, tone = 0, np.rint(8000 * np.sin(np.arange(320) * np.pi / 40)).astype(np.int16)
        while True:
            await anyio.sleep(max(0, count / RATE - self.context.now() / 1e9))
            yield AudioFrame(tone[:, None], RATE, pts=count * 62_500)
            if count % 16_000 == 0:
                reply = np.tile(tone, 50)[:, None]
                yield AudioFrame(reply, RATE, Speaker.MODEL, pts=count * 62_500)
            count += 320
            os.write(1, b".")


run(Graph({"talk": Talk(), "recorder": Recorder(sys.argv[1], rate=RATE)}, ["talk -> recorder"]))
"""


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
def test_a_killed_process_loses_less_than_a_second(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    command = [sys.executable, "-c", TALK, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        given = len(process.stdout.read(100))
        process.kill()
        given += len(process.stdout.read())
    assert given >= 100
    samples = read(path).astype(float)
    assert given * 320 - len(samples) < 16_000
    for channel in range(2):  # both sides, all of the time
        parts = samples[2400 : len(samples) // 320 * 320 - 320, channel]
        parts = parts[: len(parts) // 320 * 320].reshape(-1, 320)
        assert np.sqrt((parts**2).mean(axis=1)).min() > 4000


# --- settings ---


@pytest.mark.parametrize(
    ("name", "rate", "message"),
    [
        ("a.aac", 24_000, r"a\.aac must end in \.wav, \.flac, \.mp3, \.ogg or \.opus"),
        ("a.opus", 44_100, r"a\.opus cannot be at 44100 Hz"),
    ],
)
def test_what_cannot_be_written_is_refused(name: str, rate: int, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Recorder(name, rate=rate)


def test_where_no_file_can_be_is_found_before_anything_runs(tmp_path: Path) -> None:
    for folder in ("a.wav", "b.wav.markers.jsonl"):
        (tmp_path / folder).mkdir()
    for name, message in (
        ("a.wav", "a.wav is a folder"),
        ("b.wav", "b.wav.markers.jsonl is a folder"),
    ):
        recorder = Recorder(str(tmp_path / name))
        (finding,) = Graph({"talk": Script([]), "rec": recorder}, ["talk -> rec"]).check()
        assert finding.message == f'"rec": {tmp_path}/{message}'


def test_several_rates_may_come(tmp_path: Path) -> None:
    class At(Script):
        def audio_out(self, incoming: Any) -> Any:
            return type(incoming)(self._until, 1)

    graph = Graph(
        {"a": At([], 8000), "b": At([], 24_000), "rec": Recorder(str(tmp_path / "a.wav"))},
        ["a -> rec", "b -> rec"],
    )
    assert graph.check() == []
