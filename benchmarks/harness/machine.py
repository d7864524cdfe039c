"""The machine: its description, one core of it, and what a process uses."""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGES = (
    "live-pipeline",
    "pipecat-ai",
    "genai-processors",
    "google-genai",
    "anyio",
    "msgspec",
    "numpy",
    "soxr",
    "websockets",
)


def describe() -> dict[str, str]:
    """What the figures depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pinned": "one core" if hasattr(os, "sched_setaffinity") else "no: not possible here",
    }


def versions() -> dict[str, str]:
    """Of what takes part, as far as it is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def cores() -> set[int]:
    """Those that this process may use; empty where the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def pin(to: Iterable[int]) -> None:
    """Run on these cores only, children too, where the system can do that."""
    chosen = set(to)
    if chosen and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, chosen)


def elsewhere() -> None:
    """Run on the other cores, if there are any: for a server beside what is measured."""
    with contextlib.suppress(OSError):
        pin(set(range(os.cpu_count() or 1)) - cores())


def kept_waiting() -> float:
    """Seconds for which the main thread was ready and had no processor; NaN if nobody tells."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return math.nan


def resident_mib() -> float:
    """Memory that the process has now; NaN where /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return math.nan
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def peak_mib(maxrss: int) -> float:
    """`ru_maxrss` in MiB: kilobytes on Linux, bytes on macOS."""
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)
