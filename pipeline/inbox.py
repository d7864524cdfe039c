"""The bounded inbox in front of every boundary of concurrency.

An inbox is a queue with a bound in frames or in milliseconds of audio, a policy for when it is
full, and the removal of what an interruption has made stale. Every frame that does not reach the
reader is counted with its reason.

Neither end waits unless it must: some ten times cheaper per frame under load than waiting every
time. A frame stays in the queue until its reader takes it, so that a reader which is cancelled
while it waits loses none, and an interruption finds everything that is on its way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from time import perf_counter_ns
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import msgspec
from anyio import EndOfStream, WouldBlock
from anyio.lowlevel import checkpoint

from pipeline.frames import AudioFrame, Frame
from pipeline.wakeup import Wakeup

T = TypeVar("T", bound=Frame)

Policy = Literal["block", "drop_oldest", "drop_newest", "latest"]

DEFAULT_FRAMES = 64
MOST_FRAMES = 16_384
"""The bound on an inbox that is measured in milliseconds: frames without a length count too."""

LONGEST_HOLD = 200_000
"""Nanoseconds for which a task goes on without waiting; then the others get their turn. All that
are busy run one after the other before the event loop looks at its timers and sockets again: 25
of them keep it for 5 ms."""


class InboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much an inbox holds, and what gives when it is full.

    block: the sender waits. drop_oldest, drop_newest: media gives way, counted. latest: room for
    one frame, in which newer media replaces older. Only media is dropped; other frames wait.
    """

    frames: Annotated[int, msgspec.Meta(ge=1, le=MOST_FRAMES)] | None = None
    ms: Annotated[int, msgspec.Meta(ge=1)] | None = None
    policy: Policy = "block"

    def __post_init__(self) -> None:
        if self.frames is not None and self.ms is not None:
            raise ValueError("give the bound in `frames` or in `ms`, not both")
        if self.policy == "latest" and not (self.frames is None and self.ms is None):
            raise ValueError("the policy `latest` keeps one frame and takes no bound")

    def __str__(self) -> str:
        if self.policy == "latest":
            return "latest"
        bound = f"{self.ms} ms" if self.ms is not None else f"{self.frames or DEFAULT_FRAMES}"
        return f"{bound}, {self.policy}"


