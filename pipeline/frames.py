"""Frames: the immutable, typed values that travel through a graph.

Every frame says when in media time it belongs (`pts`), when it entered the graph (`born`) and
which model turn it is part of (`turn`). Processors name the frame types they take and give in
their annotations, and that alone routes frames: see `pipeline.graph`.

A frame is a `msgspec.Struct` compared by identity. Derive a changed one with `frame.replace(...)`,
which keeps `pts`, `born` and `turn`. A frame type of your own is a subclass:

    class Mood(Frame, frozen=True):
        score: float
"""

from __future__ import annotations

from enum import StrEnum
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SECOND = 1_000_000_000
"""Nanoseconds in a second: the unit of every time in a frame."""


class Speaker(StrEnum):
    """Whose sound or words a frame carries."""

    USER = "user"
    MODEL = "model"
    TONE = "tone"


class Frame(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What all frames have in common.

    pts: media time in nanoseconds since the run began, 0 where it has no meaning.
    born: `time.perf_counter_ns()` when the frame, or the one it was made from, entered the graph.
    turn: the model turn it belongs to, counted from 1 over the whole run; 0 for none.
    """

    media: ClassVar[bool] = False
    """Media of an interrupted turn is discarded wherever it is; other frames are always kept."""

    pts: int = 0
    born: int = msgspec.field(default_factory=perf_counter_ns)
    turn: int = 0

    def replace(self, **changes: Any) -> Self:
        """The same frame with some fields changed."""
        return msgspec.structs.replace(self, **changes)


class AudioFrame(Frame, frozen=True, gc=False):
    """Sound: `samples` is int16 of shape (n, channels), `rate` in Hz."""

    media: ClassVar[bool] = True

    samples: NDArray[np.int16]
    rate: int
    speaker: Speaker = Speaker.USER

    def __post_init__(self) -> None:
        samples = self.samples
        if samples.ndim != 2 or samples.dtype.char != "h":
            raise TypeError(
                f"the samples of an AudioFrame are int16 of shape (n, channels), not "
                f"{samples.dtype} of shape {samples.shape}"
            )

    @property
    def channels(self) -> int:
        return int(self.samples.shape[1])

    @property
    def duration(self) -> int:
        """Length in nanoseconds."""
        return len(self.samples) * SECOND // self.rate

    @property
    def end(self) -> int:
        """Media time at which the sound ends, in nanoseconds."""
        return self.pts + self.duration


class ImageFrame(Frame, frozen=True, gc=False):
    """A still picture, encoded as `mime_type` says (`image/jpeg`, `image/png`)."""

    media: ClassVar[bool] = True

    data: bytes
    mime_type: str = "image/jpeg"


class VideoFrame(Frame, frozen=True, gc=False):
    """A piece of an encoded moving picture; all of a turn's, in order, are one stream."""

    media: ClassVar[bool] = True

    data: bytes
    mime_type: str = "video/mp4"
    speaker: Speaker = Speaker.MODEL


class TextFrame(Frame, frozen=True, gc=False):
    """Typed text from the user, or a piece of text that the model wrote."""

    text: str
    speaker: Speaker = Speaker.USER


class Transcript(Frame, frozen=True, gc=False):
    """What was said so far in one utterance; it starts at `pts` and ends at `end` (nanoseconds).

    While `final` is false a later one replaces it. Each utterance gets exactly one final one.
    `interrupted` marks an utterance that the other side cut short.
    """

    text: str
    speaker: Speaker
    end: int = 0
    final: bool = True
    interrupted: bool = False


class SpeechStarted(Frame, frozen=True, gc=False):
    """The user began to speak at `pts`."""


class SpeechEnded(Frame, frozen=True, gc=False):
    """The user's last speech ended at `pts`."""


class TurnStarted(Frame, frozen=True, gc=False):
    """The model begins to answer. `asked`: when the user's speech ended (nanoseconds), if known."""

    asked: int | None = None


class TurnEnded(Frame, frozen=True, gc=False):
    """The model's turn is over."""

    interrupted: bool = False


class Interruption(Frame, frozen=True, gc=False):
    """Stop the model's turn `turn` (0: whichever came last), at once, everywhere downstream of who
    sends this, and of who gave the turn.

    It is never queued: the runtime acts on it the moment a processor sends or yields it. See
    `Processor.interrupted`.
    """


class ToolsDeclared(Frame, frozen=True):
    """Functions that can be called, as the service wants them declared."""

    declarations: tuple[dict[str, Any], ...]


class ToolCall(Frame, frozen=True):
    """The model asks for a function to be run."""

    id: str
    name: str
    arguments: dict[str, Any]


class ToolCallCancelled(Frame, frozen=True):
    """The model withdraws calls: their work stops and they are not answered."""

    ids: tuple[str, ...]


class ToolResult(Frame, frozen=True):
    """The one answer to a call: conventionally `{"output": ...}` or `{"error": "..."}`.

    scheduling: for a function that runs beside the conversation, when the model takes note of it:
    `interrupt`, `when_idle` or `silent`.
    """

    id: str
    name: str
    response: dict[str, Any]
    scheduling: Literal["interrupt", "when_idle", "silent"] | None = None


class SessionEvent(Frame, frozen=True, gc=False):
    """Something happened to the session with the service: `kind` is a stable word for programs."""

    kind: str
    detail: str = ""


class Usage(Frame, frozen=True):
    """Tokens of one turn as the service reports them, by modality (`AUDIO`, `TEXT`, ...).

    prompt: the whole context that the turn was asked with. response: what was answered. total:
    both, and what else the service counts. totals: everything since the run began, by modality;
    each turn is charged for its whole context.
    """

    prompt: dict[str, int]
    response: dict[str, int]
    total: int
    totals: dict[str, int] = {}


class Instruction(Frame, frozen=True, gc=False):
    """A new system instruction, for a model that is already talking."""

    text: str


class Thought(Frame, frozen=True, gc=False):
    """What the model says of its own thinking; it is no part of the answer."""

    text: str


class Code(Frame, frozen=True, gc=False):
    """Code that the model wrote, to be run by the service itself."""

    code: str
    language: str = "PYTHON"


class CodeResult(Frame, frozen=True, gc=False):
    """What came of the model's code. `failed`: it did not run to its end."""

    output: str
    failed: bool = False


class WebPage(msgspec.Struct, frozen=True, gc=False):
    """A page that an answer rests on."""

    uri: str
    title: str = ""


class Grounding(Frame, frozen=True):
    """What the model searched the web for, and the pages that its answer rests on."""

    queries: tuple[str, ...]
    pages: tuple[WebPage, ...] = ()


class Gap(Frame, frozen=True, gc=False):
    """`duration` nanoseconds of sound from `pts` on never reached the other side."""

    duration: int
    speaker: Speaker = Speaker.USER


class DeadLetter(Frame, frozen=True):
    """A frame that a processor failed on, and why: what a node gives when its `on_error` is `skip`,
    `restart` or `detach`. Wire it to what takes these: `speaker -> dead_letters`.

    code: the name of the system's error (`ENOSPC`), or else of the exception (`ValueError`).
    processor: the node that failed. message: what it said.
    """

    code: str
    processor: str
    message: str
    frame: Frame


class Playback(Frame, frozen=True, gc=False):
    """What a listener has heard of the model's turn `turn` by `pts`.

    heard: the media time, on the scale of the turn's audio frames, up to which they have come out
    of the loudspeaker. playing: whether more follows at once; the last report of a turn says no.
    """

    heard: int
    playing: bool = True
