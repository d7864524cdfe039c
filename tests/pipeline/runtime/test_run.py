"""Whole graphs: what reaches whom, in which order, and how a run ends."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import anyio
import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    ConfigError,
    Duplex,
    Frame,
    Graph,
    Inbox,
    InboxSettings,
    OnError,
    Outbox,
    PipelineError,
    Processor,
    ProcessorFailure,
    Report,
    Run,
    SettingError,
    Sink,
    Source,
    Supervision,
    TextFrame,
    ToolCall,
    ToolResult,
    Transform,
    run,
)
from pipeline.testing import Collect, Given, VirtualTimeLoop, feed, run_virtually
from tests.pipeline.runtime.words import texts, words


class Upper(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame.replace(text=frame.text.upper())


class Twice(Transform):
    """Gives every text twice, and holds one back until the end."""

    def __init__(self) -> None:
        self.last: TextFrame | None = None

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        if self.last is not None:
            yield self.last
        yield frame
        self.last = frame

    def flush(self) -> Iterator[TextFrame]:
        if self.last is not None:
            yield self.last


class AsyncUpper(Transform):
    async def process(self, frame: TextFrame) -> AsyncIterator[TextFrame]:
        await anyio.sleep(0.01)
        yield frame.replace(text=frame.text.upper())


class Ticker(Source):
    """A word every 20 ms, for ever."""

    def __init__(self) -> None:
        self.closed = False

    async def frames(self) -> AsyncIterator[TextFrame]:
        try:
            while True:
                await anyio.sleep(0.02)
                yield TextFrame("tick", pts=self.context.now())
        finally:
            self.closed = True


class Slow(Sink):
    """Takes a tenth of a second for every frame."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    async def consume(self, frame: Frame) -> None:
        await anyio.sleep(0.1)
        self.frames.append(frame)


class Stuck(Sink):
    async def consume(self, frame: Frame) -> None:
        await anyio.sleep_forever()


class Asker(Duplex):
    """Asks a tool about every text and gives on what it is told."""

    async def run(
        self, inbox: Inbox[TextFrame | ToolResult], outbox: Outbox[ToolCall | TextFrame]
    ) -> None:
        asked = 0
        async for frame in inbox:
            if isinstance(frame, TextFrame):
                asked += 1
                await outbox.send(ToolCall(str(asked), frame.text, {}))
            else:
                asked -= 1
                await outbox.send(TextFrame(frame.response["output"]))
        async for frame in inbox.late():
            if not asked:
                break
            assert isinstance(frame, ToolResult)
            await outbox.send(TextFrame(frame.response["output"]))
            asked -= 1
            if not asked:
                break


class Answerer(Duplex):
    async def run(self, inbox: Inbox[ToolCall], outbox: Outbox[ToolResult]) -> None:
        async for call in inbox:
            await anyio.sleep(0.05)
            await outbox.send(ToolResult(call.id, call.name, {"output": call.name[::-1]}))


async def execute(
    processors: dict[str, Processor], *flow: str, inboxes: dict[str, InboxSettings] | None = None
) -> Report:
    return await Run(Graph(processors, flow, inboxes=inboxes)).execute()


async def test_a_chain_delivers_everything_in_order_and_counts_it() -> None:
    out = Collect()
    report = await execute(
        {"in": Given(texts(*"abc")), "up": Upper(), "out": out}, "in -> up -> out"
    )
    assert words(out.frames) == ["A", "B", "C"]
    assert (report.frames("in", "up"), report.frames("up", "out")) == (3, 3)
    assert not report.drops
    assert report.completed


async def test_a_chain_may_have_any_length() -> None:
    sink = Collect()
    uppers = {f"up{number}": Upper() for number in range(1500)}
    report = await execute(
        {"in": Given(texts("a", "b")), **uppers, "out": sink}, " -> ".join(["in", *uppers, "out"])
    )
    assert words(sink.frames) == ["A", "B"]
    assert report.completed


async def test_what_a_transform_holds_back_comes_at_the_end_of_its_input() -> None:
    assert words(await feed(Twice(), texts("a", "b"))) == ["a", "a", "b", "b"]
    assert words(await feed(Twice(), texts("a", "b"), inbox=InboxSettings(frames=1))) == [
        "a",
        "a",
        "b",
        "b",
    ]


