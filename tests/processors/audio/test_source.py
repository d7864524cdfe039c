"""Tests of sound from a file."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import anyio
import numpy as np
import pytest
import soundfile

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    Graph,
    InboxSettings,
    ProcessorFailure,
    Run,
    SettingError,
    Sink,
    Speaker,
)
from pipeline.testing import Collect, VirtualTimeLoop
from processors.audio.codecs import Encoding, decode, encode
from processors.audio.source import AudioSource


@pytest.fixture
def anyio_backend() -> Any:
    """Trio's virtual clock does not wait for the thread that reads."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def sound(count: int, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(count)
    return rng.integers(-32768, 32767, (count, channels), np.int16, endpoint=True)


def a_file(path: Path, samples: np.ndarray, rate: int = 16_000, subtype: str = "PCM_16") -> str:
    soundfile.write(path, samples, rate, subtype)
    return str(path)


async def play(source: AudioSource, output: Any = None, **inboxes: InboxSettings) -> Any:
    """The frames that the source gives, and the report."""
    output = output or Collect()
    graph = Graph({"source": source, "out": output}, ["source -> out"], inboxes=inboxes)
    report = await Run(graph).execute()
    return output.frames, report


class Clocked(Sink):
    """Keeps frames with the time at which each came; takes its time over the first."""

    def __init__(self, over_the_first: float = 0) -> None:
        self.frames: list[tuple[AudioFrame, int]] = []
        self._delay = over_the_first

    async def consume(self, frame: AudioFrame) -> None:
        self.frames.append((frame, self.context.now()))
        await anyio.sleep(self._delay if len(self.frames) == 1 else 0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "FLOAT")],
)
async def test_samples_come_exactly(tmp_path: Path, name: str, subtype: str, channels: int) -> None:
    samples = sound(40_123, channels)
    written = samples / np.float32(32768) if subtype == "FLOAT" else samples
    path = a_file(tmp_path / name, written, subtype=subtype)
    frames, _ = await play(AudioSource(path, realtime=False))
    assert np.array_equal(np.concatenate([frame.samples for frame in frames]), samples)
    assert frames[0].samples.dtype == np.int16


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_24"), ("a.flac", "PCM_24")])
async def test_finer_resolutions_are_rounded(tmp_path: Path, name: str, subtype: str) -> None:
    steps = np.array([0.4, 0.6, -0.4, -0.6, 100.25, 100.75])
    path = a_file(tmp_path / name, steps / 32768, subtype=subtype)
    ((frame,), _) = await play(AudioSource(path, realtime=False))
    assert frame.samples[:, 0].tolist() == [0, 1, 0, -1, 100, 101]


async def test_floats_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    values = np.array([0.5, 1.0, 1.5, -1.0, -1.5, np.nan], np.float32)
    path = a_file(tmp_path / "a.wav", values, subtype="FLOAT")
    ((frame,), _) = await play(AudioSource(path, realtime=False))
    assert frame.samples[:, 0].tolist() == [16384, 32767, 32767, -32768, -32768, 0]


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize("frame_ms", [1, 20, 30, 1000])
async def test_frames_are_of_one_length_and_join(tmp_path: Path, rate: int, frame_ms: int) -> None:
    count = 2 * rate + rate // 3
    path = a_file(tmp_path / "a.wav", sound(count), rate)
    frames, _ = await play(AudioSource(path, frame_ms, realtime=False))
    size = rate * frame_ms // 1000
    assert {len(frame.samples) for frame in frames[:-1]} == {size}
    assert len(frames[-1].samples) == count - size * (len(frames) - 1)
    for number, frame in enumerate(frames):
        assert frame.pts == number * size * SECOND // rate
        assert (frame.rate, frame.speaker, frame.turn) == (rate, Speaker.USER, 0)


