"""What a client and the server say to each other over one websocket: `docs/serving.md` has it all.

Binary messages are sound: from the client int16 PCM, mono, at the rate that it has stated; from the
server a header, then int16 PCM, mono. Text messages are JSON objects with a `type`.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

SUBPROTOCOL = "live-pipeline.v1"
DEVICES = ("microphone", "loudspeaker", "camera", "keyboard")
DeviceName = Literal["microphone", "loudspeaker", "camera", "keyboard"]
ImageType = Literal["image/jpeg", "image/png", "image/webp"]

_AUDIO_HEADER = struct.Struct("<IIId")
AUDIO_HEADER_BYTES = _AUDIO_HEADER.size


class Close:
    """Codes with which the server closes a websocket. 4000 to 4999 are for applications."""

    OVER = 1000
    LEAVING = 1001
    NOT_UNDERSTOOD = 1002
    REFUSED = 1008
    TOO_LARGE = 1009
    FAILED = 1011
    LATER = 1013
    TAKEN_OVER = 4000


# --- from the client ---


class ClientMessage(Struct, frozen=True, tag_field="type", tag=str.lower):
    """Base of what clients send as text."""


class Start(ClientMessage, frozen=True):
    """The first message of every connection.

    rate: of the microphone's sound, in Hz. token: what the server was told to ask for.
    session, resume: from an earlier `welcome`, to go on with that conversation; `received`: the
    number of the last message that came of it.
    """

    rate: Annotated[int, Meta(ge=8000, le=96_000)] = 16_000
    token: str = ""
    session: str = ""
    resume: str = ""
    received: Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)] = 0


class Text(ClientMessage, frozen=True):
    """A typed line."""

    text: Annotated[str, Meta(max_length=10_000)]


class Played(ClientMessage, frozen=True):
    """What has been heard: of `turn`, up to `ms` on the clock of its sound.

    playing: whether more follows at once.
    """

    turn: Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
    ms: Annotated[float, Meta(ge=0, le=1e10)]
    playing: bool = True


class Image(ClientMessage, frozen=True):
    """A picture of the camera; `data` in base64."""

    data: bytes
    mime_type: ImageType = "image/jpeg"


class Lost(ClientMessage, frozen=True):
    """So much of the microphone's sound is missing before the next: there was no connection."""

    ms: Annotated[float, Meta(ge=0, le=86_400_000)]


class End(ClientMessage, frozen=True):
    """The user has nothing more to say: the conversation comes to its end."""


class Ping(ClientMessage, frozen=True):
    """Is there still a way? The server answers with `pong` at once."""


ClientEvent = Start | Text | Played | Image | Lost | End | Ping
_client_decoder: msgspec.json.Decoder[ClientEvent] = msgspec.json.Decoder(ClientEvent)


# --- from the server ---


class Event(Struct, frozen=True, tag_field="type", tag=str.lower):
    """Base of what the server sends as text. `n` numbers what is sent again after a resume."""

    n: int = 0


class Welcome(Event, frozen=True):
    """The conversation has begun, or goes on.

    session, resume: what to show to come back. devices: which of the client's are used.
    captured_ms: how much of the microphone's sound has arrived; what is missing up to the next
    message that the client sends is told as `lost`. texts: how many typed lines have arrived; a
    client that has sent more sends those again.
    grace_s: how long the server waits for a client that is gone.
    """

    session: str = ""
    resume: str = ""
    devices: list[DeviceName] = []
    captured_ms: float = 0
    texts: int = 0
    grace_s: float = 0
    resumed: bool = False


class Waiting(Event, frozen=True):
    """All places are taken; 1 is the next."""

    position: int = 0


class Refused(Event, frozen=True):
    """No conversation. `reason` is a stable word: see `docs/serving.md`."""

    reason: str = ""
    message: str = ""


class Transcript(Event, frozen=True):
    """What somebody has said so far. A later one with the same speaker and start replaces it."""

    speaker: str = ""
    text: str = ""
    start_ms: float = 0
    end_ms: float = 0
    final: bool = True
    interrupted: bool = False


class Typed(Event, frozen=True):
    """A line that the user has typed, as the server took it."""

    text: str = ""


