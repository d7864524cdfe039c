"""Replays: the local Live API plays the service's part of a recording, and finds where the client
does not play its own.

The k-th connection gets what the k-th of the recording got. A message of the service is sent once
all that the client had sent before it has come, after the pause of the recording. Clients are
compared by what they mean: a setup by its fields, text and the answers to calls as they are,
streamed audio by its seconds and images by their number between one act and the next. Answers
belong to their calls by id, in whatever order they come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path

import anyio
import msgspec
from websockets.exceptions import ConnectionClosed

from pipeline import Finding, Place
from processors.live_api.recording import Closed, Opened, Received, read_recording
from processors.local_live_api.acts import Act, Media, acts_of
from processors.local_live_api.faulty_socket import FaultySocket
from processors.local_live_api.recorded import Expected, Part, Step, Stretch, handles_of, part_of
from processors.local_live_api.refusal import POLICY, RefusedError, is_sendable
from processors.local_live_api.service import Service
from processors.local_live_api.switches import Switches

PATIENCE_S = 5.0
"""So much longer than in the recording streamed input may stay away before it counts as missing."""
TAIL_S = 0.5
"""The same where so little is missing that it does not matter."""
AWAITED = {"setupComplete", "serverContent", "toolCall"}
"""What a client does not leave without having got it."""

Report = Callable[[int, str], None]
"""Takes a line of the recording, and what is wrong there."""


class Replay:
    """A recording, and how far the connections to a server have come with it.

    Raises SettingError where the file is no recording.
    """

    def __init__(self, path: str | Path, service: Service) -> None:
        lines = read_recording(path)
        self._file = str(path)
        self._service = service
        self._last_line = lines[-1].number
        self._handles = list(handles_of(lines))
        opened = [line.event.connection for line in lines if isinstance(line.event, Opened)]
        self._parts = [
            part_of([line for line in lines if line.event.connection == number])
            for number in opened
        ]
        self._players: list[_Player] = []

    async def play(self, socket: FaultySocket) -> None:
        """Play the next connection, until it ends."""
        number = len(self._players)
        if number == len(self._parts):
            what = f"the recording has no more than {number} connections"
            self._report(self._last_line, what)
            with suppress(ConnectionClosed):
                await socket.close(POLICY, f"simulation: {what}")
            return
        part, switches = self._parts[number], self._service.switches
        player = _Player(part, socket, switches, self._handles, self._report)
        self._players.append(player)
        await player.run()

    def left_over(self) -> list[Finding]:
        """What of the recording no connection has come to, so far."""
        unmade = self._parts[len(self._players) :]
        return [
            self._finding(line, what) for player in self._players for line, what in player.ahead()
        ] + [self._finding(part.line, "this connection was never made") for part in unmade]

    def _report(self, line: int, what: str) -> None:
        self._service.found([self._finding(line, what)])

    def _finding(self, line: int, what: str) -> Finding:
        return Finding("replay", what, Place(self._file, line, 1))


class _Player:
    """Plays one connection: one side reads and compares, the other sends what is due."""

    def __init__(
        self,
        part: Part,
        socket: FaultySocket,
        switches: Switches,
        handles: Sequence[str],
        report: Report,
    ) -> None:
        self._part = part
        self._socket = socket
        self._switches = switches
        self._handles = handles
        self._report = report
        self._acts = self._settled = self._steps = 0
        """How many acts have come, stretches been compared, and steps been done."""
        self._answered: set[int] = set()
        """The numbers of the answers that have come."""
        self._media = Media()
        """What has been streamed since the last stretch that was compared."""
        self._given_up = False
        """That stretch has been found to be too short."""
        self._changed = anyio.Event()

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._send)
                await self._read()
                group.cancel_scope.cancel()
        except* RefusedError as refusals:
            (refusal,) = refusals.exceptions
            assert isinstance(refusal, RefusedError)
            await self._socket.close(refusal.code, refusal.reason)
        finally:
            if self._acts == len(self._part.acts):
                self._settle()

    def ahead(self) -> Iterator[tuple[int, str]]:
        """The next thing, and where it stands, that the connection has not come to."""
        part = self._part
        missing = part.acts[self._acts :] + [
            answer for n, answer in enumerate(part.answers) if n not in self._answered
        ]
        if missing:
            first = min(missing, key=lambda expected: expected.line)
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            yield first.line, f"never came: {first.act}{more}"
            return
        stretch = self._stretch()
        if not self._given_up and not self._media.nearly_covers(stretch.media):
            yield stretch.line, "; ".join(self._media.differences(stretch.media))
            return
        for step in part.steps[self._steps :]:
            if name := _awaited(step.event):
                yield step.line, f"the client did not wait for this {name}"
                return

    # --- what the client does ---

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                for item in acts_of(await self._socket.recv()):
                    self._take(item)
                self._changed.set()
                self._changed = anyio.Event()

    def _take(self, item: Act | Media) -> None:
        if isinstance(item, Act):
            if item.kind == "answer" and self._acts:
                self._take_answer(item)
            else:
                self._take_act(item)
        elif not self._acts:
            self._refuse("media", self._part.acts[:1])
        else:
            self._media = self._media.plus(item)

    def _take_act(self, act: Act) -> None:
        following = self._part.acts[self._acts : self._acts + 2]
        kinds = [expected.act.kind for expected in following]
        if act.kind in kinds[1:] and act.kind != kinds[0] != "setup":
            self._report(following[0].line, f"expected {following[0].act}, got {act}")
            self._acts += 1
            del following[0]
        elif kinds[:1] != [act.kind]:
            if "setup" in (act.kind, *kinds[:1]) or act.kind == "frame":
                self._refuse(act, following)
            self._report(*self._unexpected(act, following))
            return
        for what in act.differences(following[0].act, self._handles):
            self._report(following[0].line, what)
        self._settle()
        self._acts += 1

    def _take_answer(self, answer: Act) -> None:
        left = [
            (number, expected)
            for number, expected in enumerate(self._part.answers)
            if number not in self._answered
            and expected.act.id == answer.id
            and (answer.id or expected.act.name == answer.name)
        ]
        if not left:
            self._report(*self._unexpected(answer, self._part.acts[self._acts :]))
            return
        number, expected = min(left, key=lambda item: bool(answer.differences(item[1].act)))
        for what in answer.differences(expected.act):
            self._report(expected.line, what)
        self._answered.add(number)

    def _unexpected(self, got: object, following: Sequence[Expected]) -> tuple[int, str]:
        if following:
            return following[0].line, f"expected {following[0].act}, got {got}"
        return self._part.last_line, f"expected nothing more, got {got}"

    def _refuse(self, got: object, following: Sequence[Expected]) -> None:
        """End a connection that cannot go on."""
        line, what = self._unexpected(got, following)
        self._report(line, what)
        raise RefusedError(f"simulation: {what}", POLICY)

    def _stretch(self) -> Stretch:
        """What is recorded since the last stretch that was compared."""
        unsettled = self._part.stretches[self._settled : self._acts + 1]
        return reduce(Stretch.joined, unsettled, Stretch())

    def _settle(self) -> None:
        """The stretch is over: compare it."""
        stretch = self._stretch()
        following = self._part.acts[self._acts : self._acts + 1]
        line = stretch.line or (following[0].line if following else self._part.last_line)
        if not self._given_up:
            for what in self._media.differences(stretch.media):
                self._report(line, what)
        self._settled = self._acts + 1
        self._media, self._given_up = Media(), False

    # --- what the service did ---

    async def _send(self) -> None:
        due = anyio.current_time()
        with suppress(ConnectionClosed):
            for step in self._part.steps:
                if await self._wait(step):
                    due = anyio.current_time()
                due += step.pause
                await anyio.sleep_until(due)
                if isinstance(step.event, Closed):
                    self._steps += 1
                    await self._close(step.event)
                else:
                    await self._socket.send(_frame(step.event, self._switches))
                    self._steps += 1

    async def _wait(self, step: Step) -> bool:
        """For the client to come as far as that; whether it was not there yet."""
        waited = False
        while not (self._acted(step) and self._streamed(step)):
            waited = True
            patience = math.inf
            if self._acted(step):
                patience = step.gap + (
                    TAIL_S if self._media.nearly_covers(step.media) else PATIENCE_S
                )
            with anyio.move_on_after(patience) as scope:
                await self._changed.wait()
            if scope.cancelled_caught:
                if not self._media.nearly_covers(step.media):
                    self._given_up = True
                    for what in self._media.differences(step.media):
                        self._report(self._stretch().line, what)
                break
        return waited

    def _acted(self, step: Step) -> bool:
        answered = all(number in self._answered for number in range(step.answers))
        return answered and self._acts >= step.acts

    def _streamed(self, step: Step) -> bool:
        return self._acts > step.acts or self._given_up or self._media.covers(step.media)

    async def _close(self, close: Closed) -> None:
        if close.by == "nobody" or not is_sendable(close.code):
            self._socket.abort()
        else:
            short = RefusedError(close.reason, close.code)
            await self._socket.close(short.code, short.reason)


def _frame(event: Received, switches: Switches) -> bytes | str:
    if event.message is None:
        data = event.raw or b""
    else:
        data = msgspec.json.encode(event.message)
        if switches.pretty:
            data = msgspec.json.format(data, indent=2) + b"\n"
    return data if switches.frames == "binary" else data.decode(errors="replace")


def _awaited(event: Received | Closed) -> str:
    """What a client has to wait for, if it is that."""
    if isinstance(event, Closed):
        return f"close {event.code} {event.reason}".rstrip()
    return next((name for name in event.message or () if name in AWAITED), "")
