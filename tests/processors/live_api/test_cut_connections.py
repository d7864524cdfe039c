"""Conversations over connections that are cut at random moments: what is said arrives, in order.

Each has a seed, which decides when its connections are cut. With `-m slow` there are 200 of each
kind, otherwise some.
"""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import anyio
import numpy as np
import pytest
from live_bench import RATE, Says, User, get_time, get_weather, of, run, tools
from msgspec import UNSET

from pipeline import SECOND, AudioFrame, Gap, Report, Transcript, TurnEnded, TurnStarted
from pipeline.testing import VirtualTimeLoop
from processors.live_api.settings import Reconnect, ResumptionSettings
from processors.live_api.transport import LiveApi
from processors.local_live_api.fault_kinds import AnyFault, Close, Cut, RefuseResumes
from processors.local_live_api.faults import Faults
from processors.local_live_api.history import Answered, Called
from processors.local_live_api.memory import Session
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

FEW, MANY = 10, 200
LIMIT_S = 300
"""Of virtual time; a conversation without cuts takes some 30 s."""
TURNS = ["What is the weather in Lisbon?", "And what time is it there?", "Thank you very much."]
ANSWERS = ["It is blue in Lisbon.", "It is noon there.", "You are welcome."]
SPEECH = [synthesize(text, rate=RATE)[:, 0] for text in TURNS]
PAUSE_S = 4.0
CHUNK = RATE // 25
PACE = Switches(pace=50.0, playback=False, update_every=1)
SCENARIO = Scenario(
    [
        Turn(
            [
                Step(transcript=TURNS[0]),
                Step(call=Call("get_weather", {"city": "Lisbon"})),
                Step(say=ANSWERS[0]),
            ]
        ),
        Turn([Step(transcript=TURNS[1]), Step(call=Call("get_time")), Step(say=ANSWERS[1])]),
        Turn([Step(transcript=TURNS[2]), Step(say=ANSWERS[2])]),
    ]
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        slow = metafunc.config.option.markexpr == "slow"
        all_of_them = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(MANY)]
        metafunc.parametrize("seed", all_of_them if slow else range(FEW))


def speech() -> np.ndarray:
    """All that the user says: int16 (n, 1), noise so faint between turns that it is silence."""
    noise = np.random.default_rng(3)
    parts = []
    for words in SPEECH:
        parts += [words, noise.integers(-2, 3, round(PAUSE_S * RATE)).astype(np.int16)]
    said = np.concatenate(parts)
    return said[: len(said) // CHUNK * CHUNK, None]


SAID = speech()


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


async def talk(seed: int, resumption: ResumptionSettings) -> tuple[LocalLiveApi, list[Any], Report]:
    async def script() -> AsyncIterator[Says]:
        for offset in range(0, len(SAID), CHUNK):
            yield AudioFrame(SAID[offset : offset + CHUNK], RATE, pts=offset * SECOND // RATE)
            await anyio.sleep(CHUNK / RATE)

    with anyio.fail_after(LIMIT_S):
        async with serve(
            scenario=SCENARIO, faults=cuts(seed), switches=PACE, journal=True
        ) as server:
            live = LiveApi(
                "local_vertex",
                url=server.url_of("vertex"),
                resumption=resumption,
                reconnect=Reconnect(first_s=0.2, longest_s=1),
            )
            dispatcher = tools(get_weather, get_time)
            frames, report = await run(User(script=script), live, tools=[dispatcher])
            return server, frames, report
    raise AssertionError("it hangs")


def arrived(session: Session) -> np.ndarray:
    """The samples of the session that survived: int16 (n,)."""
    journal = session.journal
    assert journal is not None
    data = b"".join(
        message.realtime_input.audio.data
        for message in journal
        if message.realtime_input is not UNSET and message.realtime_input.audio is not None
    )
    return np.frombuffer(data, "<i2")


async def test_transparent_resumption_loses_and_doubles_nothing(seed: int) -> None:
    server, frames, report = await talk(seed, ResumptionSettings(transparent=True))
    assert report.completed
    assert np.array_equal(arrived(server.sessions[-1]), SAID[:, 0]), "each sample once, in order"
    check_calls(server.sessions[-1])
    assert of(Gap, frames) == []
    check_transcript(frames)
    check_turns(frames)


async def test_resumption_loses_nothing(seed: int) -> None:
    server, frames, report = await talk(seed, ResumptionSettings())
    assert report.completed
    assert of(Gap, frames) == []
    check_nothing_is_lost(np.concatenate([arrived(session) for session in server.sessions]))
    check_turns(frames)


def check_transcript(frames: list[Any]) -> None:
    """One final line for each that was said; an answer that was cut off comes before its whole."""
    finals = [line for line in of(Transcript, frames) if line.final]
    whole = [(line.speaker.value, line.text) for line in finals if not line.interrupted]
    expected = [pair for i in range(3) for pair in (("user", TURNS[i]), ("model", ANSWERS[i]))]
    assert whole == expected
    for line in finals:
        if line.interrupted:
            assert any(answer.startswith(line.text) for answer in ANSWERS)
    assert [line.pts for line in finals] == sorted(line.pts for line in finals)


def check_calls(session: Session) -> None:
    """Each call was answered once, right after it was made."""
    history = session.memory.entries
    calls = [entry for entry in history if isinstance(entry, Called)]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert [e.id for e in history if isinstance(e, Answered)] == [call.id for call in calls]
    assert session.memory.pending == ()


def check_turns(frames: list[Any]) -> None:
    """Each began and ended once."""
    begun = [frame.turn for frame in of(TurnStarted, frames)]
    assert begun == [frame.turn for frame in of(TurnEnded, frames)]


def check_nothing_is_lost(heard: np.ndarray) -> None:
    """Every frame of the user's is there."""
    found = {heard[at : at + CHUNK].tobytes() for at in range(0, len(heard), CHUNK)}
    lost = [at for at in range(0, len(SAID), CHUNK) if SAID[at : at + CHUNK].tobytes() not in found]
    assert not lost
