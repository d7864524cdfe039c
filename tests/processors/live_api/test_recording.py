"""Recordings: their lines, their reader, and what must never be in them."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import SettingError
from processors.live_api.recording import (
    FLUSH_BYTES,
    Closed,
    Line,
    Opened,
    Received,
    Recorder,
    Sent,
    read_recording,
)

URL = "wss://example.com/ws/google.Service"
AUDIO = {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "AAAA"}}}
OPEN = '{"event":"open","at":0,"connection":1,"url":"ws://h/","backend":"local"}\n'
SETUP = '{"event":"client","at":1,"connection":1,"message":{"setup":{"model":"m"}}}\n'
CLOSE = '{"event":"close","at":2,"connection":1,"code":1000}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


@pytest.fixture
def recorder(file: Path) -> Iterator[Recorder]:
    ticks = count()
    with Recorder(file, clock=lambda: 100 + next(ticks) / 4) as recorder:
        yield recorder


def frame(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def messages(file: Path) -> list[Any]:
    events = [line.event for line in read_recording(file)]
    return [event.message for event in events if isinstance(event, Sent | Received)]


# --- the format ---


def test_a_session_is_a_line_for_each_event(recorder: Recorder, file: Path) -> None:
    number = recorder.opened(URL, "vertex")
    recorder.sent(number, json.dumps({"setup": {"model": "m"}}))
    recorder.received(number, b'{\n  "setupComplete": {}\n}\n')
    recorder.closed(number, 1000, "bye", "client")
    common = {"connection": 1}
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        common | {"event": "open", "at": 0, "url": URL, "backend": "vertex"},
        common | {"event": "client", "at": 0.25, "message": {"setup": {"model": "m"}}},
        common | {"event": "server", "at": 0.5, "message": {"setupComplete": {}}},
        common | {"event": "close", "at": 0.75, "code": 1000, "reason": "bye", "by": "client"},
    ]


def test_what_is_written_can_be_read(recorder: Recorder, file: Path) -> None:
    first, second = recorder.opened(URL, "vertex"), recorder.opened(URL, "vertex")
    recorder.sent(second, frame(AUDIO))
    recorder.received(first, b"\x00\xff")
    recorder.closed(first, 1006, "", "nobody")
    assert read_recording(file) == [
        Line(1, Opened(at=0, connection=1, url=URL, backend="vertex")),
        Line(2, Opened(at=0.25, connection=2, url=URL, backend="vertex")),
        Line(3, Sent(at=0.5, connection=2, message=AUDIO)),
        Line(4, Received(at=0.75, connection=1, raw=b"\x00\xff")),
        Line(5, Closed(at=1, connection=1)),
    ]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"text"', b'"\xff"', b"[" * 5000, "\ud800"])
def test_what_is_no_json_object_is_kept_as_it_is(
    data: bytes | str, recorder: Recorder, file: Path
) -> None:
    number = recorder.opened(URL, "vertex")
    recorder.received(number, data)
    recorder.closed(number, 1000, "", "client")
    event = read_recording(file)[1].event
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    assert isinstance(event, Received)
    assert event.raw == raw


LEAVES = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    LEAVES | st.none() | st.text("ab\n\0é"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz\n"), inner),
    max_leaves=10,
)


@given(value=JSON)
@settings(max_examples=50)
def test_messages_without_secrets_are_as_they_were(
    value: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "recording.jsonl"
    with Recorder(path, clock=lambda: 0.0) as recorder:
        recorder.received(recorder.opened(URL, "vertex"), frame({"serverContent": value}))
    assert messages(path) == [{"serverContent": value}]


# --- writing ---


def test_the_file_is_up_to_date_after_each_turn_and_connection(
    recorder: Recorder, file: Path
) -> None:
    number = recorder.opened(URL, "vertex")
    recorder.sent(number, frame(AUDIO))
    assert file.read_bytes() == b""
    recorder.received(number, frame({"serverContent": {"turnComplete": True}}))
    assert len(read_recording(file)) == 3
    recorder.sent(number, frame(AUDIO))
    assert len(read_recording(file)) == 3
    recorder.closed(number, 1000, "", "client")
    assert len(read_recording(file)) == 5


def test_the_file_has_whole_lines_at_all_times(recorder: Recorder, file: Path) -> None:
    number = recorder.opened(URL, "vertex")
    sizes = set()
    for _ in range(3 * FLUSH_BYTES // len(frame(AUDIO))):
        recorder.sent(number, frame(AUDIO))
        data = file.read_bytes()
        assert data[-1:] in (b"", b"\n")
        sizes.add(len(data))
    assert len(sizes) > 3


def test_leaving_writes_what_is_left(file: Path) -> None:
    with Recorder(file, clock=lambda: 0.0) as recorder:
        recorder.opened(URL, "vertex")
    assert len(read_recording(file)) == 1


def test_folders_are_made_and_files_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a/b/session.jsonl"
    for backend in ("vertex", "local"):
        with Recorder(path, clock=lambda: 0.0) as recorder:
            recorder.opened(URL, backend)
    assert [line.event for line in read_recording(path)] == [
        Opened(at=0, connection=1, url=URL, backend="local")
    ]


def test_a_path_that_cannot_be_written_is_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="is a folder"):
        Recorder(tmp_path)


# --- secrets ---

SECRETS = st.from_regex(r"s3cr3t[A-Za-z0-9._-]{0,40}[A-Za-z0-9]", fullmatch=True)

FIELDS = (
    "key", "apiKey", "api_key", "x-goog-api-key", "token", "access_token", "accessToken",
    "Authorization", "password", "client_secret", "voiceConsentSignature", "Cookie",
)  # fmt: skip
SETUP_WITH = '{"setup": {"model": "m", %s}}'
PLACES = [
    ("query", [("open", f"{URL}?key=SECRET&access_token=SECRET")]),
    ("user", [("open", "wss://me:SECRET@example.com/ws")]),
    ("query and reason", [("open", f"{URL}?key=SECRET"), ("close", "API key SECRET not valid.")]),
    ("handle", [("client", SETUP_WITH % '"sessionResumption": {"handle": "SECRET"}')]),
    ("handle_", [("client", SETUP_WITH % '"session_resumption": {"handle": "SECRET"}')]),
    ("new handle", [("server", '{"sessionResumptionUpdate": {"newHandle": "SECRET"}}')]),
    ("handle, cut short", [("server", '{"sessionResumptionUpdate": {"newHandle": "SECRET')]),
    (
        "handle and reason",
        [
            ("server", '{"sessionResumptionUpdate": {"newHandle": "SECRET"}}'),
            ("close", "session SECRET not found"),
        ],
    ),
    ("signature", [("server", '{"setupComplete": {"voiceConsentSignature": {"a": "SECRET"}}}')]),
    ("a tool's header", [("client", SETUP_WITH % '"tools": [{"headers": {"X-Any": "SECRET"}}]')]),
    (
        "a tool's address",
        [("client", SETUP_WITH % '"url": "https://me:SECRET@h?a=b&key=SECRET#c"')],
    ),
    ("project", [("client", '{"setup": {"model": "projects/SECRET/locations/l/models/m"}}')]),
    ("project in a reason", [("close", "Permission denied on resource project SECRET.")]),
    ("project's path in a reason", [("close", "Project 'projects/SECRET' not found")]),
    *((name, [("client", f'{{"toolResponse": [{{"{name}": ["SECRET"]}}]}}')]) for name in FIELDS),
]


def record(recorder: Recorder, event: str, text: str) -> None:
    match event:
        case "open":
            recorder.opened(text, "vertex")
        case "client":
            recorder.sent(1, text)
        case "server":
            recorder.received(1, text.encode())
        case "close":
            recorder.closed(1, 1008, text, "server")


@given(place=st.sampled_from(PLACES), secret=SECRETS)
@settings(max_examples=200)
def test_a_secret_is_never_in_the_file(
    place: tuple[str, list[tuple[str, str]]],
    secret: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "recording.jsonl"
    events = [("open", URL), *place[1]]
    if place[1][0][0] == "open":
        del events[0]
    with Recorder(path, clock=lambda: 0.0) as recorder:
        for event, text in events:
            record(recorder, event, text.replace("SECRET", secret))
    lines = [line.event for line in read_recording(path)]
    assert len(lines) == len(events)
    assert secret not in path.read_text()
    raw = [line.raw for line in lines if isinstance(line, Received) and line.raw is not None]
    assert not any(secret.encode() in data for data in raw)


def test_handles_have_the_same_names_in_both_directions(recorder: Recorder, file: Path) -> None:
    def update(handle: str) -> bytes:
        return frame({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})

    def setup(handle: str) -> bytes:
        return frame({"setup": {"model": "m", "sessionResumption": {"handle": handle}}})

    first = recorder.opened(URL, "vertex")
    recorder.received(first, update("aaaa"))
    recorder.received(first, update("bbbb"))
    recorder.received(first, frame({"sessionResumptionUpdate": {"newHandle": ""}}))
    recorder.closed(first, 1000, "", "client")
    second = recorder.opened(URL, "vertex")
    recorder.sent(second, setup("bbbb"))
    recorder.received(second, update("aaaa"))
    recorder.closed(second, 1000, "", "client")
    resumption = [next(iter(message.values())) for message in messages(file)]
    assert [one.get("newHandle") for one in resumption] == [
        "handle-1", "handle-2", "", None, "handle-1",
    ]  # fmt: skip
    assert resumption[3]["sessionResumption"] == {"handle": "handle-2"}


def test_what_only_looks_like_a_secret_stays(recorder: Recorder, file: Path) -> None:
    message = {
        "toolCall": {"functionCalls": [{"name": "f", "args": {"handle": "@me", "keys": "ab"}}]},
        "usageMetadata": {"promptTokenCount": 12},
        "serverContent": {"modelTurn": {"parts": [{"text": "key", "thoughtSignature": "AAAA"}]}},
    }
    number = recorder.opened(URL, "vertex")
    recorder.received(number, frame(message))
    recorder.closed(number, 1000, "the project is fine", "server")
    assert messages(file) == [message]
    assert json.loads(file.read_text().splitlines()[-1])["reason"] == "the project is fine"


def test_a_model_keeps_its_name_without_its_project(recorder: Recorder, file: Path) -> None:
    number = recorder.opened(URL, "vertex")
    names = ["a", "projects/mine/locations/l", "projects/mine"]
    model = "projects/mine/locations/l/models/m"
    recorder.sent(number, frame({"setup": {"model": model, "tools": names}}))
    recorder.closed(number, 1000, "", "client")
    names = ["a", "projects/PROJECT/locations/l", "projects/PROJECT"]
    model = "projects/PROJECT/locations/l/models/m"
    assert messages(file) == [{"setup": {"model": model, "tools": names}}]


def test_credentials_keep_their_shape(recorder: Recorder, file: Path) -> None:
    number = recorder.opened(URL, "vertex")
    recorder.sent(number, frame({"setup": {"token": {"a": ["x", 1, None, True]}}}))
    recorder.closed(number, 1000, "", "client")
    assert messages(file) == [{"setup": {"token": {"a": ["***", "***", None, True]}}}]


# --- reading ---


@given(cut=st.integers(0, len(SETUP) - 2))
def test_a_last_line_that_was_cut_short_is_left_out(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "recording.jsonl"
    path.write_text(OPEN + SETUP[:cut])
    assert [line.number for line in read_recording(path)] == [1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", ": the recording is empty"),
        ("{\n", ":1: Input data was truncated"),
        (OPEN + "{\n" + SETUP, ":2: Input data was truncated"),
        (OPEN + SETUP.replace("client", "guest"), ":2: Invalid value 'guest' - at $.event"),
        (OPEN + SETUP.replace('"at":1,', ""), ":2: Object missing required field at"),
        (OPEN + SETUP.replace('"at":1', '"at":"1"'), ":2: Expected float, got str - at $.at"),
        (OPEN + SETUP.replace("message", "massage"), ":2: Object contains unknown field massage"),
        (OPEN + '{"event":"server","at":1,"connection":1}', ":2: a frame has message or raw"),
        (OPEN + SETUP.replace('"connection":1', '"connection":2'), ":2: connection 2 was not open"),
        (OPEN + CLOSE.replace("1000", "99"), ":2: Expected int >= 1000 - at $.code"),
        (OPEN + OPEN, ":2: connection 1 is opened, expected 2"),
        (SETUP + OPEN, ":1: connection 1 was not opened"),
        (OPEN + CLOSE + SETUP, ":3: connection 1 was closed"),
    ],
)
def test_what_is_no_recording_is_said_with_its_line(text: str, what: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(SettingError) as raised:
        read_recording(file)
    assert f"{file}{what}" in str(raised.value)
    assert raised.value.setting == "replay"


def test_a_file_that_cannot_be_read(file: Path) -> None:
    with pytest.raises(SettingError, match=f"cannot read {file}: No such file"):
        read_recording(file)
