"""A disk on which there is not much room."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

resource = pytest.importorskip("resource", reason="the system has no limits for a process")


@contextmanager
def room_in_each_file(size: int) -> Iterator[None]:
    """While it lasts, this process cannot write beyond so many bytes of any file.

    The system then takes a part of what is written, and nothing the next time, as on a full disk.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
