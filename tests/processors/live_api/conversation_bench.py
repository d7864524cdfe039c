"""A conversation of three turns with a service that has faults, and what has to be true of it."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import numpy as np
from live_bench import RATE, Says, User, get_time, get_weather, of, run, tools
from msgspec import UNSET

from pipeline import SECOND, AudioFrame, Report, Transcript, TurnEnded, TurnStarted
from processors.live_api.settings import Reconnect, ResumptionSettings, Stall
from processors.live_api.transport import LiveApi
from processors.local_live_api.faults import Faults
from processors.local_live_api.history import Answered, Called
from processors.local_live_api.memory import Session
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

DEFAULT_STALL = Stall()
PATIENCE_S = 40
"""More than any silence of the service, after which a conversation would be over."""
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


def speech() -> np.ndarray:
    """All that the user says: int16 (n, 1), noise so faint between turns that it is silence."""
    noise = np.random.default_rng(3)
    parts = []
    for words in SPEECH:
        parts += [words, noise.integers(-2, 3, round(PAUSE_S * RATE)).astype(np.int16)]
    said = np.concatenate(parts)
    return said[: len(said) // CHUNK * CHUNK, None]


SAID = speech()


async def talk(
    faults: Faults, resumption: ResumptionSettings, stall: Stall = DEFAULT_STALL
) -> tuple[LocalLiveApi, list[Any], Report]:
    """What became of the conversation. Raises TimeoutError if it hangs."""

    async def script() -> AsyncIterator[Says]:
        for offset in range(0, len(SAID), CHUNK):
            yield AudioFrame(SAID[offset : offset + CHUNK], RATE, pts=offset * SECOND // RATE)
            await anyio.sleep(CHUNK / RATE)

    with anyio.fail_after(LIMIT_S):
        async with serve(scenario=SCENARIO, faults=faults, switches=PACE, journal=True) as server:
            live = LiveApi(
                "local_vertex",
                url=server.url_of("vertex"),
                resumption=resumption,
                stall=stall,
                patience_s=PATIENCE_S,
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
