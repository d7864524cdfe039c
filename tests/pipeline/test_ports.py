from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import (
    AudioFrame,
    Duplex,
    Frame,
    Inbox,
    Interruption,
    Outbox,
    SettingError,
    Sink,
    Source,
    SpeechStarted,
    TextFrame,
    ToolCall,
    Transform,
)
from pipeline.ports import Ports, overlap

if TYPE_CHECKING:
    from pipeline import Usage


class Microphone(Source):
    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield  # type: ignore[misc]


class Gate(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame | SpeechStarted | Interruption]:
        yield frame


class Log(Sink):
    async def consume(self, anything: Frame) -> None: ...


class Mood(Transform):
    def process(self, frame: AudioFrame | TextFrame) -> Generator[TextFrame, None, None]:
        yield  # type: ignore[misc]


class Service(Duplex):
    async def run(self, inbox: Inbox[AudioFrame | TextFrame], outbox: Outbox[ToolCall]) -> None: ...


def test_each_role_is_read_from_its_method() -> None:
    assert Microphone.ports() == Ports((), (AudioFrame,))
    assert Gate.ports() == Ports((AudioFrame,), (AudioFrame, SpeechStarted))
    assert Log.ports() == Ports((Frame,), ())
    assert Mood.ports() == Ports((AudioFrame, TextFrame), (TextFrame,))
    assert Service.ports() == Ports((AudioFrame, TextFrame), (ToolCall,))


def test_missing_annotations_are_named() -> None:
    class Bare(Transform):
        def process(self, frame):  # type: ignore[no-untyped-def]
            yield frame

    class NoResult(Transform):
        def process(self, frame: AudioFrame):  # type: ignore[no-untyped-def]
            yield frame

    class TooFew(Duplex):
        async def run(self, inbox: Inbox[AudioFrame]) -> None: ...  # type: ignore[override]

    for kind, message in (
        (Bare, "Bare.process: annotate `frame` with frame types"),
        (NoResult, "NoResult.process: annotate what it returns with frame types"),
        (TooFew, "TooFew.run: it needs 2 parameters besides `self`"),
    ):
        with pytest.raises(SettingError) as caught:
            kind.ports()
        assert str(caught.value).endswith(message)


def test_annotations_that_are_not_frames_are_named() -> None:
    class Numbers(Sink):
        async def consume(self, frame: int) -> None: ...

    class Anything(Sink):
        async def consume(self, frame: Any) -> None: ...

    with pytest.raises(SettingError, match="<class 'int'> in its annotations is not a frame type"):
        Numbers.ports()
    with pytest.raises(SettingError, match=r"typing\.Any in its annotations is not a frame type"):
        Anything.ports()


def test_a_name_that_exists_only_for_the_type_checker() -> None:
    class Late(Sink):
        async def consume(self, frame: "Usage") -> None: ...

    with pytest.raises(SettingError, match="'Usage', which its module does not define") as caught:
        Late.ports()
    assert caught.value.hint == "import it outside `if TYPE_CHECKING:`"


def test_overlap_goes_both_ways() -> None:
    assert overlap((AudioFrame, TextFrame), (Frame,)) == (AudioFrame, TextFrame)
    assert overlap((Frame,), (TextFrame,)) == (Frame,)
    assert overlap((AudioFrame,), (TextFrame,)) == ()


def test_methods_of_the_wrong_kind_are_named() -> None:
    class PlainSource(Source):
        def frames(self) -> AsyncIterator[AudioFrame]:
            raise NotImplementedError

    class Returning(Transform):
        def process(self, frame: AudioFrame) -> AudioFrame:  # type: ignore[override]
            return frame

    class Nothing(Transform):
        def process(self, frame: AudioFrame) -> None: ...  # type: ignore[override]

    class AsyncReturning(Transform):
        async def process(self, frame: AudioFrame) -> list[AudioFrame]:  # type: ignore[override]
            return [frame]

    class Giving(Sink):
        def consume(self, frame: AudioFrame) -> Iterator[AudioFrame]:  # type: ignore[override]
            yield frame

    class PlainDuplex(Duplex):
        def run(self, inbox: Inbox[AudioFrame], outbox: Outbox[AudioFrame]) -> None: ...  # type: ignore[override]

    for kind, message in (
        (PlainSource, "PlainSource.frames must be `async def` with `yield`"),
        (Returning, "Returning.process gives an iterator, not AudioFrame"),
        (Nothing, "Nothing.process gives an iterator, not None"),
        (AsyncReturning, "AsyncReturning.process must `yield` its frames, not return them"),
        (Giving, "Giving.consume must not `yield`: a sink gives nothing"),
        (PlainDuplex, "PlainDuplex.run must be `async def`"),
    ):
        with pytest.raises(SettingError) as caught:
            kind.ports()
        assert str(caught.value) == message
