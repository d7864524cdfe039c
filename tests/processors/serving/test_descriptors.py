"""The limit of open files, in processes of their own."""

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="the system knows no such limit")

CODE = """
import resource, sys
from processors.serving.descriptors import allow_many
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
allow_many(300)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [((100, 400), (300, 400)), ((100, 200), (200, 200)), ((350, 400), (350, 400))],
)
def test_it_is_raised_as_far_as_it_may_be(before: tuple[int, int], after: tuple[int, int]) -> None:
    command = [sys.executable, "-c", CODE, *map(str, before)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert tuple(map(int, done.stdout.split())) == after
