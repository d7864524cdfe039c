"""Nothing that a run leaves behind has a secret in it.

Secrets are planted wherever one can stand; then every command runs as a user would run it, with the
most that it says, and its outputs and files are searched.
"""

import base64
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from processors.local_live_api import serve

KEY = "AIzaPLANTEDkey0123456789abcdefghijklmnop"
TOKEN = "PLANTEDephemeral0123456789"
HEADER = "PLANTEDbearer0123456789"
SECRETS = (KEY, TOKEN, HEADER)

CONFIG = """\
processors:
  typed: {{use: text_source, lines: [What is my name?]}}
  gemini:
    use: live_api
    backend: gemini_api
    setup: {{{extra}}}
    url: "{url}"
    resumption: {{}}
    record: runs/wire.jsonl
    reconnect: {{for_s: 0}}
  words: {{use: transcription_sink, path: runs/words.jsonl}}
  radio:
    use: stream_source
    url: "{radio}"
    rate: 16000
    headers: {{Authorization: "Bearer ${{RADIO_TOKEN}}"}}
    timeout_s: 1
  sound: {{use: audio_sink, path: runs/radio.wav}}
flow:
  - typed -> gemini -> words
  - radio -> sound
"""
COMMANDS = [
    ["run", "--debug"],
    ["check"],
    ["check", "--format", "json"],
    ["check", "--format", "github"],
    ["expand"],
    *(["graph", "--format", form] for form in ("terminal", "mermaid", "dot", "svg")),
]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {}


def forms(secret: str) -> list[bytes]:
    """A secret as it is, and as it might be hidden from a search."""
    plain = secret.encode()
    return [plain, base64.b64encode(plain)[:-4], plain.hex().encode()]


def assert_no_secret(where: str, text: bytes, secrets: tuple[str, ...]) -> None:
    for secret in secrets:
        for form in forms(secret):
            assert form not in text, f"{secret} is in {where}"


def written(folder: Path) -> list[Path]:
    """Every file that the commands have made."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "talk.yaml"]


async def call(folder: Path, arguments: list[str], environment: dict[str, str]) -> bytes:
    """Everything that a command prints, on either channel."""
    done = await anyio.run_process(
        [sys.executable, "-m", "pipeline", *arguments, "talk.yaml"],
        cwd=folder,
        env={**os.environ, **environment},
        check=False,
    )
    return done.stdout + done.stderr


@asynccontextmanager
async def radio_station(asked: list[bytes]) -> AsyncIterator[str]:
    """An address that sends a tenth of a second of silence, and notes how it was asked."""

    async def answer(stream: SocketStream) -> None:
        async with stream:
            asked.append(await stream.receive())
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3200\r\n\r\n" + bytes(3200))

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, answer)
            yield f"http://127.0.0.1:{port}/sound"
            group.cancel_scope.cancel()


@pytest.mark.parametrize("credential", ["key", "token"])
@pytest.mark.parametrize("outcome", ["well", "refused", "unreachable"])
async def test_no_output_of_any_command_has_a_secret_in_it(
    credential: str, outcome: str, tmp_path: Path
) -> None:
    environment = {
        "RADIO_TOKEN": HEADER,
        "NO_COLOR": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    if credential == "key":
        environment["GEMINI_API_KEY"] = KEY
    else:
        environment["GEMINI_EPHEMERAL_TOKEN"] = TOKEN
    asked: list[bytes] = []
    async with serve(backend="gemini-api") as server, radio_station(asked) as radio:
        url = server.url if outcome != "unreachable" else "ws://127.0.0.1:9/ws"
        extra = "brandNew: 1" if outcome == "refused" else ""
        (tmp_path / "talk.yaml").write_text(CONFIG.format(url=url, extra=extra, radio=radio))
        printed: dict[str, bytes] = {}

        async def note(arguments: list[str]) -> None:
            printed[" ".join(arguments)] = await call(tmp_path, arguments, environment)

        async with anyio.create_task_group() as group:
            for arguments in COMMANDS if outcome == "well" else COMMANDS[:2]:
                group.start_soon(note, arguments)
    assert any(HEADER.encode() in request for request in asked)
    assert (b"model  " in printed["run --debug"]) is (outcome == "well")
    for command, text in printed.items():
        assert_no_secret(f"what `{command}` prints", text, SECRETS)
    files = written(tmp_path)
    assert "wire.jsonl" in {path.name for path in files}
    for path in files:
        assert_no_secret(path.name, path.read_bytes(), SECRETS)
