"""Recordings of what goes over the wire, without its secrets: JSON lines, one event a line.

    {"event": "open", "at": 0.0, "connection": 1, "url": "wss://host/ws/...", "backend": "vertex"}
    {"event": "client", "at": 0.01, "connection": 1, "message": {"setup": {...}}}
    {"event": "server", "at": 0.35, "connection": 1, "message": {"setupComplete": {}}}
    {"event": "close", "at": 9.2, "connection": 1, "code": 1000, "reason": "", "by": "client"}

`at` counts seconds from the first event, `connection` from 1. A frame that is no JSON object has
`raw`, base64, in the place of `message`. Headers are not recorded. Credentials, known by their
names, become `***`, projects `projects/PROJECT`, and the handles of resumption `handle-1`,
`handle-2` ... in the order in which they appear.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

import anyio
import msgspec
from msgspec import Meta, Struct

from pipeline import SettingError
from processors.files import check_writable
from processors.live_api.endings import NO_CLOSE_FRAME

MASK = "***"
PROJECT = "PROJECT"
FLUSH_BYTES = 1 << 16

# --- the format ---

Side = Literal["client", "server", "nobody"]


class _Event(Struct, tag_field="event", forbid_unknown_fields=True):
    at: float
    connection: int


class Opened(_Event, tag="open"):
    """A websocket is open; `url` is without query and credentials."""

    url: str
    backend: str


class _Frame(_Event, omit_defaults=True):
    message: dict[str, Any] | None = None
    raw: bytes | None = None

    def __post_init__(self) -> None:
        if (self.message is None) == (self.raw is None):
            raise ValueError("a frame has `message` or `raw`")


class Sent(_Frame, tag="client"):
    """A frame from the client."""


class Received(_Frame, tag="server"):
    """A frame from the server."""


class Closed(_Event, tag="close"):
    """The end of a connection. `by` whom: nobody where no close frame came."""

    code: Annotated[int, Meta(ge=1000, le=4999)] = NO_CLOSE_FRAME
    reason: str = ""
    by: Side = "nobody"


Event = Opened | Sent | Received | Closed


class Line(NamedTuple):
    """An event, and where it stands in its file; lines count from 1."""

    number: int
    event: Event


_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def read_recording(path: str | Path) -> list[Line]:
    """The events of a recording. Raises SettingError that names file and line.

    The last line may be cut short, as the death of a process leaves it; it is not among them then.
    """
    try:
        texts = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise _wrong(f"cannot read {path}: {error.strerror}") from None
    lines: list[Line] = []
    last: dict[int, Event] = {}
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        try:
            event = _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            if number == len(texts) and not isinstance(error, msgspec.ValidationError):
                break
            raise _wrong(f"{path}:{number}: {str(error).replace('`', '')}") from None
        before = last.get(event.connection)
        expected = len(last) + 1
        if isinstance(event, Opened) and event.connection != expected:
            what = f"connection {event.connection} is opened, expected {expected}"
            raise _wrong(f"{path}:{number}: {what}")
        if not isinstance(event, Opened) and before is None:
            raise _wrong(f"{path}:{number}: connection {event.connection} was not opened")
        if isinstance(before, Closed):
            raise _wrong(f"{path}:{number}: connection {event.connection} was closed before")
        last[event.connection] = event
        lines.append(Line(number, event))
    if not lines:
        raise _wrong(f"{path}: the recording is empty")
    return lines


def _wrong(what: str) -> SettingError:
    return SettingError(what, setting="replay")


# --- its writer ---

FrameT = TypeVar("FrameT", Sent, Received)


class Recorder:
    """Writes a recording.

    Whole lines only, held back until a turn is complete, a connection closed or 64 KiB are
    together: whenever the process dies, the file is a recording. For one thread.

    path: replaced if it exists. clock: seconds; by default that of the event loop.
    Raises SettingError for a path that cannot be written; every method OSError, such as for a full
    disk.
    """

    def __init__(
        self, path: str | Path, *, clock: Callable[[], float] = anyio.current_time
    ) -> None:
        path = Path(path)
        check_writable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb", buffering=0)
        self._clock = clock
        self._began: float | None = None
        self._connections = 0
        self._unwritten = bytearray()
        self._handles: dict[str, str] = {}
        self._secrets: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is left."""
        try:
            self._flush()
        finally:
            self._file.close()

    def opened(self, url: str, backend: str) -> int:
        """A connection is open. Returns its number, for the other methods."""
        self._connections += 1
        parts = urlsplit(url)
        for name, value in parse_qsl(parts.query):
            if _is_secret(name):
                self._secrets[value] = MASK
        host = parts.netloc.rpartition("@")[2]
        address = _PROJECT_PATH.sub(_PROJECT, f"{parts.scheme}://{host}{parts.path}")
        self._add(
            Opened(at=self._now(), connection=self._connections, url=address, backend=backend)
        )
        return self._connections

    def sent(self, connection: int, data: bytes | str) -> None:
        """The client sends a frame."""
        self._add(self._frame(Sent, connection, data))

    def received(self, connection: int, data: bytes | str) -> None:
        """A frame has come from the server."""
        event = self._frame(Received, connection, data)
        self._add(event)
        content = event.message.get("serverContent") if event.message else None
        if isinstance(content, dict) and content.get("turnComplete"):
            self._flush()

    def closed(self, connection: int, code: int, reason: str, by: Side) -> None:
        """A connection has ended; the code is 1006 where no close frame came."""
        reason = _PROJECT_WORD.sub(PROJECT, _PROJECT_PATH.sub(_PROJECT, reason))
        for secret, name in (self._secrets | self._handles).items():
            reason = reason.replace(secret, name)
        at = self._now()
        self._add(Closed(at=at, connection=connection, code=code, reason=reason, by=by))
        self._flush()

    def _now(self) -> float:
        now = self._clock()
        if self._began is None:
            self._began = now
        return round(now - self._began, 6)

    def _frame(self, kind: type[FrameT], connection: int, data: bytes | str) -> FrameT:
        at = self._now()
        try:
            message = msgspec.json.decode(data)
            if isinstance(message, dict):
                scrub(message, self._named)
                return kind(at=at, connection=connection, message=message)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass
        raw = data.encode(errors="surrogatepass") if isinstance(data, str) else bytes(data)
        return kind(at=at, connection=connection, raw=_scrubbed_bytes(raw))

    def _named(self, handle: str) -> str:
        return self._handles.setdefault(handle, f"handle-{len(self._handles) + 1}")

    def _add(self, event: Event) -> None:
        self._unwritten += msgspec.json.encode(event)
        self._unwritten += b"\n"
        if len(self._unwritten) >= FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        while self._unwritten:
            count = self._file.write(self._unwritten)
            del self._unwritten[:count]


