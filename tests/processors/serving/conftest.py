"""Tests over sockets: in virtual time, on asyncio, with the helpers of `serving_bench`."""

import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.testing import VirtualTimeLoop

sys.path.insert(0, str(Path(__file__).parent))  # `importlib` mode does not do it


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}
