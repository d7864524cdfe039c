"""Audio formats along a graph, whatever is there of it."""

from collections.abc import AsyncIterator, Iterator

from pipeline import (
    AudioFormat,
    AudioFrame,
    Graph,
    SettingError,
    Sink,
    Source,
    TextFrame,
    Transform,
)
from pipeline.formats import carries_audio, formats_of


class Tone(Source):
    def __init__(self, rate: int | None, channels: int | None = 1) -> None:
        self.format = AudioFormat(rate, channels)

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return self.format

    async def frames(self) -> AsyncIterator[AudioFrame | TextFrame]:
        yield TextFrame("")


class Missing(Tone):
    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        raise SettingError("there is no file")


class Same(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame


class Ears(Sink):
    async def consume(self, frame: AudioFrame) -> None: ...


class Eyes(Sink):
    async def consume(self, frame: TextFrame) -> None: ...


def test_what_comes_in_goes_on_as_far_as_it_is_the_same_everywhere() -> None:
    graph = Graph(
        {"a": Tone(8000), "b": Tone(8000, 2), "one": Same(), "two": Same(), "out": Ears()},
        ["a -> one -> out", "a -> two -> out", "b -> two"],
    )
    formats = formats_of(graph)
    assert formats["one"] == AudioFormat(8000, 1)
    assert formats["two"] == AudioFormat(8000)


def test_a_format_that_cannot_be_told_is_no_error() -> None:
    graph = Graph({"a": Missing(8000), "one": Same(), "out": Ears()}, ["a -> one -> out"])
    assert formats_of(graph)["one"] == AudioFormat()


def test_an_edge_carries_sound_only_if_both_sides_do() -> None:
    graph = Graph({"a": Tone(8000), "ears": Ears(), "eyes": Eyes()}, ["a -> ears", "a -> eyes"])
    assert [carries_audio(edge, {}) for edge in graph.edges] == [True, False]
