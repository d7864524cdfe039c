"""Conversations while everything goes wrong that can: every kind of fault, several at a time.

Each has a seed, which decides which faults strike and when. With `-m slow` there are 1,000 of them,
otherwise some.
"""

from random import Random
from typing import Any

import numpy as np
import pytest
from conversation_bench import (
    SAID,
    arrived,
    check_nothing_is_lost,
    check_transcript,
    check_turns,
    talk,
)
from live_bench import of

from pipeline import Gap, ProcessorFailure, ToolCall
from pipeline.testing import VirtualTimeLoop
from processors.live_api.connection import LiveApiError
from processors.live_api.settings import ResumptionSettings, Stall
from processors.local_live_api.fault_kinds import (
    AnyFault,
    Close,
    Cut,
    Delay,
    Duplicate,
    EmptyFrames,
    LateAudio,
    LatePongs,
    Malform,
    PhantomInterrupted,
    RefuseResumes,
    Silence,
    SlowReads,
    Truncate,
    UnknownFields,
)
from processors.local_live_api.faults import Faults
from processors.local_live_api.history import Answered

FEW, MANY = 12, 500
TRANSPARENT, RESUME = ResumptionSettings(transparent=True), ResumptionSettings()
IMPATIENT = Stall(after_s=8)
SLOW = (Silence, SlowReads, Delay)
"""With these the user has gone on before the service has answered, and cuts its answers short."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    slow = metafunc.config.option.markexpr == "slow"
    all_of_them = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(MANY)]
    metafunc.parametrize("seed", all_of_them if slow else range(FEW))


def harmless(random: Random) -> AnyFault:
    """What the service may do without breaking its protocol."""
    when: dict[str, Any] = random.choice(
        [
            {"at_s": round(random.uniform(0, 15), 3)},
            {"after_received": random.randint(1, 300)},
            {"after_sent": random.randint(1, 60)},
        ]
    )
    once = {**when, "connections": (random.randint(1, 4),)}  # or no connection would ever last
    chance = {"chance": random.choice([0.02, 0.1])}
    return random.choice(
        [
            Cut(**once),
            Close(code=random.choice([1000, 1001, 1011, 1012, 1013]), **once),
            Silence(for_s=random.uniform(0.5, 20), **once),
            SlowReads(delay_ms=random.randint(10, 300), for_s=5, **when),
            LatePongs(delay_ms=random.randint(1_000, 30_000), for_s=30, **when),
            EmptyFrames(**chance),
            Delay(delay_ms=random.randint(10, 2_000), **chance),
            UnknownFields(),
            RefuseResumes(times=random.randint(1, 3)),
        ]
    )


def harmful(random: Random) -> AnyFault:
    """What a service does that is broken: messages are spoilt, doubled or made up."""
    when: dict[str, Any] = random.choice(
        [{"after_sent": random.randint(1, 60)}, {"chance": random.choice([0.01, 0.05])}]
    )
    return random.choice(
        [
            Truncate(**when),
            Malform(into=random.choice(["not_utf8", "not_json", "wrong_types"]), **when),
            Duplicate(**when),
            LateAudio(frames=random.randint(1, 10)),
            PhantomInterrupted(**when),
        ]
    )


async def test_what_the_protocol_allows_costs_nothing(seed: int) -> None:
    random = Random(seed)
    faults = [harmless(random) for _ in range(random.randint(1, 4))]
    server, frames, report = await talk(Faults(faults, seed=seed), TRANSPARENT, IMPATIENT)
    assert report.completed
    assert np.array_equal(arrived(server.sessions[-1]), SAID[:, 0]), "each sample once, in order"
    assert of(Gap, frames) == []
    check_answers(server.sessions[-1], frames)
    check_turns(frames)
    if not any(isinstance(fault, SLOW) for fault in faults):
        check_transcript(frames)


async def test_a_broken_service_ends_in_an_error_or_in_all_that_was_said(seed: int) -> None:
    random = Random(10_000 + seed)
    faults = [random.choice([harmless, harmful])(random) for _ in range(random.randint(2, 5))]
    resumption = random.choice([TRANSPARENT, RESUME])
    try:
        server, frames, report = await talk(Faults(faults, seed=seed), resumption, IMPATIENT)
    except ProcessorFailure as failure:
        assert isinstance(failure.__cause__, LiveApiError)
        return
    assert report.completed
    gaps = sum(gap.duration for gap in of(Gap, frames))
    if resumption.transparent:
        assert np.array_equal(arrived(server.sessions[-1]), SAID[:, 0])
    elif not gaps:
        check_nothing_is_lost(np.concatenate([arrived(session) for session in server.sessions]))
    for session in server.sessions:
        check_answers(session, frames)
    check_turns(frames)


def check_answers(session: Any, frames: list[Any]) -> None:
    """No call of the session got two answers, and what was answered had been called."""
    answered = [entry.id for entry in session.memory.entries if isinstance(entry, Answered)]
    assert len(set(answered)) == len(answered)
    assert set(answered) <= {call.id for call in of(ToolCall, frames)}
