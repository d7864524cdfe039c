"""Processors and their four roles.

    Source     yields frames                                     async def frames(self)
    Transform  takes one frame and yields none, one or several   def process(self, frame)
    Sink       takes one frame                                   def consume(self, frame)
    Duplex     reads its inbox and writes its outbox at will     async def run(self, inbox, outbox)

A processor is a class that implements one of these methods and annotates it with the frame types
it takes and gives. Its constructor's arguments are its settings: their names are the YAML keys,
their annotations the schema, the docstring the help text. The constructor does no I/O; what has to
be opened and closed belongs in `lifespan`.
"""

from __future__ import annotations

import abc
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

import msgspec

from pipeline.errors import SettingError
from pipeline.frames import Frame
from pipeline.inbox import Inbox, InboxSettings
from pipeline.ports import RESULT, FrameTypes, Ports, read_hints, read_ports

Device = Literal["microphone", "loudspeaker", "camera", "keyboard"]
T_contra = TypeVar("T_contra", bound=Frame, contravariant=True)


class AudioFormat(msgspec.Struct, frozen=True):
    """Sample rate in Hz and number of channels; None stands for any, or for not known."""

    rate: int | None = None
    channels: int | None = None

    def __str__(self) -> str:
        rate = f"{self.rate} Hz" if self.rate else "any rate"
        names = {None: "any channels", 1: "mono", 2: "stereo"}
        return f"{rate} {names.get(self.channels, f'{self.channels} channels')}"

    def fits(self, needed: AudioFormat) -> bool:
        """False only where both sides are known and differ."""
        return all(
            have is None or want is None or have == want
            for have, want in ((self.rate, needed.rate), (self.channels, needed.channels))
        )


class Surroundings(msgspec.Struct, frozen=True):
    """What is around a processor in its graph, as far as it is known before anything runs.

    arriving: the types of frames that can come to it. wanted: those that something behind it takes.
    before, behind: the processors that frames come from and go to, through others or not, by name.
    processors: all of the graph.
    """

    arriving: FrameTypes
    wanted: FrameTypes
    before: Mapping[str, Processor]
    behind: Mapping[str, Processor]
    processors: Mapping[str, Processor]

    def can_get(self, kind: type[Frame]) -> bool:
        """Whether frames of a type, or of one derived from it, can come to it."""
        return any(issubclass(arriving, kind) for arriving in self.arriving)


class Context(Protocol):
    """What a running processor can ask of the run it is in: `self.context`."""

    @property
    def name(self) -> str:
        """The processor's name in the graph."""

    @property
    def log(self) -> logging.Logger:
        """For what a person should know while it runs."""

    @property
    def finishing(self) -> bool:
        """Whether the sources were told to end, as by Ctrl-C, and the rest comes to its end."""

    def now(self) -> int:
        """Nanoseconds since the run began: the clock that media times are on."""

    def new_turn(self) -> int:
        """A turn number that no other turn of the run has."""

    def measured(self, what: str, nanoseconds: int, turn: int = 0) -> None:
        """Add a measurement to the report, for instance `response`; of a turn, if it is of one."""

    def dropped(self, reason: str, frames: int = 1) -> None:
        """Count frames that this processor took and will not pass on."""

    def wrote(self, path: str) -> None:
        """Name a file that this processor has made, for the report."""

    def claim(self, path: Path) -> Path:
        """Where to begin a file that is to be at `path`: there, replacing one of before.

        If this processor was restarted, and has left a file there in an earlier life, it is kept,
        and this gives the path of one that does not exist: `words-2.txt`, and so on.
        """


class Outbox(Protocol, Generic[T_contra]):
    """What a duplex processor writes to."""

    async def send(self, frame: T_contra) -> None:
        """Pass a frame to whatever takes it; waits while a blocking inbox downstream is full.

        Frames sent by one task keep their order. Media of a turn that was interrupted is dropped.
        """


