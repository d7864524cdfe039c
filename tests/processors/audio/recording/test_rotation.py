"""Tests of recordings that go on from file to file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.audio.recording.rotation import Rotation

RATE = 8000


def ramp(count: int) -> np.ndarray:
    return (np.arange(2 * count) % 30_000).astype(np.int16).reshape(count, 2)


def record(folder: Path, name: str, sizes: list[int], **limits: float) -> list[tuple[Path, int]]:
    opened: list[tuple[Path, int]] = []

    def told(path: Path, at: int) -> None:
        opened.append((path, at))

    rotation = Rotation(folder / name, RATE, 2, lambda path: path, told, **limits)
    samples = ramp(sum(sizes))
    for size in sizes:
        rotation.write(samples[rotation.written :][:size])
    rotation.close()
    assert rotation.written == len(samples)
    return opened


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16", always_2d=True)[0]


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 9000), max_size=6),
    st.sampled_from([".wav", ".flac"]),
    st.none() | st.integers(500, 20_000),
    st.none() | st.integers(5000, 100_000),
)
def test_no_sample_is_lost_at_the_seams(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    suffix: str,
    count: int | None,
    size: int | None,
) -> None:
    limits = {"seconds": count / RATE} if count else {}
    limits |= {"megabytes": size / 1e6} if size else {}
    opened = record(tmp_path_factory.mktemp("r"), f"a{suffix}", sizes, **limits)
    parts = [read(path) for path, _ in opened]
    have = np.concatenate([*parts, np.zeros((0, 2), np.int16)])
    assert np.array_equal(have, ramp(sum(sizes)))
    positions = np.cumsum([0, *map(len, parts)])[:-1]
    assert [at for _, at in opened] == positions.tolist()
    names = [f"a-{number:03}{suffix}" for number in range(1, len(opened) + 1)]
    assert [path.name for path, _ in opened] == (names if limits else [f"a{suffix}"] * len(names))
    if count:
        assert all(len(part) <= count for part in parts)
        if not size:
            assert all(len(part) == count for part in parts[:-1])
    if size and suffix == ".wav":
        assert all(path.stat().st_size <= size for path, _ in opened)


@pytest.mark.parametrize("suffix", [".flac", ".opus", ".mp3"])
def test_compressed_files_keep_near_the_size(tmp_path: Path, suffix: str) -> None:
    opened = record(tmp_path, f"a{suffix}", [800] * 300, megabytes=0.03)
    sizes = [path.stat().st_size for path, _ in opened]
    assert len(sizes) > 1
    assert all(20_000 < size < 40_000 for size in sizes[:-1])
    assert sum(len(read(path)) for path, _ in opened) == 300 * 800


def test_a_limit_below_a_header_still_ends(tmp_path: Path) -> None:
    assert len(record(tmp_path, "a.wav", [5], megabytes=1e-6)) == 5
