"""Conversations over connections that are cut at random moments: what is said arrives, in order.

Each has a seed, which decides when its connections are cut. With `-m slow` there are 200 of each
kind, otherwise some.
"""

from random import Random
from typing import Any

import numpy as np
import pytest
from conversation_bench import (
    SAID,
    arrived,
    check_calls,
    check_nothing_is_lost,
    check_transcript,
    check_turns,
    talk,
)
from live_bench import of

from pipeline import Gap
from pipeline.testing import VirtualTimeLoop
from processors.live_api.settings import ResumptionSettings
from processors.local_live_api.fault_kinds import AnyFault, Close, Cut, RefuseResumes
from processors.local_live_api.faults import Faults

FEW, MANY = 10, 200


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        slow = metafunc.config.option.markexpr == "slow"
        all_of_them = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(MANY)]
        metafunc.parametrize("seed", all_of_them if slow else range(FEW))


def cuts(seed: int) -> Faults:
    """Cuts of the first connections, after so many messages or seconds, and of some resumes."""
    random = Random(seed)
    faults: list[AnyFault] = []
    for connection in range(1, random.randint(2, 7)):
        match random.choice(["received", "sent", "time"]):
            case "received":
                faults.append(Cut(after_received=random.randint(1, 300), connections=(connection,)))
            case "sent":
                faults.append(Cut(after_sent=random.randint(1, 60), connections=(connection,)))
            case "time":
                faults.append(Cut(at_s=round(random.uniform(0, 12), 3), connections=(connection,)))
    if random.random() < 0.3:
        faults.append(RefuseResumes(times=random.randint(1, 2)))
    if random.random() < 0.3:
        faults.append(Close(code=1011, at_s=random.uniform(1, 30), connections=(2, 3)))
    return Faults(faults, seed=seed)


async def test_transparent_resumption_loses_and_doubles_nothing(seed: int) -> None:
    server, frames, report = await talk(cuts(seed), ResumptionSettings(transparent=True))
    assert report.completed
    assert np.array_equal(arrived(server.sessions[-1]), SAID[:, 0]), "each sample once, in order"
    check_calls(server.sessions[-1])
    assert of(Gap, frames) == []
    check_transcript(frames)
    check_turns(frames)


async def test_resumption_loses_nothing(seed: int) -> None:
    server, frames, report = await talk(cuts(seed), ResumptionSettings())
    assert report.completed
    assert of(Gap, frames) == []
    check_nothing_is_lost(np.concatenate([arrived(session) for session in server.sessions]))
    check_turns(frames)
