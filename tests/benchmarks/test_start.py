import subprocess
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
    assert figures["wall"] > 0
    later = time.perf_counter_ns() + 1_000_000_000_000
    mark = f"print('first frame at', {later})"
    marked = start.process([sys.executable, "-c", mark], str(tmp_path), str(tmp_path))
    assert 900_000 < marked["wall"] <= 1_000_000  # not when the process ends


def test_what_a_graph_in_python_takes_is_imported_and_no_more() -> None:
    code = f"import sys; {start.INTERFACE}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "pipeline.runtime.run" in loaded
    assert not loaded & {"asyncio", "difflib", "importlib.metadata", "numpy", "rich", "yaml"}


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="failed:\nno such thing"):
        start.process(
            [sys.executable, "-c", "raise SystemExit('no such thing')"],
            str(tmp_path),
            str(tmp_path),
        )
