"""What can go wrong, and when: faults as the files of `faults.py` write them.

Each says by at most one field when it strikes: `at_s`, `after_received`, `after_sent`, `chance` or
`every`. Without any, an `AtOnce` strikes at the opening and a `Change` at every message.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from processors.local_live_api.refusal import INTERNAL, INTERNAL_ERROR, check_close

Seconds = Annotated[float, Meta(ge=0)]
Milliseconds = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Probability = Annotated[float, Meta(gt=0, le=1)]
CloseCode = Annotated[int, Meta(ge=1000, le=4999)]


class Fault(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="do"):
    """When a fault strikes; by at most one of the first five.

    at_s: so many seconds after the connection was opened.
    after_received: when so many messages of the client have come.
    after_sent: when so many messages have been sent, not counting what faults add.
    chance: with this probability at each message that is sent.
    every: at every second, third, ... message that is sent.
    times: how often at most; by default once for the first three, and without limit otherwise.
    connections: their numbers on the server, from 1; None for all.
    """

    WHEN: ClassVar = ("at_s", "after_received", "after_sent", "chance", "every")

    at_s: Seconds | None = None
    after_received: Positive | None = None
    after_sent: Positive | None = None
    chance: Probability | None = None
    every: Positive | None = None
    times: Positive | None = None
    connections: tuple[Positive, ...] | None = None

    def __post_init__(self) -> None:
        if sum(getattr(self, name) is not None for name in self.WHEN) > 1:
            raise ValueError(f"a fault has at most one of {', '.join(self.WHEN)}")

    @property
    def is_timed(self) -> bool:
        """Whether a time or a count makes it due, rather than any message."""
        return (self.at_s, self.after_received, self.after_sent) != (None, None, None)

    def concerns(self, connection: int) -> bool:
        return self.connections is None or connection in self.connections


class AtOnce(Fault, frozen=True):
    """Happens when it strikes; by `chance` or `every`, just after the message in question."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.times or 1) > 1 and self.chance is None and self.every is None:
            raise ValueError("times of this fault needs chance or every: otherwise it is once")


class Change(Fault, frozen=True):
    """Changes a message: when a time or a count makes it due, the next one, or the next `times`."""


class Cut(AtOnce, frozen=True, tag="cut"):
    """The TCP connection is reset, without a close frame: close code 1006."""


class Close(AtOnce, frozen=True, tag="close"):
    """The connection is closed with this code and reason."""

    code: CloseCode = INTERNAL
    reason: str = INTERNAL_ERROR

    def __post_init__(self) -> None:
        super().__post_init__()
        check_close(self.code, self.reason)


class Silence(AtOnce, frozen=True, tag="silence"):
    """Nothing is sent for so many seconds; what is due meanwhile comes afterwards."""

    for_s: Seconds


class SlowReads(AtOnce, frozen=True, tag="slow_reads"):
    """From now on it waits before it reads each message, until the client cannot send any more.

    for_s: how long that goes on; None for ever.
    """

    delay_ms: Milliseconds
    for_s: Seconds | None = None


class LatePongs(AtOnce, frozen=True, tag="late_pongs"):
    """From now on pings are answered late: 8 to 30 s were measured with the real service.

    for_s: how long that goes on; None for ever.
    """

    delay_ms: Milliseconds
    for_s: Seconds | None = None


class EmptyFrames(AtOnce, frozen=True, tag="empty_frames"):
    """An empty frame and an empty object are sent."""


class PhantomInterrupted(AtOnce, frozen=True, tag="phantom_interrupted"):
    """An interruption is reported that nobody caused."""


class Duplicate(Change, frozen=True, tag="duplicate"):
    """The message is sent twice."""


class Delay(Change, frozen=True, tag="delay"):
    """The message comes late, and all that follow it wait."""

    delay_ms: Milliseconds


class Truncate(Change, frozen=True, tag="truncate"):
    """Only the first half of the message is sent, as a whole frame."""


class Malform(Change, frozen=True, tag="malform"):
    """The message is spoilt: it is not UTF-8, or not JSON, or its values are of a wrong type."""

    into: Literal["not_utf8", "not_json", "wrong_types"] = "not_json"


class UnknownFields(Change, frozen=True, tag="unknown_fields"):
    """An unknown field is added at the top and in each object below, and an unknown enum value."""


class LateAudio(Change, frozen=True, tag="late_audio"):
    """After `interrupted`, the last so many messages with audio come once more.

    Only messages with `interrupted` are its occasions.
    """

    frames: Positive = 5


class RefuseResumes(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="do",
    tag="refuse_resumes",
):
    """Setups with a handle are refused, so many times on the whole server."""

    times: Positive = 1
    code: CloseCode = INTERNAL
    reason: str = INTERNAL_ERROR
    connections: tuple[Positive, ...] | None = None

    def __post_init__(self) -> None:
        check_close(self.code, self.reason)

    def concerns(self, connection: int) -> bool:
        return self.connections is None or connection in self.connections


Immediate = Cut | Close | Silence | SlowReads | LatePongs | EmptyFrames | PhantomInterrupted
Changing = Duplicate | Delay | Truncate | Malform | UnknownFields | LateAudio
AnyFault = Immediate | Changing | RefuseResumes
