"""Into a session: limits, ephemeral tokens, and handles of earlier connections."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from pipeline.testing import VirtualTimeLoop
from processors.local_live_api.fault_kinds import RefuseResumes
from processors.local_live_api.faults import Faults
from processors.local_live_api.scenario import Scenario, Turn
from processors.local_live_api.server import LocalLiveApi, serve
from processors.local_live_api.steps import Call, Step
from processors.local_live_api.switches import Switches
from processors.local_live_api.voice import synthesize

WRITES: dict[str, Any] = {"generationConfig": {"responseModalities": ["TEXT"]}}
RESUMES: dict[str, Any] = {**WRITES, "sessionResumption": {}}
INTERNAL = Close(1011, "Internal error encountered.")
UNKNOWN = Close(1008, "BidiGenerateContent session not found")
EXPIRED = Close(1008, "BidiGenerateContent session expired")
INVALID = Close(1007, "Request contains an invalid argument.")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def resuming(handle: str, **resumption: Any) -> dict[str, Any]:
    return {**RESUMES, "sessionResumption": {"handle": handle, **resumption}}


# --- concurrent sessions ---


@pytest.mark.parametrize(
    ("backend", "reason"),
    [("vertex", "RESOURCE_EXHAUSTED"), ("gemini-api", "You exceeded your current quota")],
)
async def test_more_sessions_than_the_limit_are_refused(
    dial: Any, backend: Any, reason: str
) -> None:
    switches = Switches(sessions=2)
    async with serve(backend=backend, switches=switches) as server, AsyncExitStack() as stack:
        first = await stack.enter_async_context(dial(server, WRITES))
        await stack.enter_async_context(dial(server, WRITES))
        async with dial(server, WRITES, ready=False) as third:
            close = await third.closed()
            assert close.code == 1011
            assert reason in close.reason
        await first.socket.close()
        async with dial(server, WRITES):
            assert len(server.sessions) == 3


async def test_projects_do_not_share_a_limit(dial: Any) -> None:
    other = {"model": "projects/other/locations/l/publishers/google/models/m", **WRITES}
    switches = Switches(sessions=1)
    async with (
        serve(backend="vertex", switches=switches) as server,
        dial(server, WRITES),
        dial(server, other),
    ):
        assert len(server.sessions) == 2


async def test_one_that_was_refused_does_not_count(dial: Any) -> None:
    async with serve(switches=Switches(sessions=1)) as server:
        for _ in range(3):
            async with dial(server, {"generationConfig": {"x": 1}}, ready=False) as client:
                assert (await client.closed()).code == 1007
        async with dial(server, WRITES):
            assert len(server.sessions) == 1


# --- ephemeral tokens ---


async def post(server: LocalLiveApi, body: Any, path: str = "/v1alpha/auth_tokens") -> Any:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    async with await anyio.connect_tcp("127.0.0.1", server.port) as stream:
        await stream.send(head.encode() + data)
        answer = b"".join([chunk async for chunk in stream])
    head_, _, content = answer.partition(b"\r\n\r\n")
    return int(head_.split()[1]), json.loads(content)


def constrained(server: LocalLiveApi, token: str, *, query: bool = False) -> connect:
    url = f"{server.url}Constrained"
    if query:
        return connect(f"{url}?access_token={token}")
    return connect(url, additional_headers={"Authorization": f"Token {token}"})


async def opened(connecting: connect, first: Any = None) -> str:
    """The reason of the refusal; empty if there is none."""
    async with connecting as socket:
        await socket.send(json.dumps(first or {"setup": {"model": "models/m"}}))
        try:
            assert json.loads(await socket.recv()) == {"setupComplete": {}}
        except ConnectionClosed as error:
            assert error.rcvd is not None
            return error.rcvd.reason
    return ""


@pytest.mark.parametrize("query", [False, True])
async def test_a_token_opens_one_session(query: bool) -> None:
    async with serve(backend="gemini-api") as server:
        status, token = await post(server, {})
        assert status == 200
        assert token["name"].startswith("auth_tokens/")
        assert await opened(constrained(server, token["name"], query=query)) == ""
        reason = await opened(constrained(server, token["name"], query=query))
        assert reason.startswith("API key not valid.")


async def test_a_token_that_was_never_issued_opens_nothing() -> None:
    async with serve(backend="gemini-api") as server:
        reason = await opened(constrained(server, "auth_tokens/made-up"))
        assert reason == "API key not valid. Please pass a valid API key."


async def test_what_the_token_locks_replaces_what_the_client_sends() -> None:
    locked = {"model": "models/m", **WRITES}
    async with serve(backend="gemini-api") as server:
        _, token = await post(server, {"bidiGenerateContentSetup": locked})
        async with constrained(server, token["name"]) as socket:
            await socket.send(json.dumps({"setup": {}}))
            await socket.recv()
            await socket.send(json.dumps({"realtimeInput": {"text": "Hello"}}))
            assert (
                "text" in json.loads(await socket.recv())["serverContent"]["modelTurn"]["parts"][0]
            )


@pytest.mark.parametrize(
    "first", [{"realtimeInput": {"text": "Hello"}}, {"clientContent": {}}, {"setup": None}]
)
async def test_a_token_does_not_make_up_for_the_setup(first: Any) -> None:
    locked = {"model": "models/m"}
    async with serve(backend="gemini-api") as server:
        _, token = await post(server, {"bidiGenerateContentSetup": locked})
        reason = await opened(constrained(server, token["name"]), first)
        assert reason == "setup must be the first message and only the first"
        assert await opened(constrained(server, token["name"])) == ""  # and it is not used up


async def test_resuming_is_no_use_of_the_token() -> None:
    async with serve(backend="gemini-api") as server:
        _, token = await post(server, {"uses": 1})
        setup = {"model": "models/m", "sessionResumption": {}}
        async with constrained(server, token["name"]) as socket:
            await socket.send(json.dumps({"setup": setup}))
            await socket.recv()
            update = json.loads(await socket.recv())["sessionResumptionUpdate"]
        setup["sessionResumption"] = {"handle": update["newHandle"]}
        assert await opened(constrained(server, token["name"]), {"setup": setup}) == ""


async def test_a_bad_request_for_a_token_is_refused() -> None:
    async with serve(backend="gemini-api") as server:
        status, problem = await post(server, {"colour": "red"})
        assert status == 400
        assert problem["error"]["status"] == "INVALID_ARGUMENT"


# --- handles ---


@pytest.fixture
async def server() -> AsyncIterator[LocalLiveApi]:
    async with serve(backend="vertex", journal=True) as running:
        yield running


async def test_handles_come_only_if_asked_for(dial: Any, server: LocalLiveApi) -> None:
    async with dial(server, WRITES) as client:
        await client.type("Hello")
        assert "sessionResumptionUpdate" not in (await client.during(9)).events


async def test_a_handle_comes_after_the_setup_and_after_each_turn(
    dial: Any, server: LocalLiveApi
) -> None:
    async with dial(server, RESUMES) as client:
        (first,) = await client.during(1)
        await client.type("Hello")
        messages = await client.during(9)
        assert messages.events[-3:] == [
            "turnComplete", "usageMetadata", "sessionResumptionUpdate"
        ]  # fmt: skip
        assert list(first["sessionResumptionUpdate"]) == ["newHandle", "resumable"]
        assert first["sessionResumptionUpdate"]["resumable"] is True
        assert messages.handle != first["sessionResumptionUpdate"]["newHandle"]


async def test_a_handle_can_come_once_for_each_connection(dial: Any) -> None:
    async with serve(switches=Switches(updates="once")) as server, dial(server, RESUMES) as client:
        await client.type("Hello")
        assert len((await client.during(9)).all("sessionResumptionUpdate")) == 1


async def test_a_session_goes_on_where_it_was(dial: Any, server: LocalLiveApi) -> None:
    async with dial(server, RESUMES) as client:
        await client.type("My name is Ada.")
        handle = (await client.until("sessionResumptionUpdate")).handle
        await client.turn()
    async with dial(server, resuming(handle)) as client:
        assert (await client.during(5)).events == ["sessionResumptionUpdate"]  # no greeting
        await client.type("What is my name?")
        assert (await client.turn()).written == "Your name is Ada."
    (session,) = server.sessions
    assert session.connections == 2
    assert session.journal is not None
    assert len(session.journal) == 2


@pytest.mark.parametrize(("handles", "said"), [("latest", "Ada"), ("snapshot", "not told")])
async def test_a_handle_is_for_what_is_or_for_what_was(dial: Any, handles: Any, said: str) -> None:
    async with serve(switches=Switches(handles=handles), journal=True) as server:
        async with dial(server, RESUMES) as client:
            early = (await client.until("sessionResumptionUpdate")).handle
            await client.type("My name is Ada.")
            await client.turn()
        async with dial(server, resuming(early)) as client:
            await client.type("What is my name?")
            assert (said == "Ada") is ("Ada" in (await client.turn()).written)
        (session,) = server.sessions
        assert session.journal is not None
        assert len(session.journal) == (2 if handles == "latest" else 1)


async def test_what_follows_a_snapshot_does_not_change_it(dial: Any) -> None:
    async with serve(switches=Switches(handles="snapshot"), backend="vertex") as server:
        async with dial(server, RESUMES) as client:
            early = (await client.until("sessionResumptionUpdate")).handle
            await client.speak(synthesize("A sentence that is never finished", rate=16_000))
            await client.send(clientContent={"turns": [{"parts": [{"text": "Half a message"}]}]})
        counts = []
        for _ in range(3):
            async with dial(server, resuming(early)) as client:
                await client.type("Hello")
                counts.append((await client.turn()).usage)
                assert not server.sessions[0].memory.ear.speaking
        assert counts == counts[:1] * 3
        assert counts[0]["promptTokenCount"] == 2


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize(("backend", "hours"), [("vertex", 24), ("gemini-api", 2)])
async def test_a_handle_dies(dial: Any, backend: Any, hours: int, scale: float) -> None:
    async with serve(backend=backend, switches=Switches(time_scale=scale)) as server:
        async with dial(server, RESUMES) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
        await anyio.sleep(hours * 3600 / scale - 1)
        async with dial(server, resuming(handle)) as client:
            await client.until("sessionResumptionUpdate")
        await anyio.sleep(hours * 3600 / scale + 1)
        async with dial(server, resuming(handle), ready=False) as client:
            assert await client.closed() == EXPIRED


async def test_a_handle_that_was_never_given_is_not_found(dial: Any, server: LocalLiveApi) -> None:
    async with dial(server, resuming("no-such-handle"), ready=False) as client:
        assert await client.closed() == UNKNOWN


async def test_the_model_must_stay_the_same(dial: Any, server: LocalLiveApi) -> None:
    async with dial(server, RESUMES) as client:
        handle = (await client.until("sessionResumptionUpdate")).handle
    async with dial(server, {**resuming(handle), "model": "projects/p/x"}, ready=False) as client:
        assert await client.closed() == INVALID


async def test_other_settings_may_change(dial: Any, server: LocalLiveApi) -> None:
    async with dial(server, RESUMES) as client:
        handle = (await client.until("sessionResumptionUpdate")).handle
    async with dial(server, {**resuming(handle), "generationConfig": {}}) as client:
        await client.type("Hello")
        assert (await client.turn()).audio.size


async def test_refused_resumes_succeed_later(dial: Any) -> None:
    async with serve(faults=Faults([RefuseResumes(times=2)])) as server:
        async with dial(server, RESUMES) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
        for _ in range(2):
            async with dial(server, resuming(handle), ready=False) as client:
                assert await client.closed() == INTERNAL
        async with dial(server, resuming(handle)) as client:
            await client.type("Hello")
            assert (await client.turn()).written


# --- while the old connection is open ---


async def test_a_resume_is_refused_while_the_old_connection_is_open(
    dial: Any, server: LocalLiveApi
) -> None:
    async with dial(server, RESUMES) as old:
        handle = (await old.until("sessionResumptionUpdate")).handle
        began = anyio.current_time()
        async with dial(server, resuming(handle), ready=False) as new:
            assert await new.closed() == INTERNAL
        assert anyio.current_time() - began == pytest.approx(0.5, abs=0.05)
        await old.type("Hello")
        assert (await old.turn()).written  # it lives on
    async with dial(server, resuming(handle)):
        assert server.sessions[0].connections == 2


async def test_a_resume_can_replace_the_old_connection(dial: Any) -> None:
    switches = Switches(reopen="replace", sessions=1)  # it is the same session, not one more
    async with serve(switches=switches) as server, dial(server, RESUMES) as old:
        handle = (await old.until("sessionResumptionUpdate")).handle
        await old.type("My name is Ada.")
        await old.turn()
        async with dial(server, resuming(handle)) as new:
            assert await old.closed() == Close(1000, "The operation was cancelled.")
            await new.type("What is my name?")
            assert (await new.turn()).written == "Your name is Ada."


async def test_a_call_survives_the_connection(dial: Any) -> None:
    steps = [Step(call=Call("f")), Step(say="It is {f}.")]
    async with serve(scenario=Scenario([Turn(steps, "text")])) as server:
        async with dial(server, RESUMES) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
            await client.type("Call.")
            (call,) = (await client.until("toolCall")).calls
            client.vanish()
        await anyio.sleep(154)
        async with dial(server, resuming(handle)) as client:
            assert (await client.during(5)).calls == []  # nothing is issued again
            await client.answer(call, "fine")
            messages = await client.turn()
            assert messages.written == "It is fine."
            assert messages.usage["promptTokenCount"] > 0
        assert server.left_over() == []


async def test_what_was_asked_but_not_answered_is_remembered(dial: Any) -> None:
    patient = {"realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}}
    async with serve(switches=Switches(latency_ms=2000)) as server:
        async with dial(server, RESUMES | patient) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
            await client.type("My name is Ada.")
            await client.send(realtimeInput={"text": "I live in Porto."})
            await anyio.sleep(0.1)
            client.vanish()
        async with dial(server, resuming(handle)) as client:
            await client.during(10)
            await client.type("What is my name?")
            assert (await client.turn()).written == "Your name is Ada."
            await client.type("Where do I live?")
            assert (await client.turn()).written == "You live in Porto."


async def test_what_an_interruption_cut_does_not_come_after_a_resume(dial: Any) -> None:
    steps = [Step(wait_ms=9000), Step(say="Never.")]
    async with serve(scenario=Scenario([Turn(steps, "text")])) as server:
        async with dial(server, RESUMES) as client:
            handle = (await client.until("sessionResumptionUpdate")).handle
            await client.type("Take your time.")
            await client.send(clientContent={"turns": []})
            await client.turn()
        async with dial(server, resuming(handle)) as client:
            assert (await client.during(60)).events == ["sessionResumptionUpdate"]


async def test_audio_goes_on_in_mid_utterance(dial: Any, server: LocalLiveApi) -> None:
    question = synthesize("What will the weather be like in Lisbon?", rate=16_000)
    half = len(question) // 2
    async with dial(server, RESUMES) as client:
        handle = (await client.until("sessionResumptionUpdate")).handle
        await client.speak(question[:half])
    async with dial(server, resuming(handle)) as client:
        await client.speak(question[half:], np.zeros((16_000, 1), np.int16))
        assert "heard" in (await client.turn()).written
    (heard,) = (e for e in server.sessions[0].memory.entries if type(e).__name__ == "Heard")
    assert heard.seconds == pytest.approx(len(question) / 16_000, abs=0.4)
