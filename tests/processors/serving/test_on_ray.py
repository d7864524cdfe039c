"""Served on a cluster of two nodes, on this machine: limits, losses, returns, updates and ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from anyio.abc import TaskGroup
from serving_bench import Talk
from test_server import request

pytest.importorskip("ray", reason="needs the extra `ray`")

from processors.serving.client import RefusedError, connect
from processors.serving.protocol import Draining

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes as Linux has them"),
]
TYPED = """
processors:
  typed: {use: text_source, path: "-"}
  gemini: {use: live_api, modality: text, limit: {sessions: 9}}
  words: {use: transcription_sink, path: words.jsonl}
flow:
  - typed -> gemini -> words
"""
LIMIT, EACH = 3, 2
STORE_BYTES = 80_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes, besides a head that runs nothing."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        made = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            made.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def port() -> int:
    """Of all deployments: Ray Serve keeps the first."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


class Deployment:
    """A `pipeline serve --on ray` that goes on."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.url = f"ws://127.0.0.1:{port}/session"
        self.http = f"http://127.0.0.1:{port}"

    def end(self) -> str:
        """Its last words, when it has ended by itself."""
        assert self.process.wait(60) == 0
        assert self.process.stderr is not None
        return self.process.stderr.read()


@contextmanager
def deployed(cluster: Any, port: int, folder: Path, *options: Any) -> Iterator[Deployment]:
    (folder / "talk.yaml").write_text(TYPED)
    command = [sys.executable, "-m", "pipeline", "serve", str(folder / "talk.yaml")]
    command += ["--on", "ray", "--address", cluster.address, "--port", str(port)]
    command += ["--files", str(folder / "files"), "--replicas", "2", *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            while "serving at" not in said:
                line = process.stderr.readline()
                assert line, said
                said += line
            yield Deployment(process, port)
            process.send_signal(signal.SIGTERM)  # if it has not ended
            assert process.wait(60) == 0
        finally:
            process.kill()


class Clients:
    """Those that talk, until left."""

    def __init__(self, url: str, stack: AsyncExitStack, group: TaskGroup) -> None:
        self._url, self._stack, self._group = url, stack, group

    async def one_more(self) -> Talk | None:
        """None if there is no place."""
        try:
            client = await self._stack.enter_async_context(connect(self._url))
        except RefusedError as refused:
            assert refused.reason == "full"
            return None
        talk = Talk(client)
        self._group.start_soon(talk.run)
        return talk

    async def back(self, talk: Talk) -> Talk:
        """Somebody who has dropped out."""
        client = await self._stack.enter_async_context(connect(self._url, resume=talk.client))
        assert client.welcome.resumed
        assert client.welcome.session == talk.client.welcome.session
        again = Talk(client)
        self._group.start_soon(again.run)
        return again

    async def who_cannot_come_back(self, talks: list[Talk]) -> list[Talk]:
        """Those who are told that their conversation is lost; the others are brought back."""
        lost = []
        for number, talk in enumerate(talks):
            if not await answers(talk):
                try:
                    talks[number] = await self.back(talk)
                except RefusedError as refused:
                    assert refused.reason == "lost"
                    lost.append(talk)
        return lost

    async def as_soon_as_possible(self) -> Talk:
        deadline = anyio.current_time() + 90
        while (talk := await self.one_more()) is None:
            assert anyio.current_time() < deadline
            await anyio.sleep(0.5)
        return talk


@asynccontextmanager
async def clients_of(url: str) -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        yield Clients(url, stack, group)
        group.cancel_scope.cancel()


async def refusal(url: str) -> str:
    try:
        async with connect(url):
            return ""
    except RefusedError as refused:
        return refused.reason


async def answers(talk: Talk) -> bool:
    """Whether somebody is still there."""
    before = len(talk.said("model"))
    try:
        await talk.client.type("What is 12 times 12?")
        with anyio.fail_after(20):
            await talk.until(lambda: len(talk.said("model")) > before)
    except Exception:
        return False
    return "144" in talk.said("model")[-1]


def named(name: str) -> list[int]:
    """Processes."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(name.encode()):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def metrics(http: str) -> str:
    _, text = await request(http, "/metrics")
    return text


async def test_replicas_share_a_limit_and_one_that_is_killed_costs_no_other_session(
    cluster: Any, port: int, tmp_path: Path
) -> None:
    options = ["--max-sessions", LIMIT, "--replica-sessions", EACH, "--drain", 1]
    with deployed(cluster, port, tmp_path, *options) as deployment:
        async with clients_of(deployment.url) as clients:
            talks = [await clients.as_soon_as_possible() for _ in range(LIMIT)]
            assert all([await answers(talk) for talk in talks])
            for _ in range(6):  # though one of the replicas has room
                assert await clients.one_more() is None
            await check_that_all_can_come_back(deployment, clients, talks)
            [ledger] = named("ray::Ledger")
            os.kill(ledger, signal.SIGKILL)
            assert all([await answers(talk) for talk in talks])
            await check_that_all_can_come_back(deployment, clients, talks)
            assert await clients.one_more() is None
            before = named("ray::ServeReplica:live-pipeline")
            assert len(before) == 2
            os.kill(before[0], signal.SIGKILL)
            lost = await clients.who_cannot_come_back(talks)
            assert 0 < len(lost) < LIMIT
            assert len({talk.client.welcome.session.partition("-")[0] for talk in lost}) == 1
            assert await answers(await clients.as_soon_as_possible())
            others = [talk for talk in talks if talk not in lost]
            assert all([await answers(talk) for talk in others])


async def check_that_all_can_come_back(
    deployment: Deployment, clients: "Clients", talks: list[Talk]
) -> None:
    """Again and again, until it was another replica that took the connection."""
    for _ in range(20):
        for number, talk in enumerate(talks):
            talk.client.drop()
            await talk.until_over()
            talks[number] = await clients.back(talk)
            assert await answers(talks[number])
        text = await metrics(deployment.http)
        relayed = re.findall(r"connections_relayed_total{.*?} (\S+)", text)
        if sum(map(float, relayed)) > 0:
            break
    assert len(relayed) == 2
    assert sum(map(float, relayed)) > 0
    assert f"cluster_open {float(LIMIT)}" in await metrics(deployment.http)


async def test_an_update_and_a_stop_let_conversations_come_to_their_end(
    cluster: Any, port: int, tmp_path: Path
) -> None:
    options = ["--max-sessions", 4, "--replica-sessions", 4, "--queue", 1]
    with ExitStack() as stack:
        first = stack.enter_context(deployed(cluster, port, tmp_path, *options, "--drain", 5))
        async with clients_of(first.url) as clients:
            old = await clients.as_soon_as_possible()
            assert await answers(old)
            second = await to_thread.run_sync(
                stack.enter_context, deployed(cluster, port, tmp_path, *options, "--drain", 20)
            )
            assert "a newer deployment has taken over" in await to_thread.run_sync(first.end)
            assert old.of(Draining)[0].seconds == 5
            new = await clients.as_soon_as_possible()
            with anyio.fail_after(20):
                await old.until_over()
            assert old.reason == "draining"
            assert await answers(new)

            second.process.send_signal(signal.SIGTERM)
            with anyio.fail_after(10):
                await new.until(lambda: new.of(Draining))
            assert new.of(Draining)[0].seconds == 20
            assert await refusal(second.url) == "draining"
            assert await answers(new)
            await new.client.leave()
            said = await to_thread.run_sync(second.end)
            assert "1 may go on for 20 s, a signal stops them" in said