# --- secrets ---

_SECRET = re.compile(
    r"key|sig|headers|password|passwd|"
    r".*(?:token|secret|authorization|credentials?|cookie|password|"
    r"(?:api|access|private|secret)key(?:string)?|(?:voiceconsent|xgoog|xamz)signature)"
)
_HANDLES = {
    *product(("sessionResumption", "session_resumption"), ("handle",)),
    *product(("sessionResumptionUpdate", "session_resumption_update"), ("newHandle", "new_handle")),
}
"""Where handles stand: the name of the object, and the name in it."""
_HANDLE_NAMES = {name for _, name in _HANDLES}
_PROJECT = f"projects/{PROJECT}"
_PROJECT_PATH = re.compile(r"\bprojects/[^/\s'\"`,;)]+")
_PROJECT_WORD = re.compile(r"(?:(?<=\bresource project )|(?<=\bproject )(?=\S*\d))[\w:.-]*\w")
_PARAMETER = re.compile(r"(?<=[?&;#])([^=?&;#\s]+)=[^&;#\s]*")
_USER = re.compile(r"(?<=//)[^/?#\s]*@")
_FIELD = re.compile(r'"([\w-]+)"(\s*:\s*)"(?:[^"\\]|\\.)*')


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    """Whether what has this name is a credential, in whatever spelling."""
    return _SECRET.fullmatch(name.replace("_", "").replace("-", "").casefold()) is not None


@lru_cache(maxsize=4096)
def _is_address(name: str) -> bool:
    return name.casefold().endswith(("url", "uri"))


def scrub(message: dict[str, Any], named: Callable[[str], str], within: str = "") -> None:
    """Take the secrets out of a message, in place.

    named: what stands for a handle of resumption. within: the name of what holds the message.
    """
    for name, item in message.items():
        if _is_secret(name):
            message[name] = _masked(item)
        elif isinstance(item, str):
            if name in _HANDLE_NAMES and item and (within, name) in _HANDLES:
                message[name] = named(item)
            elif item.startswith("projects/"):
                message[name] = _PROJECT_PATH.sub(_PROJECT, item)
            elif _is_address(name):
                message[name] = _USER.sub("", _PARAMETER.sub(_masked_parameter, item))
        elif isinstance(item, dict):
            scrub(item, named, name)
        elif isinstance(item, list):
            _scrub_list(item, named, name)


def _scrub_list(items: list[Any], named: Callable[[str], str], within: str) -> None:
    for index, item in enumerate(items):
        if isinstance(item, dict):
            scrub(item, named, within)
        elif isinstance(item, list):
            _scrub_list(item, named, within)
        elif isinstance(item, str) and item.startswith("projects/"):
            items[index] = _PROJECT_PATH.sub(_PROJECT, item)


def _masked(value: Any) -> Any:
    """Of a credential its shape only, so that readers still find the types that they expect."""
    if isinstance(value, dict):
        return {name: _masked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK


def _masked_parameter(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}={MASK}" if _is_secret(parameter[1]) else parameter[0]


def _scrubbed_bytes(data: bytes) -> bytes:
    """What is no JSON may be JSON that was cut short."""

    def masked(field: re.Match[str]) -> str:
        secret = _is_secret(field[1]) or field[1] in _HANDLE_NAMES
        return f'"{field[1]}"{field[2]}"{MASK}' if secret else field[0]

    text = _PROJECT_PATH.sub(_PROJECT, _FIELD.sub(masked, data.decode("latin-1")))
    return text.encode("latin-1")