async def test_in_real_time_every_frame_comes_when_it_would_be_heard(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wav", sound(3 * 16_000))
    frames, report = await play(AudioSource(path), Clocked())
    assert len(frames) == 150
    for number, (frame, came) in enumerate(frames):
        assert frame.pts == number * 20_000_000
        assert came == pytest.approx(frame.pts, abs=1000)
    assert report.seconds == pytest.approx(3)


async def test_the_end_comes_when_the_last_frame_has_been_heard(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wav", sound(2400))
    _, report = await play(AudioSource(path, frame_ms=100))
    assert report.seconds == pytest.approx(0.15)


async def test_frames_that_are_late_do_not_make_the_file_longer(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wav", sound(3 * 16_000))
    slow = Clocked(over_the_first=1)
    frames, report = await play(AudioSource(path), slow, out=InboxSettings(frames=1))
    assert [frame.pts for frame, _ in frames] == list(range(0, 3 * SECOND, 20_000_000))
    assert frames[1][1] == pytest.approx(SECOND)
    assert frames[-1][1] == pytest.approx(frames[-1][0].pts, abs=1000)
    assert report.seconds == pytest.approx(3)


async def test_otherwise_it_takes_no_time(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wav", sound(3 * 16_000))
    frames, report = await play(AudioSource(path, realtime=False), Clocked())
    assert [frame.pts for frame, _ in frames] == list(range(0, 3 * SECOND, 20_000_000))
    assert report.seconds == pytest.approx(0)


def test_sound_at_a_rate_that_nothing_works_at_is_refused(tmp_path: Path) -> None:
    source = AudioSource(a_file(tmp_path / "a.wav", sound(10), 8))
    with pytest.raises(SettingError, match="as sound: it says 1 channels at 8 Hz") as caught:
        source.check()
    assert caught.value.setting == "path"


async def test_a_file_without_samples_gives_nothing(tmp_path: Path) -> None:
    frames, report = await play(AudioSource(a_file(tmp_path / "a.wav", sound(0))))
    assert frames == []
    assert report.completed


def test_it_says_what_it_gives(tmp_path: Path) -> None:
    source = AudioSource(a_file(tmp_path / "a.wav", sound(10, 2), 44_100))
    assert source.audio_out(AudioFormat()) == AudioFormat(44_100, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.wav", "there is no file {}"),
        ("folder.wav", "{} is a folder"),
        ("text.wav", "cannot read {} as sound: Format not recognised"),
        ("empty.wav", "cannot read {} as sound: Format not recognised"),
        ("samples.raw", "cannot read {} as sound: raw samples do not say their rate"),
    ],
)
def test_what_cannot_be_read_is_found_before_anything_runs(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "text.wav").write_text("This is not a sound." * 10)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "samples.raw").write_bytes(bytes(100))
    path = str(tmp_path / name)
    source = AudioSource(path)
    with pytest.raises(SettingError) as caught:
        source.check()
    assert str(caught.value) == message.format(path)
    assert caught.value.setting == "path"
    (finding,) = Graph({"source": source, "out": Collect()}, ["source -> out"]).check()
    assert finding.code == "environment"
    assert finding.message == f'"source": {message.format(path)}'


@pytest.mark.parametrize(
    "rate", [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]
)
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2])
async def test_every_rate_comes_to_the_sample(
    tmp_path: Path, rate: int, subtype: str, channels: int
) -> None:
    samples = sound(rate // 10 + 7, channels)
    path = tmp_path / "a.wav"
    soundfile.write(path, samples / 32768 if subtype == "FLOAT" else samples, rate, subtype)
    source = AudioSource(str(path), realtime=False)
    assert source.audio_out(AudioFormat()) == AudioFormat(rate, channels)
    frames, _ = await play(source)
    assert {frame.rate for frame in frames} == {rate}
    assert np.array_equal(np.concatenate([frame.samples for frame in frames]), samples)


@pytest.mark.parametrize(("encoding", "subtype"), [("mulaw", "ULAW"), ("alaw", "ALAW")])
async def test_telephone_sound_comes_from_wav_files_exactly(
    tmp_path: Path, encoding: Encoding, subtype: str
) -> None:
    samples = sound(1000)
    path = a_file(tmp_path / "a.wav", samples, 8000, subtype)
    frames, _ = await play(AudioSource(path, realtime=False))
    there = decode(encode(samples, encoding), encoding)
    assert np.array_equal(np.concatenate([frame.samples for frame in frames]), there)


# --- without a header ---


@pytest.mark.parametrize("encoding", ["s16le", "f32le", "mulaw", "alaw"])
@pytest.mark.parametrize("channels", [None, 2])
async def test_samples_without_a_header(
    tmp_path: Path, encoding: Encoding, channels: int | None
) -> None:
    samples = sound(500, channels or 1)
    path = tmp_path / "call.raw"
    path.write_bytes(encode(samples, encoding))
    source = AudioSource(str(path), realtime=False, encoding=encoding, rate=8000, channels=channels)
    source.check()
    assert source.audio_out(AudioFormat()) == AudioFormat(8000, channels or 1)
    frames, _ = await play(source)
    there = decode(encode(samples, encoding), encoding, channels or 1)
    assert np.array_equal(np.concatenate([frame.samples for frame in frames]), there)
    assert [frame.pts for frame in frames][:2] == [0, 20_000_000]


def test_settings_of_samples_without_a_header_go_together(tmp_path: Path) -> None:
    path = a_file(tmp_path / "a.wav", sound(10))
    with pytest.raises(SettingError, match="`rate` is for sound without a header") as caught:
        AudioSource(path, rate=8000)
    assert "put a resampler behind" in caught.value.hint
    with pytest.raises(SettingError, match="needs a `rate`"):
        AudioSource(path, encoding="alaw")


# --- standard input ---


@pytest.mark.parametrize("path", ["-", "/in/the/folder/of/the/configuration/-"])
async def test_samples_come_from_standard_input(stdin: IO[bytes], path: str) -> None:
    samples = sound(1000)
    stdin.write(encode(samples, "s16le") + b"x")
    stdin.close()
    source = AudioSource(path, rate=16_000, realtime=False)
    assert Graph({"source": source, "out": Collect()}, ["source -> out"]).check() == []
    assert source.audio_out(AudioFormat()) == AudioFormat(16_000, 1)
    frames, report = await play(source)
    assert np.array_equal(np.concatenate([frame.samples for frame in frames]), samples)
    assert report.completed


async def test_a_wav_comes_from_standard_input(stdin: IO[bytes], tmp_path: Path) -> None:
    samples = sound(1000, 2)
    stdin.write(await anyio.Path(a_file(tmp_path / "a.wav", samples, 24_000)).read_bytes())
    stdin.close()
    source = AudioSource("-", realtime=False)
    assert source.audio_out(AudioFormat()) == AudioFormat()
    frames, _ = await play(source)
    assert {frame.rate for frame in frames} == {24_000}
    assert np.array_equal(np.concatenate([frame.samples for frame in frames]), samples)


async def test_what_is_no_sound_is_refused(stdin: IO[bytes]) -> None:
    stdin.write(b"Hello?\n")
    stdin.close()
    with pytest.raises(ProcessorFailure, match='"source" failed: it does not begin with a WAV'):
        await play(AudioSource("-"))


async def test_a_terminal_gives_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(closed=False, isatty=lambda: True))
    source = AudioSource("-", rate=16_000)
    assert Graph({"source": source, "out": Collect()}, ["source -> out"]).check() == []
    with pytest.raises(ProcessorFailure, match="is a terminal, not sound; pipe sound into it"):
        await play(source)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ProcessorFailure, match="standard input is closed"):
        await play(AudioSource("-", rate=16_000))


async def test_frames_come_before_the_pipe_has_ended(stdin: IO[bytes]) -> None:
    class Stop(Sink):
        async def consume(self, frame: AudioFrame) -> None:
            run.finish()

    stdin.write(bytes(640))
    source = AudioSource("-", rate=16_000, realtime=False)
    run = Run(Graph({"source": source, "stop": Stop()}, ["source -> stop"]))
    assert (await run.execute()).completed
