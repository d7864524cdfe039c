"""Processors that yield for ever, without waiting for anything, can neither hang a run nor fill
the memory."""

import itertools
from collections.abc import AsyncIterator, Iterator

import anyio
import numpy as np
import pytest

from pipeline import (
    AudioFrame,
    Graph,
    InboxSettings,
    OnError,
    ProcessorFailure,
    Run,
    Sink,
    Source,
    Supervision,
    Transform,
)
from pipeline.runtime.wiring import MOST_GIVEN
from pipeline.testing import Collect, Given

ONE = AudioFrame(np.zeros((160, 1), np.int16), 8000)
WORDS = "more than 100,000 frames for {}, and nothing else ran meanwhile"
DROPPING = InboxSettings(frames=4, policy="drop_oldest")


class Endless(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield from itertools.repeat(frame)


class EndlessAtTheEnd(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame

    def flush(self) -> Iterator[AudioFrame]:
        yield from itertools.repeat(ONE)


class EndlessAsync(Transform):
    async def process(self, frame: AudioFrame) -> AsyncIterator[AudioFrame]:
        for each in itertools.repeat(frame):
            yield each


class EndlessSource(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        for each in itertools.repeat(ONE):
            yield each


class Slow(Sink):
    def __init__(self) -> None:
        self.count = 0

    async def consume(self, frame: AudioFrame) -> None:
        self.count += 1
        await anyio.sleep(1)


@pytest.mark.parametrize("own_inbox", [False, True])
@pytest.mark.parametrize("sink", [InboxSettings(frames=4), DROPPING])
@pytest.mark.parametrize(
    ("kind", "occasion"), [(Endless, "one frame"), (EndlessAtTheEnd, "the end of its input")]
)
async def test_a_plain_transform_fails(
    kind: type[Transform], occasion: str, sink: InboxSettings, own_inbox: bool
) -> None:
    inboxes = {"out": sink} | ({"endless": InboxSettings()} if own_inbox else {})
    graph = Graph(
        {"given": Given([ONE]), "endless": kind(), "out": Slow()},
        ["given -> endless -> out"],
        inboxes=inboxes,
    )
    run = Run(graph)
    with pytest.raises(ProcessorFailure, match=WORDS.format(occasion)) as raised:
        await run.execute()
    assert raised.value.processor == "endless"
    assert run.report.frames("endless", "out") >= MOST_GIVEN


async def test_what_it_has_given_can_be_kept_in_order_before_the_next_frame() -> None:
    class Counting(Transform):
        def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
            numbers = range(2) if frame.pts else itertools.count()
            yield from (frame.replace(pts=number) for number in numbers)

    out = Collect()
    graph = Graph(
        {"given": Given([ONE, ONE.replace(pts=-1)]), "endless": Counting(), "out": out},
        ["given -> endless -> out"],
        supervision={"endless": Supervision(OnError(do="skip"))},
    )
    report = await Run(graph).execute()
    numbers = [frame.pts for frame in out.frames if isinstance(frame, AudioFrame)]
    assert numbers == [*range(MOST_GIVEN + 1), 0, 1]
    assert report.drops == {("endless", "failed"): 1}


@pytest.mark.parametrize("inbox", [InboxSettings(frames=4), DROPPING])
@pytest.mark.parametrize("from_source", [False, True])
async def test_one_that_is_asynchronous_goes_on_and_lets_others_run_until_it_is_stopped(
    inbox: InboxSettings, from_source: bool
) -> None:
    source = EndlessSource() if from_source else Given([ONE])
    middle = EndlessAtTheEnd() if from_source else EndlessAsync()
    graph = Graph(
        {"given": source, "endless": middle, "out": Slow()},
        ["given -> endless -> out"],
        inboxes={"out": inbox},
    )
    run = Run(graph)
    turns = 0

    async def stop() -> None:
        nonlocal turns
        while turns < 20:
            turns += 1
            await anyio.lowlevel.checkpoint()
        run.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        report = await run.execute()
    assert turns == 20
    assert not report.completed


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_limit_on_one_frame_ends_what_is_asynchronous() -> None:
    """In real time: virtual time stands still while there is something to do."""
    graph = Graph(
        {"given": Given([ONE]), "endless": EndlessAsync(), "out": Slow()},
        ["given -> endless -> out"],
        inboxes={"out": DROPPING},
        supervision={"endless": Supervision(frame_timeout_s=0.05)},
    )
    with anyio.fail_after(10), pytest.raises(ProcessorFailure, match="it took longer than"):
        await Run(graph).execute()
