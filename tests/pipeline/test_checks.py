"""Inboxes and answers; everything else of the checks is in `test_graph`."""

from collections.abc import AsyncIterator

import pytest

from pipeline import (
    AudioFrame,
    ConfigError,
    Duplex,
    Frame,
    Graph,
    ImageFrame,
    Inbox,
    InboxSettings,
    Outbox,
    Processor,
    Sink,
    Source,
    ToolCall,
    ToolResult,
    Transcript,
    Transform,
)


class Camera(Source):
    async def frames(self) -> AsyncIterator[ImageFrame]:
        yield  # type: ignore[misc]


class Microphone(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield  # type: ignore[misc]


class Anything(Source):
    async def frames(self) -> AsyncIterator[Frame]:
        yield  # type: ignore[misc]


class Service(Duplex):
    async def run(
        self,
        inbox: Inbox[AudioFrame | ImageFrame | ToolResult],
        outbox: Outbox[Transcript | ToolCall],
    ) -> None: ...


class Tools(Duplex):
    async def run(self, inbox: Inbox[ToolCall], outbox: Outbox[ToolResult]) -> None: ...


class Log(Transform):
    def process(self, frame: Transcript) -> list[Transcript]:
        return [frame]


class Words(Sink):
    async def consume(self, frame: Transcript | ToolCall) -> None: ...


class Meter(Sink):
    async def consume(self, frame: AudioFrame) -> None: ...


class All(Sink):
    async def consume(self, frame: Frame) -> None: ...


def findings(
    processors: dict[str, Processor], *flow: str, inbox: dict[str, InboxSettings] | None = None
) -> list[str]:
    try:
        Graph(processors, flow, inboxes=inbox)
    except ConfigError as error:
        return [str(finding) for finding in error.findings]
    return []


@pytest.mark.parametrize(
    ("source", "inbox", "expected"),
    [
        (Microphone, InboxSettings(ms=400, policy="drop_oldest"), None),
        (Camera, InboxSettings(policy="latest"), None),
        (Camera, InboxSettings(frames=2, policy="drop_newest"), None),
        (Camera, InboxSettings(ms=400), (
            'error[inbox] "service": a bound in ms is for sound, and what comes to it is '
            "ImageFrame; give the bound in frames"
        )),
        (Microphone, InboxSettings(policy="latest"), (
            'error[inbox] "service": latest would keep one frame of sound and drop what is before '
            "it; write {ms: 400, policy: drop_oldest}"
        )),
        (Anything, InboxSettings(ms=400, policy="drop_oldest"), None),
    ],
)  # fmt: skip
def test_inboxes_fit_what_comes_to_them(
    source: type[Source], inbox: InboxSettings, expected: str | None
) -> None:
    processors = {"in": source(), "service": Service(), "words": Words()}
    found = findings(processors, "in -> service -> words", inbox={"service": inbox})
    assert found == ([expected] if expected else [])


def test_only_media_is_dropped() -> None:
    processors = {"in": Microphone(), "service": Service(), "words": Words()}
    inbox = {"words": InboxSettings(frames=3, policy="drop_oldest")}
    assert findings(processors, "in -> service -> words", inbox=inbox) == [
        'error[inbox] "words": drop_oldest drops sound and pictures only, and what comes to it is '
        "ToolCall and Transcript; leave the policy out: the sender waits"
    ]


def test_a_sink_may_look_at_the_newest_sound_only() -> None:
    inbox = {"meter": InboxSettings(policy="latest")}
    assert findings({"in": Microphone(), "meter": Meter()}, "in -> meter", inbox=inbox) == []


def test_a_sink_of_everything_may_have_any_inbox() -> None:
    inbox = {"all": InboxSettings(frames=1, policy="drop_oldest")}
    assert findings({"in": Anything(), "all": All()}, "in -> all", inbox=inbox) == []


NO_ANSWER = (
    'error[no-answer] "tools" answers "service", but its answers never get there; write service '
    "<-> tools"
)


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        (["in -> service <-> tools"], []),
        (["in -> service -> tools"], [NO_ANSWER]),
        (["in -> service -> log -> tools", "log -> words"], [NO_ANSWER]),
        (["in -> service -> log -> tools -> service", "log -> words"], []),
    ],
)
def test_answers_come_back_to_who_asked(flow: list[str], expected: list[str]) -> None:
    processors = {
        "in": Microphone(),
        "service": Service(),
        "tools": Tools(),
        **({"log": Log(), "words": Words()} if "words" in str(flow) else {}),
    }
    assert findings(processors, *flow) == expected


def test_calls_may_be_written_down_without_an_answer() -> None:
    processors = {"in": Microphone(), "service": Service(), "words": Words()}
    assert findings(processors, "in -> service -> words") == []
