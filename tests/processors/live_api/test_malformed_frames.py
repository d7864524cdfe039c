"""Frames that are no messages: skipped and counted, or a clear error, and never a hang."""

from contextlib import suppress
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_bench import (
    DONE,
    HELLO,
    OUTPUT_RATE,
    User,
    Wire,
    fails,
    happened,
    in_turn,
    lines,
    of,
    run,
    service,
)
from websockets.exceptions import ConnectionClosed

from pipeline import AudioFrame, TextFrame, TurnEnded, TurnStarted
from pipeline.testing import VirtualTimeLoop
from processors.live_api.settings import ResumptionSettings
from processors.live_api.transport import LiveApi
from processors.local_live_api.fault_kinds import (
    AnyFault,
    Delay,
    Duplicate,
    EmptyFrames,
    Malform,
    Truncate,
    UnknownFields,
)
from processors.local_live_api.faults import Faults
from processors.local_live_api.server import serve

GARBAGE = {
    "not JSON": "Bad gateway",
    "not UTF-8": b"\xff\x00\xfe",
    "a number": "7",
    "a list": "[]",
    "null": "null",
    "a wrong type": '{"serverContent": 7}',
    "a wrong type below": '{"serverContent": {"modelTurn": {"parts": [{"text": 7}]}}}',
    "wrong base64": '{"serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": '
    '"audio/pcm", "data": "?"}}]}}}',
    "cut short": '{"serverContent": {"modelTurn": {"parts": [{"te',
    "deep": "[" * 100_000,
    "huge": '{"serverContent": "' + "x" * 300_000 + '"}',
    "surrogates": '{"serverContent": {"modelTurn": {"parts": [{"text": "\\ud800"}]}}',
    "negative": '{"usageMetadata": {"totalTokenCount": -1}}',
}
DROPS = "a malformed message of the service"
MIB = 2**20


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture(params=GARBAGE.values(), ids=GARBAGE.keys())
def garbage(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_it_is_skipped_in_every_phase(garbage: Any) -> None:
    async def answer(wire: Wire) -> None:
        await wire.receive()
        await wire.send(garbage)
        await wire.send({"setupComplete": {}})
        await wire.send(garbage)
        await wire.until("clientContent")
        await wire.send(garbage)
        await wire.send_text("Yes")
        await wire.send(garbage)
        await wire.send_text(".")
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, report = await run(User(HELLO), LiveApi(url=url))
    assert lines(frames) == [("user", "Hello"), ("model", "Yes.")]
    assert report.drops == {("live", DROPS): 4}
    assert happened(frames) == ["started"]


@pytest.mark.parametrize("ready", [False, True])
async def test_a_service_that_sends_nothing_else_is_a_failure(garbage: Any, ready: bool) -> None:
    async def answer(wire: Wire) -> None:
        if ready:
            await wire.set_up()
        with suppress(ConnectionClosed):
            for _ in range(200):
                await wire.send(garbage)

    async with service(answer) as (url, wires):
        message = await fails(User(HELLO), LiveApi(url=url))
    assert "the service sends what is no Live API message: " in message
    assert len(message) < 1000
    assert len(wires) == 1


async def test_one_of_them_and_then_silence_is_no_hang(garbage: Any) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.send(garbage)

    async with service(answer) as (url, _):
        _, report = await run(User(HELLO), LiveApi(url=url, patience_s=5))
    assert report.seconds == pytest.approx(5, abs=0.01)


async def test_sound_without_a_rate_has_the_usual_one() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        blob = {"mimeType": "audio/pcm;rate=0", "data": "AAAA"}
        await wire.send({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}})
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url))
    (sound,) = of(AudioFrame, frames)
    assert sound.rate == OUTPUT_RATE


async def test_it_is_logged_once_in_a_row(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        for _ in range(50):
            await wire.send("?")
        await wire.until("clientContent")
        await wire.send(DONE)

    async with service(answer) as (url, _):
        _, report = await run(User(HELLO), LiveApi(url=url))
    (message,) = caplog.messages
    assert message.startswith("the service sent what is no Live API message: ")
    assert report.drops["live", DROPS] == 50


@given(st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=40)), max_size=40))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_bytes_do_no_harm(frames: list[bytes | str]) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        for frame in frames:
            with suppress(UnicodeEncodeError):
                await wire.send(frame)
        await wire.until("clientContent")
        await wire.send_text("Yes.")
        await wire.send(DONE)

    async with service(answer) as (url, _):
        heard, _ = await run(User(HELLO), LiveApi(url=url))
    assert lines(heard) == [("user", "Hello"), ("model", "Yes.")]


async def test_frames_of_many_mebibytes_are_read() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.send_audio(120)  # 5.5 MB, which are 7.3 MiB in base64
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url))
    (audio,) = of(AudioFrame, frames)
    assert len(audio.samples) == 120 * OUTPUT_RATE


async def test_a_frame_over_the_limit_costs_the_connection_and_no_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.live_api.connection.LARGEST_MESSAGE", MIB)

    async def huge(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        with suppress(ConnectionClosed):
            await wire.send(b" " * (MIB + 1))

    async def good(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.send_text("Yes.")
        await wire.send(DONE)

    async with service(in_turn(huge, good)) as (url, _):
        live = LiveApi(url=url, resumption=ResumptionSettings())
        frames, _ = await run(User(HELLO), live)
    assert lines(frames) == [("user", "Hello"), ("model", "Yes.")]
    assert happened(frames) == ["started", "resumed"]
    assert "the service sent a message that is too large to take" in caplog.messages


@pytest.mark.parametrize(
    "fault",
    [
        Truncate(every=4),
        Malform(every=4, into="not_utf8"),
        Malform(every=4, into="not_json"),
        Malform(every=4, into="wrong_types"),
        UnknownFields(every=2),
        EmptyFrames(every=2),
        Duplicate(every=5),
        Delay(every=5, delay_ms=3000),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_conversation_with_a_faulty_service_comes_to_its_end(fault: AnyFault) -> None:
    with anyio.fail_after(300):
        async with serve(faults=Faults([fault], seed=3)) as server:
            live = LiveApi(url=server.url, resumption=ResumptionSettings())
            asked = [TextFrame(f"What is {number} times 7?") for number in range(3)]
            frames, report = await run(User(*asked), live)
    assert report.completed
    assert [line for line in lines(frames) if line[0] == "user"] == [
        ("user", line.text) for line in asked
    ]
    begun = [frame.turn for frame in of(TurnStarted, frames)]
    assert begun == [frame.turn for frame in of(TurnEnded, frames)]
