"""Several replicas and a ledger in one loop, over sockets, as several processes would be."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from serving_bench import Talk, talking
from test_server import request
from websockets.exceptions import InvalidStatus

from processors.serving.application import Application
from processors.serving.binding import Offer
from processors.serving.client import RefusedError, connect
from processors.serving.cluster import shared_places
from processors.serving.cluster.ledger import Ledger, Report
from processors.serving.cluster.replica import Replica
from processors.serving.cluster.shared_places import SharedPlaces
from processors.serving.limits import Limits
from processors.serving.protocol import Draining
from processors.serving.server import listen, serving

KEY = "known to the replicas"
TYPED = """
processors:
  typed: {use: text_source, path: "-"}
  gemini: {use: live_api, modality: text, limit: {sessions: 99}}
  words: {use: transcription_sink, path: words.jsonl}
flow:
  - typed -> gemini -> words
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas speak with the ledger without delay."""
    monkeypatch.setattr(shared_places, "RENEW_S", 0.02)
    monkeypatch.setattr(shared_places, "ASK_S", 0.02)


class Cluster:
    """Replicas that can be added. Without `ledger` it cannot be reached."""

    def __init__(self, folder: Path, stack: AsyncExitStack, limits: Limits, each: int) -> None:
        self.ledger: Ledger | None = Ledger(KEY)
        self.limits, self.each = limits, each
        self._folder, self._stack = folder, stack
        (folder / "talk.yaml").write_text(TYPED)

    async def ask(self, method: str, *arguments: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        if self.ledger is None:
            raise ConnectionError
        return getattr(self.ledger, method)(*arguments)

    def one(self, generation: float = 1, **settings: Any) -> "One":
        """A replica that does not run yet."""
        places = SharedPlaces(self.ask, self.limits, each=self.each, generation=generation)
        offer = Offer(self._folder / "talk.yaml", {}, self._folder / "files")
        application = Application(
            offer, self.limits, loopback=True, places=places, key=KEY, **settings
        )
        return One(application, places)

    async def add(self, generation: float = 1, **settings: Any) -> "One":
        """One that runs as long as the cluster."""
        one = self.one(generation, **settings)
        await self._stack.enter_async_context(one.running())
        await until(lambda: one.places.reached)
        return one


class One:
    """A replica, and where it is for clients."""

    def __init__(self, application: Application, places: SharedPlaces) -> None:
        self.application, self.places = application, places
        self.lobby = application.lobby
        self.url = self.http = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        replica = Replica(self.application, self.places, "127.0.0.1")
        listener = listen("127.0.0.1", 0)
        async with serving(replica, listener, Limits()):
            port = listener.getsockname()[1]
            self.url, self.http = f"ws://127.0.0.1:{port}/session", f"http://127.0.0.1:{port}"
            yield


@asynccontextmanager
async def cluster_of(
    folder: Path, count: int, *, each: int = 9, **limits: Any
) -> AsyncIterator[tuple[Cluster, list[One]]]:
    settings = {"sessions": 9, "grace_s": 0.1, "drain_s": 1.0, **limits}
    async with AsyncExitStack() as stack:
        cluster = Cluster(folder, stack, Limits(**settings), each)
        yield cluster, [await cluster.add() for _ in range(count)]


async def until(what: Callable[[], object]) -> None:
    """Processes that share a ledger are told nothing by it."""
    with anyio.fail_after(10):
        while not what():  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def answer(talk: Talk, question: str = "What is 12 times 12?") -> str:
    before = len(talk.said("model"))
    await talk.client.type(question)
    with anyio.fail_after(10):
        await talk.until(lambda: len(talk.said("model")) > before)
    text: str = talk.said("model")[-1]
    return text


async def refusal(url: str, **settings: Any) -> str:
    try:
        async with connect(url, **settings):
            return ""
    except RefusedError as refused:
        return refused.reason
    except OSError:
        return "unreachable"


# --- one limit ---


async def test_conversations_of_all_replicas_count(tmp_path: Path) -> None:
    async with (
        cluster_of(tmp_path, 2, sessions=2, grace_s=0.0) as (_, (a, b)),
        talking(a.url),
        talking(b.url) as second,
    ):
        assert await refusal(a.url) == await refusal(b.url) == "full"
        assert (a.lobby.open, b.lobby.open) == (1, 1)
        await until(lambda: not a.lobby.is_ready)
        status, body = await request(a.http, "/readyz")
        assert (status, '"open":2,"sessions":2' in body) == (503, True)
        await second.client.leave()
        await until(lambda: a.lobby.is_ready)
        assert await refusal(a.url) == ""


async def test_a_replica_that_is_full_passes_a_client_on(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 2, each=1) as (_, (a, b)), talking(a.url):
        async with talking(a.url) as passed_on:
            assert (a.lobby.open, b.lobby.open) == (1, 1)
            assert "144" in await answer(passed_on)
            await passed_on.client.leave()
        await until(lambda: b.lobby.open == 0)  # it has said goodbye, and is not waited for


async def test_those_who_wait_at_different_replicas_have_one_order(tmp_path: Path) -> None:
    order: list[tuple[str, int]] = []
    limits = {"sessions": 1, "queue": 2, "grace_s": 0.0}
    async with cluster_of(tmp_path, 2, **limits) as (_, (a, b)):

        async def wait(name: str, url: str) -> None:
            async with connect(url) as client:
                order.append((name, client.positions[0]))
                await client.leave()

        async with anyio.create_task_group() as group, talking(a.url) as talk:
            group.start_soon(wait, "first", b.url)
            await until(lambda: b.lobby.waiting == b.places.state().waiting == 1)
            group.start_soon(wait, "second", a.url)
            await until(lambda: a.lobby.waiting == 1 and a.places.state().waiting == 2)
            assert await refusal(b.url) == "full"
            await talk.client.leave()
        assert order == [("first", 1), ("second", 2)]


async def test_without_a_ledger_nobody_begins_and_all_go_on(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 1) as (cluster, (a,)), talking(a.url) as talk:
        cluster.ledger = None
        with anyio.move_on_after(0.3) as waited:
            await refusal(a.url)
        assert waited.cancelled_caught
        assert "144" in await answer(talk)
        cluster.ledger = Ledger(KEY)
        with anyio.fail_after(5):
            assert await refusal(a.url) == ""


# --- coming back ---


async def test_who_comes_back_to_another_replica_goes_on_where_it_was(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 2, grace_s=20) as (_, (a, b)):
        async with talking(a.url) as talk:
            assert "144" in await answer(talk)
            talk.client.drop()
            await talk.until_over()
        async with talking(b.url, resume=talk.client) as again:
            assert again.client.welcome.resumed
            assert again.client.welcome.session == talk.client.welcome.session
            assert "42" in await answer(again, "What is 40 plus 2?")
            assert (a.lobby.open, b.lobby.open) == (1, 0)
            again.client.drop()
            await again.until_over()
        async with talking(b.url, resume=again.client, afresh=True) as third:
            await third.until(lambda: len(third.said("model")) == 2)
            await third.client.end()
            await third.until_over()
            assert third.reason == "done"
        assert "relayed_total 2.0" in b.lobby.metrics.text().decode()


async def test_a_conversation_is_nobody_elses_through_another_replica(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 2) as (_, (a, b)), talking(a.url) as talk:
        thief = talk.client
        thief.welcome = type(thief.welcome)(session=thief.welcome.session, resume="guessed")
        assert await refusal(b.url, resume=thief) == "unknown-session"


async def test_who_held_it_is_gone_and_the_client_is_told_so(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 1) as (cluster, (a,)), talking(a.url) as talk:
        ledger = cluster.ledger = Ledger(KEY, clock := Clock())
        clock.now = 100.0
        await until(ledger.doors)
        lost = talk.client
        lost.welcome = type(lost.welcome)(session="gone-1234", resume="secret")
        assert await refusal(a.url, resume=lost) == "lost"
        ledger.hold(Report("gone", "127.0.0.1:9", 1, 9, 0, 9, 1))  # as it has been killed just now
        assert await refusal(a.url, resume=lost) == "lost"
        assert "gone" not in ledger.doors()


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_door_is_for_those_who_know_the_key(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 1) as (_, (a,)):
        http = f"http://{a.places.door}"
        for path in ("/metrics", "/", "/readyz"):
            assert (await request(http, path))[0] == 403
        with pytest.raises(InvalidStatus, match="403"):
            await refusal(f"ws://{a.places.door}/session")


# --- an end ---


async def test_an_update_drains_the_old_and_sends_newcomers_to_the_new(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 1, drain_s=0.5) as (cluster, (old,)), talking(old.url) as talk:
        new = cluster.one(generation=2)
        async with new.running():
            await until(lambda: talk.of(Draining))
            assert talk.of(Draining)[0].seconds == 0.5
            async with talking(old.url) as newcomer:
                assert (old.lobby.open, new.lobby.open) == (1, 1)
                assert "144" in await answer(newcomer)
                with anyio.fail_after(10):
                    await talk.until_over()
                assert talk.reason == "draining"
                assert "42" in await answer(newcomer, "What is 40 plus 2?")


async def test_a_stop_is_told_and_can_be_made_shorter(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 1, drain_s=100.0) as (cluster, (a,)), talking(a.url) as talk:
        assert cluster.ledger is not None
        cluster.ledger.stop(1, now=False)
        with anyio.fail_after(3):
            await talk.until(lambda: talk.of(Draining))
        assert await refusal(a.url) == "draining"
        assert "144" in await answer(talk)
        cluster.ledger.stop(1, now=True)
        with anyio.fail_after(8):
            await talk.until_over()
        assert talk.reason == "draining"


async def test_a_replica_that_ray_stops_waits_for_who_may_come_back(tmp_path: Path) -> None:
    async with (
        cluster_of(tmp_path, 1, grace_s=20) as (cluster, (other,)),
        anyio.create_task_group() as group,
    ):
        stopped = cluster.one()
        stop = anyio.Event()

        async def live() -> None:
            async with stopped.running():
                await stop.wait()
            group.cancel_scope.cancel()

        group.start_soon(live)
        await until(lambda: stopped.places.reached)
        async with talking(stopped.url) as talk:
            talk.client.drop()
            await talk.until_over()
        stop.set()
        with anyio.fail_after(10):
            while await refusal(stopped.url) != "unreachable":  # noqa: ASYNC110
                await anyio.sleep(0.01)
        async with talking(other.url, resume=talk.client) as again:
            assert "144" in await answer(again)
            await again.client.leave()
        with anyio.fail_after(5):
            await anyio.sleep_forever()
    assert other.places.state().open == 0


# --- counters ---


async def test_metrics_are_those_of_all_replicas(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, 2) as (_, (a, b)), talking(a.url):
        await until(lambda: b.places.state().open == 1)
        status, text = await request(b.http, "/metrics")
        assert status == 200
        for replica, count in ((a, 1.0), (b, 0.0)):
            name = replica.places.name
            assert f'live_pipeline_sessions_open{{replica="{name}"}} {count}' in text
        assert "live_pipeline_cluster_open 1.0" in text
        assert "live_pipeline_cluster_sessions 9.0" in text
        assert 'live_pipeline_messages_total{direction="in",replica=' in text


async def test_metrics_want_the_token(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        cluster = Cluster(tmp_path, stack, Limits(), 9)
        one = await cluster.add(token="secret")
        assert (await request(one.http, "/metrics"))[0] == 401
        status, text = await request(one.http, "/metrics", authorization="Bearer secret")
        assert (status, one.places.name in text) == (200, True)
