"""Building graphs: structure, types, formats, and everything that a graph can be refused for."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import (
    AudioFormat,
    AudioFrame,
    ConfigError,
    Duplex,
    Graph,
    Inbox,
    InboxSettings,
    InputPath,
    Outbox,
    OutputPath,
    Processor,
    SettingError,
    Sink,
    Source,
    TextFrame,
    ToolCall,
    ToolResult,
    Transcript,
    Transform,
)


class Microphone(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield  # type: ignore[misc]

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(48_000, 2)


class Gate(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame


class Slow(Transform):
    async def process(self, frame: AudioFrame) -> AsyncIterator[AudioFrame]:
        yield frame


class Resample(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(16_000, 1)


class Service(Duplex):
    async def run(
        self,
        inbox: Inbox[AudioFrame | ToolResult],
        outbox: Outbox[AudioFrame | Transcript | ToolCall],
    ) -> None: ...

    def audio_in(self) -> AudioFormat:
        return AudioFormat(16_000, 1)

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(24_000, 1)


class Tools(Duplex):
    async def run(self, inbox: Inbox[ToolCall], outbox: Outbox[ToolResult]) -> None: ...


class Speaker(Sink):
    async def consume(self, frame: AudioFrame) -> None: ...


class Words(Sink):
    async def consume(self, frame: Transcript | TextFrame) -> None: ...


class Missing(Source):
    def check(self) -> None:
        raise SettingError("there is no file x", hint="make one")

    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield  # type: ignore[misc]


def build(processors: dict[str, Processor], *flow: str) -> Graph:
    return Graph(processors, flow)


def findings(processors: dict[str, Processor], *flow: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        build(processors, *flow)
    return [str(finding) for finding in caught.value.findings]


def talk() -> Graph:
    return build(
        {
            "mic": Microphone(),
            "to_16k": Resample(),
            "gemini": Service(),
            "tools": Tools(),
            "speaker": Speaker(),
            "words": Words(),
        },
        "mic -> to_16k -> gemini -> speaker",
        "gemini <-> tools",
        "gemini -> words",
    )


def test_an_edge_carries_what_its_target_takes() -> None:
    graph = talk()
    carries = {str(edge): edge.accepts for edge in graph.edges}
    assert carries["gemini -> speaker"] == (AudioFrame,)
    assert carries["gemini -> words"] == (Transcript, TextFrame)
    assert carries["gemini -> tools"] == (ToolCall,)


def test_a_long_chain_is_parted_by_inboxes_since_calls_do_not_nest_deeper() -> None:
    names = [f"gate{number}" for number in range(600)]
    gates = {name: Gate() for name in names}
    graph = build(
        {"mic": Microphone(), **gates, "out": Speaker()}, " -> ".join(["mic", *names, "out"])
    )
    assert [name for name in names if graph.nodes[name].inbox] == ["gate256", "gate513"]


def test_an_edge_carries_what_something_behind_a_transform_takes() -> None:
    graph = build(
        {
            "gemini": Service(),
            "gate": Gate(),
            "words": Words(),
            "mic": Microphone(),
            "out": Speaker(),
        },
        "mic -> gemini -> gate -> words",
        "gate -> out",
    )
    carries = {str(edge): set(edge.accepts) for edge in graph.edges}
    assert carries["gemini -> gate"] == {AudioFrame, Transcript, TextFrame}


def test_only_the_edge_that_closes_a_cycle_is_feedback() -> None:
    graph = talk()
    assert [str(edge) for edge in graph.edges if edge.feedback] == ["tools -> gemini"]
    order = [node.name for node in graph.order]
    assert order.index("mic") < order.index("to_16k") < order.index("gemini") < order.index("tools")


def test_a_plain_transform_runs_in_line_unless_its_inbox_is_asked_for() -> None:
    nodes = build(
        {"m": Microphone(), "g": Gate(), "s": Slow(), "o": Speaker()}, "m -> g -> s -> o"
    ).nodes
    assert nodes["g"].inline
    assert not nodes["s"].inline
    graph = Graph(
        {"m": Microphone(), "g": Gate(), "o": Speaker()},
        ["m -> g -> o"],
        inboxes={"g": InboxSettings(frames=2)},
    )
    assert not graph.nodes["g"].inline
    assert graph.nodes["g"].inbox == InboxSettings(frames=2)


def test_names_are_checked_with_a_suggestion() -> None:
    assert findings(
        {"mic": Microphone(), "speaker": Speaker()}, "mic -> speeker", "mic -> speaker"
    ) == ['error[unknown-node] no processor is named "speeker"; did you mean "speaker"?']


def test_structure_is_checked_all_at_once() -> None:
    assert findings(
        {"mic": Microphone(), "gate": Gate(), "out": Speaker(), "idle": Words(), "words": Words()},
        "mic -> gate",
        "out -> words",
    ) == [
        'error[dead-end] what "gate" gives goes nowhere; end the chain in a sink',
        'error[no-input] nothing flows into "out"',
        'error[out-of-sink] "out" is a sink: nothing flows out of it',
        'error[unused] "idle" is not in the flow; add it to a chain or delete it',
        'error[unreachable] no source leads to "words"',
    ]


def test_a_source_takes_nothing() -> None:
    assert findings({"a": Microphone(), "b": Microphone(), "o": Speaker()}, "a -> b -> o") == [
        'error[into-source] "b" is a source: nothing can flow into it'
    ]
    with pytest.raises(ConfigError, match='"a" is a source and has no inbox'):
        Graph(
            {"a": Microphone(), "o": Speaker()}, ["a -> o"], inboxes={"a": InboxSettings(frames=3)}
        )


def test_the_same_edge_twice() -> None:
    assert findings({"a": Microphone(), "o": Speaker()}, "a -> o", "a -> o") == [
        'error[connected-twice] "a -> o" is there already'
    ]


def test_a_cycle_without_a_duplex_processor_is_refused() -> None:
    assert findings(
        {"m": Microphone(), "a": Gate(), "b": Gate(), "o": Speaker()}, "m -> a -> b -> o", "b -> a"
    ) == [
        "error[cycle] a -> b -> a is a cycle that could block: each waits for the next; only a "
        "duplex processor, which reads and writes independently, may close a cycle"
    ]


def test_a_processor_that_feeds_itself_is_refused() -> None:
    [finding] = findings({"m": Microphone(), "a": Gate(), "o": Speaker()}, "m -> a -> o", "a -> a")
    assert finding.startswith("error[cycle] a -> a is a cycle that could block")


def test_an_edge_that_can_carry_nothing_is_refused() -> None:
    assert findings({"mic": Microphone(), "words": Words()}, "mic -> words") == [
        'error[type-mismatch] "mic -> words" can carry nothing: mic gives AudioFrame, words takes '
        "TextFrame and Transcript"
    ]


def test_types_are_followed_through_transforms() -> None:
    [finding] = findings(
        {"mic": Microphone(), "gate": Gate(), "tools": Tools(), "out": Speaker()},
        "mic -> gate -> tools",
        "gate -> out",
    )
    assert (
        '"gate -> tools" can carry nothing: gate gives AudioFrame, tools takes ToolCall' in finding
    )


def test_annotations_that_cannot_be_read_are_findings() -> None:
    class Bad(Sink):
        async def consume(self, frame: int) -> None: ...

    [finding] = findings({"m": Microphone(), "bad": Bad()}, "m -> bad")
    assert finding.startswith("error[annotations]")


def test_audio_formats_are_compared_and_a_resampler_offered() -> None:
    graph = build(
        {"mic": Microphone(), "gate": Gate(), "gemini": Service(), "out": Speaker()},
        "mic -> gate -> gemini -> out",
    )
    assert [str(finding) for finding in graph.check()] == [
        'error[format-mismatch] "gate -> gemini": gate gives audio of 48000 Hz stereo, gemini '
        "takes 16000 Hz mono; put a resampler between them: {use: resampler, rate: 16000, "
        "channels: 1}"
    ]
    assert talk().check() == []


def test_a_processor_that_cannot_run_here_is_a_finding() -> None:
    graph = build({"file": Missing(), "out": Speaker()}, "file -> out")
    assert [str(finding) for finding in graph.check()] == [
        'error[environment] "file": there is no file x; make one'
    ]


EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20, unique=True)


@given(EDGES)
def test_any_wiring_is_accepted_in_order_or_refused(edges: list[tuple[int, int]]) -> None:
    """Random arrows between a source, transforms, duplex processors and sinks."""

    class Echo(Duplex):
        async def run(self, inbox: Inbox[AudioFrame], outbox: Outbox[AudioFrame]) -> None: ...

    kinds = [Microphone, Gate, Echo, Speaker, Gate, Echo, Gate, Speaker]
    used = {index for edge in edges for index in edge}
    processors = {f"n{index}": kinds[index]() for index in sorted(used)}
    try:
        graph = Graph(processors, [f"n{a} -> n{b}" for a, b in edges])
    except ConfigError as error:
        assert error.findings
        return
    position = {node.name: index for index, node in enumerate(graph.order)}
    assert len(position) == len(processors)
    for edge in graph.edges:
        assert edge.feedback or position[edge.source.name] < position[edge.target.name]


def test_a_transform_that_would_never_be_given_a_frame() -> None:
    class Redact(Transform):
        def process(self, frame: Transcript) -> Iterator[Transcript]:
            yield frame

    assert findings(
        {"mic": Microphone(), "redact": Redact(), "out": Speaker()}, "mic -> redact -> out"
    ) == [
        'error[never-fed] "redact" would never be given a frame: it takes Transcript, and what '
        "comes to it is AudioFrame"
    ]


def test_one_object_cannot_be_two_processors() -> None:
    gate = Gate()
    assert findings(
        {"m": Microphone(), "a": gate, "b": gate, "o": Speaker()}, "m -> a -> b -> o"
    ) == ['error[same-object] "b" is the same object as "a": make one for each']


def test_what_is_no_processor_is_refused() -> None:
    with pytest.raises(TypeError, match=r'"m" is <class .*Microphone.*>, not a processor'):
        Graph({"m": Microphone, "o": Speaker()}, ["m -> o"])  # type: ignore[dict-item]


def test_one_chain_needs_no_list() -> None:
    assert len(Graph({"m": Microphone(), "o": Speaker()}, "m -> o").edges) == 1


@pytest.mark.parametrize("flow", [
    ["mic -> gemini", "cron -> tools", "gemini <-> tools", "gemini -> speaker"],
    ["cron -> tools", "gemini <-> tools", "mic -> gemini -> speaker"],
])  # fmt: skip
def test_feedback_does_not_depend_on_the_order_of_writing(flow: list[str]) -> None:
    class Cron(Source):
        async def frames(self) -> AsyncIterator[ToolCall]:
            yield  # type: ignore[misc]

    class AnyService(Service):
        def audio_in(self) -> AudioFormat:
            return AudioFormat()

    names = {chain.split()[0] for chain in flow} | {"tools", "speaker"}
    kinds = {
        "mic": Microphone,
        "cron": Cron,
        "gemini": AnyService,
        "tools": Tools,
        "speaker": Speaker,
    }
    graph = Graph({name: kinds[name]() for name in sorted(names)}, flow)
    assert {str(edge) for edge in graph.edges if edge.feedback} == {
        "gemini -> tools",
        "tools -> gemini",
    }


def test_a_check_that_fails_is_a_finding() -> None:
    class Buggy(Speaker):
        def audio_in(self) -> AudioFormat:
            raise KeyError("rate")

    graph = build({"m": Microphone(), "o": Buggy()}, "m -> o")
    assert [str(finding) for finding in graph.check()] == [
        "error[environment] \"o\": its check failed: KeyError: 'rate'"
    ]


class Extra(msgspec.Struct, frozen=True):
    file: OutputPath | None = None
    mode: str = "a"


class File(Sink):
    def __init__(self, path: OutputPath, extra: Extra | None = None) -> None:
        self.path = path
        self.extra = extra

    async def consume(self, frame: AudioFrame) -> None: ...


def test_the_files_that_it_would_write(tmp_path: Path) -> None:
    extra = Extra(str(tmp_path / "2.txt"))
    processors = {"mic": Microphone(), "one": File(str(tmp_path / "1.wav"), extra)}
    graph = Graph(processors, ["mic -> one"])
    written = {
        path: [(node.name, setting) for node, setting in nodes]
        for path, nodes in graph.files_written().items()
    }
    assert written == {
        tmp_path / "1.wav": [("one", "path")],
        tmp_path / "2.txt": [("one", "extra.file")],
    }


class Player(Source):
    def __init__(self, path: InputPath) -> None:
        self.path = path

    async def frames(self) -> AsyncIterator[AudioFrame]:
        return
        yield


def test_the_files_that_it_would_read(tmp_path: Path) -> None:
    processors = {"play": Player(str(tmp_path / "1.wav")), "one": File(str(tmp_path / "2.wav"))}
    [(path, [(node, setting)])] = Graph(processors, ["play -> one"]).files_read().items()
    assert (path, node.name, setting) == (tmp_path / "1.wav", "play", "path")
