"""Tests of sound into a file: as a recording, and as if it were played."""

import asyncio
import os
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    Frame,
    Graph,
    Interruption,
    ProcessorFailure,
    Report,
    Run,
    SettingError,
    Source,
    Speaker,
    TurnStarted,
)
from pipeline.testing import VirtualTimeLoop, feed, run_virtually
from processors.audio.codecs import Encoding, encode
from processors.audio.pcm import count_of, nanoseconds_of, silence
from processors.audio.sink import AudioSink

RATE = 8000
SLICE = RATE // 50
FADE = RATE // 200


@pytest.fixture
def anyio_backend() -> Any:
    """Trio's virtual clock does not wait for the thread that writes."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def sound(count: int, channels: int = 1, *, first: int = 1000) -> np.ndarray:
    """Samples that can be heard and tell where they are."""
    values = first + np.arange(count * channels) % 20_000
    return values.astype(np.int16).reshape(count, channels)


def read(path: Path) -> np.ndarray:
    samples, _ = soundfile.read(path, dtype="int16", always_2d=True)
    return samples


class Script(Source):
    """Gives each frame at its time, in seconds."""

    def __init__(self, steps: Iterable[tuple[float, Frame]]) -> None:
        self._steps = steps

    async def frames(self) -> AsyncIterator[Frame]:
        for at, frame in self._steps:
            await anyio.sleep(max(0, at - self.context.now() / SECOND))
            yield frame


def perform(steps: Iterable[tuple[float, Frame]], sink: AudioSink) -> Report:
    return run_virtually(Graph({"model": Script(steps), "sink": sink}, ["model -> sink"]))


def answer(turn: int, samples: np.ndarray, *, at: float = 0) -> list[tuple[float, Frame]]:
    """All of a turn at once, in frames of 100 ms, as the service sends faster than one listens."""
    size = RATE // 10
    return [
        (at, AudioFrame(samples[i : i + size], RATE, turn=turn, speaker=Speaker.MODEL))
        for i in range(0, len(samples), size)
    ]


# --- a recording ---


async def test_frames_that_join_are_written_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "a.wav"
    samples = sound(2 * RATE, 2)
    frames = [
        AudioFrame(samples[i : i + 160], RATE, pts=nanoseconds_of(i, RATE))
        for i in range(0, len(samples), 160)
    ]
    await feed(AudioSink(str(path)), frames)
    assert np.array_equal(read(path), samples)
    assert soundfile.info(path).samplerate == RATE


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 40_000_000) | st.integers(0, 3 * SECOND), st.integers(1, 4000)),
        max_size=8,
    ),
    st.sampled_from([RATE, 44_100]),
)
def test_every_frame_stands_at_its_media_time(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int]], rate: int
) -> None:
    path = tmp_path_factory.mktemp("sink") / "a.wav"
    frames: list[AudioFrame] = []
    for number, (gap, count) in enumerate(pieces, start=1):
        pts = gap + (frames[-1].end if frames else 0)
        frames.append(AudioFrame(np.full((count, 1), number, np.int16), rate, pts=pts))
    options = {"loop_factory": VirtualTimeLoop}
    anyio.run(feed, AudioSink(str(path)), frames, backend_options=options)
    if not frames:
        assert not path.exists()
        return
    file = read(path)
    end = 0
    for number, frame in enumerate(frames, start=1):
        found = np.flatnonzero(file == number)
        begin = int(found[0])
        assert np.array_equal(found, np.arange(begin, begin + len(frame.samples)))
        assert not file[end:begin].any()
        early = count_of(frame.pts, rate) - begin
        assert early == 0 if begin > end else 0 <= early <= rate // 100
        end = begin + len(frame.samples)
    assert len(file) == end


async def test_frames_that_overlap_are_kept_whole(tmp_path: Path) -> None:
    samples = sound(RATE)
    frames = [AudioFrame(samples[:5000], RATE), AudioFrame(samples[5000:], RATE, pts=1000)]
    await feed(AudioSink(str(tmp_path / "a.wav")), frames)
    assert np.array_equal(read(tmp_path / "a.wav"), samples)


@pytest.mark.parametrize(("channels", "then"), [(1, 2), (2, 1)])
async def test_channels_are_those_of_the_first_frame(
    tmp_path: Path, channels: int, then: int
) -> None:
    path = tmp_path / "a.wav"
    same = np.repeat(sound(400), 2, axis=1)
    first = AudioFrame(same[:, :channels], RATE)
    await feed(AudioSink(str(path)), [first, AudioFrame(same[:, :then], RATE, pts=first.end)])
    assert np.array_equal(read(path), np.concatenate([same, same])[:, :channels])


@pytest.mark.parametrize("realtime", [False, True])
async def test_the_rate_may_not_change(tmp_path: Path, realtime: bool) -> None:
    sink = AudioSink(str(tmp_path / "a.wav"), realtime)
    frames = [AudioFrame(sound(400), RATE), AudioFrame(sound(400), 2 * RATE)]
    with pytest.raises(ProcessorFailure, match="8000 Hz, this frame at 16000 Hz") as caught:
        await feed(sink, frames)
    assert isinstance(caught.value.__cause__, SettingError)
    assert caught.value.__cause__.hint == "put a resampler before it"
    assert np.array_equal(read(tmp_path / "a.wav"), sound(400))


async def test_a_recording_keeps_what_an_interruption_cuts_short(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    frames = [frame for _, frame in answer(1, sound(RATE))]
    await feed(AudioSink(str(path)), [*frames[:5], Interruption(turn=1), *frames[5:]])
    assert np.array_equal(read(path), sound(RATE))


async def test_a_pause_of_hours_is_left_out_but_not_the_pauses_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.wav"
    times = [0, 7200 * SECOND, 7202 * SECOND]
    await feed(AudioSink(str(path)), [AudioFrame(sound(RATE), RATE, pts=pts) for pts in times])
    one = sound(RATE)
    assert np.array_equal(read(path), np.concatenate([one, one, silence(RATE), one]))
    (warning,) = caplog.messages
    assert warning == "a pause of more than an hour is left out"


def test_a_long_pause_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    frames = [(0.0, AudioFrame(sound(1), 4000, pts=pts)) for pts in (0, 3000 * SECOND)]
    tracemalloc.start()
    try:
        perform(frames, AudioSink(str(path)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert soundfile.info(path).frames == 3000 * 4000 + 1
    assert peak < path.stat().st_size / 4


def test_the_report_names_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    assert perform(answer(1, sound(10)), AudioSink(path)).files == [path]


# --- the file while the run goes on ---


@pytest.mark.parametrize("realtime", [False, True])
async def test_the_file_is_at_most_half_a_second_behind(tmp_path: Path, realtime: bool) -> None:
    path = tmp_path / "a.wav"
    behind = []

    class Live(Source):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            for number in range(100):
                yield AudioFrame(sound(SLICE), RATE, pts=number * 20_000_000)
                await anyio.sleep(0.02)
                behind.append((number + 1) * SLICE - len(read(path)))

    sink = AudioSink(str(path), realtime)
    await Run(Graph({"live": Live(), "sink": sink}, ["live -> sink"])).execute()
    assert len(behind) == 100
    assert min(behind) >= 0
    assert max(behind) < RATE // 2


ENDLESS = """
import os, sys
from collections.abc import AsyncIterator