class Speech(Event, frozen=True):
    """Whether the user is speaking, as the graph hears it."""

    speaking: bool = False


class Turn(Event, frozen=True):
    """The model's turn `turn` begins or is over.

    asked_ms: when the user's speech ended, as a place in what the microphone has captured.
    """

    turn: int = 0
    state: Literal["started", "ended", "interrupted"] = "started"
    asked_ms: float | None = None


class Interrupted(Event, frozen=True):
    """Forget what is queued of `turn`, at once."""

    turn: int = 0


class Volume(Event, frozen=True):
    """How loud the model is played from now on, 0 to 1; at 0 it is held, and goes on later."""

    volume: float = 1.0


class Call(Event, frozen=True):
    """The model calls a function."""

    id: str = ""
    name: str = ""
    arguments: dict[str, Any] = {}


class Result(Event, frozen=True):
    """What came of a call."""

    id: str = ""
    name: str = ""
    response: dict[str, Any] = {}


class Note(Event, frozen=True):
    """What else there was: `kind` is `thought`, `code`, `code-result`, `search` or `gap`."""

    kind: str = ""
    text: str = ""


class Service(Event, frozen=True):
    """Something happened to the connection with the model's service, such as `resumed`."""

    kind: str = ""
    detail: str = ""


class Tokens(Event, frozen=True):
    """Tokens since the conversation began, by modality."""

    totals: dict[str, int] = {}


class Pong(Event, frozen=True):
    """The answer to `ping`."""


class Draining(Event, frozen=True):
    """The server will be stopped, in so many seconds at the latest."""

    seconds: float = 0


class Ended(Event, frozen=True):
    """The conversation is over; the connection is closed next. `reason` is a stable word."""

    reason: str = ""
    message: str = ""


ServerEvent = (
    Welcome
    | Waiting
    | Refused
    | Transcript
    | Typed
    | Speech
    | Turn
    | Interrupted
    | Volume
    | Call
    | Result
    | Note
    | Service
    | Tokens
    | Pong
    | Draining
    | Ended
)
_server_decoder: msgspec.json.Decoder[ServerEvent] = msgspec.json.Decoder(ServerEvent)
_server_types = {kind.__struct_config__.tag for kind in get_args(ServerEvent)}


class _Typed(Struct):
    type: str


_type_decoder = msgspec.json.Decoder(_Typed)


class Sound(NamedTuple):
    """A binary message of the server.

    n: its number. turn: of the model. rate: in Hz. ms: where it belongs on the clock of the run.
    pcm: int16, little-endian, mono.
    """

    n: int
    turn: int
    rate: int
    ms: float
    pcm: bytes

    @property
    def duration_ms(self) -> float:
        return len(self.pcm) / 2 / self.rate * 1000


encode = msgspec.json.encode
"""A message of either side as the text of a frame."""


def decode_client(text: str | bytes) -> ClientEvent:
    """What a client says. Raises msgspec.DecodeError."""
    try:
        return _client_decoder.decode(text)
    except (RecursionError, UnicodeError) as error:
        raise msgspec.DecodeError(str(error)) from None


def decode_server(text: str | bytes) -> ServerEvent | None:
    """What the server says; None for a type that is not known here. Raises msgspec.DecodeError."""
    try:
        return _server_decoder.decode(text)
    except msgspec.ValidationError:
        if _type_decoder.decode(text).type in _server_types:
            raise
        return None


def encode_sound(sound: Sound) -> bytes:
    """The 20 bytes of the header (n, turn, rate: uint32; ms: float64; little-endian), and PCM."""
    return _AUDIO_HEADER.pack(*sound[:4]) + sound.pcm


def decode_sound(data: bytes) -> Sound:
    """Raises ValueError for what is too short."""
    if len(data) < AUDIO_HEADER_BYTES:
        raise ValueError(f"a sound message has at least {AUDIO_HEADER_BYTES} bytes")
    n, turn, rate, ms = _AUDIO_HEADER.unpack_from(data)
    return Sound(n, turn, rate, ms, data[AUDIO_HEADER_BYTES:])
