"""Tests of samples without a header."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from processors.audio.codecs import WIDTH, Encoding, decode
from processors.audio.files.raw_file import RawFile

SAMPLES = np.arange(-500, 500, dtype=np.int16).reshape(-1, 2)


@pytest.mark.parametrize("encoding", sorted(WIDTH))
def test_samples_are_there_as_soon_as_they_are_written(tmp_path: Path, encoding: Encoding) -> None:
    path = tmp_path / "new" / "a.raw"
    with RawFile(path, encoding, 8000, 2) as file:
        for count in (100, 500):
            file.write(SAMPLES[file.written : count])
            assert len(path.read_bytes()) == file.size == count * 2 * WIDTH[encoding]
    have = decode(path.read_bytes(), encoding, 2)
    exact = encoding in ("s16le", "f32le")
    assert np.array_equal(have, SAMPLES) if exact else np.abs(have - SAMPLES).max() <= 16


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_with_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.symlink_to("/dev/full")
    with RawFile(path, "s16le", 8000, 2) as file, pytest.raises(OSError, match=r"space.*a\.raw"):
        file.write(SAMPLES)


def test_standard_output_stays_open() -> None:
    code = (
        "from pathlib import Path; import numpy as np\n"
        "from processors.audio.files.raw_file import RawFile\n"
        "with RawFile(Path('-'), 's16le', 8000, 1) as file:\n"
        "    file.write(np.full((3, 1), 0x4141, np.int16))\n"
        "print('B', end='')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout == b"AAAAAAB"
