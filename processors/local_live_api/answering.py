"""The side that answers: prompts become steps, steps a turn of the model's."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import anyio
from anyio import to_thread
from websockets.exceptions import ConnectionClosed

from processors.live_api.messages import (
    ServerContent,
    ServerMessage,
    Setup,
    ToolCallCancellation,
    UsageMetadata,
)
from processors.local_live_api.admission import abilities_of
from processors.local_live_api.context import Tokens, text_tokens, total
from processors.local_live_api.floor import Cue, Floor
from processors.local_live_api.generation import Generation, transcriptions
from processors.local_live_api.history import Heard
from processors.local_live_api.memory import Session
from processors.local_live_api.refusal import POLICY, RefusedError
from processors.local_live_api.rules import answer
from processors.local_live_api.scenario import Prompt, Turn
from processors.local_live_api.service import Service
from processors.local_live_api.steps import Step
from processors.local_live_api.usage import fit_context, usage

LEFT_BEHIND = Prompt("silence")
"""Stands for the turn that the last connection left unfinished: nobody asks for it anew."""


class Answerer:
    """Answers the prompts of one connection, in order, as the scenario or the rules say.

    go_away: brings the end of the connection forward. update: sends a handle for what is now.
    """

    def __init__(
        self,
        setup: Setup,
        session: Session,
        service: Service,
        floor: Floor,
        send: Callable[[ServerMessage], Awaitable[None]],
        go_away: Callable[[float], Awaitable[None]],
        update: Callable[[], Awaitable[None]],
    ) -> None:
        self._setup = setup
        self._session = session
        self._service = service
        self._switches = service.switches
        self._floor = floor
        self._send = send
        self._go_away = go_away
        self._update = update

    async def run(self) -> None:
        memory = self._session.memory
        try:
            if memory.blocked or memory.todo:
                await self._turn(self._floor.take(LEFT_BEHIND))
            elif memory.unfinished:
                memory.turns -= 1  # it begins anew when it is asked for anew
                memory.unfinished = False
            while True:
                cue = await self._next()
                await self._take_in(cue)
                memory.todo = tuple(self._steps(cue.prompt))
                await self._turn(cue, latency_s=self._switches.latency_ms / 1000)
        except ConnectionClosed:
            pass
        finally:
            for cue in self._floor.left():
                self._remember(cue)

    async def _next(self) -> Cue:
        """What the user does next; doing nothing for long enough counts where it is expected."""
        turn = self._scripted()
        silence = turn.silence_s if turn else None
        while True:
            with anyio.move_on_after(math.inf if silence is None else silence):
                return await self._floor.next()
            if not self._session.memory.ear.speaking:
                return self._floor.take(Prompt("silence", seconds=silence or 0.0))

    def _scripted(self) -> Turn | None:
        script = self._service.script
        return script.turn(self._session.memory.turns) if script else None

    async def _take_in(self, cue: Cue) -> None:
        """What the user said or typed becomes history."""
        self._remember(cue)
        if cue.prompt.kind in ("speech", "activity"):
            words = await self._recognise()
            if words:
                self._session.memory.hear_words(words)
                for content in transcriptions(words, self._setup, self._switches):
                    await self._send_content(content)
        memory = self._session.memory
        memory.history = fit_context(memory, self._setup, self._switches)

    def _remember(self, cue: Cue) -> None:
        memory, prompt = self._session.memory, cue.prompt
        if cue.answered is not None:
            memory.remember(cue.answered)
        elif prompt.kind == "text":
            memory.remember(Heard(prompt.text, images=memory.images))
            memory.images = 0
        elif prompt.kind in ("speech", "activity"):
            heard = Heard(None, "spoken", round(prompt.seconds, 2), memory.images)
            memory.remember(heard, spoken_s=self._billed(prompt.seconds))
            memory.images, memory.unanswered_s = 0, 0.0

    def _billed(self, spoken_s: float) -> float:
        """Seconds of audio that count: all of it, or only what was said (`turnCoverage`)."""
        config = self._setup.realtime_input_config
        coverage = config.turn_coverage if config else None
        if coverage is None:
            everything = self._session.backend == "vertex"
        else:
            everything = coverage == "TURN_INCLUDES_ALL_INPUT"
        return self._session.memory.unanswered_s if everything else spoken_s

    async def _recognise(self) -> str | None:
        recogniser = self._service.recogniser
        if recogniser is None:
            return None
        samples, rate = self._session.memory.ear.utterance()
        return await to_thread.run_sync(recogniser.words, samples, rate)

    def _steps(self, prompt: Prompt) -> list[Step]:
        turn, script = self._scripted(), self._service.script
        if turn is None or script is None:
            return self._ruled()
        findings = script.check(self._session.memory.turns, prompt)
        self._service.found(findings)
        if prompt.kind != turn.kind and findings:
            raise RefusedError(f"simulation: {findings[0].message}", POLICY)
        self._session.memory.turns += 1
        self._session.memory.unfinished = True
        return turn.then

    def _ruled(self) -> list[Step]:
        memory = self._session.memory
        return answer(memory.entries, abilities_of(self._setup, memory.instruction))

    def _more(self) -> list[Step]:
        """What follows from answers to calls, where no scenario says it."""
        scripted = self._service.script is not None and self._session.memory.unfinished
        return [] if scripted else self._ruled()

    async def _turn(self, cue: Cue, latency_s: float = 0.0) -> None:
        memory = self._session.memory
        asked_with = total(memory.history) + Tokens(text=text_tokens(memory.instruction))

        async def complete() -> None:
            backend = self._session.backend
            counts = usage(asked_with, generation.tokens, generation.thoughts, backend)
            await self._complete(counts)

        async def suspend() -> None:
            if self._switches.generation_complete:
                await self._send_content(ServerContent(generation_complete=True))
            await complete()

        self._floor.generation = generation = Generation(
            self._setup,
            memory,
            self._switches,
            self._send,
            self._go_away,
            scope=cue.scope,
            suspend=suspend,
            fills=self._service.script is not None,
        )
        try:
            finished = await generation.perform(self._more, latency_s)
        finally:
            self._floor.generation = None
        self._floor.over()
        if not finished:
            if generation.silent and cue.prompt.kind in ("speech", "activity"):
                self._take_back()  # the user has only paused
                return
            if memory.todo and memory.unfinished:
                memory.cut_short = (*memory.cut_short, (memory.turns - 1, memory.todo))
            memory.todo = ()
            if not generation.suspended:
                await self._send_content(ServerContent(interrupted=True))
            await self._cancel_calls()
        memory.unfinished = False
        if not generation.suspended:
            await complete()
        if self._switches.updates == "turns":
            await self._update()

    def _take_back(self) -> None:
        """The turn has not begun: it begins when the user is done."""
        memory = self._session.memory
        if memory.unfinished:
            memory.turns -= 1
        memory.todo, memory.unfinished = (), False

    async def _complete(self, counts: UsageMetadata) -> None:
        status = "IDLE" if self._switches.status else ""
        done = ServerContent(turn_complete=True, interaction_status=status)
        together = self._switches.usage == "turn"
        await self._send(
            ServerMessage(server_content=done, usage_metadata=counts if together else None)
        )
        if self._switches.usage == "own":
            await self._send(ServerMessage(usage_metadata=counts))

    async def _cancel_calls(self) -> None:
        calls = [call for call in self._session.memory.pending if call.blocking]
        for call in calls:
            self._session.memory.settle(call)
        ids = [call.id for call in calls if call.id]
        if ids:
            cancellation = ToolCallCancellation(ids=ids)
            await self._send(ServerMessage(tool_call_cancellation=cancellation))

    async def _send_content(self, content: ServerContent) -> None:
        await self._send(ServerMessage(server_content=content))
