"""Random graphs: what is in them, and an account of every frame.

Up to 30 nodes of all roles with fan-out, merges and cycles through duplex processors, in which some
are slow, some fail, and some take only one of the two types of frames.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import anyio
from hypothesis import strategies as st

from pipeline import (
    DeadLetter,
    Duplex,
    Frame,
    Graph,
    Inbox,
    InboxSettings,
    OnError,
    Outbox,
    Processor,
    Report,
    Sink,
    Source,
    Supervision,
    Transform,
)

FARTHEST = 6
"""A frame goes so far from its source, or cycles and fan-outs would never end."""


class Word(Frame, frozen=True):
    hops: int = 0


class Sound(Frame, frozen=True):
    media: ClassVar[bool] = True
    hops: int = 0


Token = Word | Sound


class Habits:
    """How a node behaves, and what it counts over all of its lives.

    every: it fails on every so manieth frame; 0 for never. stuck: it never gets done with the frame
    of that number. lingers: how long it takes to close.
    """

    def __init__(
        self, delay: float = 0, every: int = 0, stuck: int = 0, lingers: float = 0, frames: int = 0
    ) -> None:
        self.delay, self.every, self.stuck, self.lingers = delay, every, stuck, lingers
        self.frames = frames
        self.seen = 0
        self.done = 0
        self.given = 0
        self.opened = 0

    def __repr__(self) -> str:
        return repr({key: value for key, value in vars(self).items() if value})

    def may_fail(self) -> None:
        self.seen += 1
        if self.every and self.seen % self.every == 0:
            raise ValueError(f"frame {self.seen}")

    async def work(self) -> None:
        if self.stuck and self.seen >= self.stuck:
            await anyio.sleep(math.inf)
        if self.delay:
            await anyio.sleep(self.delay)

    def onwards(self, frame: Token) -> list[Token]:
        if frame.hops >= FARTHEST:
            return []
        self.given += 1
        return [frame.replace(hops=frame.hops + 1)]


class Behaving(Processor):
    def __init__(self, habits: Habits) -> None:
        self.habits = habits

    async def lifespan(self) -> AsyncIterator[None]:
        self.habits.opened += 1
        try:
            yield
        finally:
            self.habits.opened -= 1
            await anyio.sleep(self.habits.lingers)


class Talker(Behaving, Source):
    async def frames(self) -> AsyncIterator[Token]:
        while self.habits.given < self.habits.frames:
            await self.habits.work()
            self.habits.may_fail()
            self.habits.given += 1
            yield Word() if self.habits.given % 3 else Sound()


class Plain(Behaving, Transform):
    def process(self, frame: Token) -> Iterator[Token]:
        self.habits.may_fail()
        yield from self.habits.onwards(frame)
        self.habits.done += 1


class OfWords(Behaving, Transform):
    def process(self, frame: Word) -> Iterator[Token]:
        yield from self.habits.onwards(frame)
        self.habits.may_fail()
        self.habits.done += 1


class Later(Behaving, Transform):
    async def process(self, frame: Token) -> AsyncIterator[Token]:
        self.habits.may_fail()
        await self.habits.work()
        for given in self.habits.onwards(frame):
            yield given
        self.habits.done += 1


class Line(Behaving, Duplex):
    """Reads whatever its other side does, as a connection should."""

    async def run(self, inbox: Inbox[Token], outbox: Outbox[Token]) -> None:
        waiting = deque[Token]()
        news, ended = anyio.Event(), False

        async def write() -> None:
            nonlocal news
            while waiting or not ended:
                while waiting:
                    for frame in self.habits.onwards(waiting.popleft()):
                        await outbox.send(frame)
                if not ended:
                    await news.wait()
                    news = anyio.Event()

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            async for frame in inbox:
                self.habits.done += 1
                self.habits.may_fail()
                await self.habits.work()
                waiting.append(frame)
                news.set()
            ended = True
            news.set()


class Listener(Behaving, Sink):
    async def consume(self, frame: Token) -> None:
        self.habits.may_fail()
        await self.habits.work()
        self.habits.done += 1


class Noter(Behaving, Sink):
    def consume(self, frame: Token) -> None:
        self.habits.may_fail()
        self.habits.done += 1


class Letters(Sink):
    def __init__(self) -> None:
        self.count = Counter[str]()

    async def consume(self, frame: DeadLetter) -> None:
        self.count[frame.processor] += 1


class Generated:
    """A graph and what is needed to check the account of a run."""

    def __init__(self) -> None:
        self.habits: dict[str, Habits] = {}
        self.kinds: dict[str, type[Behaving]] = {}
        self.edges: list[tuple[str, str]] = []
        self.inboxes: dict[str, InboxSettings] = {}
        self.supervision: dict[str, Supervision] = {}
        self.letters: Letters | None = None

    def __repr__(self) -> str:
        nodes = [
            f"{name}: {self.kinds[name].__name__} {habits} {self.inboxes.get(name, '')} "
            f"{self.supervision.get(name, '')}"
            for name, habits in self.habits.items()
        ]
        return "\n".join(["", *nodes, *map(" -> ".join, self.edges)])

    def build(
        self, more: Mapping[str, Processor] | None = None, more_flow: Sequence[str] = ()
    ) -> Graph:
        """more: processors besides, which the account leaves out, and the edges to them."""
        processors: dict[str, Processor] = {
            name: self.kinds[name](habits) for name, habits in self.habits.items()
        }
        processors.update(more or {})
        flow = [*(f"{source} -> {target}" for source, target in self.edges), *more_flow]
        failing = [name for name, each in self.supervision.items() if each.policy.do != "stop"]
        if failing:
            self.letters = processors["letters"] = Letters()
            flow += [f"{name} -> letters" for name in failing]
        return Graph(processors, flow, inboxes=self.inboxes, supervision=self.supervision)

    def check(self, report: Report, *, ended_well: bool) -> None:
        """Every frame that went into a node is done with, passed on, or dropped and counted."""
        entered, dropped = Counter[str](), Counter[str]()
        for edge in report.edges:
            entered[edge.target] += edge.frames
        for (name, _), frames in report.drops.items():
            dropped[name] += frames
        for name, kind in self.kinds.items():
            habits = self.habits[name]
            passed = entered[name] - habits.done - dropped[name]
            if issubclass(kind, Source):
                passed = 0
            assert passed == 0 or (kind is OfWords and passed > 0), self.told(name, report)
            assert habits.opened == 0, name
            if ended_well:
                for edge in report.edges:
                    if edge.source == name and edge.target != "letters":
                        assert edge.frames == habits.given + passed, self.told(name, report)
        if self.letters is not None:
            for name in self.kinds:
                failed = report.drops[name, "failed"]
                sent = report.frames(name, "letters")
                assert sent in (0, failed), self.told(name, report)
            if ended_well:
                assert sum(self.letters.count.values()) == sum(
                    edge.frames for edge in report.edges if edge.target == "letters"
                )

    def told(self, name: str, report: Report) -> str:
        """What is known of a node."""
        edges = [e for e in report.edges if name in (e.source, e.target)]
        drops = {reason: n for (node, reason), n in report.drops.items() if node == name}
        return f"{name}: {self.habits[name]}, {edges}, {drops}"


POLICIES = [
    OnError(do="stop"),
    OnError(do="skip"),
    OnError(do="detach"),
    OnError(do="restart", times=3, within_s=1, backoff_s=0.01, then="detach"),
    OnError(do="restart", times=1000, backoff_s=0),
    OnError(do="restart", times=2),
]
DELAYS = [0, 0, 0, 0.001, 0.02, 0.5]


@st.composite
def graphs(draw: st.DrawFn, *, endless: bool = False) -> Generated:
    """endless: sources go on until they are told to finish, and nodes may hang."""
    made = Generated()
    count = draw(st.integers(2, 30))
    sources = draw(st.integers(1, max(1, count // 6)))

    def habits(kind: type[Behaving]) -> Habits:
        every = draw(st.sampled_from([0, 0, 0, 2, 5]))
        values: dict[str, Any] = {"delay": draw(st.sampled_from(DELAYS)), "every": every}
        if issubclass(kind, Source):
            values["frames"] = 10**9 if endless else draw(st.integers(0, 12))
            if endless:
                values["delay"] = max(values["delay"], 0.001)
        if endless:
            values["stuck"] = draw(st.sampled_from([0, 0, 0, 1, 3]))
            values["lingers"] = draw(st.sampled_from([0, 0, 0, 0.1, 1000]))
        return Habits(**values)

    def add(name: str, kind: type[Behaving]) -> None:
        made.kinds[name], made.habits[name] = kind, habits(kind)
        allowed = [p for p in POLICIES if p.do != "skip" or not issubclass(kind, Source | Duplex)]
        policy = draw(st.sampled_from(allowed))
        limit = None
        if issubclass(kind, Later | Listener):
            limit = draw(st.sampled_from([None, None, 0.1]))
        made.supervision[name] = Supervision(policy, limit)
        if not issubclass(kind, Source) and draw(st.booleans()):
            full = draw(st.sampled_from(["block", "block", "drop_oldest", "drop_newest"]))
            frames = draw(st.integers(1, 4))
            if kind is not OfWords:
                made.inboxes[name] = InboxSettings(frames=frames, policy=full)

    for number in range(sources):
        add(f"n{number}", Talker)
    for number in range(sources, max(count - 1, sources)):
        kind = draw(st.sampled_from([Plain, OfWords, Later, Line, Line, Listener, Noter]))
        givers = [name for name, each in made.kinds.items() if not issubclass(each, Sink)]
        name = f"n{number}"
        add(name, kind)
        chosen = draw(st.lists(st.sampled_from(givers), min_size=1, max_size=3, unique=True))
        made.edges += [(giver, name) for giver in chosen]
    add("last", Listener)
    led = {source for source, _ in made.edges}
    ends = [n for n, each in made.kinds.items() if not issubclass(each, Sink) and n not in led]
    if not ends:
        ends = ["n0"]
    made.edges += [(name, "last") for name in ends]
    for line in [name for name, each in made.kinds.items() if each is Line]:
        later = [
            name
            for name, each in made.kinds.items()
            if int(name[1:] if name != "last" else 99) >= int(line[1:])
            and not issubclass(each, Sink)
            and (name, line) not in made.edges
            and name != line
        ]
        if later and draw(st.booleans()):
            made.edges.append((draw(st.sampled_from(later)), line))
    return made