async def test_what_a_transform_does_not_take_passes_in_order() -> None:
    sound = AudioFrame(np.zeros((320, 1), np.int16), 16_000)
    given = [TextFrame("a"), sound, TextFrame("b")]
    for transform in (Upper(), AsyncUpper()):
        got = await feed(transform, given)
        assert got[1] is sound
        assert words(got) == ["A", "B"]


async def test_an_edge_does_not_carry_what_nobody_behind_it_takes() -> None:
    class Sounds(Collect):
        async def consume(self, frame: AudioFrame) -> None:
            self.frames.append(frame)

    sound = AudioFrame(np.zeros((320, 1), np.int16), 16_000)
    sounds = Sounds()
    report = await execute({"in": Given([TextFrame("a"), sound]), "out": sounds}, "in -> out")
    assert sounds.frames == [sound]
    assert report.frames("in", "out") == 1


async def test_fan_out_and_fan_in() -> None:
    one, two = Collect(), Collect()
    await execute(
        {
            "x": Given(texts("a", "b")),
            "y": Given(texts("c")),
            "one": one,
            "up": Upper(),
            "two": two,
        },
        "x -> one",
        "y -> one",
        "x -> up -> two",
    )
    assert sorted(words(one.frames)) == ["a", "b", "c"]
    assert words(two.frames) == ["A", "B"]


async def test_a_diamond_delivers_both_ways_and_ends_once() -> None:
    out = Collect()
    await execute(
        {"in": Given(texts("a", "b")), "up": Upper(), "twice": Twice(), "out": out},
        "in -> up -> out",
        "in -> twice -> out",
    )
    assert words(out.frames) == ["A", "a", "B", "a", "b", "b"]


async def test_a_transform_fed_twice_is_flushed_after_both_have_ended() -> None:
    out = Collect()
    await execute(
        {"x": Given(texts("a")), "y": Given(texts("b")), "twice": Twice(), "out": out},
        "x -> twice -> out",
        "y -> twice",
    )
    assert sorted(words(out.frames)) == sorted(["a", "a", "b", "b"])


@pytest.mark.parametrize("inboxes", [None, {"up": InboxSettings(frames=1)}])
async def test_a_slow_sink_holds_the_source_back(inboxes: dict[str, InboxSettings] | None) -> None:
    class Counting(Given):
        given = 0

        async def frames(self) -> AsyncIterator[Frame]:
            async for frame in super().frames():
                self.given += 1
                yield frame

    source, slow = Counting(texts(*"abcdefghij")), Slow()
    ahead = []

    class Watching(Slow):
        async def consume(self, frame: Frame) -> None:
            await super().consume(frame)
            ahead.append(source.given - len(self.frames))

    slow = Watching()
    report = await execute(
        {"in": source, "up": Upper(), "out": slow},
        "in -> up -> out",
        inboxes={"out": InboxSettings(frames=2), **(inboxes or {})},
    )
    assert words(slow.frames) == list("ABCDEFGHIJ")
    assert max(ahead) <= 4 + 2 * len(inboxes or {})
    assert report.high_water["out"] == 2


