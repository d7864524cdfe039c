"""What a client says, types and shows, as frames."""

from typing import Any

import anyio
import numpy as np
import pytest
from serving_bench import buzz

from pipeline import (
    SECOND,
    AudioFrame,
    Graph,
    ImageFrame,
    Run,
    TextFrame,
)
from pipeline.testing import Collect
from processors.serving.client_sources import ClientCamera, ClientKeyboard, ClientMicrophone
from processors.serving.line import MOST_SOUNDS, Line
from processors.serving.protocol import Image

MS = 1_000_000


def pcm(ms: float, rate: int = 16_000) -> bytes:
    return np.arange(round(ms * rate / 1000), dtype="<i2").tobytes()


class Listening:
    """A client's microphone in a run, and what came of it."""

    def __init__(self, client_rate: int = 16_000, **settings: Any) -> None:
        self.line = Line(client_rate)
        self.output = Collect()
        processors = {"mic": ClientMicrophone(self.line, **settings), "out": self.output}
        self.run = Run(Graph(processors, ["mic -> out"]))

    @property
    def frames(self) -> list[AudioFrame]:
        return [frame for frame in self.output.frames if isinstance(frame, AudioFrame)]

    async def execute(self, say: Any) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self.run.execute)
            await anyio.sleep(0.001)
            await say(self.line)
            self.line.end_input()


async def test_sound_lies_end_to_end_however_late_it_comes(anyio_backend: Any) -> None:
    listening = Listening()

    async def say(line: Line) -> None:
        for pause in (0.02, 0.02, 0.3, 0.0, 0.0, 0.02):
            await anyio.sleep(pause)
            line.hear(pcm(20))

    await listening.execute(say)
    begin = listening.frames[0].pts
    assert [frame.pts - begin for frame in listening.frames] == [20 * MS * n for n in range(6)]


async def test_a_pause_of_more_than_a_second_is_a_pause(anyio_backend: Any) -> None:
    listening = Listening()

    async def say(line: Line) -> None:
        line.hear(pcm(20))
        await anyio.sleep(5)
        line.hear(pcm(20))

    await listening.execute(say)
    first, second = listening.frames
    assert second.pts - first.pts == pytest.approx(5 * SECOND, abs=20 * MS)
    assert listening.line.place(second.pts) == pytest.approx(20)


async def test_what_was_kept_during_a_drop_is_no_pause_and_what_was_lost_is(
    anyio_backend: Any,
) -> None:
    listening = Listening()

    async def say(line: Line) -> None:
        line.hear(pcm(100))
        await anyio.sleep(8)
        line.resume(16_000)
        line.lost(3000)
        for _ in range(5):
            line.hear(pcm(1000))

    await listening.execute(say)
    begin = listening.frames[0].pts
    places = [(frame.pts - begin) / MS for frame in listening.frames]
    assert places == pytest.approx([*range(0, 100, 20), *range(3100, 8100, 20)])
    assert listening.line.captured_ms == pytest.approx(8100)
    assert listening.line.place(listening.frames[-1].pts) == pytest.approx(8080)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
async def test_it_has_the_rate_that_the_graph_asks_for(anyio_backend: Any, rate: int) -> None:
    listening = Listening(rate, rate=16_000, channels=2)

    async def say(line: Line) -> None:
        sound = buzz(1, rate)
        size = rate // 50 * 2
        for offset in range(0, len(sound), size):
            line.hear(sound[offset : offset + size])

    await listening.execute(say)
    assert {(frame.rate, frame.channels) for frame in listening.frames} == {(16_000, 2)}
    assert sum(len(frame.samples) for frame in listening.frames) == 16_000


async def test_more_than_the_graph_takes_is_dropped_counted_and_keeps_its_time(
    anyio_backend: Any,
) -> None:
    listening = Listening()

    async def say(line: Line) -> None:
        for _ in range(MOST_SOUNDS + 10):
            line.hear(pcm(20))

    await listening.execute(say)
    assert len(listening.frames) == MOST_SOUNDS
    assert listening.run.report.drops["mic", "client too fast"] == 10
    assert listening.line.place(listening.frames[0].pts) == pytest.approx(200)


async def test_what_is_typed_and_shown(anyio_backend: Any) -> None:
    line, output = Line(16_000), Collect()
    processors = {"typed": ClientKeyboard(line), "seen": ClientCamera(line), "out": output}
    run = Run(Graph(processors, ["typed -> out", "seen -> out"]))
    for text in ("Hello", "  ", " you "):
        line.text.put(text)
    for data in (b"old", b"new"):
        line.images.put(Image(data, "image/png"))
    line.end_input()
    await run.execute()
    texts = [frame.text for frame in output.frames if isinstance(frame, TextFrame)]
    images = [frame for frame in output.frames if isinstance(frame, ImageFrame)]
    assert texts == ["Hello", "you"]
    assert [(image.data, image.mime_type) for image in images] == [(b"new", "image/png")]
