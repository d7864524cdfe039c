"""What a client's frames mean, so that two clients can be compared whatever their spelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from processors.live_api.messages import Blob, ClientContent, ClientMessage, RealtimeInput, Setup
from processors.live_api.models import short_name
from processors.live_api.recording import scrub
from processors.local_live_api.hearing import rate_of
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.wire import decode_client

TOLERANCE_S, TOLERANCE = 0.25, 0.1
"""Streamed audio may differ by the larger of so many seconds and this share."""
SAMPLE_BYTES = 2
SHOWN = 120


@dataclass(frozen=True)
class Media:
    """Streamed input: seconds of audio, and how many images."""

    seconds: float = 0.0
    images: int = 0

    def plus(self, other: Media) -> Media:
        return Media(self.seconds + other.seconds, self.images + other.images)

    def covers(self, other: Media) -> bool:
        """Whether it is at least as much."""
        return self.seconds >= other.seconds - 1e-6 and self.images >= other.images

    def nearly_covers(self, other: Media) -> bool:
        """Whether it is at least as much, or within the tolerance."""
        return self.seconds >= other.seconds - _tolerance(other) and self.images >= other.images

    def differences(self, expected: Media) -> list[str]:
        """How it differs from what is expected, beyond the tolerance."""
        found = []
        if abs(self.seconds - expected.seconds) > _tolerance(expected):
            found.append(f"expected {expected.seconds:.2f} s of audio, got {self.seconds:.2f} s")
        if self.images != expected.images:
            found.append(f"expected images: {expected.images}, got {self.images}")
        return found


def _tolerance(media: Media) -> float:
    return max(TOLERANCE_S, TOLERANCE * media.seconds)


@dataclass(frozen=True)
class Act:
    """One thing that a client does in a message.

    kind: `setup`, `text`, `content` (that is not only the user's complete text), `answer`,
    `activityStart`, `activityEnd`, `audioStreamEnd`, `contextUpdate`, or `frame` for what the
    service does not take. name, id: of the call that is answered. refusal: what the service says
    to the frame.
    """

    kind: str
    value: Any = None
    name: str = ""
    id: str = ""
    refusal: str = ""

    def __str__(self) -> str:
        subject = f"{self.kind} of {self.name}" if self.name else self.kind
        if self.refusal:
            return f"{subject} ({self.refusal})"
        if self.value is None or self.kind == "setup":
            return subject
        return f"{subject} {_shown(self.value)}"

    def differences(self, expected: Act, handles: Sequence[str] = ()) -> list[str]:
        """How it differs from an expected act of the same kind.

        handles: those that the client was given. In the place of another, any will do.
        """
        if self.kind == "setup":
            value = self.value
            wanted, given = _handle(expected.value), _handle(value)
            if wanted and given and wanted not in handles:
                resumption = {**value["sessionResumption"], "handle": wanted}
                value = {**value, "sessionResumption": resumption}
            return list(_differences(value, expected.value, "setup"))
        if (self.name, self.value) != (expected.name, expected.value):
            return [f"expected {expected}, got {self}"]
        return []


def acts_of(data: bytes | str) -> list[Act | Media]:
    """What a frame from a client does, in order, without its secrets."""
    try:
        fields = msgspec.json.decode(data)
        if isinstance(fields, dict):
            scrub(fields, lambda handle: handle)
        data = msgspec.json.encode(fields)
        message = decode_client(data)
    except RefusedError as error:
        return [Act("frame", fields, refusal=str(error))]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raw = data.encode(errors="replace") if isinstance(data, str) else data
        return [Act("frame", raw, refusal="it is no JSON")]
    return list(_acts(message))


def _acts(message: ClientMessage) -> Iterator[Act | Media]:
    if message.setup is not UNSET:
        yield _setup(message.setup)
    if message.client_content is not UNSET:
        yield _content(message.client_content)
    if message.realtime_input is not UNSET:
        yield from _realtime(message.realtime_input)
    if message.tool_response is not UNSET:
        for answer in message.tool_response.function_responses:
            yield Act("answer", answer.response, answer.name, answer.id)
    if message.context_update is not UNSET:
        yield Act("contextUpdate", msgspec.to_builtins(message.context_update))


def _setup(setup: Setup) -> Act:
    return Act("setup", {**msgspec.to_builtins(setup), "model": short_name(setup.model)})


def _content(content: ClientContent) -> Act:
    """The user's text is the same act in `clientContent` as in `realtimeInput`."""
    parts = [part for turn in content.turns for part in turn.parts]
    users = all(turn.role in ("user", None) for turn in content.turns)
    texts = [part.text for part in parts if part.text is not None]
    if parts and users and content.turn_complete and len(texts) == len(parts):
        return Act("text", " ".join(texts))
    return Act("content", msgspec.to_builtins(content))


def _realtime(given: RealtimeInput) -> Iterator[Act | Media]:
    if given.audio is not None:
        yield _audio(given.audio)
    if given.video is not None:
        yield Media(images=1)
    for blob in (given.media_chunks or [])[:1]:  # the others are not read
        yield Media(images=1) if blob.mime_type.startswith("image/") else _audio(blob)
    if given.text is not None:
        yield Act("text", given.text)
    if given.activity_start is not None:
        yield Act("activityStart")
    if given.activity_end is not None:
        yield Act("activityEnd")
    if given.audio_stream_end:
        yield Act("audioStreamEnd")


def _audio(blob: Blob) -> Media:
    return Media(len(blob.data) / SAMPLE_BYTES / max(rate_of(blob.mime_type), 1))


def _handle(setup: dict[str, Any]) -> str:
    return str(setup.get("sessionResumption", {}).get("handle", ""))


def _differences(got: Any, expected: Any, path: str) -> Iterator[str]:
    """Where two values differ, each as an expectation."""
    if isinstance(got, dict) and isinstance(expected, dict):
        for name in expected | got:
            yield from _differences(
                got.get(name, UNSET), expected.get(name, UNSET), f"{path}.{name}"
            )
    elif isinstance(got, list) and isinstance(expected, list) and len(got) == len(expected):
        for index, (one, other) in enumerate(zip(got, expected, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif got != expected:
        yield f"{path}: expected {_shown(expected)}, got {_shown(got)}"


def _shown(value: Any) -> str:
    if value is UNSET:
        return "nothing"
    text = repr(value) if isinstance(value, str | bytes) else msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
