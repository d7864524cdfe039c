"""From nothing to something: imports, the first frame, `pipeline check`, and the quickstart.

Measured: wall and processor time of whole processes from their start, their peak of memory, and
how much longer than an interpreter that does nothing they take, measured beside each; bytecode is
there already. "First frame" is from the start of the process until a frame that went from a source
through a processor is in the sink. The quickstart runs in real time, so only its processor time and
memory tell. "Import pipeline" is of what a graph written in Python takes: names are imported when
they are asked for. Pipecat's is what a pipeline with a worker and a runner needs. What is checked
has twenty nodes. Not measured: installing, and the first start, which compiles.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.harness.machine import peak_mib
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import ROOT, Rounds, Subject, bound, compare

PYTHON = [sys.executable]
INTERFACE = "from pipeline import AudioFrame, Graph, Observer, Run, Sink, Source, Transform"
QUICKSTART = str(ROOT / "configs" / "quickstart.yaml")
TWENTY_NODES = str(ROOT / "benchmarks" / "twenty_nodes.yaml")
PIPELINE = [*PYTHON, "-m", "pipeline"]
PEER_IMPORTS = "import pipecat.pipeline.pipeline, pipecat.pipeline.worker, pipecat.workers.runner"
NOTHING = "python, nothing else"
COMMANDS = {
    NOTHING: ([*PYTHON, "-c", "pass"], ""),
    "import pipeline": ([*PYTHON, "-c", INTERFACE], ""),
    "import pipecat": ([*PYTHON, "-c", PEER_IMPORTS], "pipecat"),
    "import google.genai": ([*PYTHON, "-c", "import google.genai"], "google.genai"),
    "first frame": ([*PYTHON, "-m", "benchmarks.first_frame"], ""),
    "first frame: pipecat": (
        [*PYTHON, "-m", "benchmarks.peers.pipecat.first_frame"],
        "pipecat",
    ),
    "pipeline --help": ([*PIPELINE, "--help"], ""),
    "pipeline check": ([*PIPELINE, "check", "--offline", TWENTY_NODES], ""),
    "quickstart": ([*PIPELINE, "run", QUICKSTART], ""),
}
MARK = b"first frame at "


def process(arguments: Sequence[str], folder: str, cache: str) -> dict[str, float]:
    """Run a command; milliseconds, and MiB at its peak. With a mark in its output, until then.

    cache: a folder for bytecode.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with open(Path(folder) / "output", "w+b") as output:
        began = time.perf_counter_ns()
        running = subprocess.Popen(
            arguments, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=environment
        )
        _, status, used = os.wait4(running.pid, 0)
        ended = time.perf_counter_ns()
        running.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if running.returncode:
        raise AssertionError(f"{' '.join(arguments)} failed:\n{text.decode()[-2000:]}")
    if MARK in text:
        ended = int(text.rpartition(MARK)[2].split()[0])
    return {
        "wall": (ended - began) / 1e6,
        "cpu": (used.ru_utime + used.ru_stime) * 1e3,
        "peak": peak_mib(used.ru_maxrss),
    }


def command(arguments: list[str], times: int, cache: str) -> dict[str, float]:
    """Medians of several runs, after one that does not count."""
    with TemporaryDirectory() as folder:
        found, nothing = [], []
        for number in range(times + (times > 1)):
            bare = process(COMMANDS[NOTHING][0], folder, cache)
            whole = process(arguments, folder, cache)
            if number or times == 1:
                nothing.append(bare)
                found.append(whole)
    figures = {name: median(run[name] for run in found) for name in found[0]}
    beyond = (run["wall"] - bare["wall"] for run, bare in zip(found, nothing, strict=True))
    return figures | {"beyond": median(beyond)}


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    with TemporaryDirectory() as cache:
        _measure(rounds, section, cache)


def _measure(rounds: Rounds, section: Section, cache: str) -> None:
    times = rounds.size(9, 3)
    subjects = {}
    for name, (arguments, needs) in COMMANDS.items():
        once = name == "quickstart"
        settings = {"arguments": arguments, "times": 1 if once else times, "cache": cache}
        ours = not needs and name != NOTHING
        subjects[name] = Subject("benchmarks.start:command", settings, needs=needs, ours=ours)
    section.units = {"wall": "ms", "beyond": "ms of wall", "cpu": "ms", "peak": "MiB"}
    lasting = {"quickstart": subjects.pop("quickstart")}
    rounds.alternate(subjects, section)
    replace(rounds, rounds=1).alternate(lasting, section)
    bound(section, "beyond", "import pipeline", at_most=60)
    bound(section, "wall", "first frame", at_most=250)
    compare(section, "wall", "first frame", "first frame: pipecat")
    bound(section, "wall", "pipeline --help", at_most=150)
    bound(section, "wall", "pipeline check", at_most=300)
    bound(section, "peak", "quickstart")