import anyio
import numpy as np

from pipeline import AudioFrame, Graph, Source, run
from processors.audio.sink import AudioSink


class Endless(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        count = 0
        while True:
            await anyio.sleep(max(0, count / 8000 - self.context.now() / 1e9))
            samples = (np.arange(count, count + 160) % 30_000).astype(np.int16).reshape(-1, 1)
            os.write(1, b".")
            yield AudioFrame(samples, 8000, pts=count * 125_000)
            count += 160


run(Graph({"source": Endless(), "sink": AudioSink(sys.argv[1])}, ["source -> sink"]))
"""


def test_a_killed_process_leaves_a_file_that_is_at_most_half_a_second_behind(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        given_count = len(process.stdout.read(70))  # 1.4 s: the file is about to be written again
        process.kill()
        given_count += len(process.stdout.read())
    assert given_count >= 70
    samples = read(path)
    assert np.array_equal(samples[:, 0], np.arange(len(samples)) % 30_000)
    assert len(samples) >= RATE
    assert given_count * SLICE - len(samples) <= 0.6 * RATE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.symlink_to("/dev/full")
    with pytest.raises(ProcessorFailure, match=r'"sink" failed on AudioFrame: OSError.*No space'):
        perform(answer(1, sound(2 * RATE)), AudioSink(str(path)))


def test_a_disk_that_fills_up_leaves_what_was_written(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.wav"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * RATE, before[1]))
    try:
        with pytest.raises(ProcessorFailure, match=r'"sink" failed on AudioFrame: OSError'):
            perform(answer(1, sound(4 * RATE)), AudioSink(str(path)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    samples = read(path)
    assert len(samples) >= RATE
    assert np.array_equal(samples, sound(len(samples)))


# --- played ---


def test_turns_play_when_they_come_and_measure_the_response(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    one, two = sound(2 * RATE), sound(RATE, first=3000)
    two[: RATE // 4] //= 100  # cannot be heard
    steps = [
        (1, TurnStarted(turn=1, asked=SECOND * 4 // 10)),
        *answer(1, one, at=1.0),
        (5, TurnStarted(turn=2, asked=SECOND * 45 // 10)),
        *answer(2, two, at=5.0),
    ]
    report = perform(steps, AudioSink(str(path), realtime=True))
    assert report.seconds == pytest.approx(6, abs=0.021)
    file = read(path)
    assert np.array_equal(file, np.concatenate([silence(RATE), one, silence(2 * RATE), two]))
    assert report.measurements["response"] == pytest.approx([0.6 * SECOND, 0.75 * SECOND], abs=1000)


def test_a_turn_that_nobody_asked_for_is_not_measured(tmp_path: Path) -> None:
    steps = [(1.0, TurnStarted(turn=1)), *answer(1, sound(RATE), at=1.0)]
    report = perform(steps, AudioSink(str(tmp_path / "a.wav"), realtime=True))
    assert not report.measurements


def test_a_turn_waits_until_the_one_before_has_been_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    one, two = sound(2 * RATE), sound(RATE, first=3000)
    steps = [
        *answer(1, one, at=1.0),
        (1.5, TurnStarted(turn=2, asked=SECOND)),
        *answer(2, two, at=1.5),
    ]
    report = perform(steps, AudioSink(str(path), realtime=True))
    assert np.array_equal(read(path), np.concatenate([silence(RATE), one, two]))
    assert report.measurements["response"] == pytest.approx([2 * SECOND], abs=1000)


def test_frames_that_come_while_they_are_played_join(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    samples = sound(RATE)
    steps = [(1 + i / 10, frame) for i, (_, frame) in enumerate(answer(1, samples))]
    perform(steps, AudioSink(str(path), realtime=True))
    assert np.array_equal(read(path), np.concatenate([silence(RATE), samples]))


def interrupted_at(path: Path, cut: float) -> tuple[np.ndarray, Report]:
    """What is in the file after a turn of 4 s from second 1 on, and another from second 6 on."""
    first = answer(1, sound(4 * RATE), at=1.0)
    late = answer(1, sound(RATE), at=cut)
    second = answer(2, sound(RATE, first=3000), at=6.0)
    steps = [*first, (cut, Interruption(turn=1)), *late, *second]
    report = perform(steps, AudioSink(str(path), realtime=True))
    return read(path), report


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 3990).map(lambda ms: 1 + ms / 1000)
    | st.integers(0, 199).map(lambda slices: 1 + slices / 50)
)
def test_an_interruption_cuts_within_a_slice(
    tmp_path_factory: pytest.TempPathFactory, cut: float
) -> None:
    file, report = interrupted_at(tmp_path_factory.mktemp("sink") / "a.wav", cut)
    silent = np.flatnonzero(file[RATE:] == 0)
    heard = int(silent[0]) if len(silent) else 4 * RATE
    assert -1 <= heard - round((cut - 1) * RATE) <= SLICE
    assert np.array_equal(file[:RATE], silence(RATE))
    certain = max(0, heard - FADE)
    assert np.array_equal(file[RATE : RATE + certain], sound(4 * RATE)[:certain])
    assert not file[RATE + heard + 1 : 6 * RATE].any()
    assert np.array_equal(file[6 * RATE :], sound(RATE, first=3000))
    assert report.drops["sink", "interrupted"] >= 10


def test_an_interruption_while_the_file_is_written_loses_nothing_of_what_was_heard(
    tmp_path: Path,
) -> None:
    # So soon after the beginning of a slice, it comes while the thread that writes is started.
    for cut in 1 + np.arange(26) / 50 + 5e-10:
        file, _ = interrupted_at(tmp_path / "a.wav", float(cut))
        heard = round((cut - 1) * RATE)
        certain = max(0, heard - FADE)
        assert np.array_equal(file[RATE : RATE + certain], sound(4 * RATE)[:certain])


def test_an_interruption_does_not_click(tmp_path: Path) -> None:
    time = np.arange(4 * RATE)
    tone = np.rint(10_000 * np.cos(2 * np.pi * 440 * time / RATE)).astype(np.int16)[:, None]

    def highs(samples: np.ndarray) -> float:
        """The loudest energy above 2 kHz within 8 ms, in dB below full scale."""
        frames = np.lib.stride_tricks.sliding_window_view(samples.astype(float), 64)[::8]
        spectra = np.abs(np.fft.rfft(frames * np.hanning(64))) / (32_768 * 16)
        return float(20 * np.log10(spectra[:, 16:].max() + 1e-9))

    soft, hard = [], []
    for cut in 2 + np.arange(10) * 0.0231:
        steps = [*answer(1, tone, at=1.0), (cut, Interruption(turn=1)), *answer(2, tone, at=4.0)]
        perform(steps, AudioSink(str(tmp_path / "a.wav"), realtime=True))
        heard = read(tmp_path / "a.wav")[RATE + 800 : 4 * RATE, 0]
        assert 0.8 * RATE < np.flatnonzero(heard)[-1] < 1.2 * RATE
        soft.append(highs(heard))
        hard.append(
            highs(
                np.where(
                    np.arange(len(heard)) < round((cut - 1.1) * RATE),
                    tone[800 : 800 + len(heard), 0],
                    0,
                )
            )
        )
    assert max(soft) < max(hard) - 18
    assert max(soft) < -50


@pytest.mark.parametrize("steps", range(6))
async def test_an_interruption_stops_what_is_written_to_catch_up(
    tmp_path: Path, steps: int
) -> None:
    class Suspended(Source):
        """Two seconds pass at once, and the interruption comes some steps of the loop later."""

        async def frames(self) -> AsyncIterator[AudioFrame | Interruption]:
            yield AudioFrame(sound(4 * RATE), RATE, turn=1)
            await anyio.sleep(0.1)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.jump(2)
            for _ in range(steps):
                await checkpoint()
            yield Interruption(turn=1)

    path = tmp_path / "a.wav"
    sink = AudioSink(str(path), realtime=True)
    await Run(Graph({"model": Suspended(), "sink": sink}, ["model -> sink"])).execute()
    heard = len(read(path))
    assert heard < 1.6 * RATE  # all at once would be 2.1 s
    assert np.array_equal(read(path)[: heard - FADE], sound(heard)[: heard - FADE])


def test_an_interruption_of_another_turn_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    samples = sound(2 * RATE)
    steps = [*answer(2, samples), (0.5, Interruption(turn=1))]
    perform(steps, AudioSink(str(path), realtime=True))
    assert np.array_equal(read(path), samples)


def test_after_an_interruption_the_next_turn_plays_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    steps = [
        *answer(1, sound(4 * RATE)),
        (1.002, Interruption(turn=1)),
        (1.004, TurnStarted(turn=2, asked=0)),
        *answer(2, sound(RATE, first=3000), at=1.004),
    ]
    report = perform(steps, AudioSink(str(path), realtime=True))
    assert report.measurements["response"] == pytest.approx([1.004 * SECOND], abs=1000)
    assert np.array_equal(read(path)[-RATE:], sound(RATE, first=3000))
    assert len(read(path)) - 2.004 * RATE <= SLICE


# --- where it is ---


@pytest.mark.parametrize("name", ["a", "a.aac", "a.wav.txt"])
def test_what_belongs_to_no_format_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match=r"must end in \.wav, \.flac") as caught:
        AudioSink(name)
    assert caught.value.setting == "path"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder.wav", "{0}/folder.wav is a folder"),
        ("file/a.wav", "cannot write {0}/file/a.wav: {0}/file is not a folder"),
        ("file/new/a.wav", "cannot write {0}/file/new/a.wav: {0}/file is not a folder"),
    ],
)
def test_where_no_file_can_be_is_found_before_anything_runs(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "file").touch()
    sink = AudioSink(str(tmp_path / name))
    (finding,) = Graph({"source": Script([]), "sink": sink}, ["source -> sink"]).check()
    assert finding.code == "environment"
    assert finding.message == f'"sink": {message.format(tmp_path)}'


def test_checking_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("a.wav", "a.WAV", "new/folder/a.wav", str(tmp_path / "new" / "a.wav")):
        AudioSink(path).check()
    assert list(tmp_path.iterdir()) == []


# --- formats ---


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".opus", ".mp3"])
async def test_compressed_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    samples = sound(2 * RATE)
    frames = [
        AudioFrame(samples[i : i + 160], RATE, pts=nanoseconds_of(i, RATE))
        for i in range(0, len(samples), 160)
    ]
    await feed(AudioSink(str(path)), frames)
    assert len(read(path)) == len(samples)
    if suffix == ".flac":
        assert np.array_equal(read(path), samples)


def test_a_rate_that_the_format_has_not_is_found_by_the_check(tmp_path: Path) -> None:
    class At(Script):
        def audio_out(self, incoming: AudioFormat) -> AudioFormat:
            return AudioFormat(44_100, 1)

    graph = Graph({"in": At([]), "out": AudioSink(str(tmp_path / "a.opus"))}, ["in -> out"])
    (finding,) = graph.check()
    assert finding.message == f'"out": {tmp_path}/a.opus cannot be at 44100 Hz'
    assert finding.hint == "Opus has 8000, 12000, 16000, 24000, 48000 Hz"


@pytest.mark.parametrize("encoding", [None, "s16le", "f32le", "mulaw", "alaw"])
async def test_samples_without_a_header(tmp_path: Path, encoding: Encoding | None) -> None:
    path = tmp_path / "new" / "a.raw"
    samples = sound(RATE, 2)
    frames = [AudioFrame(samples[:100], RATE), AudioFrame(samples[100:], RATE, pts=12_500_000)]
    await feed(AudioSink(str(path), encoding=encoding), frames)
    assert path.read_bytes() == encode(samples, encoding or "s16le")


def test_an_encoding_is_for_samples_without_a_header() -> None:
    with pytest.raises(SettingError, match=r"without a header, not for a\.wav") as caught:
        AudioSink("a.wav", encoding="mulaw")
    assert caught.value.setting == "encoding"


PIPED = """
import sys
from collections.abc import AsyncIterator

import anyio
import numpy as np

from pipeline import SECOND, AudioFrame, Graph, Source, run
from processors.audio.sink import AudioSink


class Words(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        for number in (1, 2):
            await anyio.sleep(0.5)
            samples = np.full((4000, 1), number, np.int16)
            pts = self.context.now() if sys.argv[1] == "realtime" else number * SECOND // 2
            yield AudioFrame(samples, 8000, pts=pts, turn=number)
        await anyio.sleep(float(sys.argv[2]))


sink = AudioSink("-", realtime=sys.argv[1] == "realtime")
run(Graph({"words": Words(), "sink": sink}, ["words -> sink"]))
"""


@pytest.mark.parametrize("how", ["realtime", "record"])
def test_standard_output_begins_with_the_first_sound(how: str) -> None:
    command = [sys.executable, "-c", PIPED, how, "0.8"]
    result = subprocess.run(command, capture_output=True, check=True, timeout=30)
    samples = np.frombuffer(result.stdout, "<i2")
    first, second = (np.flatnonzero(samples == number) for number in (1, 2))
    assert (len(first), len(second)) == (4000, 4000)
    assert first[0] < 800  # what passes until its first slice is played
    pause = second[0] - first[-1]
    assert pause < 800 if how == "realtime" else pause <= 1
    if how == "realtime":  # it goes on while nothing is said
        assert 1000 < len(samples) - second[-1] < 4000


def test_a_reader_that_has_gone_ends_the_run_with_the_reason() -> None:
    command = [sys.executable, "-c", PIPED, "realtime", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1000)
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait(20) == 1
    assert 'processor "sink" failed' in errors
    assert "nobody reads standard output any more" in errors
