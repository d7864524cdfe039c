"""A service that says nothing: how long the conversation waits after its input."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import numpy as np
import pytest
from live_bench import (
    DONE,
    HELLO,
    User,
    Wire,
    after,
    answers_to,
    events,
    fails,
    get_weather,
    happened,
    in_turn,
    kinds,
    lines,
    of,
    run,
    service,
    tools,
)
from websockets.exceptions import ConnectionClosed

from pipeline import SECOND, AudioFrame, Graph, Report, Run, Source, TurnEnded
from pipeline.testing import Collect, VirtualTimeLoop
from processors.live_api.settings import ResumptionSettings, Stall
from processors.live_api.transport import LiveApi


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def test_after_the_input_it_waits_only_so_long(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()

    async with service(answer) as (url, _):
        frames, report = await run(User(HELLO), LiveApi(url=url, patience_s=7))
    assert report.completed
    assert report.seconds == pytest.approx(7, abs=0.01)
    assert caplog.messages == ["no sign of the service for 7 s: leaving"]
    assert lines(frames) == [("user", "Hello")]


async def test_every_sign_of_life_gives_it_more_time(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        for _ in range(5):
            await anyio.sleep(6)
            await wire.send_audio(0.1)
        await anyio.sleep(6)
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url, patience_s=7))
    assert len(of(AudioFrame, frames)) == 5
    assert caplog.messages == []


async def test_it_waits_while_the_answer_plays(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.send_audio(30)
        await anyio.sleep(30)
        await wire.send(DONE)

    async with service(answer) as (url, _):
        frames, _ = await run(User(HELLO), LiveApi(url=url, patience_s=1))
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [False]
    assert caplog.messages == []


async def test_silence_in_the_middle_of_an_answer_is_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.send_audio(30)

    async with service(answer) as (url, _):
        frames, report = await run(User(HELLO), LiveApi(url=url, patience_s=2))
    assert report.seconds == pytest.approx(32, abs=0.01)
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [True]
    assert caplog.messages == ["no sign of the service for 2 s: leaving"]


async def test_a_tool_may_take_longer_than_the_service(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", city="Lisbon")
        assert "toolResponse" in await wire.receive()
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        live = LiveApi(url=url, patience_s=0.1)
        await run(User(HELLO), live, tools=[tools(get_weather)])
    assert kinds(wires[0].received) == ["setup", "clientContent", "toolResponse"]
    assert caplog.messages == []


async def test_silence_after_a_result_is_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", city="Lisbon")

    async with service(answer) as (url, _):
        live = LiveApi(url=url, patience_s=3)
        _, report = await run(User(HELLO), live, tools=[tools(get_weather)])
    assert report.seconds == pytest.approx(3.5, abs=0.01)
    assert caplog.messages == ["no sign of the service for 3 s: leaving"]


async def test_a_call_that_nobody_can_answer_does_not_keep_it() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.receive()
        await wire.call("get_weather", city="Lisbon")

    async with service(answer) as (url, _):
        _, report = await run(User(HELLO), LiveApi(url=url, patience_s=3))
    assert report.seconds == pytest.approx(3, abs=0.01)


async def test_no_answer_to_the_setup_is_a_failure() -> None:
    async def answer(wire: Wire) -> None:
        await wire.receive()

    async with service(answer) as (url, _):
        message = await fails(User(HELLO), LiveApi(url=url))
    assert message == 'processor "live" failed: no answer to the setup within 20 s'


async def test_moving_from_connection_to_connection_is_no_sign_of_life() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h")
        await anyio.sleep(3)
        with suppress(ConnectionClosed):
            await wire.go_away(2)

    async with service(answer) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings(), patience_s=10)
        _, report = await run(User(HELLO), live)
    assert report.seconds == pytest.approx(10, abs=2.1)
    assert len(wires) <= 4


# --- a model that owes an answer ---


async def say_nothing(wire: Wire) -> None:
    await wire.set_up("h")
    await wire.listen()


async def test_a_stalled_model_is_left_for_another_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with service(in_turn(say_nothing, answers_to("clientContent"))) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings(), stall=Stall(after_s=8))
        frames, _ = await run(after(30, HELLO), live)
    assert wires[1].opened - wires[0].opened == pytest.approx(8, abs=0.05)
    assert events(frames) == [("started", ""), ("stall", "resume"), ("resumed", "")]
    assert lines(frames) == [("user", "Hello"), ("model", "Good.")]
    assert caplog.messages[0] == "the model has said nothing for 8 s"


async def test_a_model_that_stalls_in_a_turn_is_left_too() -> None:
    async def stop(wire: Wire) -> None:
        await wire.set_up("h")
        await wire.until("clientContent")
        await wire.send_audio(5)
        await wire.listen()

    async with service(in_turn(stop, answers_to("clientContent"))) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings(), stall=Stall(after_s=8))
        frames, _ = await run(after(30, HELLO), live)
    assert wires[1].opened - wires[0].opened == pytest.approx(13, abs=0.05), "it plays for 5 s"
    assert lines(frames) == [("user", "Hello"), ("model", "Good.")]


async def test_a_stalled_model_may_be_nudged() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        nudge = await wire.until("clientContent")
        assert nudge == {"clientContent": {"turnComplete": True}}
        await wire.send_text("Sorry.")
        await wire.send(DONE)

    async with service(answer) as (url, wires):
        live = LiveApi(url=url, stall=Stall(after_s=8, then="nudge"))
        frames, _ = await run(after(30, HELLO), live)
    assert wires[0].times[2] - wires[0].times[1] == pytest.approx(8, abs=0.05)
    assert lines(frames) == [("user", "Hello"), ("model", "Sorry.")]


async def test_a_stall_may_be_a_failure() -> None:
    async with service(say_nothing) as (url, _):
        live = LiveApi(url=url, stall=Stall(after_s=8, then="fail"))
        message = await fails(after(30, HELLO), live)
    assert message.endswith("the model has said nothing for 8 s, though it owes an answer")


async def test_a_question_is_worth_one_new_connection() -> None:
    """Not all that a gate takes for speech is an answer's worth, and some models keep silent."""
    async with service(say_nothing) as (url, wires):
        live = LiveApi(url=url, resumption=ResumptionSettings(), stall=Stall(after_s=8))
        frames, _ = await run(after(200, HELLO), live)
    assert len(wires) == 2
    assert happened(frames).count("stall") == 1