async def test_a_source_that_never_waits_lets_others_run() -> None:
    sound = AudioFrame(np.zeros((320, 1), np.int16), 16_000)
    ticks = Collect()

    class Endless(Source):
        given = 0

        async def frames(self) -> AsyncIterator[AudioFrame]:
            while len(ticks.frames) < 3:
                self.given += 1
                yield sound

    out = Stuck()
    endless = Endless()

    class Five(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
                yield TextFrame("tick")

    async with anyio.create_task_group() as group:
        graph = Graph(
            {"endless": endless, "five": Five(), "stuck": out, "ticks": ticks},
            ["endless -> stuck", "five -> ticks"],
            inboxes={"stuck": InboxSettings(frames=4, policy="drop_oldest")},
        )
        current = Run(graph)

        async def stop() -> None:
            while len(ticks.frames) < 5:
                await anyio.lowlevel.checkpoint()
            current.cancel()

        group.start_soon(stop)
        report = await current.execute()
    assert not report.completed
    dropped = report.drops["stuck", "inbox full"] + report.drops["stuck", "receiver ended"]
    assert report.frames("endless", "stuck") == endless.given
    assert endless.given - dropped == 1  # the one that it is stuck on


async def test_a_cycle_through_duplex_processors() -> None:
    out = Collect()
    await execute(
        {"in": Given(texts("abc", "de")), "asker": Asker(), "tools": Answerer(), "out": out},
        "in -> asker -> out",
        "asker <-> tools",
    )
    assert words(out.frames) == ["cba", "ed"]


async def test_a_duplex_processor_that_ends_early_ends_the_sources() -> None:
    class Brief(Duplex):
        async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
            async for frame in inbox:
                await outbox.send(frame)
                return

    ticker, out, log = Ticker(), Collect(), Collect()
    report = await execute(
        {"in": ticker, "brief": Brief(), "out": out, "log": log}, "in -> brief -> out", "in -> log"
    )
    assert words(out.frames) == ["tick"]
    assert report.completed
    assert ticker.closed


async def test_resources_open_sinks_first_and_close_sources_first() -> None:
    events: list[str] = []

    class Marked(Processor):
        async def lifespan(self) -> AsyncIterator[None]:
            events.append(f"open {self.context.name}")
            yield
            events.append(f"close {self.context.name}")

    class In(Marked, Given): ...

    class Up(Marked, Upper): ...

    class Out(Marked, Collect): ...

    await execute({"in": In(texts("a")), "up": Up(), "out": Out()}, "in -> up -> out")
    assert events == ["open out", "open up", "open in", "close in", "close up", "close out"]


async def test_what_is_open_is_closed_when_another_cannot_be_opened() -> None:
    closed = []

    class Opened(Collect):
        async def lifespan(self) -> AsyncIterator[None]:
            try:
                yield
            finally:
                await anyio.sleep(0.1)
                closed.append(True)

    class Broken(Given):
        async def lifespan(self) -> AsyncIterator[None]:
            raise OSError("no such device")
            yield

    with pytest.raises(ProcessorFailure, match='processor "in" failed: OSError: no such device'):
        await execute({"in": Broken([]), "out": Opened()}, "in -> out")
    assert closed == [True]


@pytest.mark.parametrize("inboxes", [None, {"bad": InboxSettings(frames=1)}])
@pytest.mark.parametrize("kind", ["transform", "async", "sink", "flush", "source", "duplex"])
async def test_a_failure_names_the_processor_and_ends_everything(
    kind: str, inboxes: dict[str, InboxSettings] | None
) -> None:
    class BadTransform(Transform):
        def process(self, frame: TextFrame) -> Iterator[TextFrame]:
            yield frame
            raise ValueError("boom")

    class BadAsync(Transform):
        async def process(self, frame: TextFrame) -> AsyncIterator[TextFrame]:
            yield frame
            raise ValueError("boom")

    class BadFlush(Upper):
        def flush(self) -> Iterator[TextFrame]:
            yield TextFrame("x")
            raise ValueError("boom")

    class BadSink(Sink):
        async def consume(self, frame: TextFrame) -> None:
            raise ValueError("boom")

    class BadSource(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            yield TextFrame("a")
            raise ValueError("boom")

    class BadDuplex(Duplex):
        async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(self.fail)
                await anyio.sleep_forever()

        async def fail(self) -> None:
            raise ValueError("boom")

    ticker = Ticker()
    processors: dict[str, Processor] = {"in": Given(texts("a")), "ticker": ticker}
    match kind:
        case "sink":
            processors |= {"bad": BadSink(), "out": Collect()}
            flow = ["in -> bad", "ticker -> out"]
        case "source":
            inboxes = None
            processors = {"bad": BadSource(), "ticker": ticker, "out": Collect()}
            flow = ["bad -> out", "ticker -> out"]
        case _:
            bad = {
                "transform": BadTransform,
                "async": BadAsync,
                "flush": BadFlush,
                "duplex": BadDuplex,
            }[kind]()
            processors |= {"bad": bad, "out": Collect()}
            flow = ["in -> bad -> out", "ticker -> out"]
    with pytest.raises(ProcessorFailure) as caught:
        await execute(processors, *flow, inboxes=inboxes)
    where = "" if kind in ("source", "flush", "duplex") else " on TextFrame"
    assert str(caught.value) == f'processor "bad" failed{where}: ValueError: boom'
    assert isinstance(caught.value.__cause__, ValueError)
    assert ticker.closed


async def test_what_is_not_a_frame_is_refused() -> None:
    class Wrong(Transform):
        def process(self, frame: TextFrame) -> Iterator[TextFrame]:
            yield frame.text  # type: ignore[misc]

    with pytest.raises(ProcessorFailure, match="it gave a str, which is not a frame"):
        await feed(Wrong(), texts("a"))


async def test_the_check_comes_before_anything_runs() -> None:
    class Absent(Given):
        def check(self) -> None:
            raise SettingError("no microphone")

        async def lifespan(self) -> AsyncIterator[None]:
            pytest.fail("it was opened")
            yield

    with pytest.raises(ConfigError, match=r'error\[environment\] "in": no microphone'):
        await execute({"in": Absent([]), "out": Collect()}, "in -> out")


async def test_finishing_ends_the_sources_and_delivers_what_is_under_way() -> None:
    ticker, slow = Ticker(), Slow()
    current = Run(Graph({"in": ticker, "out": slow}, ["in -> out"]))
    async with anyio.create_task_group() as group:

        async def finish() -> None:
            await anyio.sleep(1)
            current.finish()

        group.start_soon(finish)
        report = await current.execute()
    assert report.completed
    assert ticker.closed
    assert len(slow.frames) == report.frames("in", "out") == pytest.approx(49, abs=1)


async def test_finishing_loses_no_frame_of_a_source_that_waits_for_room() -> None:
    class Numbered(Source):
        given = 0

        async def frames(self) -> AsyncIterator[TextFrame]:
            while True:
                self.given += 1
                yield TextFrame(str(self.given))

    source, slow = Numbered(), Slow()
    graph = Graph(
        {"in": source, "out": slow}, ["in -> out"], inboxes={"out": InboxSettings(frames=3)}
    )
    current = Run(graph)
    async with anyio.create_task_group() as group:

        async def finish() -> None:
            await anyio.sleep(0.35)
            current.finish()

        group.start_soon(finish)
        report = await current.execute()
    assert words(slow.frames) == [str(n + 1) for n in range(source.given)]
    assert not report.drops


class Served(Source):
    """Holds a task group open around its `yield`, as a source with a connection does."""

    def __init__(self) -> None:
        self.closed = False

    async def frames(self) -> AsyncIterator[TextFrame]:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep_forever)
                while True:
                    yield TextFrame("tick")
                    await anyio.sleep(0.01)
        finally:
            self.closed = True


@pytest.mark.parametrize("how", ["finish", "cancel"])
async def test_a_source_with_a_task_group_ends_while_it_waits_for_room(how: str) -> None:
    source, slow = Served(), Slow()
    graph = Graph(
        {"in": source, "out": slow}, ["in -> out"], inboxes={"out": InboxSettings(frames=1)}
    )
    current = Run(graph)
    async with anyio.create_task_group() as group:

        async def end() -> None:
            await anyio.sleep(0.35)
            getattr(current, how)()

        group.start_soon(end)
        report = await current.execute()
    assert source.closed
    assert report.completed is (how == "finish")


async def test_a_failure_downstream_of_a_source_with_a_task_group_is_shown_as_it_is() -> None:
    class Bad(Transform):
        def process(self, frame: TextFrame) -> Iterator[TextFrame]:
            raise ValueError("boom")
            yield

    with pytest.raises(ProcessorFailure, match='processor "bad" failed on TextFrame: ValueError'):
        await execute({"in": Served(), "bad": Bad(), "out": Collect()}, "in -> bad -> out")


async def test_nothing_overtakes_a_frame_that_waits_for_room() -> None:
    class Pair(Transform):
        """Sound that may have to wait, and a word, which always fits."""

        def process(self, frame: TextFrame) -> Iterator[AudioFrame | TextFrame]:
            yield AudioFrame(np.zeros((1600, 1), np.int16), 16_000)
            yield frame

    slow = Slow()
    graph = Graph(
        {"in": Given(texts(*"abcd")), "pair": Pair(), "out": slow},
        ["in -> pair -> out"],
        inboxes={"out": InboxSettings(ms=100)},
    )
    await Run(graph).execute()
    assert [type(frame) for frame in slow.frames] == [AudioFrame, TextFrame] * 4
    assert words(slow.frames) == list("abcd")


async def test_a_failure_is_not_taken_for_that_of_a_processor_around_it() -> None:
    class Bad(Transform):
        def process(self, frame: TextFrame) -> Iterator[TextFrame]:
            raise ValueError("boom")
            yield

    class Early(Upper):
        def flush(self) -> Iterator[TextFrame]:
            yield TextFrame("x")

    for first, boxes in (
        (Upper(), {"first": InboxSettings()}),
        (AsyncUpper(), {}),
        (Early(), {}),
    ):
        with pytest.raises(ProcessorFailure, match=r'^processor "bad" failed on TextFrame: Value'):
            await execute(
                {"in": Given(texts("a")), "first": first, "bad": Bad(), "out": Collect()},
                "in -> first -> bad -> out",
                inboxes=boxes,
            )


async def test_a_failed_opening_is_a_failure_whatever_the_others_catch() -> None:
    class Catching(Collect):
        async def lifespan(self) -> AsyncIterator[None]:
            with contextlib.suppress(Exception):
                yield

    class Broken(Given):
        async def lifespan(self) -> AsyncIterator[None]:
            raise OSError("no such device")
            yield

    with pytest.raises(ProcessorFailure, match='processor "in" failed: OSError: no such device'):
        await execute({"in": Broken([]), "out": Catching()}, "in -> out")


async def test_nothing_comes_late_where_there_is_no_cycle() -> None:
    class Patient(Duplex):
        async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
            async for frame in inbox:
                await outbox.send(frame)
            async for frame in inbox.late():
                await outbox.send(frame)

    out = Collect()
    await execute({"in": Given(texts("a")), "p": Patient(), "out": out}, "in -> p -> out")
    assert words(out.frames) == ["a"]


async def test_a_cycle_whose_other_half_never_answers_ends() -> None:
    class Silent(Duplex):
        async def run(self, inbox: Inbox[ToolCall], outbox: Outbox[ToolResult]) -> None:
            return

    out = Collect()
    report = await execute(
        {"in": Given(texts("a")), "asker": Asker(), "tools": Silent(), "out": out},
        "in -> asker -> out",
        "asker <-> tools",
    )
    assert words(out.frames) == []
    assert report.drops["tools", "receiver ended"] == 1


async def test_a_duplex_processor_that_never_waits_lets_others_run() -> None:
    class Flood(Duplex):
        async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[AudioFrame]) -> None:
            while True:
                await outbox.send(AudioFrame(np.zeros((1, 1), np.int16), 16_000))

    graph = Graph(
        {"in": Ticker(), "flood": Flood(), "out": Stuck()},
        ["in -> flood -> out"],
        inboxes={"out": InboxSettings(policy="latest")},
    )
    current = Run(graph)
    async with anyio.create_task_group() as group:

        async def cancel() -> None:
            await anyio.lowlevel.checkpoint()
            current.cancel()

        group.start_soon(cancel)
        assert not (await current.execute()).completed


