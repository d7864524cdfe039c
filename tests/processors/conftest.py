"""What tests of several processors need."""

import os
import sys
import threading
from collections.abc import Iterator
from typing import IO

import pytest


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[IO[bytes]]:
    """What is written to it comes in at standard input."""
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with open(writing, "wb", buffering=0) as written:
            yield written
        for thread in threading.enumerate():  # the end of the input ends it
            if thread.name == "standard input":
                thread.join()
