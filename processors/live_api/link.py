"""Keeps a session connected: opens connections, sends and receives, and opens the next one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from random import Random

import anyio
import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from pipeline import SECOND, Context, Frame, Gap, SessionEvent, SettingError, Wakeup
from processors.live_api.backends import Backend
from processors.live_api.backoff import pause
from processors.live_api.connection import (
    LEFT,
    TOO_BIG,
    ConnectError,
    End,
    LiveApiError,
    decode,
    hang_up,
    how_it_ended,
    open_connection,
    send,
)
from processors.live_api.endings import NO_CLOSE_FRAME, Decision
from processors.live_api.messages import (
    SessionResumptionConfig,
    encode,
)
from processors.live_api.recording import Recorder
from processors.live_api.session import Session
from processors.live_api.settings import Reconnect, Stall

SETUP_SECONDS = 20.0
LONGEST_ATTEMPT_S = 60.0
"""How long an attempt to connect may take by itself, in seconds, besides the pause before it."""
UPDATE_WITHIN = SECOND
"""After a turn the service says what a new connection can go on from; a planned move waits for
that, lest the turn be asked for again."""
MOST_MALFORMED = 100
"""Frames in a row that cannot be read: then the other side is not the service."""


class Link:
    """A session's connections, one after the other.

    kind: whose service it is, for the recorder. resolve: address and credentials, asked before
    each connection. setup: the first message. deliver: takes what the session has to tell the
    graph. changed: called after each message.
    """

    def __init__(
        self,
        session: Session,
        *,
        kind: str,
        resolve: Callable[[], Awaitable[Backend]],
        setup: Callable[[Backend, SessionResumptionConfig | None], bytes],
        deliver: Callable[[Iterable[Frame]], Awaitable[None]],
        changed: Callable[[], None],
        nudge: Callable[[], Awaitable[None]],
        reconnect: Reconnect,
        stall: Stall | None,
        context: Context,
        recorder: Recorder | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._session = session
        self._kind = kind
        self._resolve = resolve
        self._setup = setup
        self._deliver = deliver
        self._changed = changed
        self._nudge = nudge
        self._reconnect = reconnect
        self._stall = stall
        self._context = context
        self._recorder = recorder
        self._ca_file = ca_file
        self._socket: ClientConnection | None = None
        self._connection = 0
        self._sending = False
        self._sent = Wakeup()
        self._rescheduled = Wakeup()
        self._random = Random()
        self._malformed = 0
        self._nudges = False
        """Ask the model to go on as soon as there is a connection."""
        self._failing_since: int | None = None
        self._failed_at = 0
        self._longest_attempt = round((reconnect.longest_s + LONGEST_ATTEMPT_S) * SECOND)
        self._settles_at = 0

    async def run(self) -> None:
        """Stay connected until cancelled. Raises LiveApiError when that is not possible."""
        while True:
            problem: ConnectError | None = None
            end = End()
            try:
                end = await self._one_connection()
            except ConnectError as error:
                problem = error
            now = self._context.now()
            code, reason = (end.code, end.reason) if end.by == "server" else (NO_CLOSE_FRAME, "")
            handle = self._session.handle
            frames, decision = self._session.closed(code, reason, now)
            await self._deliver(frames)
            if handle is not None and self._session.handle is None:
                await self._deliver([SessionEvent("fresh", decision.ending.explanation, pts=now)])
            self._changed()
            if end.code == TOO_BIG and end.by == "client":
                self._context.log.warning("the service sent a message that is too large to take")
            await self._prepare_for_another(decision, problem, now)

    async def transmit(self) -> None:
        """Send what waits to be sent, in order, if a connection is open."""
        socket = self._socket
        if socket is None:
            return
        while self._sending:
            await self._sent.wait()
        self._sending = True
        try:
            while socket is self._socket and self._session.state == "open":
                item = self._session.next(self._context.now())
                if item is None:
                    break
                if isinstance(item, Gap):
                    await self._report(item)
                else:
                    await self._send(socket, encode(item))
        except ConnectionClosed:
            return  # whoever reads learns why
        finally:
            self._sending = False
            self._sent.wake()
        if self._should_leave(socket):
            await self._leave(socket)

    def reschedule(self) -> None:
        """The session has a new deadline."""
        self._rescheduled.wake()

    # --- one connection ---

    async def _one_connection(self) -> End:
        """How a connection ended that was opened. Raises ConnectError."""
        backend = await self._address()
        resumption = self._session.opening(self._context.now())
        first = self._setup(backend, resumption)
        async with open_connection(backend, self._ca_file) as socket:
            if self._recorder is not None:
                self._connection = self._recorder.opened(backend.url, self._kind)
            end = LEFT
            try:
                self._socket = socket
                await self._shake_hands(socket, first)
                async with anyio.create_task_group() as group:
                    group.start_soon(self._watch, socket)
                    group.start_soon(self._catch_up)
                    end = await self._receive(socket)
                    group.cancel_scope.cancel()
            except ConnectionClosed as error:
                end = how_it_ended(error)
            finally:
                self._socket = None
                if self._recorder is not None:
                    self._recorder.closed(self._connection, *end)
        return end

    async def _address(self) -> Backend:
        """Credentials that were good before are asked for again, as long as connections are."""
        try:
            return await self._resolve()
        except SettingError as error:
            if not self._session.begun:
                raise
            raise ConnectError(str(error), passing=True) from None

    async def _shake_hands(self, socket: ClientConnection, setup: bytes) -> None:
        with anyio.move_on_after(SETUP_SECONDS) as scope:
            await self._send(socket, setup)
            while not self._session.ready:
                await self._take_in(await socket.recv())
        if scope.cancelled_caught:
            raise ConnectError(f"no answer to the setup within {SETUP_SECONDS:g} s", passing=True)

    async def _catch_up(self) -> None:
        """Send what waits, while whatever comes is read already."""
        await self.transmit()
        if self._nudges:
            self._nudges = False
            await self._nudge()

    async def _receive(self, socket: ClientConnection) -> End:
        """Read at all times, whatever waits downstream, so that no interruption waits."""
        try:
            while True:
                await self._take_in(await socket.recv())
                if self._should_leave(socket):
                    await self._leave(socket)
        except ConnectionClosed as error:
            return how_it_ended(error)

    async def _take_in(self, data: bytes | str) -> None:
        if self._recorder is not None:
            self._recorder.received(self._connection, data)
        try:
            message = decode(data)
        except msgspec.DecodeError as error:
            self._skip(error)
            return
        self._malformed = 0
        now = self._context.now()
        await self._deliver(self._session.received(message, now))
        self._changed()
        content, update = message.server_content, message.session_resumption_update
        if update is not None and update.new_handle:
            self._settles_at = now
        elif content is not None and content.turn_complete and self._session.resumption.wanted:
            self._settles_at = now + UPDATE_WITHIN
            self.reschedule()
        if message.go_away is not None or self._session.repeats:
            self.reschedule()

    def _skip(self, error: msgspec.DecodeError) -> None:
        self._malformed += 1
        self._context.dropped("a malformed message of the service")
        if self._malformed == 1:
            self._context.log.warning("the service sent what is no Live API message: %s", error)
        if self._malformed > MOST_MALFORMED:
            raise LiveApiError(f"the service sends what is no Live API message: {error}")

    async def _send(self, socket: ClientConnection, data: bytes) -> None:
        if self._recorder is not None:
            self._recorder.sent(self._connection, data)
        await send(socket, data)

    async def _report(self, gap: Gap) -> None:
        seconds = gap.duration / SECOND
        self._context.log.warning("%.2f s of sound waited too long and were given up", seconds)
        self._context.dropped("waited too long for a connection")
        detail = f"{seconds:.3f} s"
        await self._deliver([gap, SessionEvent("gap", detail, pts=gap.pts)])

    # --- leaving in time ---

    def _should_leave(self, socket: ClientConnection) -> bool:
        deadline = self._session.next_deadline()
        if deadline is None or socket is not self._socket:
            return False
        now = self._context.now()
        return self._session.should_leave(now) and now >= min(self._settles_at, deadline)

    async def _watch(self, socket: ClientConnection) -> None:
        """Leave when time is up, and do something about a model that has fallen silent."""
        while True:
            with anyio.move_on_after(self._seconds_to_next_check()):
                await self._rescheduled.wait()
            if self._session.repeats:
                await self.transmit()
            if self._should_leave(socket):
                await self._leave(socket)
                return
            now = self._context.now()
            if self._stall is not None and self._is_stalled(now, self._stall):
                await self._end_stall(socket, self._stall)

    def _seconds_to_next_check(self) -> float:
        """Until the deadline of the connection, or until silence becomes a stall."""
        now = self._context.now()
        times = [3600.0]
        deadline = self._session.next_deadline()
        if deadline is not None and self._session.state == "open":
            times.append((deadline - now) / SECOND)
            if self._settles_at > now:
                times.append((self._settles_at - now) / SECOND)
        if self._stall is not None:
            since = self._session.stalled_since()
            silent = (now - since) / SECOND if since is not None else 0.0
            times.append(self._stall.after_s - silent)
        return max(0.001, min(times))

    def _is_stalled(self, now: int, stall: Stall) -> bool:
        since = self._session.stalled_since()
        return since is not None and now - since >= stall.after_s * SECOND - 1_000_000

    async def _end_stall(self, socket: ClientConnection, stall: Stall) -> None:
        now = self._context.now()
        said = f"the model has said nothing for {stall.after_s:g} s"
        self._context.log.warning("%s", said)
        await self._deliver([SessionEvent("stall", stall.then, pts=now)])
        self._session.stall_handled(now)
        self._changed()
        if stall.then == "fail":
            raise LiveApiError(f"{said}, though it owes an answer", passing=True)
        if stall.then == "nudge":
            await self._nudge()
        else:
            self._nudges = self._session.keeps_nothing
            await self._leave(socket)

    async def _leave(self, socket: ClientConnection) -> None:
        """Close the connection before the next is opened: the service wants it in this order."""
        self._session.leave()
        await hang_up(socket)

    # --- the next one ---

    async def _prepare_for_another(
        self, decision: Decision, problem: ConnectError | None, now: int
    ) -> None:
        """Wait if need be; raises LiveApiError when it makes no sense to go on."""
        session = self._session
        never = not session.begun
        if not session.failures:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = now
        elif now - self._failed_at > self._longest_attempt:  # the machine has slept meanwhile
            self._failing_since += now - self._failed_at
        self._failed_at = now
        failing = (now - self._failing_since) / SECOND if self._failing_since is not None else 0.0
        what = str(problem) if problem else str(decision)
        if problem is not None and not (problem.passing and (problem.answered or not never)):
            raise problem
        if not decision.again or self._reconnect.for_s == 0:
            did = "refused" if never else "ended"
            raise LiveApiError(f"the service {did} the session: {what}", passing=decision.again)
        if failing >= self._reconnect.for_s:
            raise LiveApiError(
                f"no connection for {failing:.0f} s, {session.failures} attempts: {what}",
                passing=True,
            )
        if not decision.planned:
            kept = "" if session.handle else ", without the conversation so far"
            self._context.log.warning("%s: connecting again%s", what, kept)
        if decision.pause:
            await anyio.sleep(pause(session.failures, self._reconnect, self._random))
