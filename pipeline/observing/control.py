"""Runs that others may look at, over a socket: `pipeline top` and `pipeline tap`.

A Unix socket in a folder that only its user can enter. Whoever connects is told `{"pid": ...,
"config": ..., "sessions": ...}`, asks in one line for `{"top": true}`, of one session
`{"top": true, "session": ...}`, or for `{"tap": [patterns]}`, and gets lines of JSON until either
side has had enough. Nobody who looks can make a run wait: what is not read in time is left out,
and counted.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import ByteStream, SocketStream
from anyio.lowlevel import checkpoint
from anyio.streams.buffered import BufferedByteReceiveStream

from pipeline.errors import did_you_mean, innermost
from pipeline.frames import SECOND, Frame
from pipeline.observing.peeking import Peek, Wanted, describe, in_json, unmatched
from pipeline.observing.sampling import Sample, Sampler
from pipeline.observing.tally import Tally
from pipeline.runtime.observer import Observer
from pipeline.runtime.run import Run

SUFFIX = ".sock"
LONGEST_ASK = 16_384
ASK_SECONDS = 5.0
TOP_SECONDS = 0.5
MOST = 1_000
"""Frames that wait for one who taps."""
GONE = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.DelimiterNotFound,
    TimeoutError,
)


class Who(msgspec.Struct):
    """Whom one has reached. sessions: the names of those under way; None where one run goes on."""

    pid: int
    config: str
    sessions: list[str] | None = None


class Ask(msgspec.Struct):
    """What is wanted. tap: patterns, `SESSION/PLACE` where sessions are. session: which `top` is
    to show alone."""

    top: bool = False
    tap: list[str] = []
    session: str = ""


class Snapshot(msgspec.Struct):
    """What `top` is told twice a second. facts: turns, tokens, the age of the session."""

    sample: Sample
    facts: list[str]


class SessionState(msgspec.Struct):
    """One of many. waiting: frames in all its inboxes. dropped: frames so far."""

    name: str
    seconds: float
    waiting: int
    dropped: int
    facts: list[str]


class Overview(msgspec.Struct):
    """What `top` is told of many sessions."""

    sessions: list[SessionState]


class _Watched(Observer):
    """A run that can be looked at while it goes on."""

    def __init__(self, control: Control, session: str) -> None:
        self.session = session
        self.tally = Tally()
        self.run: Run
        self.is_over = False
        self._control = control

    @property
    def taps(self) -> Mapping[type[Frame], Callable[[str, Frame], None]]:
        return self.tally.taps

    async def watch(self, run: Run) -> None:
        self.run = run
        self._control.begins(self)
        try:
            await anyio.sleep_forever()
        finally:
            self.is_over = True
            self._control.ends(self)

    def state(self) -> SessionState:
        """It in a line."""
        seconds = self.run.now() / SECOND
        waiting = sum(inbox.depth for inbox in self.run.inboxes.values())
        dropped = self.run.report.drops.total()
        return SessionState(self.session, seconds, waiting, dropped, self.tally.facts(seconds))


class Control:
    """Lets others look at runs of this process: `observer` for each, and `listen` beside them.

    config: what runs. serves: there are many, each a session with a name.
    """

    def __init__(self, config: str, *, serves: bool = False) -> None:
        self._config = config
        self._serves = serves
        self._watched: list[_Watched] = []
        self._changed = anyio.Event()

    def observer(self, session: str = "") -> Observer:
        """For the run of a session."""
        return _Watched(self, session)

    def begins(self, watched: _Watched) -> None:
        """A run can be looked at from here on."""
        self._watched.append(watched)
        self._notify()

    def ends(self, watched: _Watched) -> None:
        """No longer."""
        self._watched.remove(watched)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def listen(self) -> None:
        """Answer those who ask, until cancelled; where there are no Unix sockets, do nothing."""
        if not hasattr(socket, "AF_UNIX"):
            return
        try:
            path = runtime_folder() / f"{os.getpid()}{SUFFIX}"
            path.unlink(missing_ok=True)
            listener = await anyio.create_unix_listener(path, mode=0o600)
        except OSError as error:  # which is no reason not to run
            logging.getLogger("pipeline").debug("`pipeline top` cannot see this run: %s", error)
            return
        try:
            async with listener:
                logging.getLogger("pipeline").debug("`pipeline top` can see this run at %s", path)
                await listener.serve(self._answer)
        finally:
            path.unlink(missing_ok=True)

    async def _answer(self, stream: SocketStream) -> None:
        async with stream:
            try:
                names = [watched.session for watched in self._watched] if self._serves else None
                await _send(stream, Who(os.getpid(), self._config, names))
                buffered = BufferedByteReceiveStream(stream)
                with anyio.fail_after(ASK_SECONDS):
                    line = await buffered.receive_until(b"\n", LONGEST_ASK)
                await self._reply(stream, msgspec.json.decode(line, type=Ask))
            except* GONE:
                pass
            except* Exception as wrong:  # which is nothing to the runs, nor to others who look
                logging.getLogger("pipeline").debug("cannot answer: %s", innermost(wrong))

    async def _reply(self, stream: SocketStream, ask: Ask) -> None:
        if ask.tap:
            await self._tap(stream, [Wanted.read(pattern) for pattern in ask.tap])
        elif self._serves and not ask.session:
            await self._overview(stream)
        elif chosen := self._called(ask.session or "*"):
            await self._top(stream, chosen[0])
        else:
            await _send(stream, {"error": self._nobody(ask.session)})

    def _called(self, pattern: str) -> list[_Watched]:
        return [watched for watched in self._watched if fnmatchcase(watched.session, pattern)]

    def _nobody(self, session: str) -> str:
        names = [watched.session for watched in self._watched]
        hint = did_you_mean(session, names) if names else "there is none"
        return f'no session is called "{session}"; {hint}'

    async def _top(self, stream: SocketStream, watched: _Watched) -> None:
        sampler = Sampler(watched.run)
        sampler.take()

        async def look() -> Snapshot | None:
            if watched.is_over:
                return None
            sample = sampler.take()
            return Snapshot(sample, watched.tally.facts(sample.seconds))

        await _repeat(stream, look)

    async def _overview(self, stream: SocketStream) -> None:
        async def look() -> Overview:
            states = []
            for watched in list(self._watched):
                states.append(watched.state())
                await checkpoint()  # those who talk come first, however many there are
            return Overview(states)

        await _repeat(stream, look)

    async def _tap(self, stream: SocketStream, wanted: list[Wanted]) -> None:
        if wrong := self._unmatched(wanted):
            await _send(stream, {"error": wrong})
            return
        seen, shown = anyio.create_memory_object_stream[tuple[int, str, str, Frame]](MOST)
        lost = 0

        def tap(watched: _Watched) -> Callable[[str, Frame], None]:
            def see(place: str, frame: Frame) -> None:
                nonlocal lost
                try:
                    seen.send_nowait((watched.run.now(), watched.session, place, frame))
                except (anyio.WouldBlock, anyio.ClosedResourceError):
                    lost += 1

            return see

        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, stream, seen.close)
            async with anyio.create_task_group() as following:
                following.start_soon(self._follow, wanted, tap, seen.close)
                with suppress(*GONE), seen, shown:
                    async for at, session, place, frame in shown:
                        row = describe(at, place, frame)
                        await _send(stream, {"session": session, **row} if self._serves else row)
                        if lost:
                            left_out, lost = lost, 0
                            await _send(stream, {"left_out": left_out})
                following.cancel_scope.cancel()
            await stream.send_eof()

    async def _follow(
        self,
        wanted: Sequence[Wanted],
        tap: Callable[[_Watched], Callable[[str, Frame], None]],
        close: Callable[[], None],
    ) -> None:
        """Tap the runs there are, and those that begin later, as long as there can be any."""

        async def follow(watched: _Watched, peek: Peek) -> None:
            with watched.run.tapping(peek, tap(watched)):
                while not watched.is_over:
                    await self._changed.wait()

        followed: set[_Watched] = set()
        async with anyio.create_task_group() as group:
            while True:
                followed.intersection_update(self._watched)
                for watched in set(self._watched) - followed:
                    places = [one.place for one in wanted if one.fits(watched.session)]
                    if places:
                        followed.add(watched)
                        group.start_soon(follow, watched, Peek(places))
                if not followed and all(one.is_name for one in wanted):
                    close()
                    return
                await self._changed.wait()

    def _unmatched(self, wanted: Sequence[Wanted]) -> str:
        """Why a pattern can never show anything; empty if all can."""
        for one in wanted:
            found = [watched for watched in self._watched if one.fits(watched.session)]
            if one.is_name and not found:
                return self._nobody(one.session)
            if found and (wrong := unmatched(found[0].run.graph, [one.place])):
                return wrong
        return ""


class ControlledRun(_Watched):
    """Lets others look at the only run of this process. config: what runs."""

    def __init__(self, config: str) -> None:
        super().__init__(Control(config), "")

    async def watch(self, run: Run) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._control.listen)
            await super().watch(run)


def runtime_folder() -> Path:
    """Where the sockets of this user's runs are. Raises OSError if others could get at it."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given and Path(given).is_dir():
        folder = Path(given) / "live-pipeline"
    else:
        folder = Path(tempfile.gettempdir()) / f"live-pipeline-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{folder} is open to others")
    return folder


async def _repeat(stream: SocketStream, look: Callable[[], Awaitable[Any]]) -> None:
    """Send what is seen, again and again, until it is None or the other side has gone."""
    gone = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(_until_gone, stream, gone.set)
        while not gone.is_set():
            with anyio.move_on_after(TOP_SECONDS):
                await gone.wait()
            row = await look()
            if row is None:
                break
            with suppress(*GONE):
                await _send(stream, row)
        await stream.send_eof()


async def _until_gone(stream: ByteStream, leave: Callable[[], object]) -> None:
    """Call `leave` when the other side has gone. It is left to end by itself, as is what is being
    sent: to cancel either while its socket becomes ready makes asyncio complain."""
    try:
        while True:
            await stream.receive()
    except GONE:
        leave()


async def _send(stream: ByteStream, row: Any) -> None:
    await stream.send(in_json(row))
