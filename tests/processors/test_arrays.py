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
