"""Subjects for the tests."""

import os
import sys
import threading


def pid() -> dict[str, float]:
    return {"cost": float(os.getpid())}


def work(frames: int) -> tuple[dict[str, float], dict[str, int]]:
    return {"cost": 1.0}, {"frames": frames}


def chatty() -> dict[str, float]:
    sys.stdout.write("welcome to a library with a banner\n")
    return {"cost": 1.0}


def fails() -> dict[str, float]:
    raise AssertionError("only 3 arrived")


def hangs() -> dict[str, float]:
    threading.Event().wait(30)  # for what never comes
    return {}
