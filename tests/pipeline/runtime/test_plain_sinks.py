"""Sinks that have nothing to wait for: they run in-line, as plain transforms do."""

from collections.abc import Iterator

import anyio
import numpy as np
import pytest

from pipeline import (
    AudioFrame,
    Graph,
    InboxSettings,
    Interruption,
    OnError,
    ProcessorFailure,
    Run,
    Sink,
    Supervision,
    TextFrame,
    Transform,
)
from pipeline.testing import Given
from tests.pipeline.runtime.words import texts


class Noting(Sink):
    """A plain sink: it has nothing to wait for."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.tasks = set[int]()

    def consume(self, frame: TextFrame) -> None:
        self.texts.append(frame.text)
        self.tasks.add(anyio.get_current_task().id)


async def test_a_plain_sink_runs_in_the_task_of_what_feeds_it() -> None:
    sources = {"a": Given(texts("1", "2")), "b": Given(texts("3"))}
    graph = Graph({**sources, "sink": (noting := Noting())}, ["a -> sink", "b -> sink"])
    assert graph.nodes["sink"].inline
    run = Run(graph)
    report = await run.execute()
    assert report.completed
    assert sorted(noting.texts) == ["1", "2", "3"]
    assert len(noting.tasks) == 2
    assert report.high_water == {}
    assert report.frames("a", "sink") == 2


async def test_a_plain_sink_with_an_inbox_has_a_task_of_its_own() -> None:
    noting = Noting()
    inboxes = {"sink": InboxSettings(frames=2, policy="block")}
    graph = Graph({"in": Given(texts(*"abcd")), "sink": noting}, ["in -> sink"], inboxes=inboxes)
    report = await Run(graph).execute()
    assert noting.texts == list("abcd")
    assert report.high_water == {"sink": 2}


async def test_the_failure_of_a_plain_sink_is_its_own() -> None:
    class Picky(Noting):
        def consume(self, frame: TextFrame) -> None:
            if frame.text == "b":
                raise ValueError("no b")
            super().consume(frame)

    flow = ["in -> sink"]
    with pytest.raises(ProcessorFailure, match='"sink" failed on TextFrame: ValueError: no b'):
        await Run(Graph({"in": Given(texts(*"abc")), "sink": Picky()}, flow)).execute()
    picky = Picky()
    skipping = {"sink": Supervision(OnError(do="skip"))}
    graph = Graph({"in": Given(texts(*"abc")), "sink": picky}, flow, supervision=skipping)
    report = await Run(graph).execute()
    assert picky.texts == ["a", "c"]
    assert report.drops == {("sink", "failed"): 1}


async def test_a_plain_sink_gets_nothing_of_an_interrupted_turn() -> None:
    class Interrupting(Transform):
        def process(self, frame: TextFrame) -> Iterator[AudioFrame | Interruption]:
            sound = np.zeros((160, 1), np.int16)
            yield AudioFrame(sound, 16_000, turn=1)
            yield Interruption(turn=1)
            yield AudioFrame(sound, 16_000, turn=1)
            yield AudioFrame(sound, 16_000, turn=2)

    class Playing(Sink):
        def __init__(self) -> None:
            self.turns: list[int] = []

        def consume(self, frame: AudioFrame) -> None:
            self.turns.append(frame.turn)

    playing = Playing()
    processors = {"in": Given(texts("a")), "model": Interrupting(), "sink": playing}
    report = await Run(Graph(processors, ["in -> model -> sink"])).execute()
    assert playing.turns == [1, 2]
    assert report.drops == {("sink", "interrupted"): 1}
