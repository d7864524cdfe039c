"""A batch on a cluster of two nodes, on this machine: what a lost process and a lost node cost."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_bench import CODED, config, write

pytest.importorskip("ray", reason="needs the extra `ray`")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes as Linux has them"),
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that runs nothing, for it is not to be lost."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


def parents(pid: int) -> Iterator[int]:
    """The process, and all that it comes from."""
    while pid > 1:
        yield pid
        status = Path(f"/proc/{pid}/status").read_text()
        pid = int(re.findall(r"PPid:\s+(\d+)", status)[0])


def test_a_killed_process_and_a_lost_node_cost_no_finished_file(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    config(tmp_path, CODED)
    (tmp_path / "talk.yaml").rename(tmp_path / "hang.yaml")
    config(tmp_path, CODED.replace("MARK", str(tmp_path / "killed")))
    names = {f"file{number}": "fine" for number in range(4)}
    write(tmp_path, **names, killed="once die", broken="break")
    command = [sys.executable, "-m", "pipeline", "batch", "--on", "ray"]
    command += ["--address", cluster.address, "--workers", "4"]
    first = subprocess.run(
        [*command, "talk.yaml", "*.txt"], capture_output=True, text=True, timeout=120
    )
    assert first.returncode == 1, first.stderr
    assert "Traceback" not in first.stderr
    rows = results()
    assert {row["status"] for name, row in rows.items() if name != "broken.txt"} == {"done"}
    assert rows["killed.txt"]["attempts"] == 2
    assert "ValueError: broken" in rows["broken.txt"]["error"]

    write(tmp_path, hanging="once hang", after="fine")
    second = subprocess.Popen([*command, "hang.yaml", "hanging.txt", "after.txt"])
    mark = tmp_path / "mark"
    deadline = time.monotonic() + 90
    while len(results()) < 6 + 1 or not (mark.exists() and mark.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    of = set(parents(int(mark.read_text())))
    lost = next(n for n in nodes if n.all_processes["raylet"][0].process.pid in of)
    cluster.remove_node(lost, allow_graceful=False)
    assert second.wait(120) == 0
    rows = results()
    assert (rows["hanging.txt"]["status"], rows["hanging.txt"]["attempts"]) == ("done", 2)
    assert (rows["after.txt"]["status"], rows["after.txt"]["attempts"]) == ("done", 1)
    assert not is_running(int(mark.read_text()))


def results() -> dict[str, dict[str, Any]]:
    text = Path("runs/batch/results.jsonl").read_text()
    return {row["file"]: row for row in map(json.loads, text.splitlines())}


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
