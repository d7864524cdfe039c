import sys
import time
from pathlib import Path

import pytest

from benchmarks import start


def test_a_command_is_timed_from_its_start(tmp_path: Path) -> None:
    figures = start.process([sys.executable, "-c", "pass"], str(tmp_path), str(tmp_path))
    assert figures["wall"] > figures["cpu"] / 4 > 0
    assert 5 < figures["peak"] < 500


def test_the_first_frame_ends_the_time(tmp_path: Path) -> None:
    figures = start.process(
        [sys.executable, "-m", "benchmarks.first_frame"], str(tmp_path), str(tmp_path)
    )
    late = "import time; print('first frame at', time.perf_counter_ns()); time.sleep(0.5)"
    began = time.perf_counter()
    early = start.process([sys.executable, "-c", late], str(tmp_path), str(tmp_path))
    whole = 1000 * (time.perf_counter() - began)
    assert figures["wall"] > 0
    assert 0 < early["wall"] <= whole - 500  # what comes after it does not count


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="failed:\nno such thing"):
        start.process(
            [sys.executable, "-c", "raise SystemExit('no such thing')"],
            str(tmp_path),
            str(tmp_path),
        )
