"""A fuzzer that is guided by coverage, for everything that reads what others have written.

    pip install -e '.[fuzz,test]'
    python -m tests.fuzz.fuzz yaml -max_total_time=300

The targets: yaml, env, scenario, recording, server (frames of the service), client (frames of its
clients), serve, wav, arguments. What follows the name goes to libFuzzer. Inputs that found
something new are kept in `runs/fuzz/TARGET`; one that fails is written beside that folder, and
given to the same command it fails again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]


def _instrumented() -> Any:
    """Where imports are given coverage; nothing of the kind without atheris."""
    try:
        import atheris
    except ModuleNotFoundError:
        return nullcontext()
    return atheris.instrument_imports(include=["pipeline", "processors"])


with _instrumented() if __name__ == "__main__" else nullcontext():
    import msgspec

    from pipeline import PipelineError
    from pipeline.cli.findings import as_text
    from pipeline.config import check
    from pipeline.config.dotenv import read_env
    from processors.audio.sources.pcm_reader import NotSound, PcmReader
    from processors.live_api.messages import decode_server
    from processors.live_api.recording import read_recording
    from processors.local_live_api.acts import acts_of
    from processors.local_live_api.refusal import RefusedError
    from processors.local_live_api.scenario import Script
    from processors.local_live_api.wire import decode_client
    from processors.serving.protocol import decode_client as decode_serving
    from processors.tools.declaration import ToolArgumentError, tool


class Place(msgspec.Struct):
    """An argument of a function that is called."""

    lat: float
    lon: float = 0.0


def search(
    text: str,
    limit: int = 1,
    ratio: float | None = None,
    tags: list[str] | None = None,
    counts: dict[str, int] | None = None,
    order: Literal["up", "down"] = "up",
    near: Place | None = None,
    mixed: int | str | None = None,
) -> None:
    """A function with parameters of every kind."""


SEARCH = tool(search)
_FILE = Path(tempfile.gettempdir()) / "live_pipeline_fuzz"


def _in_file(read: Callable[[Path], Any], data: bytes) -> None:
    _FILE.write_bytes(data)
    try:
        read(_FILE)
    except PipelineError as error:
        assert str(error)
    finally:
        _FILE.unlink()


def yaml(data: bytes) -> None:
    """Configurations. What is wrong has a place."""
    findings = check(data.decode(errors="replace"), file="x.yaml", variables={}, offline=True)
    as_text(findings)
    for finding in findings:
        assert "failed: " not in finding.message, finding


def env(data: bytes) -> None:
    """Files of variables."""
    _in_file(read_env, data)


def scenario(data: bytes) -> None:
    """Scenarios of the local Live API."""
    _in_file(Script.read, data)


def recording(data: bytes) -> None:
    """Recordings of the wire."""
    _in_file(read_recording, data)


def server(data: bytes) -> None:
    """Frames of the service."""
    with suppress(msgspec.DecodeError):
        decode_server(data)


def client(data: bytes) -> None:
    """Frames of a client of the Live API."""
    with suppress(RefusedError):
        decode_client(data)
    acts_of(data)


def serve(data: bytes) -> None:
    """Messages of a client of `pipeline serve`."""
    with suppress(msgspec.DecodeError):
        decode_serving(data.decode(errors="replace"))


def wav(data: bytes) -> None:
    """Sound with a header; the first byte says in what pieces it comes."""
    size, data = 1 + (data[0] if data else 0), data[1:]
    reader = PcmReader()
    with suppress(NotSound):
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
            reader.take(10)
        reader.rest()


def arguments(data: bytes) -> None:
    """Arguments that a model gives a function."""
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        given = msgspec.json.decode(data, type=dict[str, Any])
        with suppress(ToolArgumentError):
            SEARCH.bind(given)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (yaml, env, scenario, recording, server, client, serve, wav, arguments)
}


def seeds(name: str) -> list[bytes]:
    """Good inputs of a target."""
    match name:
        case "yaml" | "scenario":
            return [path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml"))]
        case "env":
            return [b"A=b # c\nexport B=\"x\\n\"\nC='raw'\n"]
        case "wav":
            header = b"WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\x20\0\0\0"
            return [b"\x10RIFF\x44\0\0\0" + header + bytes(32)]
        case "arguments":
            return [b'{"text": "a", "limit": 2, "near": {"lat": 1.5}, "order": "down"}']
        case "recording":
            opened = {"event": "open", "at": 0.0, "connection": 1, "url": "ws://x/", "backend": "v"}
            closed = {"event": "close", "at": 1.0, "connection": 1, "code": 1000, "by": "client"}
            return [b"\n".join(json.dumps(event).encode() for event in (opened, closed))]
        case "server":
            part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA"}}
            content = {"modelTurn": {"parts": [part]}, "turnComplete": True}
            return [json.dumps({"serverContent": content}).encode()]
    return [
        b'{"setup": {"model": "models/m", "generationConfig": {"responseModalities": ["AUDIO"]}}}',
        b'{"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=16000"}}}',
        b'{"type": "text", "text": "Hello"}',
    ]


def main(arguments: list[str]) -> None:
    """Fuzz a target, until libFuzzer ends or something fails."""
    try:
        import atheris
    except ModuleNotFoundError:
        raise SystemExit("atheris is missing: pip install -e '.[fuzz,test]'") from None
    name, *options = arguments[1:] or [""]
    if name not in TARGETS:
        raise SystemExit(f"name a target: {', '.join(TARGETS)}")
    corpus = ROOT / "runs" / "fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed{number}").write_bytes(seed)
    artifacts = f"-artifact_prefix={corpus.parent}/{name}-"
    inputs = [] if any(Path(each).is_file() for each in options) else [str(corpus)]
    atheris.Setup([arguments[0], artifacts, *options, *inputs], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