class Inbox(Generic[T]):
    """What a processor reads its frames from: `async for frame in inbox`.

    The loop ends when every input has ended. In a cycle, what the processors behind this one
    still send back afterwards (a tool's result) comes from `late()`.

    cut: the interrupted turns of the run, shared by all its inboxes; their media is dropped here.
    count_drop: told the reason and the number of frames, each time some are dropped.
    """

    __slots__ = (
        "_capacity",
        "_closed",
        "_cut",
        "_ended",
        "_held",
        "_late",
        "_late_ended",
        "_late_is_read",
        "_longest",
        "_news",
        "_policy",
        "_queue",
        "_resumed",
        "_room",
        "count_drop",
        "givers",
        "high_water",
        "outside",
        "settings",
    )

    def __init__(
        self, settings: InboxSettings, cut: set[int], count_drop: Callable[[str, int], None]
    ) -> None:
        self.settings = settings
        self.high_water = 0
        self.outside = False
        """Whether frames of somebody who has not waited yet are to be put into it first."""
        self.givers: tuple[tuple[type[Frame], ...], ...] = ()
        self.count_drop = count_drop
        self._cut = cut
        self._queue = deque[Any]()
        self._late: deque[Any] | None = None  # what comes after the end
        self._policy = settings.policy
        self._capacity = _capacity(settings)
        self._longest = None if settings.ms is None else settings.ms * 1_000_000
        self._held = 0  # nanoseconds of sound, where they are bounded
        self._news = Wakeup()  # what readers wait for
        self._room = Wakeup()  # what senders wait for
        self._ended = False
        self._late_ended = False
        self._late_is_read = False
        self._resumed = 0
        self._closed = "receiver ended"

    @property
    def depth(self) -> int:
        """Frames that wait in it."""
        return len(self._queue) + len(self._late or ())

    @property
    def fill(self) -> float:
        """How full it is, from 0 to 1, by what its bound is in."""
        return self._held / self._longest if self._longest else self.depth / self._capacity

    # --- the reading side ---

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    def receive_nowait(self) -> T:
        """The next frame; raises `WouldBlock` if there is none yet, `EndOfStream` at the end."""
        queue = self._queue
        while queue:
            frame: T = queue.popleft()
            if self._longest is not None:
                self._held -= _length(frame)
            if self._room.waiting:
                self._room.wake()
            if self._cut and self._stale(frame):
                self.count_drop("interrupted", 1)
                continue
            return frame
        if self._ended:
            raise EndOfStream
        raise WouldBlock

    async def receive(self) -> T:
        """Wait for the next frame; raises `EndOfStream` when every input has ended.

        A reader that finds one frame after the other waits now and then, so that others run.
        """
        if self._queue and perf_counter_ns() - self._resumed > LONGEST_HOLD:
            await checkpoint()
            self._resumed = perf_counter_ns()
        while True:
            while not (self._queue or self._ended):
                await self._something()
            try:
                return self.receive_nowait()
            except WouldBlock:  # all of it was stale
                continue

    def late(self) -> AsyncIterator[T]:
        """Frames that come back through a cycle after the inputs have ended.

        It ends when the processors that they come from have ended. Of what comes before this is
        called, or if it never is, the inbox takes what it has room for, and drops the rest: who
        sends it would wait for a reader that may be waiting for them.
        """
        self._late_is_read = True
        return _Late(self)

    async def _receive_late(self) -> T:
        while True:
            while self._late:
                frame: T = self._late.popleft()
                self._room.wake()
                if not self._stale(frame):
                    return frame
                self.count_drop("interrupted", 1)
            if self._late_ended:
                raise EndOfStream
            await self._something()

    def count_givers(self, kind: type[Frame]) -> int:
        """How many processors upstream say that they give frames of this type."""
        return sum(any(issubclass(given, kind) for given in gives) for gives in self.givers)

    # --- the sending side, used by the runtime ---

    def offer(self, frame: Frame) -> bool:
        """Take `frame` if there is room, or drop media as the policy says.

        False when the sender has to wait: it then calls `put` before it sends anything else here.
        """
        if self._cut and self._stale(frame):
            self.count_drop("interrupted", 1)
            return True
        if self._ended:
            return self._offer_late(frame)
        queue = self._queue
        if self._longest is not None or len(queue) >= self._capacity:
            while self._full_for(frame):
                if self._policy == "block":
                    return False
                older = self._policy != "drop_newest" and self._drop_oldest()
                if not older and not frame.media:
                    return False
                self.count_drop("inbox full", 1)
                if not older:
                    return True
            if self._longest is not None:
                self._held += _length(frame)
        queue.append(frame)
        if len(queue) > self.high_water:
            self.high_water = len(queue)
        if self._news.waiting:
            self._news.wake()
        return True

    async def put(self, frame: Frame) -> None:
        """Wait for room, then deliver `frame`; an interruption meanwhile may make it stale."""
        while not self.offer(frame):
            await self._room.wait()

    def end(self) -> None:
        """All inputs have ended: the reader gets what is queued and then the end."""
        self._ended = True
        self._news.wake()

    def end_late(self) -> None:
        """Nothing can come back through a cycle any more."""
        self._late_ended = True
        self._news.wake()

    def close(self, reason: str = "receiver ended") -> None:
        """The reader is gone: what is queued and whatever still comes is dropped and counted."""
        left, self._closed = self.depth, reason
        self._queue.clear()
        self._late = None
        self._held = 0
        if left:
            self.count_drop(reason, left)
        self.end()
        self.end_late()
        self._room.wake()

    def discard_stale(self) -> None:
        """Drop queued media of interrupted turns at once; senders that wait for room get it."""
        for queue in filter(None, (self._queue, self._late)):
            kept = [frame for frame in queue if not self._stale(frame)]
            if len(kept) < len(queue):
                self.count_drop("interrupted", len(queue) - len(kept))
                queue.clear()
                queue.extend(kept)
        if self._longest is not None:
            self._held = sum(_length(frame) for frame in self._queue)
        self._room.wake()  # also for a sender whose own frame is the stale one

    # --- inside ---

    def _stale(self, frame: Frame) -> bool:
        return frame.turn in self._cut and frame.media

    def _full_for(self, frame: Frame) -> bool:
        """Whether the bound refuses it; one frame always fits a bound in time."""
        if len(self._queue) >= self._capacity:
            return True
        return self._longest is not None and 0 < self._held > self._longest - _length(frame)

    def _drop_oldest(self) -> bool:
        """Take the oldest media out of the queue, if there is any."""
        for index, held in enumerate(self._queue):
            if held.media:
                del self._queue[index]
                if self._longest is not None:
                    self._held -= _length(held)
                return True
        return False

    def _offer_late(self, frame: Frame) -> bool:
        if self._late_ended:
            self.count_drop(self._closed, 1)
            return True
        if self._late is None:
            self._late = deque()
        if len(self._late) >= self._capacity:
            if not self._late_is_read:
                self.count_drop("came late", 1)
            return not self._late_is_read
        self._late.append(frame)
        self.high_water = max(self.high_water, self.depth)
        self._news.wake()
        return True

    async def _something(self) -> None:
        """Wait until there is something to read, or the end."""
        await self._news.wait()
        self._resumed = perf_counter_ns()


class _Late(Generic[T]):
    """A class, not an async generator, so that a loop over it may be left at any point."""

    def __init__(self, inbox: Inbox[T]) -> None:
        self._inbox = inbox

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._inbox._receive_late()
        except EndOfStream:
            raise StopAsyncIteration from None


def _capacity(settings: InboxSettings) -> int:
    if settings.policy == "latest":
        return 1
    if settings.ms is not None:
        return MOST_FRAMES
    return settings.frames or DEFAULT_FRAMES


def _length(frame: Frame) -> int:
    return frame.duration if isinstance(frame, AudioFrame) else 0
