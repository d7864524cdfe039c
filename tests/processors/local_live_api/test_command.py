"""`pipeline simulate`, as a process: what it prints, whom it serves, how it ends."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from pipeline import SettingError
from pipeline.cli.main import main
from processors.local_live_api.simulation import read_switches


@contextmanager
def simulate(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command, and the address that it prints."""
    command = [sys.executable, "-m", "pipeline", "simulate", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Exit status and standard error after a signal."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


def ask(url: str, text: str, context: ssl.SSLContext | None = None) -> str:
    """The answer to typed text."""
    with connect(
        url, additional_headers={"x-goog-api-key": "k"}, ssl=context, proxy=None
    ) as socket:
        modality = {"responseModalities": ["TEXT"]}
        socket.send(json.dumps({"setup": {"model": "models/m", "generationConfig": modality}}))
        assert "setupComplete" in json.loads(socket.recv())
        turn = {"role": "user", "parts": [{"text": text}]}
        socket.send(json.dumps({"clientContent": {"turns": [turn], "turnComplete": True}}))
        answer = ""
        while True:
            content = json.loads(socket.recv())["serverContent"]
            parts = content.get("modelTurn", {}).get("parts", [])
            answer += "".join(part["text"] for part in parts)
            if content.get("turnComplete"):
                return answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_what_it_is_and_serves_until_a_signal(number: signal.Signals) -> None:
    with simulate() as (process, url):
        assert url.startswith("ws://127.0.0.1:")
        assert "84" in ask(url, "What is 12 times 7?")
        status, errors = end(process, number)
    assert status == 0
    assert "simulation of the Gemini Live API" in errors


def test_tls_with_a_certificate_that_clients_can_trust() -> None:
    with simulate("--tls", "--backend", "vertex") as (process, url):
        assert url.startswith("wss://127.0.0.1:")
        assert "LlmBidiService" in url
        assert process.stderr is not None
        process.stderr.readline()
        ca_file = process.stderr.readline().strip().rpartition("SSL_CERT_FILE=")[2]
        context = ssl.create_default_context(cafile=ca_file)
        assert "Ada" in ask(url, "My name is Ada. What is my name?", context)
        assert end(process, signal.SIGINT)[0] == 0
    assert not Path(ca_file).exists()


def test_a_client_that_does_otherwise_than_the_scenario_is_reported(tmp_path: Path) -> None:
    scenario = tmp_path / "shop.yaml"
    scenario.write_text(
        "turns:\n"
        "  - expect: {text: open}\n"
        "    then: [{say: Until nine.}]\n"
        "  - expect: text\n"
        "    then: [{say: Goodbye.}]\n"
    )
    with simulate("--scenario", str(scenario)) as (process, url):
        assert ask(url, "When are you OPEN?") == "Until nine."
        status, errors = end(process, signal.SIGINT)
    assert status == 1
    assert f"{scenario}:4:5: error[scenario] never came: text" in errors


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--switch", "sesions=20"], "sesions"),
        (["--switch", "sessions=none"], "sessions"),
        (["--switch", "sessions"], "NAME=VALUE"),
        (["--switch", "pace=[1"], "--switch pace=[1: the value is no valid YAML"),
        (["--switch", "pace=2026-13-45"], "--switch pace=2026-13-45: the value is no valid YAML"),
        (["--scenario", "nowhere.yaml"], "nowhere.yaml"),
        (["--faults", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_wrong_input_is_one_sentence_and_status_2(options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["simulate", *options])
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_what_is_wrong_with_a_file_begins_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("turns:\n  - {expect: text, than: []}\n")
    result = CliRunner().invoke(main, ["simulate", "--scenario", str(path)])
    assert result.exit_code == 2
    assert result.output.startswith(f"{path}:2:20: error[wrong-setting]")


def test_it_ends_soon_although_a_client_does_not_listen() -> None:
    with simulate() as (process, url):
        port = int(url.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.sendall(b"GET / HTTP/1.1\r\n")
            assert "84" in ask(url, "What is 12 times 7?")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=5) == 0


BLOCKED = """
import time
from pipeline.cli.main import main
from processors.local_live_api import simulation

introduce = simulation._introduce

def block(server):
    introduce(server)
    time.sleep(1000)

simulation._introduce = block
main(["simulate"])
"""


@pytest.mark.parametrize("signals", [1, 2])
def test_an_event_loop_that_is_blocked_is_ended_by_force(signals: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ws://")
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.1)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert "something does not come to its end: stopped by force" in errors


def test_a_second_signal_does_not_wait_for_a_client_that_does_not_listen() -> None:
    with simulate() as (process, url):
        port = int(url.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.sendall(b"GET / HTTP/1.1\r\n")
            assert "84" in ask(url, "What is 12 times 7?")
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)
            assert process.wait(timeout=5) == 128 + signal.SIGINT


def test_a_port_that_is_taken() -> None:
    with simulate() as (process, url):
        port = url.split(":")[2].partition("/")[0]
        result = CliRunner().invoke(main, ["simulate", "--port", port])
        end(process, signal.SIGINT)
    assert result.exit_code == 2
    assert f"cannot listen on port {port}" in result.output


def test_switches_are_read_as_yaml() -> None:
    switches = read_switches(["sessions=100", "pretty=false", "frames=text", "pace=2"])
    assert (switches.sessions, switches.pretty, switches.frames, switches.pace) == (
        100,
        False,
        "text",
        2.0,
    )
    with pytest.raises(SettingError, match="NAME=VALUE"):
        read_switches(["x"])


def test_it_is_listed_among_the_commands() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert "simulate" in result.output
