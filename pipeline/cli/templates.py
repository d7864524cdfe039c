"""What `pipeline new --processor` writes: for each role a processor that works, and its test."""

from __future__ import annotations

TRANSFORM = '''\
from collections.abc import Iterator

from pipeline import TextFrame, Transform


class $name(Transform):
    """Writes typed text in capitals. What is not typed text passes it unchanged.

    ending: put behind every line.
    """

    def __init__(self, ending: str = "!") -> None:
        self.ending = ending

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame.replace(text=frame.text.upper() + self.ending)
'''

TRANSFORM_TEST = """\
import anyio
from pipeline import TextFrame
from pipeline.testing import feed

from $module import $name


def test_text_is_changed() -> None:
    [frame] = anyio.run(feed, $name(ending="?"), [TextFrame("hello")])
    assert isinstance(frame, TextFrame)
    assert frame.text == "HELLO?"
"""

SOURCE = '''\
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from msgspec import Meta
from pipeline import Source, TextFrame


class $name(Source):
    """Counts.

    last: the number that it ends with.
    interval_s: seconds from one number to the next.
    """

    def __init__(
        self,
        last: Annotated[int, Meta(ge=1)] = 3,
        interval_s: Annotated[float, Meta(ge=0)] = 1.0,
    ) -> None:
        self.last = last
        self.interval_s = interval_s

    async def frames(self) -> AsyncIterator[TextFrame]:
        for number in range(1, self.last + 1):
            yield TextFrame(str(number), pts=self.context.now())
            await anyio.sleep(self.interval_s)
'''

SOURCE_TEST = """\
from pipeline import Graph, TextFrame
from pipeline.testing import Collect, run_virtually

from $module import $name


def test_it_counts_to_the_last() -> None:
    output = Collect()
    run_virtually(Graph({"source": $name(last=2), "output": output}, ["source -> output"]))
    first, second = output.frames
    assert isinstance(first, TextFrame)
    assert isinstance(second, TextFrame)
    assert (first.text, second.text) == ("1", "2")
    assert second.pts - first.pts == 1_000_000_000
"""

SINK = '''\
from collections.abc import AsyncIterator
from pathlib import Path

from pipeline import OutputPath, Sink, TextFrame


class $name(Sink):
    """Writes typed text to a file, line by line.

    path: the file, replaced if it exists.
    """

    def __init__(self, path: OutputPath) -> None:
        self.path = Path(path)

    async def lifespan(self) -> AsyncIterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", encoding="utf-8") as self.file:
            self.context.wrote(str(self.path))
            yield

    async def consume(self, frame: TextFrame) -> None:
        print(frame.text, file=self.file, flush=True)
'''

SINK_TEST = """\
from pathlib import Path

import anyio
from pipeline import TextFrame
from pipeline.testing import feed

from $module import $name


def test_every_line_is_written(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    anyio.run(feed, $name(str(file)), [TextFrame("one"), TextFrame("two")])
    assert file.read_text(encoding="utf-8") == "one\\ntwo\\n"
"""

DUPLEX = '''\
import anyio
from pipeline import Duplex, Inbox, Outbox, TextFrame


class $name(Duplex):
    """Answers typed text after a while, and takes more meanwhile.

    delay_s: seconds that an answer takes.
    """

    def __init__(self, delay_s: float = 0.5) -> None:
        self.delay_s = delay_s

    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None:
        async with anyio.create_task_group() as group:
            async for frame in inbox:
                group.start_soon(self._answer, frame, outbox)

    async def _answer(self, frame: TextFrame, outbox: Outbox[TextFrame]) -> None:
        await anyio.sleep(self.delay_s)
        await outbox.send(frame.replace(text=f"you said {frame.text}"))
'''

DUPLEX_TEST = """\
import anyio
from pipeline import TextFrame
from pipeline.testing import feed

from $module import $name


def test_every_line_is_answered() -> None:
    answers = anyio.run(feed, $name(delay_s=0), [TextFrame("hello"), TextFrame("goodbye")])
    texts = {frame.text for frame in answers if isinstance(frame, TextFrame)}
    assert texts == {"you said hello", "you said goodbye"}
"""

TEMPLATES = {
    "transform": (TRANSFORM, TRANSFORM_TEST),
    "source": (SOURCE, SOURCE_TEST),
    "sink": (SINK, SINK_TEST),
    "duplex": (DUPLEX, DUPLEX_TEST),
}
"""By role: the file and its test's, with `$name` for the class and `$module` for the file."""
