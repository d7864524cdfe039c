"""Who has the floor: what the model is saying, and what it is to answer next."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import anyio
from anyio import CancelScope
from msgspec.structs import replace

from processors.local_live_api.generation import Generation
from processors.local_live_api.history import Answered
from processors.local_live_api.memory import Memory
from processors.local_live_api.refusal import INTERNAL, RefusedError
from processors.local_live_api.scenario import Prompt

MOST_WAITING = 256
OVERLOADED = "The service is currently unavailable."


class Cue(NamedTuple):
    """A turn that the model is to take.

    scope: what an interruption cancels, be it before the turn or in it. answered: what the model
    takes note of with this turn.
    """

    prompt: Prompt
    scope: CancelScope
    answered: Answered | None = None


class Floor:
    """Passes prompts from the side that listens to the side that answers, which it interrupts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._waiting: deque[Cue] = deque()
        self._changed = anyio.Event()
        self._taken: Cue | None = None
        self._interrupting = False
        self.generation: Generation | None = None
        """What the model is saying."""

    @property
    def due(self) -> bool:
        """Whether a turn is under way, or waits."""
        return self._taken is not None or bool(self._waiting)

    # --- the side that listens ---

    def ask(self, prompt: Prompt, answered: Answered | None = None) -> None:
        """Ask for a turn of the model's. Raises RefusedError if too many wait already."""
        if len(self._waiting) >= MOST_WAITING:
            raise RefusedError(OVERLOADED, INTERNAL)
        interrupting, self._interrupting = self._interrupting, False
        prompt = replace(prompt, interrupting=interrupting)
        self._waiting.append(Cue(prompt, CancelScope(), answered))
        self._changed.set()

    def interrupt(self) -> None:
        """Cut the model short, and what else the user has asked for before."""
        cut = [cue for cue in self._waiting if cue.answered is None]
        if self._taken is not None:
            cut.append(self._taken)
        for cue in cut:
            cue.scope.cancel()
        self._interrupting = self._interrupting or bool(cut)

    def call_answered(self) -> None:
        """Let the model go on, if it waits for an answer."""
        if self.generation is not None:
            self.generation.call_answered()

    # --- the side that answers ---

    async def next(self) -> Cue:
        """The turn to take now: the user's prompts first, functions' answers when nobody speaks."""
        while (cue := self._first()) is None:
            self._changed = anyio.Event()
            await self._changed.wait()
        self._waiting.remove(cue)
        self._taken = cue
        return cue

    def take(self, prompt: Prompt) -> Cue:
        """A turn that nobody has asked for."""
        self._taken = Cue(prompt, CancelScope())
        return self._taken

    def over(self) -> None:
        """The turn that was taken has ended."""
        self._taken = None

    def left(self) -> list[Cue]:
        """What nobody will answer any more."""
        left, self._waiting = list(self._waiting), deque()
        return left

    def _first(self) -> Cue | None:
        for cue in self._waiting:
            if cue.answered is None:
                return cue
        return self._waiting[0] if self._waiting and not self._memory.ear.speaking else None
