"""Tests of sound files that can be read whenever the process may end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import AudioFormat, SettingError
from processors.audio.files.encoded import OPUS_RATES
from processors.audio.files.sound_file import SUFFIXES, check_format, check_suffix, open_sound_file

LOSSLESS = [".wav", ".flac"]
HELD_BACK = {".wav": 0.0, ".flac": 0.26, ".mp3": 0.1, ".ogg": 0.23, ".opus": 0.23}
"""Seconds of sound that are not in the file yet."""


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16", always_2d=True)[0]


def noise(count: int, channels: int) -> np.ndarray:
    values = np.random.default_rng(count).normal(0, 3000, (count, channels))
    return np.clip(values, -32_768, 32_767).astype(np.int16)


def chirp(seconds: float, rate: int) -> np.ndarray:
    """Rises from 200 to 1000 Hz, so that it fits itself at one place only."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (200 * time + 400 * time**2 / seconds)
    return np.rint(10_000 * np.sin(phase)).astype(np.int16)[:, None]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
def test_the_file_can_be_read_while_it_is_written(tmp_path: Path, suffix: str, rate: int) -> None:
    path = tmp_path / "new" / f"a{suffix}"
    samples = noise(3 * rate, 2)
    behind = []
    with open_sound_file(path, rate, 2) as file:
        for begin in range(0, len(samples), rate // 10):
            file.write(samples[begin : begin + rate // 10])
            if file.written >= rate:
                have = read(path)
                behind.append((file.written - len(have)) / rate)
                if suffix in LOSSLESS:
                    assert np.array_equal(have, samples[: len(have)])
        assert file.size == path.stat().st_size
        assert file.written == len(samples)
    assert max(behind) <= HELD_BACK[suffix]
    assert read(path).shape == samples.shape
    assert soundfile.info(path).samplerate == rate
    if suffix in LOSSLESS:
        assert np.array_equal(read(path), samples)


@pytest.mark.parametrize("suffix", sorted({*SUFFIXES} - {*LOSSLESS}))
def test_what_is_compressed_stays_where_it_was(tmp_path: Path, suffix: str) -> None:
    rate = 24_000
    samples = chirp(1, rate)
    with open_sound_file(tmp_path / f"a{suffix}", rate, 1) as file:
        for begin in range(0, len(samples), 480):
            file.write(samples[begin : begin + 480])
    have = read(tmp_path / f"a{suffix}")[:, 0].astype(float)
    fits = np.correlate(np.pad(have, 50), samples[:, 0].astype(float))
    assert abs(int(fits.argmax()) - 50) <= 1
    assert np.corrcoef(have, samples[:, 0])[0, 1] > 0.98


@settings(max_examples=25)
@given(st.lists(st.integers(0, 5000), max_size=8), st.integers(1, 3), st.sampled_from(LOSSLESS))
def test_any_pieces_make_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], channels: int, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("sound") / f"a{suffix}"
    samples = noise(sum(sizes), channels)
    with open_sound_file(path, 16_000, channels) as file:
        for size in sizes:
            file.write(samples[file.written : file.written + size])
    assert np.array_equal(read(path), samples)


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """No file can be longer than so many bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_is_told_and_leaves_what_was_written(
    tmp_path: Path, suffix: str, limit_files: Callable[[int], None]
) -> None:
    path = tmp_path / f"a{suffix}"
    rate = 24_000
    limit_files(30_000)
    file = open_sound_file(path, rate, 1)
    written = noise(0, 1)

    def fill_up() -> None:
        nonlocal written
        for number in range(100):
            written = np.concatenate([written, noise(2400 + number, 1)])
            file.write(written[-2400 - number :])

    with pytest.raises(OSError, match=r"File too large") as caught:
        fill_up()
    assert caught.value.filename == str(path)
    try:
        file.close()
    except OSError as error:
        assert error.filename == str(path)
    limit_files(10_000_000)
    have = read(path)
    assert len(have) > rate * 0.4
    assert len(have) >= file.written - HELD_BACK[suffix] * rate
    if suffix in LOSSLESS:
        assert np.array_equal(have[: file.written], written[: len(have)])


def test_a_wav_file_does_not_grow_beyond_what_its_header_can_say(tmp_path: Path) -> None:
    with open_sound_file(tmp_path / "a.wav", 8000, 1) as file:
        file.write(noise(100, 1))
        file.written = 2**31 - 80
        with pytest.raises(OSError, match=r"at most 4 GiB.*a\.wav"):
            file.write(noise(100, 1))
        file.written = 100
    assert len(read(tmp_path / "a.wav")) == 100


@pytest.mark.parametrize("name", ["a", "a.aac", "a.wav.txt"])
def test_other_formats_are_refused(name: str) -> None:
    message = rf"{name} must end in \.wav, \.flac, \.mp3, \.ogg or \.opus"
    with pytest.raises(SettingError, match=message) as caught:
        check_suffix(Path(name))
    assert caught.value.setting == "path"


def test_rates_that_a_format_has_not_are_refused() -> None:
    for rate in OPUS_RATES:
        check_format(Path("a.opus"), AudioFormat(rate, 2))
    check_format(Path("a.FLAC"), AudioFormat(12_345))
    with pytest.raises(SettingError, match=r"a\.ogg cannot be at 22050 Hz") as caught:
        check_format(Path("a.ogg"), AudioFormat(22_050, 1), "rate")
    assert caught.value.setting == "rate"
    assert caught.value.hint == "Opus has 8000, 12000, 16000, 24000, 48000 Hz"


@pytest.mark.parametrize(("suffix", "most"), [(".flac", 8), (".mp3", 2), (".opus", 32)])
def test_a_format_has_as_many_channels_as_it_says(tmp_path: Path, suffix: str, most: int) -> None:
    path = tmp_path / f"a{suffix}"
    check_format(path, AudioFormat(None, most))
    with open_sound_file(path, 8000, most) as file:
        file.write(noise(1000, most))
    assert read(path).shape == (1000, most)
    if suffix != ".opus":
        with pytest.raises(
            SettingError, match=rf"a{suffix} cannot have {most + 1} channels"
        ) as own:
            check_format(path, AudioFormat(8000, most + 1))
        assert own.value.hint.endswith(f" has {most} at most")


def test_a_longer_file_of_before_is_replaced(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        for count in (9000, 1000):
            with open_sound_file(tmp_path / f"a{suffix}", 8000, 1) as file:
                file.write(noise(count, 1))
        assert len(read(tmp_path / f"a{suffix}")) == 1000


def test_where_no_file_can_be_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for suffix in SUFFIXES:
        with pytest.raises(OSError, match="file"):
            open_sound_file(tmp_path / "file" / f"a{suffix}", 8000, 1)
