"""Sessions that outlive their connections: handles, files of handles, and handles that are dead."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import google.auth
import google.auth.exceptions
import numpy as np
import pytest
from live_bench import (
    DONE,
    HELLO,
    Handler,
    User,
    Wire,
    after,
    chunks,
    fails,
    happened,
    in_turn,
    lines,
    noise,
    run,
    service,
    sound_of,
)

from pipeline import TextFrame, load_code
from pipeline.config import loads
from pipeline.testing import VirtualTimeLoop, run_virtually
from processors.live_api.settings import ResumptionSettings
from processors.live_api.transport import LiveApi
from processors.local_live_api.fault_kinds import Cut, RefuseResumes
from processors.local_live_api.faults import Faults
from processors.local_live_api.server import serve
from processors.local_live_api.switches import Switches
from processors.tools.dispatcher import ToolDispatcher

RESUME = ResumptionSettings()
TRANSPARENT = ResumptionSettings(transparent=True)
NAME, ASKED = TextFrame("My name is Ada."), TextFrame("What is my name?")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def of_the_setup(wire: Wire) -> Any:
    return wire.received[0]["setup"].get("sessionResumption")


async def lose(wire: Wire) -> None:
    await wire.set_up("h")
    await anyio.sleep(1)
    wire.cut()


async def stay(wire: Wire) -> None:
    await wire.set_up("h2")


def dead(code: int, reason: str) -> Handler:
    async def refuse(wire: Wire) -> None:
        await wire.receive()
        await wire.socket.close(code, reason)

    return refuse


async def test_it_is_off_unless_asked_for() -> None:
    async with service(in_turn(lose, stay)) as (url, wires):
        frames, _ = await run(after(5), LiveApi(url=url))
    assert [of_the_setup(wire) for wire in wires] == [None, None]
    assert happened(frames) == ["started", "restarted"]


async def test_the_latest_good_handle_resumes() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up("h1")
        await wire.update("h2")
        await wire.send({"sessionResumptionUpdate": {"newHandle": "", "resumable": False}})
        await wire.send({"sessionResumptionUpdate": {"newHandle": "h3"}})
        await wire.send({"sessionResumptionUpdate": {}})
        await anyio.sleep(1)
        wire.cut()

    async with service(in_turn(answer, stay)) as (url, wires):
        frames, _ = await run(after(5), LiveApi(url=url, resumption=RESUME))
    assert [of_the_setup(wire) for wire in wires] == [{}, {"handle": "h2"}]
    assert happened(frames) == ["started", "resumed"]


DEAD = [
    (1008, "BidiGenerateContent session expired"),
    (1008, "BidiGenerateContent session not found"),
    (1008, "Requested entity was not found."),
    (1007, "Invalid session handle"),
]


@pytest.mark.parametrize(("code", "reason"), DEAD)
async def test_a_dead_handle_gives_a_fresh_session_and_says_so(
    code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with service(in_turn(lose, dead(code, reason), stay)) as (url, wires):
        frames, report = await run(after(9), LiveApi(url=url, resumption=RESUME))
    assert [of_the_setup(wire) for wire in wires] == [{}, {"handle": "h"}, {}]
    assert happened(frames) == ["started", "fresh", "restarted"]
    assert any("without the conversation so far" in message for message in caplog.messages)
    assert report.completed


async def test_a_session_that_is_gone_is_no_endless_loop() -> None:
    async with service(dead(1008, "BidiGenerateContent session not found")) as (url, wires):
        message = await fails(User(HELLO), LiveApi(url=url, resumption=RESUME))
    assert "the service does not know the handle" in message
    assert len(wires) == 1


async def test_a_refused_resume_is_tried_again_after_a_pause() -> None:
    faults = Faults([Cut(at_s=5, connections=(1,)), RefuseResumes(times=3)])
    async with serve(faults=faults) as server:
        live = LiveApi(url=server.url, resumption=RESUME, modality="text")

        async def script() -> AsyncIterator[TextFrame]:
            yield NAME
            await anyio.sleep(20)
            yield ASKED

        frames, _ = await run(User(script=script), live)
    assert happened(frames) == ["started", "resumed"]
    assert "Ada" in lines(frames)[-1][1]


async def test_a_resume_while_the_service_still_holds_the_old_connection() -> None:
    """It is cut on the way: for the service the old connection is open for a while."""
    async with serve(switches=Switches()) as server:
        live = LiveApi(url=server.url, resumption=RESUME, modality="text")

        async def script() -> AsyncIterator[TextFrame]:
            yield NAME
            await anyio.sleep(3)
            server.sessions[0].open = True  # as if nobody had noticed
            server.sessions[0].replaced.set()
            await anyio.sleep(5)
            yield ASKED

        frames, _ = await run(User(script=script), live)
    assert "Ada" in lines(frames)[-1][1]
    assert happened(frames)[-1] == "resumed"


async def test_the_next_run_goes_on_where_this_one_ended(tmp_path: Path) -> None:
    file = tmp_path / "handles/session.json"
    async with serve() as server:
        for said in (NAME, ASKED):
            resumption = ResumptionSettings(file=str(file))
            live = LiveApi(url=server.url, resumption=resumption, modality="text")
            frames, _ = await run(User(said), live)
    assert "Ada" in lines(frames)[-1][1]
    assert happened(frames) == ["resumed"]
    assert len(server.sessions) == 1
    assert file.stat().st_mode & 0o077 == 0


async def test_a_handle_in_a_file_may_be_dead_too(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    resumption = ResumptionSettings(file=str(file))
    async with serve() as first:
        await run(User(NAME), LiveApi(url=first.url, resumption=resumption, modality="text"))
    async with serve() as second:
        live = LiveApi(url=second.url, resumption=resumption, modality="text")
        frames, _ = await run(User(ASKED), live)
    assert happened(frames) == ["fresh", "started"]
    assert lines(frames)[0] == ("user", "What is my name?")
    assert len(lines(frames)) == 2


async def test_a_handle_that_cannot_be_saved_ends_no_conversation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("processors.live_api.handle_keeper.save_handle", full)
    resumption = ResumptionSettings(file=str(tmp_path / "session.json"))
    async with serve() as server:
        live = LiveApi(url=server.url, resumption=resumption, modality="text")
        frames, report = await run(User(NAME), live)
    assert report.completed
    assert len(lines(frames)) == 2
    assert "cannot save the session's handle: No space left on device" in caplog.messages


# --- transparent resumption ---


async def rest(wire: Wire) -> None:
    await wire.set_up()
    await wire.until("audioStreamEnd")
    await wire.send(DONE)


async def test_what_the_service_has_is_not_sent_again() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        for _ in range(5):
            await wire.until("audio")
        await wire.update("h", 3)
        await wire.until("audioStreamEnd")
        wire.cut()

    sound = noise(0.2)
    async with service(in_turn(answer, rest)) as (url, wires):
        live = LiveApi("local_vertex", url=url, resumption=TRANSPARENT)
        await run(User(*chunks(sound)), live)
    assert of_the_setup(wires[0]) == {"transparent": True}
    assert of_the_setup(wires[1]) == {"handle": "h", "transparent": True}
    assert np.array_equal(sound_of(wires[1]), sound[3 * 320 :, 0])


async def test_a_second_loss_before_the_first_update_changes_nothing() -> None:
    async def answer(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("audio")
        await wire.update("h", 1)
        await wire.until("audioStreamEnd")
        wire.cut()

    async def again(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("audio")
        wire.cut()

    sound = noise(0.2)
    async with service(in_turn(answer, again, again, rest)) as (url, wires):
        live = LiveApi("local_vertex", url=url, resumption=TRANSPARENT)
        await run(User(*chunks(sound)), live)
    for wire in wires[1:]:
        assert of_the_setup(wire) == {"handle": "h", "transparent": True}
    assert np.array_equal(sound_of(wires[-1]), sound[320:, 0])


async def test_credentials_are_made_anew_for_each_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = iter(f"token-{number}" for number in range(9))

    class Credentials:
        token = ""

        def refresh(self, request: object) -> None:
            self.token = next(tokens)

    used: list[str] = []

    async def answer(wire: Wire) -> None:
        assert wire.socket.request is not None
        used.append(wire.socket.request.headers["Authorization"])
        await (lose if len(used) < 3 else stay)(wire)

    monkeypatch.setattr(google.auth, "default", lambda scopes: (Credentials(), "p"))
    async with service(answer) as (url, _):
        await run(after(15), LiveApi("vertex", url=url, resumption=RESUME))
    assert used == ["Bearer token-0", "Bearer token-1", "Bearer token-2"]


async def test_credentials_that_cannot_be_had_for_a_while_end_no_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts: list[float] = []

    class Credentials:
        token = "token"

        def refresh(self, request: object) -> None:
            attempts.append(1)
            if len(attempts) in (2, 3):
                raise google.auth.exceptions.TransportError("no network")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", lambda scopes: (Credentials(), "p"))
    async with service(in_turn(lose, stay)) as (url, wires):
        frames, report = await run(after(20), LiveApi("vertex", url=url, resumption=RESUME))
    assert happened(frames) == ["started", "resumed"]
    assert report.completed
    assert len(wires) == 2


def test_an_answer_that_the_repeated_question_cut_short_comes_in_full(tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(
        "faults: [{do: cut, after_received: 3, connections: [1]}]\n"
    )
    graph = loads(
        "processors:\n"
        "  typed: {use: text_source, lines: [Hello!, What is 3 plus 4?], pause_ms: 1500}\n"
        "  gemini: {use: live_api, modality: text, resumption: {}, faults: faults.yaml}\n"
        f"  words: {{use: transcription_sink, path: {tmp_path}/words.jsonl}}\n"
        "flow: [typed -> gemini -> words]\n",
        base=tmp_path,
    )
    run_virtually(graph)
    rows = [json.loads(line) for line in (tmp_path / "words.jsonl").read_text().splitlines()]
    assert rows[-1]["text"] == "3 plus 4 is 7."
    assert "interrupted" not in rows[-1]


async def test_a_call_that_is_made_again_after_a_rollback_runs_no_function(tmp_path: Path) -> None:
    counter = tmp_path / "counter.py"
    counter.write_text(
        "RUNS = []\n\ndef count() -> int:\n    RUNS.append(1)\n    return len(RUNS)\n"
    )
    answers: list[Any] = []

    async def call(wire: Wire) -> None:
        await wire.set_up()
        await wire.update("h", 0)
        await wire.until("clientContent")
        await wire.call("count", "a")
        await wire.until("toolResponse")
        wire.cut()

    async def call_again(wire: Wire) -> None:
        await wire.set_up()
        await wire.until("toolResponse")  # which it knows no call for yet
        await wire.call("count", "a")
        answers.append(await wire.until("toolResponse"))
        await wire.send_text("One.")
        await wire.send(DONE)

    async with service(in_turn(call, call_again)) as (url, _):
        live = LiveApi(url=url, modality="text", resumption=TRANSPARENT)
        frames, _ = await run(User(HELLO), live, tools=[ToolDispatcher([f"{counter}:count"])])
    assert load_code(f"{counter}:RUNS") == [1]
    response = answers[0]["toolResponse"]["functionResponses"][0]
    assert (response["id"], response["response"]) == ("a", {"output": 1})
    assert lines(frames)[-1] == ("model", "One.")
