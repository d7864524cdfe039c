"""`pipeline top` and `pipeline tap`: looking at a run of another process."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import click
import msgspec
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pipeline.cli.screen import Picture, draw, draw_overview
from pipeline.cli.status import WRONG_INPUT
from pipeline.observing.control import SUFFIX, Ask, Overview, Snapshot, Who, runtime_folder

Looking = Callable[["_Lines", Who], Awaitable[int]]
LONGEST_LINE = 1 << 20


def top(pid: int | None, *, once: bool, session: str = "") -> int:
    """Show what a run is doing, until it ends or one has seen enough; the exit status.

    session: of a server, the one to be shown; otherwise there is a line for each.
    """
    return _look(pid, lambda lines, who: _top(lines, who, once, session))


def tap(patterns: Sequence[str], pid: int | None) -> int:
    """Print the frames at places of a run, one JSON object to a line; the exit status."""
    return _look(pid, lambda lines, _: _tap(lines, patterns))


class _RefusedError(Exception):
    """What is asked for cannot be shown; the text says why."""


class _Lines:
    """Lines of JSON to and from a run."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._buffered = BufferedByteReceiveStream(stream)

    async def ask(self, ask: Ask) -> None:
        await self._stream.send(msgspec.json.encode(ask) + b"\n")

    async def next(self) -> bytes:
        try:
            line = await self._buffered.receive_until(b"\n", LONGEST_LINE)
        except anyio.DelimiterNotFound:
            raise _RefusedError(f"more than {LONGEST_LINE >> 20} MiB came in one line") from None
        if line.startswith(b'{"error":'):
            raise _RefusedError(msgspec.json.decode(line)["error"])
        return line

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield await self.next()
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
            return  # the run is over


def _look(pid: int | None, what: Looking) -> int:
    if not hasattr(socket, "AF_UNIX"):
        click.echo("runs cannot be looked at on this system: it has no Unix sockets", err=True)
        return WRONG_INPUT
    try:
        return anyio.run(_connected, pid, what)
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        click.echo(f"cannot look at runs: {error}", err=True)
        return WRONG_INPUT


async def _connected(pid: int | None, what: Looking) -> int:
    found = [path async for path in _runs(pid)]
    if len(found) != 1:
        click.echo(_choice(found, pid), err=True)
        return WRONG_INPUT
    async with _opened(found[0][0]) as (lines, who):
        try:
            return await what(lines, who)
        except _RefusedError as error:
            click.echo(str(error), err=True)
            return WRONG_INPUT
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
            click.echo("it has just ended", err=True)
            return WRONG_INPUT


def _choice(found: list[tuple[Path, Who]], pid: int | None) -> str:
    if not found:
        which = "no run can be seen" if pid is None else f"no run with the process id {pid}"
        return f"{which}: start one with `pipeline run` or `pipeline serve`"
    runs = "\n".join(f"  --pid {who.pid}  {who.config}" for _, who in found)
    return f"several runs go on; say which one:\n{runs}"


async def _runs(pid: int | None) -> AsyncIterator[tuple[Path, Who]]:
    """Runs of this user; what processes that were killed have left is removed."""
    number = "*" if pid is None else pid
    for path in sorted(runtime_folder().glob(f"{number}{SUFFIX}")):
        try:
            async with _opened(path) as (_, who):
                pass
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except (OSError, anyio.IncompleteRead, anyio.EndOfStream, TimeoutError):
            pass  # it has ended meanwhile
        else:
            yield path, who


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[tuple[_Lines, Who]]:
    async with await anyio.connect_unix(path) as stream:
        lines = _Lines(stream)
        with anyio.fail_after(5):
            who = msgspec.json.decode(await lines.next(), type=Who)
        yield lines, who


async def _top(lines: _Lines, who: Who, once: bool, session: str) -> int:
    if session and who.sessions is None:
        raise _RefusedError("this is a run of its own: it has no sessions")
    await lines.ask(Ask(top=True, session=session))
    has_many = who.sessions is not None and not session
    title = f"{who.config}  process {who.pid}"
    title += f"  session {session}" if session else ""

    def drawn(row: bytes, width: int, height: int | None) -> list[Text]:
        if has_many:
            overview = msgspec.json.decode(row, type=Overview)
            return draw_overview(title, overview, width, height or len(overview.sessions) + 1)
        snapshot = msgspec.json.decode(row, type=Snapshot)
        picture = Picture(title, snapshot.sample, (), snapshot.facts)
        return draw(picture, width, height or 2 * len(snapshot.sample.nodes) + 8)

    console = Console(highlight=False)
    if once or not console.is_terminal:
        for line in drawn(await lines.next(), max(console.width, 80), None):
            if line.plain:
                console.print(line, soft_wrap=True)
        return 0
    with Live(console=console, screen=True, auto_refresh=False) as screen:
        async for row in lines:
            screen.update(Group(*drawn(row, console.width, console.height)), refresh=True)
    click.echo(f"the {'session' if session else 'run'} is over", err=True)
    return 0


async def _tap(lines: _Lines, patterns: Sequence[str]) -> int:
    await lines.ask(Ask(tap=list(patterns)))
    async for line in lines:
        try:
            out = sys.stdout.buffer
            out.write(line + b"\n")
            out.flush()
        except BrokenPipeError:  # `| head`
            sys.stderr.close()
            return 0
    return 0