async def test_a_graph_runs_once() -> None:
    graph = Graph({"in": Given([]), "out": Collect()}, "in -> out")
    await Run(graph).execute()
    with pytest.raises(PipelineError, match="a graph runs once: build or load it again"):
        await Run(graph).execute()


async def test_finishing_before_it_has_begun() -> None:
    ticker, out = Ticker(), Collect()
    current = Run(Graph({"in": ticker, "out": out}, ["in -> out"]))
    current.finish()
    report = await current.execute()
    assert report.completed
    assert out.frames == []


async def test_draining_has_a_time_limit() -> None:
    current = Run(Graph({"in": Ticker(), "out": Stuck()}, ["in -> out"]), drain_seconds=3)
    async with anyio.create_task_group() as group:
        began = anyio.current_time()

        async def finish() -> None:
            await anyio.sleep(1)
            current.finish()
            await anyio.sleep(1)
            current.finish()  # once more does not prolong it

        group.start_soon(finish)
        report = await current.execute()
    assert anyio.current_time() - began == pytest.approx(4, abs=0.1)
    assert not report.completed
    assert report.drops["out", "receiver ended"] == report.frames("in", "out") - 1


async def test_a_run_can_be_cancelled_from_inside_and_outside() -> None:
    ticker = Ticker()
    with anyio.move_on_after(1) as scope:
        await execute({"in": ticker, "out": Stuck()}, "in -> out")
    assert scope.cancelled_caught
    assert ticker.closed

    current = Run(Graph({"in": Ticker(), "out": Stuck()}, ["in -> out"]))
    async with anyio.create_task_group() as group:
        group.start_soon(current.execute)
        await anyio.wait_all_tasks_blocked()
        current.cancel()


