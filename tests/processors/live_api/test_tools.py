"""The functions that a graph declares, collected before a session begins."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import anyio

from pipeline import Duplex, Graph, Inbox, Outbox, Source, TextFrame, ToolsDeclared
from pipeline.runtime.run import Run
from pipeline.testing import Given
from processors.live_api.tools import collect_declarations


class Declares(Source):
    """Declares functions after a while."""

    def __init__(self, *names: str, after: float = 0.0) -> None:
        self._names, self._after = names, after

    async def frames(self) -> AsyncIterator[ToolsDeclared]:
        await anyio.sleep(self._after)
        yield ToolsDeclared(tuple({"name": name} for name in self._names))


class Dies(Source):
    """Could declare functions, and never does."""

    async def frames(self) -> AsyncIterator[ToolsDeclared]:
        if anyio.current_time() < 0:
            yield ToolsDeclared(())


class Echo(Duplex):
    """Declares functions, and comes after what it goes on to."""

    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[ToolsDeclared]) -> None:
        await anyio.sleep(1)
        await outbox.send(ToolsDeclared(({"name": "late"},)))
        async for _ in inbox:
            pass


class Collects(Duplex):
    """Collects, and then reads on."""

    def __init__(self) -> None:
        self.declarations: list[dict[str, Any]] = []
        self.early: list[str] = []
        self.rest: list[str] = []
        self.seconds = -1.0

    async def run(self, inbox: Inbox[TextFrame | ToolsDeclared], outbox: Outbox[TextFrame]) -> None:
        started = anyio.current_time()
        self.declarations, early = await collect_declarations(inbox)
        self.seconds = anyio.current_time() - started
        self.early = [frame.text for frame in early if isinstance(frame, TextFrame)]
        async for frame in inbox:
            if isinstance(frame, TextFrame):
                self.rest.append(frame.text)
                await outbox.send(frame)


async def collect(texts: Iterable[str], *declares: Source) -> Collects:
    collects = Collects()
    graph = Graph(
        {
            "texts": Given([TextFrame(text) for text in texts]),
            "collects": collects,
            **{f"declares-{n}": source for n, source in enumerate(declares)},
        },
        ["texts -> collects", *(f"declares-{n} -> collects" for n in range(len(declares)))],
    )
    await Run(graph).execute()
    return collects


def names(collects: Collects) -> set[str]:
    return {declared["name"] for declared in collects.declarations}


async def test_without_tools_it_waits_for_nothing() -> None:
    collects = await collect(["a", "b"])
    assert collects.declarations == []
    assert (collects.early, collects.rest) == ([], ["a", "b"])
    assert collects.seconds == 0


async def test_all_declarations_come_before_the_session_and_no_frame_is_lost() -> None:
    collects = await collect("abc", Declares("f", "g", after=1), Declares("h", after=2))
    assert names(collects) == {"f", "g", "h"}
    assert collects.early + collects.rest == ["a", "b", "c"]


async def test_who_dies_without_declaring_holds_nothing_up() -> None:
    collects = await collect("a", Dies(), Declares("f"))
    assert names(collects) == {"f"}
    assert collects.early == ["a"]


async def test_input_that_is_over_at_once_does_not_cost_the_tools() -> None:
    collects = Collects()
    graph = Graph(
        {"texts": Given([TextFrame("a")]), "collects": collects, "echo": Echo()},
        ["texts -> collects -> echo -> collects"],
    )
    await Run(graph).execute()
    assert names(collects) == {"late"}
    assert collects.early == ["a"]
