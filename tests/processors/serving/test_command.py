"""`pipeline serve` as a process: what it says, and how it ends."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from serving_bench import TALK

from processors.serving.client import connect
from processors.serving.command import serve
from processors.serving.protocol import Draining

BIND = ["--bind", "mic=microphone", "--bind", "typed=keyboard", "--bind", "pictures=camera"]
BIND += ["--bind", "speaker=speaker"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "talk.yaml").write_text(TALK)
    return tmp_path / "talk.yaml"


HURRIED = """
import sys
from processors.serving import lobby, server
from pipeline.cli.main import main
lobby.FINISH_S = lobby.FAREWELL_S = server.FAREWELL_S = 0.1
sys.exit(main())
"""
"""`pipeline` with little time for what does not come to its end."""


@contextmanager
def running(*arguments: Any, code: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address that it prints. code: instead of that of `pipeline`."""
    python = [sys.executable, *(("-c", code) if code else ("-m", "pipeline"))]
    command = [*python, "serve", *map(str, arguments), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert "serving at http://127.0.0.1:" in line, line + process.stderr.read()
            yield process, line.split()[-1].replace("http", "ws") + "session"
        finally:
            process.kill()


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(serve, arguments, env={"PIPELINE_SERVE_TOKEN": None})
    assert result.exit_code == 2
    return result.stderr


async def test_a_signal_lets_conversations_end_and_another_does_not(config: Path) -> None:
    with running(config, *BIND, "--drain", 30) as (process, url):
        async with connect(url) as client:
            process.send_signal(signal.SIGTERM)
            with anyio.fail_after(20):
                async for message in client:
                    if isinstance(message, Draining):
                        break
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            status = await anyio.to_thread.run_sync(process.wait, 20)
            assert status == 128 + signal.SIGTERM
        assert process.stderr is not None
        said = process.stderr.read()
    assert "no more conversations; 1 may go on for 30 s, a signal stops them" in said
    assert "Traceback" not in said


BLOCKING = """
import time
from pipeline import Sink, TextFrame

class Blocks(Sink):
    async def consume(self, frame: TextFrame) -> None:
        self.context.log.info("blocks")
        time.sleep(1000)
"""


@pytest.fixture
def blocking(tmp_path: Path) -> Path:
    (tmp_path / "blocking.py").write_text(BLOCKING)
    (tmp_path / "blocking.yaml").write_text(
        "processors:\n"
        "  typed: {use: text_source, lines: [x]}\n"
        "  wall: {use: ./blocking.py:Blocks}\n"
        "flow: [typed -> wall]\n"
    )
    return tmp_path / "blocking.yaml"


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_conversation_that_blocks_the_event_loop_is_ended_by_force(
    signals: int, blocking: Path
) -> None:
    drain = 1000 if signals == 2 else 0
    arguments = [blocking, "--bind", "typed=keyboard", "--drain", drain]
    with running(*arguments, code=HURRIED) as (process, url):
        async with connect(url) as client:
            await client.type("Hello!")
            assert process.stderr is not None
            while "blocks" not in process.stderr.readline():
                pass
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                await anyio.sleep(0.2)
            status = await anyio.to_thread.run_sync(process.wait, 30)
        assert status == 128 + signal.SIGTERM
        said = process.stderr.read()
    assert '"wall" (blocking.py:8 in consume) does not come to its end: stopped by force' in said


def test_without_conversations_it_ends_at_once(config: Path) -> None:
    with running(config, *BIND) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_what_others_can_reach_needs_a_token(config: Path) -> None:
    said = refused(str(config), *BIND, "--host", "0.0.0.0")
    assert said == (
        "error[token] --host 0.0.0.0 can be reached by others: it needs a token; "
        "set PIPELINE_SERVE_TOKEN, or give --token\n"
    )


def test_a_token_that_can_be_guessed_is_advised_against(config: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = [str(config), *BIND, "--host", "0.0.0.0", "--port", port, "--token", "secret"]
        said = refused(*arguments)
    assert "warning[token] --host 0.0.0.0 can be reached by others, and 6 characters" in said


def test_all_that_is_wrong_is_said(config: Path) -> None:
    said = refused(str(config), "--host", "0.0.0.0")
    assert "no node of it listens to a device" in said
    assert "--bind mic=microphone" in said
    assert "error[token]" in said


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    assert "nowhere.yaml" in refused(str(tmp_path / "nowhere.yaml"))


def test_a_port_that_is_taken(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(str(config), *BIND, "--port", str(port))
    assert said == f"error: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_a_certificate_that_is_not_there(config: Path) -> None:
    said = refused(str(config), *BIND, "--port", "0", "--tls-cert", "no.pem")
    assert said == "error: cannot use no.pem: No such file or directory\n"


def test_a_certificate_that_is_none(config: Path) -> None:
    said = refused(str(config), *BIND, "--port", "0", "--tls-cert", str(config))
    assert said.startswith(f"error: cannot use {config}: ")
    assert said.endswith("; they have to be PEM, the certificate and its own key\n")


def test_a_key_without_a_certificate(config: Path) -> None:
    assert "--tls-key goes with --tls-cert" in refused(str(config), "--tls-key", "key.pem")


def test_an_origin_that_no_browser_states(config: Path) -> None:
    said = refused(str(config), "--origin", "https://a.example/", "--origin", "b.example")
    assert "b.example is no origin: write https://talk.example.org" in said


def test_what_a_cluster_cannot_do(config: Path) -> None:
    said = refused(str(config), *BIND, "--on", "ray", "--tls-cert", "cert.pem")
    assert "Ray Serve speaks no TLS to clients" in said
    assert "Put a load balancer that does in front" in said


def test_reports_that_cannot_be_written(config: Path) -> None:
    taken = config.parent / "pages"
    taken.write_text("")
    said = refused(str(config), *BIND, "--port", "0", "--report", str(taken))
    assert said == f"error: cannot write {taken / 'page.html'}: {taken} is not a folder\n"
    assert "goes with --report" in refused(str(config), *BIND, "--keep-reports", "3")