async def test_closing_is_allowed_to_take_its_time_but_not_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class LingeringCollect(Collect):
        async def lifespan(self) -> AsyncIterator[None]:
            yield
            await anyio.sleep(1000)

    class Lingering(Stuck):
        async def lifespan(self) -> AsyncIterator[None]:
            try:
                yield
            finally:
                await anyio.sleep(1000)

    began = anyio.current_time()
    with anyio.move_on_after(1):
        await execute({"in": Ticker(), "out": Lingering()}, "in -> out")
    assert 1 < anyio.current_time() - began <= 1.5
    assert "did not close in time" in caplog.text
    began = anyio.current_time()
    await execute({"in": Given(texts("a")), "out": LingeringCollect()}, "in -> out")
    assert anyio.current_time() - began == pytest.approx(5, abs=0.1)


async def test_taps_see_frames_once_where_they_enter() -> None:
    seen: list[tuple[str, str]] = []

    def tap(name: str, frame: Frame) -> None:
        assert isinstance(frame, TextFrame)
        seen.append((name, frame.text))

    graph = Graph(
        {"in": Given(texts("a")), "up": Upper(), "x": Collect(), "y": Collect()},
        ["in -> up -> x", "up -> y"],
    )
    await Run(graph, taps={TextFrame: tap}).execute()
    assert seen == [("in", "a")]


