"""What becomes of a run when one of its processors fails, or takes too long."""

import errno
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from pipeline import (
    ConfigError,
    DeadLetter,
    Duplex,
    Graph,
    Inbox,
    InboxSettings,
    OnError,
    Outbox,
    Processor,
    ProcessorFailure,
    Report,
    Run,
    Sink,
    Source,
    Supervision,
    Surroundings,
    TextFrame,
    Transform,
)
from pipeline.testing import Collect, Given
from tests.pipeline.runtime.words import texts, words

SKIP, RESTART, DETACH = (Supervision(on_error) for on_error in ("skip", "restart", "detach"))


class Letters(Sink):
    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    async def consume(self, frame: DeadLetter) -> None:
        self.letters.append(frame)


class Words(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        yield TextFrame("bad")


class Fussy(Transform):
    """Fails on some words."""

    def __init__(self, bad: str = "bad") -> None:
        self.bad = bad

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        if frame.text == self.bad:
            raise ValueError(f"{frame.text} word")
        yield frame


class FussyAsync(Fussy):
    async def process(self, frame: TextFrame) -> AsyncIterator[TextFrame]:  # type: ignore[override]
        await anyio.sleep(0.01)
        if frame.text == self.bad:
            raise ValueError(f"{frame.text} word")
        yield frame


class Log(Sink):
    """A sink that remembers its lives in a list that it is given."""

    def __init__(self, log: list[str], bad: str = "bad", unplugged: int = 0) -> None:
        self.log, self.bad, self.unplugged = log, bad, unplugged
        self.count = 0
        self.around = 0

    def check_graph(self, around: Surroundings) -> None:
        self.around = len(around.before)

    async def lifespan(self) -> AsyncIterator[None]:
        if self.log and self.log.count("no device") < self.unplugged:
            self.log.append("no device")
            raise OSError(errno.ENODEV, "No such device", "hw:1")
        self.log.append("open")
        try:
            yield
        finally:
            self.log.append("close")

    async def consume(self, frame: TextFrame) -> None:
        self.count += 1
        if frame.text == self.bad:
            raise ValueError("bad word")
        self.log.append(f"{frame.text}{self.count}/{self.around}")


async def execute(
    processors: dict[str, Processor], *flow: str, **supervision: Supervision
) -> Report:
    return await Run(Graph(processors, flow, supervision=supervision)).execute()


@pytest.mark.parametrize("kind", [Fussy, FussyAsync])
async def test_skipping_gives_one_frame_up_and_says_where_it_went(kind: type[Fussy]) -> None:
    out, letters = Collect(), Letters()
    graph = {"in": Given(texts("a", "bad", "b")), "f": kind(), "out": out, "dead": letters}
    report = await execute(graph, "in -> f -> out", "f -> dead", f=SKIP)
    assert words(out.frames) == ["a", "b"]
    assert report.drops == Counter({("f", "failed"): 1})
    assert report.completed
    [letter] = letters.letters
    assert (letter.code, letter.processor) == ("ValueError", "f")
    assert letter.message == "ValueError: bad word"
    assert isinstance(letter.frame, TextFrame)
    assert letter.frame.text == "bad"


async def test_a_sink_skips_too_and_its_letters_need_an_arrow() -> None:
    log: list[str] = []
    letters = Letters()
    graph = {"in": Given(texts("a", "bad", "b")), "out": Log(log), "dead": letters}
    report = await execute(graph, "in -> out -> dead", out=SKIP)
    assert log == ["open", "a1/1", "b3/1", "close"]
    assert report.drops == Counter({("out", "failed"): 1})
    assert len(letters.letters) == 1
    with pytest.raises(ConfigError, match="a node gives dead letters when its `on_error` is skip"):
        Graph({"in": Given([]), "out": Log([]), "dead": Letters()}, ["in -> out -> dead"])
    with pytest.raises(ConfigError, match=r"can carry nothing.*dead letters when its `on_error`"):
        Graph({"in": Words(), "f": Fussy(), "dead": Letters()}, ["in -> f -> dead"])


async def test_what_fails_with_every_frame_is_not_said_with_every_frame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    report = await execute({"in": Given(texts(*["bad"] * 120)), "out": Log([])}, "in -> out",
                           out=SKIP)  # fmt: skip
    assert report.drops["out", "failed"] == 120
    assert len(caplog.records) == 3
    assert caplog.messages[0] == (
        'processor "out" failed on TextFrame: ValueError: bad word; it goes on with the next'
    )


async def test_a_failure_downstream_is_not_skipped_upstream() -> None:
    out = Collect()
    graph = {"in": Given(texts("bad")), "one": Fussy(bad=""), "two": Fussy(), "out": out}
    with pytest.raises(ProcessorFailure, match='processor "two" failed on TextFrame'):
        await execute(graph, "in -> one -> two -> out", one=SKIP)


async def test_restarting_makes_it_anew_from_its_settings(caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []
    letters = Letters()
    graph = {"in": Given(texts("a", "bad", "b", "c")), "out": Log(log, bad="bad"), "dead": letters}
    began = anyio.current_time()
    report = await execute(graph, "in -> out -> dead", out=RESTART)
    assert log == ["open", "a1/1", "close", "open", "b1/1", "c2/1", "close"]
    assert report.drops == Counter({("out", "failed"): 1})
    assert report.restarts == {"out": 1}
    assert [letter.code for letter in letters.letters] == ["ValueError"]
    assert anyio.current_time() - began == pytest.approx(0.5)
    assert "ValueError: bad word; it restarts in 0.5 s" in caplog.text


async def test_a_device_that_comes_back_after_a_while_is_opened_again() -> None:
    log: list[str] = []
    out = Log(log, unplugged=3)
    began = anyio.current_time()
    report = await execute({"in": Given(texts("a", "bad", "b")), "out": out}, "in -> out",
                           out=RESTART)  # fmt: skip
    assert log == ["open", "a1/1", "close", *["no device"] * 3, "open", "b1/1", "close"]
    assert report.restarts == {"out": 4}
    assert anyio.current_time() - began == pytest.approx(0.5 + 1 + 2 + 4)


@pytest.mark.parametrize("then", ["stop", "detach"])
async def test_restarts_have_a_limit(then: str) -> None:
    log: list[str] = []
    policy = OnError(do="restart", times=2, backoff_s=0, then=then)  # type: ignore[arg-type]
    graph = Graph(
        {"in": Given(texts("bad", "bad", "bad", "a")), "out": Log(log), "other": Collect()},
        ["in -> out", "in -> other"],
        supervision={"out": Supervision(policy)},
    )
    run = Run(graph)
    if then == "stop":
        with pytest.raises(ProcessorFailure, match='processor "out" failed on TextFrame'):
            await run.execute()
    else:
        await run.execute()
        assert [str(failure) for failure in run.report.failures] == [
            'processor "out" failed on TextFrame: ValueError: bad word'
        ]
        assert run.report.drops == {("out", "failed"): 3, ("out", "detached"): 1}
    assert log == ["open", "close"] * 3


async def test_the_window_of_restarts_moves() -> None:
    class Rarely(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            for _ in range(6):
                await anyio.sleep(40)
                yield TextFrame("bad")

    policy = OnError(do="restart", times=2, within_s=60)
    report = await execute({"in": Rarely(), "out": Log([])}, "in -> out", out=Supervision(policy))
    assert report.restarts == {"out": 6}
    assert report.completed


async def test_a_source_restarts_and_a_duplex_processor_reads_on_where_it_was() -> None:
    class Line(Source):
        lives = 0

        async def frames(self) -> AsyncIterator[TextFrame]:
            Line.lives += 1
            for number in range(3):
                yield TextFrame(f"{Line.lives}.{number}")
            if Line.lives < 3:
                raise OSError("the line is cut")

    class Echo(Duplex):
        lives = 0

        async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
            Echo.lives += 1
            count = 0
            async for frame in inbox:
                await outbox.send(frame)
                count += 1
                if count == 4 and Echo.lives == 1:
                    raise EOFError

    out = Collect()
    report = await execute(
        {"line": Line(), "echo": Echo(), "out": out}, "line -> echo -> out",
        echo=RESTART, line=RESTART,
    )  # fmt: skip
    assert words(out.frames) == [f"{life}.{number}" for life in (1, 2, 3) for number in range(3)]
    assert report.restarts == {"line": 2, "echo": 1}


async def test_finishing_ends_a_source_that_is_about_to_restart() -> None:
    class Broken(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            yield TextFrame("a")
            raise OSError("gone")

    graph = Graph({"in": Broken(), "out": Collect()}, ["in -> out"],
                  supervision={"in": Supervision(OnError("restart", times=100))})  # fmt: skip
    run = Run(graph)
    async with anyio.create_task_group() as group:
        group.start_soon(run.execute)
        await anyio.sleep(20)
        run.finish()
        began = anyio.current_time()
    assert run.report.completed
    assert anyio.current_time() - began < 1


async def test_detaching_leaves_the_other_branches_and_the_failure_in_the_report() -> None:
    class FullDisk(Sink):
        async def consume(self, frame: TextFrame) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", "out.wav")

    out = Collect()
    report = await execute(
        {"in": Given(texts("a", "b", "c")), "disk": FullDisk(), "out": out},
        "in -> disk", "in -> out", disk=DETACH,
    )  # fmt: skip
    assert words(out.frames) == ["a", "b", "c"]
    assert report.drops == {("disk", "failed"): 1, ("disk", "detached"): 2}
    assert report.completed
    assert [str(failure) for failure in report.failures] == [
        'processor "disk" failed on TextFrame: OSError: [Errno 28] No space left on device: '
        "'out.wav'; make room on that disk, or write elsewhere"
    ]


async def test_what_was_detached_may_fail_once_more_when_it_closes() -> None:
    class FullDisk(Sink):
        async def lifespan(self) -> AsyncIterator[None]:
            yield
            raise OSError("cannot flush")

        async def consume(self, frame: TextFrame) -> None:
            raise OSError("cannot write")

    out = Collect()
    graph = {"in": Given(texts("a", "b")), "disk": FullDisk(), "out": out}
    report = await execute(graph, "in -> disk", "in -> out", disk=DETACH)
    assert words(out.frames) == ["a", "b"]
    assert [failure.what for failure in report.failures] == ["OSError: cannot write"]


class Unclosable(Sink):
    async def lifespan(self) -> AsyncIterator[None]:
        yield
        raise OSError(errno.ENOSPC, "No space left on device", "out.flac")

    async def consume(self, frame: TextFrame) -> None:
        """Takes all."""


class Whole(Sink):
    """Notes whether the run came to its end before this was closed."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    async def lifespan(self) -> AsyncIterator[None]:
        try:
            yield
            self.seen.append("whole")
        except BaseException:
            self.seen.append("cut")
            raise

    async def consume(self, frame: TextFrame) -> None:
        """Takes all."""


RESTART_THEN_DETACH = Supervision(OnError(do="restart", then="detach"))


@pytest.mark.parametrize("policy", [SKIP, RESTART, DETACH, RESTART_THEN_DETACH, Supervision()])
async def test_what_cannot_be_closed_does_not_cut_what_others_write(policy: Supervision) -> None:
    seen: list[str] = []
    processors: dict[str, Processor] = {
        "in": Given(texts("a", "b")),
        "before": Whole(seen),
        "file": Unclosable(),
        "after": Whole(seen),
    }
    flow = ["in -> before", "in -> file", "in -> after"]
    run = Run(Graph(processors, flow, supervision={"file": policy}))
    what = r'processor "file" failed: OSError: .*No space left on device: .*; make room'
    if policy in (DETACH, RESTART_THEN_DETACH):
        [failure] = (await run.execute()).failures
        assert re.match(what, str(failure))
    else:
        with pytest.raises(ProcessorFailure, match=what):
            await run.execute()
    assert run.report.completed
    assert seen == ["whole", "whole"]


async def test_a_file_of_an_earlier_life_is_kept(tmp_path: Path) -> None:
    class Notes(Sink):
        async def lifespan(self) -> AsyncIterator[None]:
            self.path = self.context.claim(tmp_path / "notes.txt")
            self.path.write_text("")
            self.context.wrote(self.path.name)
            yield

        async def consume(self, frame: TextFrame) -> None:
            if frame.text == "bad":
                raise ValueError("bad word")
            self.path.write_text(self.path.read_text() + frame.text)

    (tmp_path / "notes.txt").write_text("of a run before")
    (tmp_path / "notes-2.txt").write_text("of somebody else")
    given = Given(texts("a", "bad", "b", "bad", "c", "d"))
    policy = Supervision(OnError(do="restart", backoff_s=0))
    report = await execute({"in": given, "notes": Notes()}, "in -> notes", notes=policy)
    assert report.files == ["notes.txt", "notes-3.txt", "notes-4.txt"]
    assert [(tmp_path / name).read_text() for name in report.files] == ["a", "b", "cd"]
    assert (tmp_path / "notes-2.txt").read_text() == "of somebody else"


async def test_a_run_in_which_every_end_is_detached_is_over() -> None:
    class Endless(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            while True:
                await anyio.sleep(0.01)
                yield TextFrame("bad")

    letters = Letters()
    graph = {"in": Endless(), "f": Fussy(), "out": Collect(), "dead": letters}
    with anyio.fail_after(10):
        report = await execute(graph, "in -> f -> out", "f -> dead", f=DETACH)
    assert len(letters.letters) == 1
    assert [failure.processor for failure in report.failures] == ["f"]


async def test_a_frame_that_takes_too_long_is_a_failure_with_its_type_and_age() -> None:
    class Hanging(Sink):
        async def consume(self, frame: TextFrame) -> None:
            await anyio.sleep(math.inf if frame.text == "bad" else 1)

    graph = {"in": Given(texts("a", "bad", "b")), "out": Hanging()}
    began = anyio.current_time()
    with pytest.raises(
        ProcessorFailure,
        match=r'"out" failed on TextFrame: it took longer than 5 s for one frame, which entered '
        r"the graph \d+\.\d s ago",
    ):
        await execute(graph, "in -> out", out=Supervision(frame_timeout_s=5))
    assert anyio.current_time() - began == pytest.approx(6)

    graph = {"in": Given(texts("a", "bad", "b")), "out": Hanging()}
    report = await execute(graph, "in -> out", out=Supervision("skip", frame_timeout_s=5))
    assert report.drops == {("out", "failed"): 1}


async def test_waiting_for_those_behind_it_is_no_work() -> None:
    class Slow(Sink):
        async def consume(self, frame: TextFrame) -> None:
            await anyio.sleep(10)

    graph = Graph(
        {"in": Given(texts("a", "b", "c", "d")), "f": FussyAsync(), "out": Slow()},
        ["in -> f -> out"],
        inboxes={"out": InboxSettings(frames=1)},
        supervision={"f": Supervision(frame_timeout_s=1)},
    )
    report = await Run(graph).execute()
    assert report.completed
    assert not report.drops


@pytest.mark.parametrize(
    ("processor", "supervision", "message"),
    [
        (Given([]), SKIP, "only what takes one frame at a time can skip"),
        (Fussy(), Supervision(frame_timeout_s=1), "a time limit on a frame is for `async` sinks"),
    ],
)
def test_what_cannot_be_done_with_a_role_is_said_before_it_runs(
    processor: Processor, supervision: Supervision, message: str
) -> None:
    if isinstance(processor, Source):
        nodes, flow = {"x": processor, "out": Collect()}, "x -> out"
    else:
        nodes, flow = {"in": Given([]), "x": processor, "out": Collect()}, "in -> x -> out"
    with pytest.raises(ConfigError, match=message):
        Graph(nodes, [flow], supervision={"x": supervision})


async def test_what_is_open_is_closed_in_order_also_where_some_can_restart() -> None:
    log: list[str] = []

    class Named(Collect):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        async def lifespan(self) -> AsyncIterator[None]:
            log.append(f"open {self.name}")
            try:
                yield
            finally:
                await anyio.lowlevel.checkpoint()
                log.append(f"close {self.name}")

    class Tick(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            while True:
                await anyio.sleep(1)
                yield TextFrame("tick")

        async def lifespan(self) -> AsyncIterator[None]:
            log.append("open in")
            try:
                yield
            finally:
                log.append("close in")

    graph = Graph(
        {"in": Tick(), "x": Named("x"), "y": Named("y")},
        ["in -> x", "in -> y"],
        supervision={"in": RESTART, "x": RESTART},
    )
    with anyio.move_on_after(3.5):
        await Run(graph).execute()
    assert log == ["open y", "open x", "open in", "close in", "close x", "close y"]


async def test_what_cannot_be_opened_at_first_is_not_tried_again() -> None:
    class Missing(Collect):
        async def lifespan(self) -> AsyncIterator[None]:
            raise OSError("no such device")
            yield

    for names in ("xy", "yx"):
        graph = Graph(
            {"in": Given(texts("a")), names[0]: Missing(), names[1]: Log([])},
            ["in -> x", "in -> y"],
            supervision={"x": RESTART},
        )
        with pytest.raises(ProcessorFailure, match="failed: OSError: no such device"):
            await Run(graph).execute()


async def test_what_waits_for_room_when_its_giver_fails_is_not_left_to_the_reader() -> None:
    """The reader of a full inbox would wait for room in it, which it alone can make."""

    class GivesAndFails(Transform):
        def __init__(self) -> None:
            self.seen = 0

        async def lifespan(self) -> AsyncIterator[None]:
            try:
                yield
            finally:
                await anyio.sleep(1)

        def process(self, frame: TextFrame) -> Iterator[TextFrame]:
            yield from [frame] * 5
            if frame.text == "b":
                raise ValueError

    out = Collect()
    graph = Graph(
        {"in": Given([TextFrame("a"), TextFrame("b")]), "f": GivesAndFails(), "out": out},
        ["in -> f -> out"],
        inboxes={"out": InboxSettings(frames=1)},
        supervision={"f": Supervision(OnError(do="restart"))},
    )
    with anyio.fail_after(100):
        report = await Run(graph).execute()
    *texts, letter = out.frames
    assert [getattr(frame, "text", "") for frame in texts] == ["a"] * 5 + ["b"] * 5
    assert isinstance(letter, DeadLetter)
    assert report.restarts == {"f": 1}
