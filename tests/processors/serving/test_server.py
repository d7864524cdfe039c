"""Conversations with a served configuration, over real sockets."""

import asyncio
import gc
import json
import ssl
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from serving_bench import TALK, buzz, served, silence, speak, talking
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipeline.testing import VirtualTimeLoop
from processors.serving.client import RefusedError, connect
from processors.serving.protocol import (
    SUBPROTOCOL,
    Call,
    Draining,
    End,
    Interrupted,
    Ping,
    Played,
    Pong,
    Result,
    Sound,
    Speech,
    Start,
    Text,
    Tokens,
    Turn,
    Typed,
    encode,
)
from processors.serving.session import current

PICTURE = (Path(__file__).parents[3] / "configs/images/1-circle.png").read_bytes()
LONG = "Count to 60."


def length(sounds: list[Sound]) -> float:
    return sum(sound.duration_ms for sound in sounds)


# --- talking ---


async def test_a_typed_line_is_answered_aloud(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        assert talk.client.welcome.devices == ["camera", "keyboard", "loudspeaker", "microphone"]
        await talk.client.type(" Count to 4. ")
        await talk.until(lambda: talk.turns == ["started", "ended"])
        await talk.client.end()
        await talk.until_over()
    assert [typed.text for typed in talk.of(Typed)] == ["Count to 4."]
    assert talk.said("user") == ["Count to 4."]
    assert "four" in talk.said("model")[0] or "4" in talk.said("model")[0]
    assert talk.reason == "done"
    assert length(talk.sounds) > 500
    assert length([sound for sound, _ in talk.ear.heard]) == pytest.approx(length(talk.sounds))
    assert talk.of(Tokens)[-1].totals["AUDIO"] > 0


async def test_speech_is_heard_and_an_answer_told_from_when_it_ended(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        await speak(talk.client, silence(0.5) + buzz(1) + silence(1.5))
        await talk.until(lambda: talk.turns[:1] == ["started"])
        assert [speech.speaking for speech in talk.of(Speech)] == [True, False]
        assert talk.of(Turn)[0].asked_ms == pytest.approx(1500, abs=80)
        await talk.client.leave()


async def test_speech_interrupts_and_empties_what_is_queued(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        await talk.client.type(LONG)
        await talk.until(lambda: length(talk.sounds) > 2000)
        await speak(talk.client, buzz(1) + silence(0.2))
        await talk.until(lambda: talk.of(Interrupted))
        turn = talk.of(Interrupted)[0].turn
        received = [sound for sound in talk.sounds if sound.turn == turn]
        await talk.until(lambda: "interrupted" in talk.turns)
        assert [sound for sound in talk.sounds if sound.turn == turn] == received
        heard = [sound for sound, _ in talk.ear.heard if sound.turn == turn]
        assert len(heard) < len(received)
        await talk.client.leave()


async def test_pictures_reach_the_model(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        await talk.client.show(PICTURE, "image/png")
        await anyio.sleep(1)
        await talk.client.type("What do you see?")
        await talk.until(lambda: "ended" in talk.turns)
        assert "image" in talk.said("model")[0]


async def test_each_client_has_a_conversation_of_its_own(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        talking(server.url) as ada,
        talking(server.url) as otto,
    ):
        for talk, name in ((ada, "Ada"), (otto, "Otto")):
            await talk.client.type(f"My name is {name}.")
            await talk.until(lambda talk=talk: talk.turns == ["started", "ended"])
            await talk.client.type("What is my name?")
            await talk.until(lambda talk=talk: len(talk.turns) == 4)
            assert name in talk.said("model")[1]
        assert server.lobby.open == 2
        assert ada.client.welcome.session != otto.client.welcome.session


async def test_of_what_the_client_does_not_play_only_so_much_is_sent(tmp_path: Path) -> None:
    async with served(tmp_path) as server, connect(server.url) as client:
        await client.type("Count to 70.")
        sent = 0.0
        with anyio.move_on_after(300):
            async for message in client:
                sent += message.duration_ms if isinstance(message, Sound) else 0
        assert 30_000 < sent < 31_000


TOOLS = '''
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "secret sunshine"
'''


@pytest.mark.parametrize("private", [False, True])
async def test_what_is_behind_the_words_is_shown_unless_it_is_private(
    tmp_path: Path, private: bool
) -> None:
    await anyio.Path(tmp_path / "tools.py").write_text(TOOLS)
    tools = "  tools: {use: tool_dispatcher, functions: [tools.py]}\nflow:\n  - gemini <-> tools\n"
    text = TALK.replace("flow:\n", tools)
    async with served(tmp_path, text, private=private) as server, talking(server.url) as talk:
        await talk.client.type("What is the weather in Lisbon?")
        await talk.until(lambda: "ended" in talk.turns)
        assert "sunshine" in talk.said("model")[0]
        assert len(talk.of(Call)) == len(talk.of(Result)) == (0 if private else 1)


# --- coming back ---


async def test_who_drops_out_comes_back_to_the_same_conversation(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        async with talking(server.url) as before:
            await before.client.type("My name is Ada.")
            await before.until(lambda: before.turns == ["started", "ended"])
            await before.client.type(LONG)
            await before.until(lambda: length(before.sounds) > 5000)
            before.client.drop()
            await before.until_over()
        await anyio.sleep(20)
        async with talking(server.url, resume=before.client) as after:
            assert after.client.welcome.resumed
            assert after.client.welcome.session == before.client.welcome.session
            await after.until(lambda: after.turns[-1:] == ["ended"])
            await after.client.type("What is my name?")
            await after.until(lambda: after.turns[-2:] == ["started", "ended"])
        numbers = [m.n for m in (*before.events, *before.sounds, *after.events, *after.sounds)]
        assert len(set(numbers)) == len(numbers)  # nothing twice
        heard = sorted((*before.sounds, *after.sounds), key=lambda sound: sound.n)
        for one, next_ in pairwise(heard):
            if one.turn == next_.turn:
                assert next_.ms == pytest.approx(one.ms + one.duration_ms, abs=1)
        assert "Ada" in after.said("model")[-1]


async def test_who_has_forgotten_everything_gets_the_words_and_what_was_not_heard(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server:
        async with talking(server.url) as before:
            await before.client.type("My name is Ada.")
            await before.until(lambda: before.turns == ["started", "ended"])
            await before.client.type(LONG)
            await before.until(lambda: len(before.ear.heard) > 100)
        await anyio.sleep(5)
        heard = before.ear.heard[-1][0]
        async with talking(server.url, resume=before.client, afresh=True) as after:
            await after.until(lambda: after.turns[-1:] == ["ended"])
        assert after.said("user")[:1] == ["My name is Ada."]
        assert after.said("model")[0] == before.said("model")[0]
        first = after.sounds[0]
        assert first.turn == heard.turn
        assert heard.ms - 250 < first.ms <= heard.ms + heard.duration_ms


async def test_the_newer_connection_takes_over(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as old:
        async with talking(server.url, resume=old.client) as new:
            await old.until_over()
            assert old.client.close_code == 4000
            await new.client.type("Hello")
            await new.until(lambda: "ended" in new.turns)
        assert server.lobby.open == 1


async def test_after_the_grace_time_a_conversation_is_over(tmp_path: Path) -> None:
    async with served(tmp_path, limits={"grace_s": 10}) as server:
        async with talking(server.url) as talk:
            await anyio.sleep(1)
        await anyio.sleep(9)
        assert server.lobby.open == 1
        await anyio.sleep(2)
        assert server.lobby.open == 0
        with pytest.raises(RefusedError, match="unknown-session"):
            await anext(aiter_of(connect(server.url, resume=talk.client)))


async def test_who_says_goodbye_is_not_waited_for(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        async with talking(server.url) as talk:
            await talk.client.leave()
            await talk.until_over()
        await anyio.sleep(0.5)
        assert server.lobby.open == 0


async def test_what_the_microphone_lost_meanwhile_is_time_that_has_passed(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        await speak(talk.client, silence(1))
        assert talk.client.welcome.captured_ms == 0
        async with talking(server.url, resume=talk.client) as again:
            assert again.client.welcome.captured_ms == pytest.approx(1000)
            await anyio.sleep(4)
            await again.client.lost(3000)
            await speak(again.client, buzz(1) + silence(1.2))
            await again.until(lambda: again.turns[:1] == ["started"])
            assert again.of(Turn)[0].asked_ms == pytest.approx(5000, abs=80)


async def test_who_comes_back_knows_which_lines_have_arrived(tmp_path: Path) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        await talk.client.type("My name is Ada.")
        await talk.client.type(" ")
        await talk.until(lambda: talk.of(Typed))
        assert talk.client.welcome.texts == 0
        async with connect(server.url, resume=talk.client) as again:
            assert again.welcome.texts == 2


@pytest.mark.parametrize("drops", [1, 3])
async def test_a_line_that_was_lost_with_the_connection_is_sent_again(
    tmp_path: Path, drops: int
) -> None:
    async with served(tmp_path) as server:
        async with talking(server.url) as talk:
            await talk.client.type("My name is Ada.")
            await talk.until(lambda: "ended" in talk.turns)
        last = talk.client
        for number in range(drops):
            last.drop()
            with suppress(ConnectionClosed):
                await last.type(f"Count to {number + 2}.")
            async with talking(server.url, resume=last) as again:
                await again.until(lambda again=again: again.turns[-1:] == ["ended"])
                assert again.said("user")[-1] == f"Count to {number + 2}."
            last = again.client
        async with connect(server.url, resume=last, afresh=True) as client:
            assert client.welcome.texts == 1 + drops
            await client.type("What is my name?")
        async with connect(server.url, resume=client) as client:
            assert client.welcome.texts == 2 + drops


async def test_a_client_may_ask_for_a_sign_at_any_time(tmp_path: Path) -> None:
    limits = {"sessions": 1, "queue": 1}
    async with served(tmp_path, limits=limits) as server, talking(server.url) as talk:
        await talk.client.send(encode(Ping()).decode())
        await talk.until(lambda: talk.of(Pong))
        async with connect_websocket(server.url, subprotocols=[SUBPROTOCOL]) as waiting:
            for message in (Start(), Ping()):
                await waiting.send(encode(message).decode())
            types = [json.loads(await waiting.recv())["type"] for _ in range(2)]
            assert types == ["waiting", "pong"]


# --- places ---


async def test_one_too_many_is_told_so(tmp_path: Path) -> None:
    async with served(tmp_path, limits={"sessions": 1}) as server:
        async with talking(server.url):
            with pytest.raises(RefusedError, match="full: All places are taken"):
                await anext(aiter_of(connect(server.url)))
        assert 'refused_total{reason="full"} 1.0' in server.lobby.metrics.text().decode()


async def test_those_who_wait_come_in_in_order_and_know_their_place(tmp_path: Path) -> None:
    order: list[str] = []
    async with served(tmp_path, limits={"sessions": 1, "queue": 3}) as server:

        async def wait(name: str, patience: float) -> None:
            with anyio.move_on_after(patience):
                async with connect(server.url) as client:
                    order.append(f"{name} {client.positions}")
                    await client.leave()

        async with anyio.create_task_group() as group, talking(server.url) as talk:
            for name, patience in (("first", 60.0), ("second", 1.0), ("third", 60.0)):
                group.start_soon(wait, name, patience)
                await anyio.sleep(0.1)
            with pytest.raises(RefusedError, match="full"):
                async with connect(server.url), connect(server.url):
                    pass
            await anyio.sleep(2)
            assert server.lobby.waiting == 2
            await talk.client.leave()
        await anyio.sleep(1)
        assert order == ["first [1]", "third [3, 2, 1]"]
        assert server.lobby.open == server.lobby.waiting == 0


async def test_who_gives_up_waiting_leaves_no_connection(tmp_path: Path) -> None:
    limits = {"sessions": 1, "queue": 1}
    async with served(tmp_path, limits=limits) as server, talking(server.url):
        with anyio.move_on_after(1):
            async with connect(server.url):
                pass
        port = int(server.http.rpartition(":")[2])
        there = [
            thing
            for thing in gc.get_objects()
            if issubclass(type(thing), asyncio.Transport)
            and (thing.get_extra_info("peername") or (0, 0))[1] == port
            and not thing.is_closing()
        ]
        assert len(there) == 1


# --- limits ---


@pytest.mark.parametrize(
    ("limits", "seconds", "reason"),
    [({"idle_s": 30}, 30, "idle"), ({"longest_s": 20}, 20, "too-long")],
)
async def test_limits_of_time(
    tmp_path: Path, limits: dict[str, float], seconds: float, reason: str
) -> None:
    async with served(tmp_path, limits=limits) as server, talking(server.url) as talk:
        began = anyio.current_time()
        await talk.until_over()
        assert anyio.current_time() - began == pytest.approx(seconds, abs=0.5)
        assert talk.reason == reason


async def test_who_talks_is_not_idle(tmp_path: Path) -> None:
    async with served(tmp_path, limits={"idle_s": 30}) as server, talking(server.url) as talk:
        for _ in range(3):
            await talk.client.type("Hello")
            await anyio.sleep(20)
        assert not talk.over


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("nonsense", "message"),
        ('{"type": "text"}', "message"),
        (b"123", "message"),
        (encode(Start()).decode(), "start"),
    ],
)
async def test_what_cannot_be_understood_ends_the_connection_only(
    tmp_path: Path, message: str | bytes, reason: str
) -> None:
    async with served(tmp_path) as server, connect(server.url) as client:
        await client.send(message)
        with pytest.raises(RefusedError, match=reason):
            async for _ in client:
                pass
        assert [message async for message in client] == []
        assert client.close_code in (1002, 1008)
        assert server.lobby.open == 1


async def test_the_first_message_is_the_introduction_and_does_not_take_long(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server:
        for first in (encode(Text("hello")), encode(End()), encode(Played(1, 2)), b"\0\0", None):
            async with connect_websocket(
                server.url, subprotocols=["live-pipeline.v1"], proxy=None
            ) as socket:
                if first is not None:
                    await socket.send(first if first == b"\0\0" else first.decode())
                began = anyio.current_time()
                assert '"reason":"start"' in str(await socket.recv())
                assert anyio.current_time() - began <= 10
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
        assert server.lobby.open == 0


async def test_too_much_at_once_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as server, connect(server.url) as client:
        for _ in range(6000):
            await client.type(" ")
        with pytest.raises(RefusedError, match="rate"):
            async for _ in client:
                pass


async def test_a_message_that_is_too_large_ends_the_connection(tmp_path: Path) -> None:
    async with (
        served(tmp_path, limits={"message_bytes": 10_000}) as server,
        connect(server.url) as client,
    ):
        await client.speak(bytes(20_000))
        async for _ in client:
            pass
        assert client.close_code == 1009


async def test_fifteen_seconds_of_sound_at_once_end_nothing(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server, talking(server.url) as talk:
        for _ in range(150):
            await talk.client.speak(silence(0.1))
        await anyio.sleep(1)
        assert not talk.over


async def test_the_services_own_limit_is_shared_by_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = TALK.replace("{sessions: 100}", "{sessions: 1, when_full: refuse}")
    async with (
        served(tmp_path, text) as server,
        talking(server.url) as first,
        talking(server.url) as second,
    ):
        await second.until_over()
        assert second.reason == "failed"
        assert "1 sessions are open already" in caplog.text
        await first.client.type("Hello")
        await first.until(lambda: "ended" in first.turns)


# --- who may ---


async def test_the_token_is_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path, token="secret") as server:
        for wrong in ("", "Secret", "secret "):
            with pytest.raises(RefusedError, match="token"):
                await anext(aiter_of(connect(server.url, token=wrong)))
        async with connect(server.url, token="secret") as client:
            assert client.welcome.session


@pytest.mark.parametrize(
    ("origin", "origins", "comes_in"),
    [
        (None, (), True),
        ("same", (), True),
        ("http://evil.example", (), False),
        ("null", (), False),
        ("https://shop.example", ("https://shop.example/",), True),
        ("https://shop.example:444", ("https://shop.example",), False),
    ],
)
async def test_pages_of_other_origins_may_not_connect(
    tmp_path: Path, origin: str | None, origins: tuple[str, ...], comes_in: bool
) -> None:
    async with served(tmp_path, origins=origins) as server:
        given = server.http if origin == "same" else origin
        if comes_in:
            async with connect(server.url, origin=given):
                pass
        else:
            with pytest.raises(InvalidStatus, match="403"):
                await anext(aiter_of(connect(server.url, origin=given)))


async def test_a_name_that_somebody_points_here_is_no_way_in(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        status, _ = await request(server.http, "/session", host="evil.example", upgrade=True)
        assert status == 403


async def test_another_protocol_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        with pytest.raises(InvalidStatus, match="400"):
            async with connect_websocket(server.url, proxy=None):
                pass


async def test_over_tls(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme", reason="needs the extra `simulate`")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with served(tmp_path, cert=str(tmp_path / "server.pem")) as server:
        url = server.url.replace("ws://", "wss://")
        async with talking(url, ssl=trusting, origin=server.http.replace("http", "https")) as talk:
            await talk.client.type("Hello")
            await talk.until(lambda: "ended" in talk.turns)


# --- for operators ---


async def test_health_readiness_and_metrics(tmp_path: Path) -> None:
    async with served(tmp_path, limits={"sessions": 1}, token="secret") as server:
        assert await request(server.http, "/healthz") == (200, "ok\n")
        assert (await request(server.http, "/readyz"))[0] == 200
        async with talking(server.url, token="secret") as talk:
            status, body = await request(server.http, "/readyz")
            assert status == 503
            assert '"open":1' in body
            await talk.client.type("Hello")
            await talk.until(lambda: "ended" in talk.turns)
            await talk.client.end()
            await talk.until_over()
        assert (await request(server.http, "/metrics"))[0] == 401
        _, text = await request(server.http, "/metrics", authorization="Bearer secret")
        for line in (
            "live_pipeline_sessions_open 0.0",
            "live_pipeline_sessions_limit 1.0",
            'live_pipeline_sessions_ended_total{reason="done"} 1.0',
            "live_pipeline_turns_total 1.0",
            'live_pipeline_messages_total{direction="in"}',
        ):
            assert line in text


async def test_who_holds_up_all_conversations_is_named_with_its_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "blocks.py").write_text(
        "import time\nfrom collections.abc import Iterator\n"
        "from pipeline import TextFrame, Transform\n"
        "class Blocks(Transform):\n"
        "    def process(self, frame: TextFrame) -> Iterator[TextFrame]:\n"
        "        time.sleep(0.15)\n"
        "        yield frame\n"
    )
    text = TALK.replace("typed -> gemini", "typed -> blocks -> gemini").replace(
        "  gate: {", "  blocks: {use: ./blocks.py:Blocks}\n  gate: {"
    )
    named = []
    caplog.handler.addFilter(lambda _: bool(named.append(current.get())) or True)
    async with served(tmp_path, text, limits={"hold_s": 0.1}) as server:
        async with talking(server.url) as talk, talking(server.url) as other:
            for one in (talk, other):
                await one.client.type("Hello")
                await one.until(lambda one=one: "ended" in one.turns)
                await one.client.end()
                await one.until_over()
            names = {one.client.welcome.session for one in (talk, other)}
            threads = [thread.name for thread in threading.enumerate()]
            assert threads.count("watchdog") == 1
        metrics = server.lobby.metrics.text().decode()
    held = [r for r in caplog.records if '"blocks" held the event loop' in r.getMessage()]
    assert len(held) == 2
    assert {named[caplog.records.index(record)] for record in held} == names
    assert 'live_pipeline_hold_seconds_count{processor="blocks"} 2.0' in metrics
    assert "watchdog" not in [thread.name for thread in threading.enumerate()]


async def test_draining_lets_conversations_come_to_their_end(tmp_path: Path) -> None:
    async with served(tmp_path, limits={"drain_s": 20}) as server:
        async with talking(server.url) as talk, talking(server.url) as silent:
            await talk.client.type("Count to 4.")
            await anyio.sleep(0.1)
            async with anyio.create_task_group() as group:
                group.start_soon(server.lobby.drain)
                await anyio.sleep(0.1)
                began = anyio.current_time()
                assert (await request(server.http, "/readyz"))[0] == 503
                with pytest.raises(RefusedError, match="draining"):
                    await anext(aiter_of(connect(server.url)))
                await talk.until(lambda: "ended" in talk.turns)
                await talk.client.leave()
            assert anyio.current_time() - began == pytest.approx(20, abs=1)
            assert silent.of(Draining)[0].seconds == 20
            assert silent.reason == "draining"
        assert server.lobby.open == 0


async def test_a_failure_is_told_without_what_is_inside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = TALK.replace("use: live_api\n", "use: live_api\n    url: ws://127.0.0.1:9/private\n")
    text = text.replace("limit:", "reconnect: {for_s: 1}\n    limit:")
    async with served(tmp_path, text) as server, talking(server.url) as talk:
        await talk.until_over()
    assert talk.reason == "failed"
    assert "private" not in str(talk.events)
    assert 'processor "gemini" failed' in caplog.text


# --- helpers ---


async def aiter_of(context: object) -> object:
    async with context as value:  # type: ignore[attr-defined]
        yield value


async def request(
    http: str, path: str, *, host: str | None = None, upgrade: bool = False, **headers: str
) -> tuple[int, str]:
    """A GET over a socket: status and body."""
    where = http.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*where.split(":"))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host or where}", *map(": ".join, headers.items())]
    if upgrade:
        key = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key]
    else:
        lines += ["Connection: close"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


async def test_limits_that_have_passed_while_the_machine_slept_end_a_conversation_once(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, limits={"idle_s": 300}) as server:
        async with talking(server.url) as talk:
            await talk.client.type("Hello")
            await talk.until(lambda: "ended" in talk.turns)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.jump(600)
            await talk.until_over()
            assert talk.reason == "idle"
        async with talking(server.url) as talk:  # and the next is as ever
            await talk.client.type("Hello")
            await talk.until(lambda: "ended" in talk.turns)
        metrics = server.lobby.metrics.text().decode()
    assert 'sessions_ended_total{reason="idle"} 1.0' in metrics