def test_the_clock_and_the_report_are_those_of_the_run() -> None:
    class Measuring(Slow):
        async def consume(self, frame: Frame) -> None:
            await super().consume(frame)
            self.context.measured("delay", self.context.now())
            self.context.dropped("boring")
            if len(self.frames) == 1:
                self.context.wrote("x.txt")

    report = run_virtually(Graph({"in": Given(texts("a", "b")), "out": Measuring()}, ["in -> out"]))
    assert [round(value / SECOND, 3) for value in report.measurements["delay"]] == [0.1, 0.2]
    assert report.drops["out", "boring"] == 2
    assert report.files == ["x.txt"]
    assert report.seconds == pytest.approx(0.2)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_run_from_ordinary_code(backend: str) -> None:
    out = Collect()
    report = run(Graph({"in": Given(texts("a")), "out": out}, ["in -> out"]), backend=backend)
    assert words(out.frames) == ["a"]
    assert report.completed


def test_virtual_time_does_not_wait() -> None:
    async def long() -> float:
        await anyio.sleep(3600)
        return anyio.current_time()

    assert anyio.run(long, backend_options={"loop_factory": VirtualTimeLoop}) == 3600


async def test_a_run_that_is_cancelled_waits_for_no_closing_before_a_restart() -> None:
    """Another life of a processor closes, which takes long, when the scope around is cancelled."""

    class Failing(Source):
        async def lifespan(self) -> AsyncIterator[None]:
            try:
                yield
            finally:
                await anyio.sleep(1000)

        async def frames(self) -> AsyncIterator[TextFrame]:
            yield TextFrame("a")
            raise ValueError

    supervision = {"in": Supervision(OnError(do="restart"))}
    processors = {"in": Failing(), "on": Given(texts("b")), "sink": Stuck()}
    graph = Graph(processors, ["in -> sink", "on -> sink"], supervision=supervision)
    began = anyio.current_time()
    with anyio.move_on_after(2.0):
        await Run(graph).execute()
    assert anyio.current_time() - began <= 3.0
