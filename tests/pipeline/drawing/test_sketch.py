"""What is drawn of a graph: types that flow, formats, inboxes, feedback."""

from collections.abc import AsyncIterator, Iterator

import pytest

from pipeline import (
    AudioFormat,
    AudioFrame,
    Duplex,
    Frame,
    Graph,
    Inbox,
    InboxSettings,
    Outbox,
    Sink,
    Source,
    SpeechStarted,
    TextFrame,
    ToolCall,
    ToolResult,
    Transform,
)
from pipeline.drawing.sketch import Arrow, Box, sketch, wrapped


class Microphone(Source):
    def __init__(self, rate: int | None = 44_100, channels: int | None = 2) -> None:
        self.format = AudioFormat(rate, channels)

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return self.format

    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield AudioFrame(None, 0)  # type: ignore[arg-type]


class Gate(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame | SpeechStarted]:
        yield frame


class Model(Duplex):
    async def run(
        self, inbox: Inbox[AudioFrame | ToolResult], outbox: Outbox[AudioFrame | ToolCall]
    ) -> None: ...


class Tools(Duplex):
    async def run(self, inbox: Inbox[ToolCall], outbox: Outbox[ToolResult]) -> None: ...


class Speaker(Sink):
    inbox = InboxSettings(ms=2000)

    async def consume(self, frame: AudioFrame | TextFrame) -> None: ...


class Anything(Sink):
    async def consume(self, frame: Frame) -> None: ...


def test_boxes_say_what_they_are_and_stand_behind_what_feeds_them() -> None:
    graph = Graph(
        {"out": Speaker(), "model": Model(), "gate": Gate(), "mic": Microphone()},
        ["mic -> gate -> model -> out"],
    )
    assert sketch(graph).boxes == (
        Box("mic", "Microphone", "source", inline=False),
        Box("gate", "Gate", "transform", inline=True),
        Box("model", "Model", "duplex", inline=False),
        Box("out", "Speaker", "sink", inline=False),
    )


def test_arrows_carry_what_is_given_and_taken_and_say_where_it_waits() -> None:
    graph = Graph(
        {"mic": Microphone(), "gate": Gate(), "model": Model(), "tools": Tools(), "out": Speaker()},
        ["mic -> gate -> model -> out", "model <-> tools"],
    )
    assert sketch(graph).arrows == (
        Arrow(0, 1, ("AudioFrame 44.1 kHz stereo",), "", feedback=False),
        Arrow(1, 2, ("AudioFrame 44.1 kHz stereo",), "64 frames, block", feedback=False),
        Arrow(2, 3, ("AudioFrame 44.1 kHz stereo",), "2 s, block", feedback=False),
        Arrow(2, 4, ("ToolCall",), "64 frames, block", feedback=False),
        Arrow(4, 2, ("ToolResult",), "64 frames, block", feedback=True),
    )


def test_what_takes_everything_is_given_what_there_is() -> None:
    graph = Graph({"mic": Microphone(), "gate": Gate(), "all": Anything()}, ["mic -> gate -> all"])
    assert sketch(graph).arrows[1].carries == ("AudioFrame 44.1 kHz stereo", "SpeechStarted")


@pytest.mark.parametrize(
    ("rate", "channels", "shown"),
    [
        (None, None, "AudioFrame"),
        (8000, None, "AudioFrame 8 kHz"),
        (None, 1, "AudioFrame mono"),
        (22_050, 6, "AudioFrame 22.05 kHz 6 channels"),
    ],
)
def test_formats(rate: int | None, channels: int | None, shown: str) -> None:
    graph = Graph({"mic": Microphone(rate, channels), "out": Anything()}, ["mic -> out"])
    assert sketch(graph).arrows[0].carries == (shown,)


@pytest.mark.parametrize(
    ("inbox", "shown"),
    [
        (InboxSettings(), "64 frames, block"),
        (InboxSettings(frames=1, policy="drop_newest"), "1 frame, drop_newest"),
        (InboxSettings(ms=250, policy="drop_oldest"), "250 ms, drop_oldest"),
        (InboxSettings(policy="latest"), "latest"),
    ],
)
def test_inboxes(inbox: InboxSettings, shown: str) -> None:
    graph = Graph({"mic": Microphone(), "out": Speaker()}, ["mic -> out"], inboxes={"out": inbox})
    assert sketch(graph).arrows[0].inbox == shown


def test_a_transform_with_an_inbox_is_not_in_line() -> None:
    processors = {"mic": Microphone(), "gate": Gate(), "out": Speaker()}
    graph = Graph(processors, ["mic -> gate -> out"], inboxes={"gate": InboxSettings(frames=8)})
    assert sketch(graph).arrows[0].inbox == "8 frames, block"
    assert not sketch(graph).boxes[1].inline


def test_a_long_chain_is_no_problem() -> None:
    middle = {f"t{number}": Gate() for number in range(1500)}
    names = ["mic", *middle, "out"]
    graph = Graph({"mic": Microphone(), **middle, "out": Speaker()}, [" -> ".join(names)])
    assert len(sketch(graph).arrows) == 1501


def test_words_are_wrapped_between_words() -> None:
    assert wrapped(["one", "two", "three"], 9) == ["one, two,", "three"]
    assert wrapped(["much too long", "x"], 4) == ["much too long,", "x"]
    assert wrapped([], 10) == []
