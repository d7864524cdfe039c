"""Tests of the WAV file that is valid at any moment."""

import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.audio.files.wav import WavFile
from tests.full_disk import room_in_each_file


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16", always_2d=True)[0]


def ramp(count: int, channels: int, begin: int = 0) -> np.ndarray:
    values = np.arange(begin * channels, (begin + count) * channels)
    return values.astype(np.int16).reshape(count, channels)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 5000), max_size=10),
    st.integers(1, 3),
    st.sampled_from([8000, 24_000, 44_100]),
)
def test_what_was_written_can_be_read_while_the_file_is_open(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], channels: int, rate: int
) -> None:
    path = tmp_path_factory.mktemp("wav") / "sound.wav"
    with WavFile(path, rate, channels) as file:
        assert read(path).shape == (0, channels)
        for size in sizes:
            file.write(ramp(size, channels, file.written))
            assert np.array_equal(read(path), ramp(file.written, channels))
            info = soundfile.info(path)
            assert (info.samplerate, info.subtype) == (rate, "PCM_16")
        assert file.written == sum(sizes)
    assert np.array_equal(read(path), ramp(sum(sizes), channels))


def test_samples_that_are_not_contiguous_in_memory_are_written_in_order(tmp_path: Path) -> None:
    samples = ramp(100, 2)
    with WavFile(tmp_path / "a.wav", 8000, 2) as file:
        file.write(samples[::2, ::-1])
    assert np.array_equal(read(tmp_path / "a.wav"), samples[::2, ::-1])


def test_a_longer_file_of_before_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for count in (1000, 10):
        with WavFile(path, 8000, 1) as file:
            file.write(ramp(count, 1))
    assert path.stat().st_size == 44 + 2 * 10
    assert len(read(path)) == 10


def test_on_a_disk_that_is_full_is_what_has_found_room_and_the_header_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    with WavFile(path, 8000, 2) as file:
        file.write(ramp(100, 2))
        with room_in_each_file(1001):  # in the middle of a sample
            for _ in range(2):
                with pytest.raises(OSError, match=r"File too large: .*a\.wav"):
                    file.write(ramp(5000, 2, file.written))
                assert file.written == (1001 - 44) // 4
                assert path.stat().st_size == file.size
                assert np.array_equal(read(path), ramp(file.written, 2))
        file.write(ramp(300, 2, file.written))  # there is room again
    assert np.array_equal(read(path), ramp(file.written, 2))
    with wave.open(str(path)) as other:
        assert (other.getnframes(), other.getframerate(), other.getnchannels()) == (539, 8000, 2)


def test_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.wav"
    WavFile(path, 8000, 1).close()
    assert len(read(path)) == 0


def test_where_no_file_can_be_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        WavFile(tmp_path / "file" / "a.wav", 8000, 1)
