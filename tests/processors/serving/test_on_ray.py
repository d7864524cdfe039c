"""Served on a cluster of two nodes, on this machine: replicas, the limit of all, and a loss."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup
from serving_bench import Talk

pytest.importorskip("ray", reason="needs the extra `ray`")

from processors.serving.client import RefusedError, connect

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


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    made.shutdown()


@pytest.fixture
def url(cluster: Any, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "talk.yaml").write_text(TYPED)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "serve", str(tmp_path / "talk.yaml")]
    command += ["--on", "ray", "--address", cluster.address, "--port", str(port)]
    command += ["--files", str(tmp_path / "files"), "--drain", "1"]
    command += ["--max-sessions", str(LIMIT), "--replica-sessions", str(EACH), "--replicas", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "serving at" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield f"ws://127.0.0.1:{port}/session"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


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


def replicas() -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::ServeReplica:live-pipeline" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def test_replicas_share_a_limit_and_one_that_is_killed_costs_no_other_session(
    url: str,
) -> None:
    async with clients_of(url) as clients:
        talks = [await clients.as_soon_as_possible() for _ in range(LIMIT)]
        assert all([await answers(talk) for talk in talks])
        for _ in range(6):  # though one of the replicas has room
            assert await clients.one_more() is None
        before = replicas()
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        alive = [await answers(talk) for talk in talks]
        assert 0 < sum(alive) < LIMIT
        again = await clients.as_soon_as_possible()
        assert await answers(again)
        others = [talk for talk, is_alive in zip(talks, alive, strict=True) if is_alive]
        assert all([await answers(talk) for talk in others])
