"""One subject in a process of its own: `python -m benchmarks.harness.child CALL SETTINGS`.

CALL is `module:function`, SETTINGS its keyword arguments in JSON. The last line of the output is
the outcome. The function returns the figures, or a pair of them and the work that it saw done.
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.harness.machine import kept_waiting


class Outcome(Struct):
    """What a subject measured and did; kept_waiting as a share of its time."""

    figures: dict[str, float]
    work: dict[str, Any] = {}
    kept_waiting: float = 0.0


def call(target: str, settings: dict[str, Any]) -> Outcome:
    """Call a subject's function."""
    module, _, function = target.partition(":")
    measure = getattr(importlib.import_module(module), function)
    gc.collect()
    began, waited = time.perf_counter(), kept_waiting()
    found = measure(**settings)
    figures, work = found if isinstance(found, tuple) else (found, {})
    share = (kept_waiting() - waited) / (time.perf_counter() - began)
    return Outcome(figures, work, 0.0 if share != share else share)


if __name__ == "__main__":
    outcome = call(sys.argv[1], msgspec.json.decode(sys.argv[2]))
    print("\n" + msgspec.json.encode(outcome).decode())