class Processor(abc.ABC):
    """Base of the four roles. Nothing here needs to be called by a subclass."""

    context: Context
    """Set by the run before `lifespan` begins."""

    if not TYPE_CHECKING:

        def __new__(cls, *args: Any, **kwargs: Any) -> Self:
            """Remember what it was made with, for `anew`."""
            if (args or kwargs) and cls.__init__ is object.__init__:
                raise TypeError(f"{cls.__name__}() takes no arguments")
            self = super().__new__(cls)
            self._made_with = args, kwargs
            return self

    inbox: ClassVar[InboxSettings] = InboxSettings()
    """The inbox it gets unless the graph says otherwise."""

    plays_media: bool = True
    """False for what records rather than plays: interruptions leave its queue alone, and only call
    `interrupted`."""

    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    device: Device | None = None
    """Which of the user's devices it speaks with. Where a graph is served, that of the client who
    is connected takes its place."""

    @classmethod
    @abc.abstractmethod
    def ports(cls) -> Ports:
        """The frame types it takes and gives."""

    def check(self) -> None:
        """Raise SettingError if the machine cannot run it: a missing file, an absent device; for
        several at once, an ExceptionGroup; for advice, one with `severity="warning"`.

        Called once, before anything runs, in a thread. It may look at the machine but must not
        change it.
        """

    def check_graph(self, around: Surroundings) -> None:
        """Raise SettingError if its settings do not suit the graph; several, or advice, as `check`.

        Called once, before anything runs. It must look at nothing outside the graph.
        """

    def audio_in(self) -> AudioFormat:
        """The audio it needs, as far as its settings decide."""
        return AudioFormat()

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        """The audio it gives, when it gets `incoming`."""
        return incoming

    def anew(self) -> Self:
        """Another one with the same settings and none of the state, as after a restart."""
        args, kwargs = self._made_with
        return type(self)(*args, **kwargs)

    async def lifespan(self) -> AsyncIterator[None]:
        """Open what it needs, `yield` once, and close it: around the whole run."""
        yield

    def interrupted(self, turn: int) -> None:
        """The model's turn was interrupted: forget what is held back of it, fall silent.

        It also tells who gave the turn that another has stopped it.
        Called at once, between two steps of the event loop, whatever is queued.
        """


class Source(Processor):
    """Yields frames until it has no more."""

    @classmethod
    def ports(cls) -> Ports:
        if not inspect.isasyncgenfunction(cls.frames):
            raise SettingError(f"{cls.__name__}.frames must be `async def` with `yield`")
        return read_ports(cls.frames, gives=RESULT)

    def progress(self) -> float | None:
        """How much of what it has to give it has given, from 0 to 1; None if it cannot know.

        Asked a few times a second while it runs.
        """
        return None

    @abc.abstractmethod
    def frames(self) -> AsyncIterator[Any]:
        """An async generator. It is cancelled where it waits when the run is told to finish."""


class Transform(Processor):
    """Takes a frame and yields none, one or several. What it does not take passes it unchanged.

    A plain `def` runs inside the task of whatever feeds it, without a task or a queue of its own,
    unless its inbox is configured. An `async def` always has an inbox.
    """

    @classmethod
    def ports(cls) -> Ports:
        if inspect.iscoroutinefunction(cls.process):
            raise SettingError(f"{cls.__name__}.process must `yield` its frames, not return them")
        ports = read_ports(cls.process, takes=0, gives=RESULT)
        hint = read_hints(cls.process)[RESULT]
        if hint is NoneType or (isinstance(hint, type) and issubclass(hint, Frame)):
            name = "None" if hint is NoneType else hint.__name__
            raise SettingError(
                f"{cls.__name__}.process gives an iterator, not {name}",
                hint="`yield` the frames, and annotate `-> Iterator[...]`",
            )
        return ports

    @abc.abstractmethod
    def process(self, frame: Any) -> Iterable[Any] | AsyncIterator[Any]:
        """A generator, or any function that returns an iterable of frames."""

    def flush(self) -> Iterable[Any]:
        """What it still holds back when its input ends."""
        return ()


class Sink(Processor):
    """Takes frames, one at a time.

    An `async def` has an inbox and may wait. A plain `def` runs inside the task of whatever feeds
    it, as a plain transform does, unless its inbox is configured.
    """

    mixes_rates: ClassVar[bool] = False
    """True for what takes sound of several rates at once. Others are checked to get only one."""

    @classmethod
    def ports(cls) -> Ports:
        if inspect.isgeneratorfunction(cls.consume) or inspect.isasyncgenfunction(cls.consume):
            raise SettingError(f"{cls.__name__}.consume must not `yield`: a sink gives nothing")
        return read_ports(cls.consume, takes=0)

    @abc.abstractmethod
    def consume(self, frame: Any) -> Awaitable[None] | None:
        """Use the frame. What waits is cancelled if the frame is media of a turn that gets
        interrupted.
        """


def is_plain(processor: Processor) -> bool:
    """Whether it has nothing to wait for: a transform or a sink that is no `async def`."""
    if isinstance(processor, Transform):
        return not inspect.isasyncgenfunction(processor.process)
    return isinstance(processor, Sink) and not inspect.iscoroutinefunction(processor.consume)


class Duplex(Processor):
    """Reads its inbox and writes its outbox independently, as a network connection does.

    It must go on reading while it writes: that is why a cycle may pass through it.
    """

    @classmethod
    def ports(cls) -> Ports:
        if not inspect.iscoroutinefunction(cls.run):
            raise SettingError(f"{cls.__name__}.run must be `async def`")
        return read_ports(cls.run, takes=0, gives=1)

    @abc.abstractmethod
    async def run(self, inbox: Inbox[Any], outbox: Outbox[Any]) -> None:
        """Runs until its work is done; when it returns before its input has ended, the run ends."""
