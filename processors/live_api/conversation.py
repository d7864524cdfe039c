"""A conversation between a graph and the service: one run of the Live transport."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import anyio
from msgspec.structs import replace

from pipeline import (
    SECOND,
    AudioFrame,
    Context,
    Frame,
    Inbox,
    InboxSettings,
    Instruction,
    Interruption,
    Outbox,
    PipelineError,
    SessionEvent,
    TextFrame,
    ToolResult,
    Wakeup,
)
from processors.live_api.backends import Backend
from processors.live_api.capabilities import context_window
from processors.live_api.connection import LiveApiError
from processors.live_api.frame_types import Gives, Takes
from processors.live_api.handle_keeper import HandleKeeper
from processors.live_api.input import InputSide, history_turns, system_turn
from processors.live_api.intake import Intake
from processors.live_api.limit import session_slot
from processors.live_api.link import Link
from processors.live_api.messages import SessionResumptionConfig, encode_setup
from processors.live_api.models import find_model
from processors.live_api.patience import Patience
from processors.live_api.recording import Recorder
from processors.live_api.response_parts import ResponseParts
from processors.live_api.session import Resumption, Session
from processors.live_api.settings import Options
from processors.live_api.setup import Wishes, build_setup, full_instruction, history_of
from processors.live_api.tokens import TokenCount
from processors.live_api.tools import collect_declarations

UNREAD_FRAMES = 4096
TOOL_SECONDS = 3600.0
"""A tool has a time limit of its own; this is for one that never answers."""
PAUSE = SECOND
"""The service wants to be told when audio pauses for longer than this."""
MOVE_WITHIN = 60 * SECOND
"""A new instruction waits no longer than this for the end of a turn."""


class Conversation:
    """Passes the graph's frames to the service and the service's to the graph.

    resolve: address and credentials of the service, asked before each connection.
    """

    def __init__(
        self,
        options: Options,
        wishes: Wishes,
        context: Context,
        inbox: Inbox[Takes],
        outbox: Outbox[Gives],
        resolve: Callable[[], Awaitable[Backend]],
        recorder: Recorder | None,
    ) -> None:
        self._options = options
        self._wishes = wishes
        self._context = context
        self._inbox = inbox
        self._outbox = outbox
        self._declarations: list[dict[str, Any]] = []
        self._background: set[str] = set()
        """Functions that run beside the conversation."""
        self._tools_ended = False
        self._intake = Intake(int(options.reconnect.hold_s * SECOND))
        self._typed: deque[TextFrame | Instruction] = deque()
        """Lines that wait until the model has finished."""
        self._queue: Inbox[Frame] = Inbox(InboxSettings(UNREAD_FRAMES), set(), _drops_nothing)
        """What waits for the graph, so that what the service sends never waits to be read."""
        self._sign_of_life = Wakeup()
        self._finished = Wakeup()
        self._pause_due = 0
        self._sending = False
        """Whether a frame of the input is on its way to the service."""
        self._something_due = Wakeup()
        self._tended_at: float = math.inf
        """When it will be looked at next what is due without a frame."""
        self._patience = Patience(options.patience_s)
        self._parts = ResponseParts()
        self._keeper: HandleKeeper | None = None
        self._session = self._new_session()
        self._input = self._new_input()
        self._link = Link(
            self._session,
            kind=options.kind or "",
            resolve=resolve,
            setup=self._setup_message,
            deliver=self._deliver,
            changed=self._show_life,
            nudge=self._nudge,
            reconnect=options.reconnect,
            stall=options.stall,
            context=context,
            recorder=recorder,
            ca_file=options.ca_file,
        )

    async def run(self) -> None:
        """Talk until the input has ended and everything is answered. Raises LiveApiError."""
        inbox, session = self._inbox, self._session
        declarations, early = await collect_declarations(inbox)
        self._declarations = declarations + self._options.functions
        self._background = {
            declared["name"]
            for declared in self._declarations
            if declared.get("behavior") == "NON_BLOCKING" and "name" in declared
        }
        async with session_slot(self._options.account, self._options.limit, self._say_it_waits):
            if self._keeper is not None:
                await self._keeper.restore()
            async with anyio.create_task_group() as group:
                group.start_soon(_pass_on, self._queue, self._outbox)
                failure: BaseExceptionGroup[PipelineError] | None = None
                try:
                    await self._converse(early)
                except* PipelineError as error:
                    failure = error
                await self._pass(session.finish(self._context.now()))
                self._queue.end()
            if failure is not None:  # what came before has been passed on
                raise failure

    def silenced(self, turn: int) -> None:
        """A turn was stopped elsewhere in the graph, as by a speaker that hears the user."""
        self._session.dialogue.silenced(turn, self._context.now())

    async def _say_it_waits(self, open_sessions: int) -> None:
        self._context.log.warning(
            "waiting for one of %d sessions to end: see the setting `limit`", open_sessions
        )
        detail = f"for one of {open_sessions} sessions to end"
        await self._outbox.send(SessionEvent("waiting", detail, pts=self._context.now()))

    async def _converse(self, early: Sequence[Takes]) -> None:
        async with anyio.create_task_group() as connected:
            connected.start_soon(self._link.run)
            connected.start_soon(self._type)
            connected.start_soon(self._tend)
            if self._keeper is not None:
                connected.start_soon(self._keeper.run)
            await self._talk(early)
            connected.start_soon(self._send_late)
            await self._wait_for_answers()
            connected.cancel_scope.cancel()

    def _new_session(self) -> Session:
        options, resumption = self._options, self._options.resumption
        window = None if self._wishes.compression else context_window(options.model or "")
        session = Session(
            self._context.new_turn,
            Resumption(resumption is not None, bool(resumption and resumption.transparent)),
            keep=int(options.reconnect.hold_s * SECOND),
            tokens=TokenCount(window),
            history=history_turns(history_of(self._wishes.history))
            if self._wishes.history
            else None,
        )
        session.dialogue.transcribed = self._wishes.transcribe.user
        if resumption is not None and resumption.file is not None:
            path, model = Path(resumption.file), options.model or ""
            self._keeper = HandleKeeper(path, model, session, self._context.log)
        return session

    def _new_input(self) -> InputSide:
        options = self._options
        by_moving = options.kind == "gemini_api"
        vad = self._wishes.vad
        known = find_model(options.model or "")
        return InputSide(
            self._session,
            automatic=vad is None or vad.automatic,
            realtime_text=not known.content if known else options.realtime_text,
            image_every=int(options.image_interval_s * SECOND),
            instruct=self._move_to_instruct if by_moving else self._instruct,
        )

    def _setup_message(self, backend: Backend, resumption: SessionResumptionConfig | None) -> bytes:
        setup = build_setup(backend.model, self._wishes, self._declarations)
        setup.session_resumption = resumption
        return encode_setup(setup, self._options.setup)

    def _instruct(self, text: str) -> None:
        """Change the instruction where the service takes it in mid-session."""
        self._wishes = replace(self._wishes, instruction=text)
        full = full_instruction(text, self._wishes.speak_only)
        self._session.send(system_turn(full))

    def _move_to_instruct(self, text: str) -> None:
        """Change the instruction with the setup of the next connection."""
        self._wishes = replace(self._wishes, instruction=text)
        self._session.move_by(self._context.now() + MOVE_WITHIN)
        self._link.reschedule()

    async def _nudge(self) -> None:
        self._input.nudge()
        await self._link.transmit()

    # --- to the service ---

    async def _talk(self, early: Sequence[Takes]) -> None:
        """Send the input, until it ends; tell the service when audio pauses or ends."""
        for earlier in early:
            await self._say(earlier)
        async for frame in self._inbox:
            await self._say(frame)
        if self._input.image_due() is not None:
            self._input.send_due_image(1 << 62)
        if self._input.streaming:
            self._input.pause()
        await self._link.transmit()

    async def _say(self, frame: Takes) -> None:
        self._sending = True
        await self._send(frame)
        self._sending = False
        if self._due() < self._tended_at:
            self._something_due.wake()

    async def _tend(self) -> None:
        """Do what has to be done while no frame comes: a task of its own, since a time limit on
        the wait for each frame would be set and lifted fifty times a second.
        """
        while True:
            self._tended_at = math.inf if self._sending else self._due()
            wait = (self._tended_at - self._context.now()) / SECOND
            with anyio.move_on_after(max(0.0, wait)) as waiting:
                await self._something_due.wait()
            soon = self._context.now() + 1_000_000
            if waiting.cancelled_caught and not self._sending and self._due() <= soon:
                await self._while_waiting(soon)

    def _due(self) -> float:
        """When something has to be done without a frame."""
        image = self._input.image_due()
        due = math.inf if image is None else image
        return min(due, self._pause_due) if self._input.streaming else due

    async def _while_waiting(self, soon: int) -> None:
        self._input.send_due_image(soon)
        if self._input.streaming and self._pause_due <= soon:
            self._input.pause()
        await self._link.transmit()

    async def _type(self) -> None:
        """Send the lines that wait, each when the one before it has been answered."""
        while True:
            if self._typed and not self._is_answering():
                await self._take(self._typed.popleft())
            else:
                await self._finished.wait()

    def _is_answering(self) -> bool:
        """Whether the model has to finish first.

        Sound alone may be silence, and asks nothing; a function in the background holds up nobody.
        """
        dialogue = self._session.dialogue
        calls = (call for call in dialogue.pending.values() if call.name not in self._background)
        return bool(dialogue.turn or dialogue.asked or any(calls))

    async def _send(self, frame: Takes) -> None:
        if isinstance(frame, Instruction):  # it would cut the answer short
            self._typed.append(frame)
        elif self._options.typed == "wait" and isinstance(frame, TextFrame):
            self._typed.append(frame)
            self._finished.wake()
        else:
            await self._take(frame)

    async def _take(self, frame: Takes) -> None:
        if isinstance(frame, AudioFrame):
            await self._wait_for_room(frame)
        now = self._context.now()
        if isinstance(frame, AudioFrame):
            self._pause_due = now + PAUSE
        self._patience.renew(now)
        self._parts.heard(frame, now)
        learned = self._input.take(frame, now)
        if learned:
            await self._pass(learned)
        warning = self._session.tokens.warning(now)
        if warning is not None:
            await self._deliver([warning])
        await self._link.transmit()

    async def _wait_for_room(self, frame: AudioFrame) -> None:
        while not self._session.ready:
            wait = self._intake.wait(self._session.waiting_media, self._context.now())
            if wait == 0:
                self._intake.taken(frame.duration)
                return
            with anyio.move_on_after(math.inf if wait is None else wait / SECOND):
                await self._sign_of_life.wait()
        self._intake.connected()

    async def _send_late(self) -> None:
        async for frame in self._inbox.late():
            await self._send(frame)
            self._show_life()  # from here on it is for the service to react
        self._tools_ended = True
        self._show_life()

    # --- from the service ---

    async def _deliver(self, frames: Iterable[Frame]) -> None:
        now = self._context.now()
        for frame in frames:
            self._patience.saw(frame, now)
            for name, length in self._parts.saw(frame, now):
                self._context.measured(name, length, frame.turn)
            if isinstance(frame, Interruption):
                await self._outbox.send(frame)
            elif not self._queue.offer(frame):
                await self._queue.put(frame)
            if isinstance(frame, SessionEvent) and frame.kind == "context-low":
                self._context.log.warning(
                    "the context window is nearly full (%s); `compression: {}` would keep the "
                    "conversation going",
                    frame.detail,
                )

    async def _pass(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if not self._queue.offer(frame):
                await self._queue.put(frame)

    def _show_life(self) -> None:
        self._sign_of_life.wake()
        if self._typed:
            self._finished.wake()

    async def _wait_for_answers(self) -> None:
        """After the input has ended: until the service owes nothing, or no longer reacts."""
        session = self._session
        self._patience.renew(self._context.now())
        unconfirmed = session.unconfirmed
        while session.busy or self._typed or not session.begun:
            dialogue = session.dialogue
            if session.unconfirmed < unconfirmed:
                self._patience.renew(self._context.now())
            unconfirmed = session.unconfirmed
            soon = self._context.finishing and not (dialogue.surely_busy or self._typed)
            ends = self._patience.ends(dialogue.playhead, soon=soon)
            patience = (ends - self._context.now()) / SECOND
            if dialogue.pending and self._inbox.count_givers(ToolResult) and not self._tools_ended:
                patience = max(patience, TOOL_SECONDS)
            if not session.ready:  # the link has a limit of its own
                patience = math.inf
            with anyio.move_on_after(max(0.0, patience)) as scope:
                await self._sign_of_life.wait()
            if scope.cancelled_caught:
                silent = f"no sign of the service for {self._options.patience_s:g} s"
                if self._typed:
                    raise LiveApiError(f"{silent}: {len(self._typed)} typed lines were never sent")
                if not soon:
                    self._context.log.warning("%s: leaving", silent)
                return


async def _pass_on(frames: Inbox[Frame], outbox: Outbox[Gives]) -> None:
    """Waits for the graph where it must, so that the reader never does."""
    async for frame in frames:
        await outbox.send(cast(Gives, frame))


def _drops_nothing(reason: str, frames: int) -> None:
    raise AssertionError(f"{frames} frames were dropped: {reason}")
