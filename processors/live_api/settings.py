"""The settings of a session, in groups, as they stand in a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from pipeline import InputPath, OutputPath

Milliseconds = Annotated[int, Meta(ge=0, le=10_000)]
Seconds = Annotated[float, Meta(gt=0)]
Sensitivity = Literal["high", "low"]


class ServiceVad(Struct, frozen=True, forbid_unknown_fields=True):
    """How the service finds the user's turns.

    automatic: by itself; false leaves it to a VAD gate in the graph. silence_ms: silence that ends
    a turn. prefix_ms: speech that it takes to begin one. start_sensitivity, end_sensitivity: how
    readily. interrupts: whether the user's speech cuts the model short. covers: what belongs to a
    turn, `activity`, `all` input, or `activity_and_video`. report: gives what the service hears as
    `SpeechStarted` and `SpeechEnded` frames; Vertex only.
    """

    automatic: bool = True
    silence_ms: Milliseconds | None = None
    prefix_ms: Milliseconds | None = None
    start_sensitivity: Sensitivity | None = None
    end_sensitivity: Sensitivity | None = None
    interrupts: bool = True
    covers: Literal["activity", "all", "activity_and_video"] | None = None
    report: bool = False


class ResumptionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A session that outlives its connections.

    transparent: the service tells which messages it has, so that each is sent exactly once; Vertex
    only. file: keeps the handle, so that a program that is started again goes on with the same
    conversation, as long as the service remembers it.
    """

    transparent: bool = False
    file: OutputPath | None = None


class Compression(Struct, frozen=True, forbid_unknown_fields=True):
    """The oldest turns are dropped when the context grows over `trigger` tokens, down to `target`.

    Left out, the service decides: 80 % of its window, and half of that.
    """

    trigger: Annotated[int, Meta(ge=1)] | None = None
    target: Annotated[int, Meta(ge=0)] | None = None


class Thinking(Struct, frozen=True, forbid_unknown_fields=True):
    """How much the model thinks before it speaks.

    budget: tokens; 0 is off, -1 leaves it to the model. level: for the models of 2026. show: gives
    the thoughts as frames.
    """

    budget: Annotated[int, Meta(ge=-1)] | None = None
    level: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    show: bool = False


class Transcribe(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is transcribed, and hints for it.

    user, model: whether their words come as transcripts. languages: BCP-47 codes that are likely.
    vocabulary: names and terms. style: every word as it was said, `verbatim`, or put right,
    `smart`.
    word_times, speakers: asks for the times of words and for who spoke, which only some models
    know, and none in the style `smart`.
    """

    user: bool = True
    model: bool = True
    languages: list[str] = []
    vocabulary: Annotated[list[str], Meta(max_length=1000)] = []
    style: Literal["verbatim", "smart"] | None = None
    word_times: bool = False
    speakers: bool = False

    def __post_init__(self) -> None:
        if self.style == "smart" and (self.word_times or self.speakers):
            raise ValueError("style: smart excludes word_times and speakers")


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """What was said before the conversation: by the `user`, or by the `model`."""

    user: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if (self.user is None) == (self.model is None):
            raise ValueError("a line is said either by the `user` or by the `model`")


Harm = Literal["low", "medium", "high", "never", "ignore"]


class Safety(Struct, frozen=True, forbid_unknown_fields=True):
    """From which level on the service withholds an answer, for each kind of harm.

    `low` withholds most; `never` withholds nothing, `ignore` does not even look. judged_by: how
    likely the harm is, or how severe, which is for Vertex only.
    """

    harassment: Harm | None = None
    hate_speech: Harm | None = None
    sexually_explicit: Harm | None = None
    dangerous_content: Harm | None = None
    civic_integrity: Harm | None = None
    jailbreak: Harm | None = None
    judged_by: Literal["probability", "severity"] | None = None


class Translation(Struct, frozen=True, forbid_unknown_fields=True):
    """For a model that interprets: `to` is the BCP-47 code of the language that it speaks.

    echo: it repeats what was said in that language already.
    """

    to: Annotated[str, Meta(min_length=2)]
    echo: bool = False


class VoiceSample(Struct, frozen=True, forbid_unknown_fields=True):
    """A voice to be like: `path` is a sample of it, and `consent` its owner's, both WAV files."""

    path: InputPath
    consent: InputPath | None = None


class Avatar(Struct, frozen=True, forbid_unknown_fields=True):
    """A face for the model: one of the service's by `name`, or an `image` of one's own.

    audio_bitrate, video_bitrate: of its video, in bits per second.
    """

    name: str | None = None
    image: InputPath | None = None
    audio_bitrate: Annotated[int, Meta(ge=1)] | None = None
    video_bitrate: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if (self.name is None) == (self.image is None):
            raise ValueError("give either `name` or `image`")


ServiceTool = Literal[
    "google_maps",
    "url_context",
    "retrieval",
    "enterprise_web_search",
    "parallel_ai_search",
    "exa_ai_search",
    "file_search",
]
"""Tools that the service runs itself, beside its search and its code."""


class Reconnect(Struct, frozen=True, forbid_unknown_fields=True):
    """What happens when a connection ends before the conversation does.

    for_s: seconds of failing attempts before it is given up; 0 for no second attempt at all.
    first_s, longest_s: the pauses between attempts grow from one to the other, with chance in them.
    hold_s: seconds of sound that are kept meanwhile, and until the service has confirmed them.
    """

    for_s: Annotated[float, Meta(ge=0)] = 60.0
    first_s: Seconds = 0.5
    longest_s: Seconds = 10.0
    hold_s: Seconds = 30.0


class Stall(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do when the model owes an answer and says nothing for `after_s` seconds.

    then: `resume` on a new connection, `nudge` it to answer, or `fail`.
    """

    after_s: Seconds = 20.0
    then: Literal["resume", "nudge", "fail"] = "resume"


class Limit(Struct, frozen=True, forbid_unknown_fields=True):
    """How many sessions of this process the service sees at a time.

    sessions: at most. when_full: `wait` for another to end, or `refuse`.
    """

    sessions: Annotated[int, Meta(ge=1)] = 10
    when_full: Literal["wait", "refuse"] = "wait"


class Options(Struct, frozen=True, kw_only=True):
    """How a conversation is held, as far as the setup message does not say it.

    kind: whose rules apply; None at an address of which nothing is known. model: as configured.
    account: whose sessions are counted together. setup: raw fields for the setup message.
    realtime_text: whether typed text is streamed to a model of which nothing is known.
    typed: whether a typed line waits for the model to finish.
    """

    kind: Literal["vertex", "gemini_api"] | None
    model: str | None
    account: str
    functions: list[dict[str, Any]]
    resumption: ResumptionSettings | None
    reconnect: Reconnect
    stall: Stall | None
    limit: Limit
    image_interval_s: float
    setup: dict[str, Any]
    ca_file: Path | None
    patience_s: float
    realtime_text: bool
    typed: Literal["wait", "interrupt"]