async def test_silence_is_no_stall_when_nothing_is_owed() -> None:
    async with service(say_nothing) as (url, wires):
        frames, _ = await run(after(200), LiveApi(url=url, stall=Stall(after_s=8)))
    assert happened(frames) == ["started"]
    assert len(wires) == 1


async def test_no_stall_while_a_tool_runs_and_none_at_all_if_switched_off() -> None:

    async def calls(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("clientContent")
        await wire.call("get_weather", "a", city="Lisbon")
        await anyio.sleep(0.4)
        await wire.until("toolResponse")
        await wire.send_text("Blue.")
        await wire.send(DONE)

    async with service(calls) as (url, _):
        live = LiveApi(url=url, stall=Stall(after_s=0.3))
        frames, _ = await run(User(HELLO), live, tools=[tools(get_weather)])
    assert happened(frames) == ["started"]
    async with service(say_nothing) as (url, _):
        frames, _ = await run(after(100, HELLO), LiveApi(url=url, stall=None))
    assert happened(frames) == ["started"]


class Room(Source):
    """A microphone in a silent room, which hears until the run is told to finish."""

    async def frames(self) -> AsyncIterator[AudioFrame]:
        for pts in range(0, 3600 * SECOND, SECOND // 50):
            yield AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=pts)
            await anyio.sleep(0.02)


async def finish_after(seconds: float, live: LiveApi) -> tuple[Report, list[Any]]:
    output = Collect()
    run = Run(Graph({"mic": Room(), "live": live, "output": output}, ["mic -> live -> output"]))

    async def finish() -> None:
        await anyio.sleep(seconds)
        run.finish()

    async with anyio.create_task_group() as group:
        group.start_soon(finish)
        return await run.execute(), output.frames


async def test_who_ends_a_conversation_without_a_question_does_not_wait_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a gate, nobody knows whether what was sent was speech."""

    async def answer(wire: Wire) -> None:
        await wire.set_up()
        with suppress(ConnectionClosed):
            while True:
                await wire.receive()

    async with service(answer) as (url, _):
        report, _ = await finish_after(5, LiveApi(url=url))
    assert report.completed
    assert report.seconds == pytest.approx(8, abs=0.1)
    assert caplog.messages == []


async def test_an_answer_to_what_was_said_last_is_still_heard() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        while "audioStreamEnd" not in (await wire.receive())["realtimeInput"]:
            pass
        await anyio.sleep(2.5)
        await wire.send_audio(1)
        await anyio.sleep(5)
        await wire.send(DONE)

    async with service(answer) as (url, _):
        report, frames = await finish_after(5, LiveApi(url=url))
    assert report.completed
    assert [ended.interrupted for ended in of(TurnEnded, frames)] == [False]
