"""Fixtures for all tests: both of anyio's back ends, in virtual time."""

from typing import Any

import pytest
from hypothesis import settings
from trio.testing import MockClock

from pipeline.testing import VirtualTimeLoop

settings.register_profile("reproducible", deadline=None, derandomize=True)
settings.load_profile("reproducible")

ASYNCIO = ("asyncio", {"loop_factory": VirtualTimeLoop})


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Tests of what speaks websockets override this with `asyncio_only`."""
    if request.param == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return ASYNCIO
