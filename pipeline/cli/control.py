"""A run that others may look at, over a socket of its own: `pipeline top` and `pipeline tap`.

A Unix socket in a folder that only its user can enter. Whoever connects is told `{"pid": ...,
"config": ...}`, asks in one line for `{"top": true}` or `{"tap": [patterns]}`, and gets lines of
JSON until either side has had enough. Nobody who looks can make the run wait: what is not read in
time is left out, and counted.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream
from rich.console import Console

from pipeline.cli.peeking import Peek, describe, unmatched
from pipeline.cli.sampling import Sample, Sampler
from pipeline.cli.talk import Talk
from pipeline.frames import Frame, SessionEvent, TurnStarted, Usage
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
    """Whom one has reached."""

    pid: int
    config: str


class Ask(msgspec.Struct):
    """What is wanted."""

    top: bool = False
    tap: list[str] = []


class Snapshot(msgspec.Struct):
    """What `top` is told twice a second. facts: turns, tokens, the age of the session."""

    sample: Sample
    facts: list[str]


class Control(Observer):
    """Lets others look at a run. config: what runs."""

    def __init__(self, config: str) -> None:
        self._who = Who(os.getpid(), config)
        self._talk = Talk(Console(quiet=True))  # for what it counts

    @property
    def taps(self) -> Mapping[type[Frame], Callable[[str, Frame], None]]:
        counted = (TurnStarted, Usage, SessionEvent)
        return {kind: tap for kind, tap in self._talk.taps.items() if kind in counted}

    async def watch(self, run: Run) -> None:
        self._run = run
        if not hasattr(socket, "AF_UNIX"):
            return
        try:
            path = runtime_folder() / f"{self._who.pid}{SUFFIX}"
            path.unlink(missing_ok=True)
            listener = await anyio.create_unix_listener(path, mode=0o600)
        except OSError as error:  # which is no reason not to run
            logging.getLogger("pipeline").debug("`pipeline top` cannot see this run: %s", error)
            return
        try:
            async with listener:
                await listener.serve(self._answer)
        finally:
            path.unlink(missing_ok=True)

    async def _answer(self, stream: ByteStream) -> None:
        async with stream:
            try:
                await _send(stream, self._who)
                buffered = BufferedByteReceiveStream(stream)
                with anyio.fail_after(ASK_SECONDS):
                    line = await buffered.receive_until(b"\n", LONGEST_ASK)
                ask = msgspec.json.decode(line, type=Ask)
                await (self._tap(stream, ask.tap) if ask.tap else self._top(stream))
            except* GONE:
                pass
            except* msgspec.MsgspecError as wrong:
                logging.getLogger("pipeline").debug("cannot read what is asked: %s", wrong)

    async def _top(self, stream: ByteStream) -> None:
        sampler = Sampler(self._run)
        sampler.take()
        gone = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, stream, gone.set)
            while not gone.is_set():
                with anyio.move_on_after(TOP_SECONDS):
                    await gone.wait()
                sample = sampler.take()
                with suppress(*GONE):
                    await _send(stream, Snapshot(sample, self._talk.facts(sample.seconds)))

    async def _tap(self, stream: ByteStream, patterns: list[str]) -> None:
        if wrong := unmatched(self._run.graph, patterns):
            await _send(stream, {"error": wrong})
            return
        seen, shown = anyio.create_memory_object_stream[tuple[int, str, Frame]](MOST)
        lost = 0

        def tap(place: str, frame: Frame) -> None:
            nonlocal lost
            try:
                seen.send_nowait((self._run.now(), place, frame))
            except (anyio.WouldBlock, anyio.ClosedResourceError):
                lost += 1

        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, stream, seen.close)
            with suppress(*GONE), seen, shown, self._run.tapping(Peek(patterns), tap):
                async for at, place, frame in shown:
                    await _send(stream, describe(at, place, frame))
                    if lost:
                        left_out, lost = lost, 0
                        await _send(stream, {"left_out": left_out})


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


async def _until_gone(stream: ByteStream, leave: Callable[[], object]) -> None:
    """Call `leave` when the other side has gone. It is left to end by itself, as is what is being
    sent: to cancel either while its socket becomes ready makes asyncio complain."""
    try:
        while True:
            await stream.receive()
    except GONE:
        leave()


async def _send(stream: ByteStream, row: Any) -> None:
    await stream.send(msgspec.json.encode(row, enc_hook=str) + b"\n")
