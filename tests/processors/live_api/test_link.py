"""Connections that end, and what follows: refusals, reconnects, what is held meanwhile."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import anyio
import numpy as np
import pytest
from live_bench import (
    DONE,
    HELLO,
    RATE,
    Handler,
    Player,
    Says,
    User,
    Wire,
    after,
    chunks,
    fails,
    forever,
    get_weather,
    happened,
    in_turn,
    kinds,
    lines,
    noise,
    of,
    paced,
    run,
    service,
    sound_of,
    tools,
    typed,
)
from websockets.exceptions import ConnectionClosed

from pipeline import (
    SECOND,
    AudioFrame,
    Gap,
    ImageFrame,
    Instruction,
    TextFrame,
    ToolCall,
    ToolCallCancelled,
)
from pipeline.testing import VirtualTimeLoop
from processors.live_api.settings import Reconnect, ResumptionSettings
from processors.live_api.transport import LiveApi
from processors.local_live_api.fault_kinds import LatePongs
from processors.local_live_api.faults import Faults
from processors.local_live_api.server import serve

SLOW = Reconnect(first_s=2, longest_s=8)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def good(wire: Wire) -> None:
    """Answers every line."""
    await wire.set_up()
    with suppress(ConnectionClosed):
        while True:
            await wire.until("clientContent")
            await wire.send_text("Good.")
            await wire.send(DONE)


# --- refusals ---

REFUSALS = [
    (1007, "Request contains an invalid argument.", "a setting does not fit the model"),
    (1007, "API key not valid. Please pass a valid API key.", "check GEMINI_API_KEY"),
    (1008, "models/x is not found for API version v1beta", "there is no such model"),
    (1008, "", "the service does not allow this"),
]


@pytest.mark.parametrize(("code", "reason", "meaning"), REFUSALS)
async def test_a_refused_session_is_a_failure(code: int, reason: str, meaning: str) -> None:
    async def answer(wire: Wire) -> None:
        await wire.receive()
        await wire.socket.close(code, reason)

    async with service(answer) as (url, wires):
        message = await fails(User(HELLO), LiveApi(url=url))
    assert message.startswith('processor "live" failed: the service refused the session: ')
    assert meaning in message
    assert message.endswith(f"({code} {reason}".rstrip() + ")")
    assert len(wires) == 1


@pytest.mark.parametrize("user", [User(HELLO), User(script=forever)], ids=["ended", "talking"])
@pytest.mark.parametrize(("code", "reason", "meaning"), REFUSALS)
async def test_an_ended_session_is_a_failure(
    user: User, code: int, reason: str, meaning: str
) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.socket.close(code, reason)

    async with service(answer) as (url, wires):
        message = await fails(user, LiveApi(url=url))
    assert message.startswith('processor "live" failed: the service ended the session: ')
    assert meaning in message
    assert len(wires) == 1


async def test_what_came_before_a_failure_is_heard_first() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        for _ in range(2000):
            await wire.send_audio(0.001)
        await wire.socket.close(1008, "Permission denied on resource project p.")

    player = Player()
    async with service(answer) as (url, _):
        message = await fails(User(script=forever), LiveApi(url=url), sink=player)
    assert "the credentials may not use this project" in message
    assert len(player.events) >= 1900  # but for what is on its way at the moment of the failure


# --- connections that are lost ---


async def cut(wire: Wire) -> None:
    await wire.set_up()
    await wire.receive()
    wire.cut()


def closing(code: int, reason: str = "") -> Handler:
    async def close(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.socket.close(code, reason)

    return close


LOSSES = [
    cut,
    closing(1000),
    closing(1000, "The operation was cancelled."),
    closing(1001),
    closing(1008, "Connection aborted because the client failed to close after a GoAway signal"),
    closing(1011),
    closing(1011, "Deadline expired before operation could complete."),
    closing(1013),
    closing(4321, "who knows"),
]


@pytest.mark.parametrize("loss", LOSSES)
async def test_after_a_loss_it_goes_on_with_another_connection(loss: Handler) -> None:
    async with service(in_turn(loss, good)) as (url, wires):
        frames, report = await run(User(HELLO), LiveApi(url=url))
    assert [typed(wire) for wire in wires] == [["Hello"], ["Hello"]]
    assert lines(frames) == [("user", "Hello"), ("model", "Good.")]
    assert happened(frames) == ["started", "restarted"]
    assert report.completed


@pytest.mark.parametrize("user", [User(HELLO), User(script=forever)], ids=["ended", "talking"])
@pytest.mark.parametrize("loss", LOSSES)
async def test_it_gives_up_after_a_while(loss: Handler, user: User) -> None:
    async with service(loss) as (url, wires):
        live = LiveApi(url=url, reconnect=Reconnect(for_s=30, first_s=1, longest_s=4))
        began = anyio.current_time()
        message = await fails(user, live)
        assert 30 <= anyio.current_time() - began < 36
    assert message.startswith('processor "live" failed: no connection for 3')
    assert 8 <= len(wires) <= 20


async def test_after_a_sleep_of_the_machine_it_tries_again() -> None:
    """Time in which nothing could be tried is none for which there was no connection."""

    async def sleeps(wire: Wire) -> None:
        await wire.set_up()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.jump(600)
        wire.cut()

    async with service(in_turn(cut, cut, sleeps, cut, good)) as (url, wires):
        live = LiveApi(url=url, reconnect=Reconnect(for_s=60, first_s=1, longest_s=4))
        frames, report = await run(User(HELLO), live)
    assert len(wires) == 5
    assert lines(frames)[-1] == ("model", "Good.")
    assert report.seconds > 600


async def test_one_attempt_may_be_enough() -> None:
    async with service(cut) as (url, wires):
        message = await fails(User(HELLO), LiveApi(url=url, reconnect=Reconnect(for_s=0)))
    assert message == (
        'processor "live" failed: the service ended the session: '
        "the connection was lost (no close frame)"
    )
    assert len(wires) == 1


async def test_pauses_between_attempts_grow_to_their_limit() -> None:
    async with service(cut) as (url, wires):
        await fails(User(HELLO), LiveApi(url=url, reconnect=SLOW))
    opened = [wire.opened for wire in wires]
    pauses = [later - earlier for earlier, later in pairwise(opened)]
    assert pauses[0] == pytest.approx(0, abs=0.01)
    for pause, longest in zip(pauses[1:], [4, *[8] * 50], strict=False):
        assert 0.5 * longest - 0.01 <= pause <= longest + 0.01
    assert len({round(pause, 3) for pause in pauses[2:]}) > 2, "no chance in them"


async def test_a_connection_that_held_for_long_is_no_failure() -> None:
    async def lives_for_long(wire: Wire) -> None:
        await wire.set_up()
        with anyio.move_on_after(40):
            await wire.listen()
        wire.cut()

    async with service(lives_for_long) as (url, wires):
        live = LiveApi(url=url, reconnect=Reconnect(for_s=10))
        _, report = await run(after(1000), live)
    assert report.completed
    assert len(wires) == 25


async def test_the_loss_is_said_and_what_it_costs(caplog: pytest.LogCaptureFixture) -> None:
    async with service(in_turn(cut, good)) as (url, _):
        await run(User(HELLO), LiveApi(url=url))
    assert caplog.messages == [
        "the connection was lost (no close frame): connecting again, "
        "without the conversation so far"
    ]


async def test_the_old_connection_is_closed_before_the_new_one_is_opened() -> None:
    async def stall(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")

    async with service(in_turn(stall, good)) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings(), patience_s=60)
        await run(User(HELLO), live)
    assert len(wires) == 2
    for earlier, later in pairwise(wires):
        assert earlier.closed <= later.opened


async def test_an_unfinished_answer_is_given_again_from_its_beginning() -> None:
    async def breaks_off(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.send_audio(5)
        await wire.send({"serverContent": {"outputTranscription": {"text": "It will"}}})
        wire.cut()

    async def finishes(wire: Wire) -> None:
        assert (await wire.set_up("h"))["sessionResumption"] == {"handle": "h"}
        await wire.until("clientContent")
        await wire.send_audio(1)
        await wire.send({"serverContent": {"outputTranscription": {"text": "It will rain."}}})
        await wire.send(DONE)

    player = Player()
    async with service(in_turn(breaks_off, finishes)) as (url, _):
        live = LiveApi(url=url, resumption=ResumptionSettings())
        await run(User(HELLO), live, sink=player)
    said = [(line.text, line.interrupted) for line in player.lines]
    assert said == [("Hello", False), ("It will", True), ("It will rain.", False)]
    heard = [(what, turn) for what, turn, _ in player.events]
    assert heard.count(("ended", 1)) == heard.count(("ended", 2)) == 1
    assert ("audio", 2) in heard
    assert player.events[-1][2] == pytest.approx(1, abs=0.1), "the rest of the first is played"


async def test_a_call_outlives_the_connection_and_is_answered_once() -> None:
    async def calls(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.call("get_weather", "a", city="Lisbon")
        await anyio.sleep(0.1)
        wire.cut()

    async def goes_on(wire: Wire) -> None:
        await wire.set_up("h")
        answer = await wire.until("toolResponse")
        assert answer["toolResponse"]["functionResponses"][0]["id"] == "a"
        await wire.send_text("Blue.")
        await wire.send(DONE)

    async with service(in_turn(calls, goes_on)) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings())
        frames, _ = await run(User(HELLO), live, tools=[tools(get_weather)])
    assert [kinds(wire.received).count("toolResponse") for wire in wires] == [0, 1]
    assert len(of(ToolCall, frames)) == 1
    assert lines(frames)[-1] == ("model", "Blue.")


async def test_a_call_of_a_session_that_is_gone_is_cancelled() -> None:
    async def calls(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.call("get_weather", "a", city="Lisbon")
        await anyio.sleep(0.1)
        wire.cut()

    async with service(in_turn(calls, good)) as (url, wires):
        frames, report = await run(User(HELLO), LiveApi(url=url), tools=[tools(get_weather)])
    assert [frame.ids for frame in of(ToolCallCancelled, frames)] == [("a",)]
    assert "toolResponse" not in kinds(wires[1].received)
    assert report.measurements["tool"] == []
    assert lines(frames)[-1] == ("model", "Good.")


# --- what is said meanwhile ---


async def away(wire: Wire) -> None:
    """Refuses for the time being."""
    await wire.receive()
    await wire.socket.close(1013, "")


def back_after(seconds: float, first: Handler, then: Handler) -> Handler:
    """A service that is away for so long after its first connection."""
    state = {"first": True, "back": 0.0}

    async def handle(wire: Wire) -> None:
        if state["first"]:
            state["first"] = False
            await first(wire)
            state["back"] = anyio.current_time() + seconds
        elif anyio.current_time() < state["back"]:
            await away(wire)
        else:
            await then(wire)

    return handle


async def cut_in_speech(wire: Wire) -> None:
    await wire.set_up("h")
    for _ in range(50):
        await wire.until("audio")
    wire.cut()


async def hears_the_rest(wire: Wire) -> None:
    await wire.set_up("h")
    await wire.until("audioStreamEnd")
    await wire.send_text("Heard.")
    await wire.send(DONE)


async def test_what_is_said_while_there_is_no_connection_is_sent_afterwards() -> None:
    sound = noise(10)

    async def script() -> AsyncIterator[AudioFrame]:
        async for frame in paced(sound):
            yield frame

    async with service(back_after(4, cut_in_speech, hears_the_rest)) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings())
        frames, report = await run(User(script=script), live)
    heard = sound_of(wires[-1])
    assert np.array_equal(heard, sound[-len(heard) :, 0]), "in order and without a gap"
    assert len(heard) >= len(sound) - RATE
    assert of(Gap, frames) == []
    assert not report.drops
    assert lines(frames)[-1] == ("model", "Heard.")


async def test_sound_that_waits_too_long_is_given_up_and_reported() -> None:
    sound = noise(20)

    async def script() -> AsyncIterator[AudioFrame]:
        async for frame in paced(sound):
            yield frame

    async with service(back_after(12, cut_in_speech, hears_the_rest)) as (url, wires):
        live = LiveApi(
            url=url, resumption=ResumptionSettings(), reconnect=Reconnect(hold_s=5, longest_s=2)
        )
        frames, report = await run(User(script=script), live)
    heard = sound_of(wires[-1])
    assert np.array_equal(heard, sound[-len(heard) :, 0]), "the newest is kept"
    gaps = of(Gap, frames)
    assert gaps
    lost = sum(gap.duration for gap in gaps) / SECOND
    held = wires[-1].opened - wires[0].closed
    assert held > 11
    before = len(sound) - len(heard)  # nothing of the first second is needed again
    assert lost == pytest.approx(before / RATE - gaps[0].pts / SECOND, abs=0.021)
    assert lost > 5
    assert happened(frames).count("gap") == len(gaps)
    assert report.drops["live", "waited too long for a connection"] == len(gaps)


async def test_a_file_waits_and_nothing_of_it_is_lost() -> None:
    sound = noise(60)

    async def appears_late(wire: Wire) -> None:
        await anyio.sleep(15)
        await wire.set_up("h")
        await wire.until("audioStreamEnd")
        await wire.send(DONE)

    async with service(appears_late) as (url, wires):
        live = LiveApi(url=url, reconnect=Reconnect(hold_s=5))
        frames, report = await run(User(*chunks(sound)), live)
    assert np.array_equal(sound_of(wires[0]), sound[:, 0])
    assert of(Gap, frames) == []
    assert not report.drops


async def test_the_input_may_end_while_there_is_no_connection() -> None:
    sound = noise(2)

    async def script() -> AsyncIterator[Says]:
        async for frame in paced(sound):
            yield frame
        yield HELLO

    async with service(back_after(9, cut_in_speech, hears_the_rest)) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings(), patience_s=2)
        frames, _ = await run(User(script=script), live)
    assert kinds(wires[-1].received)[-1] in ("audioStreamEnd", "clientContent")
    assert ("model", "Heard.") in lines(frames)
    heard = sound_of(wires[-1])
    assert np.array_equal(heard, sound[-len(heard) :, 0])


async def test_typed_lines_pictures_and_instructions_wait_too() -> None:
    class Director(User):
        async def frames(self) -> AsyncIterator[Instruction | TextFrame | ImageFrame]:  # type: ignore[override]
            yield HELLO
            await anyio.sleep(5)
            yield ImageFrame(b"\xff\xd8\xff", "image/jpeg")
            yield Instruction("Be brief.")
            yield TextFrame("And?")

    async def once(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.send_text("Good.")
        await wire.send(DONE)
        await anyio.sleep(1)
        wire.cut()

    async with service(back_after(9, once, good)) as (url, wires):
        frames, _ = await run(Director(), LiveApi(url=url, resumption=ResumptionSettings()))
    assert kinds(wires[-1].received) == ["setup", "video", "clientContent", "clientContent"]
    assert typed(wires[-1]) == ["Be brief.", "And?"]
    assert lines(frames)[-1] == ("model", "Good.")


# --- the service's side of the socket ---


async def test_a_clean_end_is_a_clean_close() -> None:
    async with service(good) as (url, wires):
        await run(User(HELLO), LiveApi(url=url))
    assert (wires[0].socket.close_code, wires[0].socket.close_reason) == (1000, "")


async def test_a_service_that_reads_no_more_is_left() -> None:
    """Its socket is full, so that no close frame and no ping gets through either."""

    async def deaf(wire: Wire) -> None:
        await wire.set_up()
        wire.socket.transport.pause_reading()
        await anyio.sleep(10_000)

    pictures = [ImageFrame(bytes([number]) * 3_000_000, "image/jpeg") for number in range(8)]

    async def script() -> AsyncIterator[Says]:
        for picture in pictures:
            yield picture
            await anyio.sleep(1.1)
        yield HELLO

    state = {"first": True}

    async def handle(wire: Wire) -> None:
        if state.pop("first", False):
            with anyio.move_on_after(300):
                await deaf(wire)
            wire.cut()
        else:
            await good(wire)

    with anyio.fail_after(400):
        async with service(handle) as (url, wires):
            frames, _ = await run(User(script=script), LiveApi(url=url))
    assert lines(frames)[-1] == ("model", "Good.")
    pictured = [m["realtimeInput"]["video"] for m in wires[1].received if "video" in kinds([m])]
    assert [base64.b64decode(each["data"])[0] for each in pictured][:2] == [0, 1]
    assert base64.b64decode(pictured[-1]["data"])[0] == 7


async def test_late_pongs_do_not_end_a_call() -> None:
    faults = Faults([LatePongs(delay_ms=30_000)])
    async with serve(faults=faults) as server:
        frames, _ = await run(after(200, HELLO), LiveApi(url=server.url, modality="text"))
    assert happened(frames) == ["started"]


async def test_no_pongs_at_all_are_a_loss() -> None:
    faults = Faults([LatePongs(delay_ms=3_600_000, connections=(1,))])
    async with serve(faults=faults) as server:
        frames, _ = await run(after(200, HELLO), LiveApi(url=server.url, modality="text"))
    assert happened(frames) == ["started", "restarted"]
