"""Connections that live their time: the conversation moves to the next, and nobody notices."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import numpy as np
import pytest
from live_bench import (
    DONE,
    HELLO,
    RATE,
    User,
    Wire,
    after,
    answers_to,
    events,
    fails,
    happened,
    in_turn,
    kinds,
    lines,
    of,
    run,
    service,
)
from msgspec import UNSET
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed

from pipeline import (
    SECOND,
    AudioFrame,
    ConfigError,
    Gap,
    Instruction,
    TextFrame,
    Transcript,
    TurnEnded,
    Usage,
)
from pipeline.testing import VirtualTimeLoop
from processors.live_api.settings import ResumptionSettings
from processors.live_api.transport import LiveApi
from processors.local_live_api.history import Heard
from processors.local_live_api.server import serve
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

RESUME = ResumptionSettings()
TRANSPARENT = ResumptionSettings(transparent=True)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


good = answers_to("clientContent")


# --- when it leaves ---


async def test_in_a_pause_it_leaves_at_once() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await anyio.sleep(3)
        await wire.go_away(50)

    async with service(in_turn(answer, good)) as (url, wires):
        frames, _ = await run(after(10), LiveApi(url=url, resumption=RESUME))
    assert wires[0].closed - wires[0].opened == pytest.approx(3, abs=0.01)
    assert wires[1].opened == pytest.approx(wires[0].closed, abs=0.01), "without a pause"
    assert (wires[0].socket.close_code, wires[0].socket.close_reason) == (1000, "")
    assert events(frames) == [("started", ""), ("go-away", "50s"), ("resumed", "")]


async def test_a_service_that_sends_everybody_away_is_asked_less_and_less_often() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.go_away(0)

    async with service(answer) as (url, wires):
        message = await fails(after(100), LiveApi(url=url, resumption=RESUME))
    assert message.startswith('processor "live" failed: no connection for 6')
    assert 8 <= len(wires) <= 20


async def test_in_a_turn_it_waits_for_the_end() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.go_away(50)
        for _ in range(10):
            await wire.send_audio(1)
            await anyio.sleep(1)
        await wire.send({"serverContent": {"outputTranscription": {"text": "All of it."}}})
        await wire.send(DONE)
        await wire.update("h2")

    async with service(in_turn(answer, good)) as (url, wires):
        frames, _ = await run(after(30, HELLO), LiveApi(url=url, resumption=RESUME))
    assert wires[0].closed - wires[0].opened == pytest.approx(10, abs=0.01)
    assert lines(frames) == [("user", "Hello"), ("model", "All of it.")]
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [False]
    assert wires[1].received[0]["setup"]["sessionResumption"] == {"handle": "h2"}
    assert kinds(wires[1].received) == ["setup"], "nothing is asked again"


async def test_a_turn_without_a_handle_after_it_is_waited_for_no_longer_than_a_second() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.go_away(50)
        await wire.send_text("Good.")
        await wire.send(DONE)

    async with service(in_turn(answer, good)) as (url, wires):
        await run(after(30, HELLO), LiveApi(url=url, resumption=RESUME))
    assert wires[0].closed - wires[0].opened == pytest.approx(1, abs=0.01)


async def test_in_a_turn_that_is_too_long_it_leaves_before_time_is_up() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.go_away(10)
        with suppress(ConnectionClosed):
            while True:
                await wire.send_audio(1)
                await wire.send({"serverContent": {"outputTranscription": {"text": "on and "}}})
                await anyio.sleep(1)

    async with service(in_turn(answer, good)) as (url, wires):
        live = LiveApi(url=url, resumption=RESUME)
        frames, _ = await run(after(30, HELLO), live)
    lived = wires[1].opened - wires[0].opened
    assert lived == pytest.approx(8, abs=0.01), "two seconds before its end"
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [True, False]
    assert lines(frames)[-1] == ("model", "Good.")


async def test_a_service_that_falls_silent_after_its_warning_is_left_in_time() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.go_away(10)
        await wire.send_audio(1)
        wire.socket.transport.pause_reading()  # not even the close is answered
        await anyio.sleep(100)

    async with service(in_turn(answer, good)) as (url, wires):
        live = LiveApi(url=url, resumption=RESUME, patience_s=60)
        frames, _ = await run(User(HELLO), live)
    assert 8 <= wires[1].opened - wires[0].opened <= 12.1
    assert lines(frames)[-1] == ("model", "Good.")


@pytest.mark.parametrize("left", ["0s", "0.5s", "-3s", "soon", ""])
async def test_a_warning_that_comes_late_or_says_nothing_is_heeded(left: str) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.send_audio(1)
        await wire.send({"goAway": {"timeLeft": left} if left else {}})

    async with service(in_turn(answer, good)) as (url, wires):
        frames, _ = await run(User(HELLO), LiveApi(url=url, resumption=RESUME))
    assert wires[0].closed - wires[0].opened < 0.6
    assert lines(frames)[-1] == ("model", "Good.")


async def test_without_resumption_the_conversation_starts_anew_and_says_so() -> None:
    async def answer(wire: Wire) -> None:
        assert "sessionResumption" not in await wire.set_up()
        await wire.go_away(10)

    async with service(in_turn(answer, good)) as (url, _):
        frames, _ = await run(after(5), LiveApi(url=url))
    assert events(frames) == [("started", ""), ("go-away", "10s"), ("restarted", "")]


# --- over many connections ---

SHORT = Switches(connection_s=8, go_away_s=3, latency_ms=300)


def questions(count: int) -> User:
    async def script() -> AsyncIterator[TextFrame]:
        for number in range(count):
            yield TextFrame(f"What is {number} times 7?")
            await anyio.sleep(4)

    return User(script=script)


@pytest.mark.parametrize("resumption", [RESUME, TRANSPARENT], ids=["handles", "transparent"])
@pytest.mark.parametrize("handles", ["latest", "snapshot"])
async def test_a_conversation_over_twenty_connections(
    resumption: ResumptionSettings, handles: Any
) -> None:
    switches = replace(SHORT, handles=handles)
    async with serve(switches=switches, journal=True) as server:
        live = LiveApi(
            "local_vertex", url=server.url_of("vertex"), resumption=resumption, modality="text"
        )
        frames, report = await run(questions(32), live)
        (session,) = server.sessions
    assert report.completed
    assert session.connections >= 20
    assert happened(frames).count("resumed") == session.connections - 1
    said = lines(frames)
    assert [speaker for speaker, _ in said] == ["user", "model"] * 32
    for number, (_, answer) in enumerate(said[1::2]):
        assert str(number * 7) in answer
    assert not any(line.interrupted for line in of(Transcript, frames))
    heard = [entry.text for entry in session.memory.entries if isinstance(entry, Heard)]
    assert heard == [f"What is {number} times 7?" for number in range(32)], "once, and in order"
    assert session.journal is not None
    assert len(session.journal) == 32


async def test_speech_over_twenty_connections_arrives_sample_by_sample() -> None:
    words = synthesize("What will the weather be like in Lisbon this weekend?", rate=RATE)
    rng = np.random.default_rng(1)
    quiet = rng.integers(-2, 3, (4 * RATE, 1)).astype(np.int16)
    sound = np.concatenate([words, quiet] * 16)
    sound = sound[: len(sound) // 1600 * 1600]

    async def script() -> AsyncIterator[AudioFrame]:
        for offset in range(0, len(sound), 1600):
            yield AudioFrame(sound[offset : offset + 1600], RATE, pts=offset * SECOND // RATE)
            await anyio.sleep(0.1)

    switches = replace(SHORT, connection_s=5, go_away_s=2)
    async with serve(switches=switches, journal=True) as server:
        live = LiveApi(
            "local_vertex", url=server.url_of("vertex"), resumption=TRANSPARENT, modality="text"
        )
        frames, _ = await run(User(script=script), live)
        (session,) = server.sessions
    assert session.connections >= 20
    assert session.journal is not None
    blobs = [m.realtime_input.audio for m in session.journal if m.realtime_input is not UNSET]
    heard = np.frombuffer(b"".join(blob.data for blob in blobs if blob is not None), "<i2")
    assert np.array_equal(heard, sound[:, 0])
    answers = [text for speaker, text in lines(frames) if speaker == "model"]
    assert len(answers) >= 16
    assert of(Gap, frames) == []


async def test_token_counts_go_on_over_connections() -> None:
    async with serve(switches=SHORT) as server:
        live = LiveApi(url=server.url, resumption=RESUME, modality="text")
        frames, _ = await run(questions(6), live)
    usages = of(Usage, frames)
    assert len(usages) == 6
    sums: dict[str, int] = {}
    for usage in usages:
        for counts in (usage.prompt, usage.response):
            for modality, count in counts.items():
                sums[modality] = sums.get(modality, 0) + count
        assert usage.totals == sums
    assert happened(frames).count("resumed") >= 2


# --- a new instruction on the Gemini API takes a new connection ---


class Director(User):
    async def frames(self) -> AsyncIterator[Instruction | TextFrame]:  # type: ignore[override]
        yield HELLO
        await anyio.sleep(2)
        yield Instruction("Be brief.")
        await anyio.sleep(2)
        yield HELLO


async def test_a_new_instruction_moves_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    async with service(answers_to("text")) as (url, wires):
        frames, _ = await run(
            Director(), LiveApi("gemini_api", url=url, resumption=RESUME, instruction="Be nice.")
        )
    setups = [wire.received[0]["setup"] for wire in wires]
    told = [setup["systemInstruction"]["parts"][0]["text"] for setup in setups]
    assert told == ["Be nice.", "Be brief."]
    assert setups[1]["sessionResumption"] == {"handle": "h"}
    assert [kinds(wire.received) for wire in wires] == [["setup", "text"]] * 2
    assert [text for _, text in lines(frames)] == ["Hello", "Good."] * 2


async def test_a_new_instruction_without_resumption_is_one_clear_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key")
    async with service(good) as (url, wires):
        with pytest.raises(ConfigError, match=r"switch resumption on, with `resumption: {}`"):
            await run(Director(), LiveApi("gemini_api", url=url))
    assert not wires


async def test_vertex_takes_a_new_instruction_as_a_turn_of_the_system() -> None:
    async with service(good) as (url, wires):
        live = LiveApi("local_vertex", url=url, speak_only="German")
        await run(Director(), live)
    (wire,) = wires
    contents = [m["clientContent"] for m in wire.received if "clientContent" in m]
    roles = [content["turns"][0]["role"] for content in contents]
    assert roles == ["user", "system", "user"]
    assert "turnComplete" not in contents[1]
    assert contents[1]["turns"][0]["parts"][0]["text"].startswith("Be brief.\n\nRESPOND IN German")
