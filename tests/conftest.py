"""Fixtures for all tests: both of anyio's back ends, in virtual time."""

from typing import Any

import pytest
from hypothesis import settings
from trio.testing import MockClock

from pipeline.testing import VirtualTimeLoop

settings.register_profile("reproducible", deadline=None, derandomize=True)
settings.load_profile("reproducible")

SLOW = pytest.mark.skip(reason="takes long, or wants a machine of its own: run with -m slow")
ASYNCIO = ("asyncio", {"loop_factory": VirtualTimeLoop})


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Tests of what speaks websockets, or in real time with threads, override this."""
    if request.param == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return ASYNCIO


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is slow is skipped, unless `-m` speaks of it."""
    if "slow" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(SLOW)
