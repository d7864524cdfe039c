import subprocess
import sys

import numpy
import pytest

from processors.arrays import np


def test_it_is_numpy() -> None:
    assert np.zeros is numpy.zeros
    assert np.linalg is numpy.linalg
    assert isinstance(numpy.zeros(1), np.ndarray)
    assert vars(np)["zeros"] is numpy.zeros, "it is found without a detour from now on"


def test_what_numpy_does_not_have_is_numpys_to_say() -> None:
    with pytest.raises(AttributeError, match="module 'numpy' has no attribute 'zeroes'"):
        _ = np.zeroes


def test_a_run_has_it_before_its_clock_starts() -> None:
    code = """
import sys
from pipeline import Graph, Sink, Source, TextFrame, run
import processors.audio.resampler

class Words(Source):
    async def frames(self):
        yield TextFrame("numpy" if "numpy" in sys.modules else "nothing")

class Shown(Sink):
    def consume(self, frame: TextFrame) -> None:
        print(frame.text)

before = "numpy" in sys.modules
run(Graph({"in": Words(), "out": Shown()}, ["in -> out"]))
print(before)
"""
    code = code.replace("def frames(self):", "def frames(self) -> 'AsyncIterator[TextFrame]':")
    code = "from collections.abc import AsyncIterator\n" + code
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["numpy", "False"]


def test_numpy_is_imported_when_it_is_used() -> None:
    code = """
import sys
import processors.audio.resampler, processors.audio.vad_gate, processors.audio.recorder
before = "numpy" in sys.modules
from processors.audio.pcm import silence
silence(1)
print(before, "numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]
