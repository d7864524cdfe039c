"""Scenarios: what the local Live API expects and does, turn by turn.

setup: {generationConfig: {responseModalities: [AUDIO]}}     # what the setup has to contain
turns:
  - expect: speech
    then:
      - transcript: What time is it in Lisbon?
      - call: {name: get_time, args: {city: Lisbon}}
      - say: It is {get_time} in Lisbon.
  - expect: {text: thank}
    interrupts: false
    then:
      - say: You are welcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, to_builtins

from pipeline import ConfigError, Finding, Place, read_yaml
from processors.live_api.messages import Setup
from processors.local_live_api.memory import PendingCall
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.steps import Seconds, Step
from processors.local_live_api.wire import normalise

Kind = Literal["speech", "text", "activity", "tool_answer", "silence"]
SILENCE_S = 1.0


class Expectation(Struct, frozen=True, forbid_unknown_fields=True):
    """What begins a turn, in detail; exactly one field is set.

    text: words that what is typed has to contain, whatever their case. speech_s: seconds of speech
    at least. tool_answer: what a non-blocking function's answer has to contain. silence_s: so long
    the user says nothing.
    """

    text: str | None = None
    speech_s: Seconds | None = None
    tool_answer: dict[str, Any] | None = None
    silence_s: Seconds | None = None

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"an expectation has one of {', '.join(self.__struct_fields__)}")

    @property
    def kind(self) -> Kind:
        if self.text is not None:
            return "text"
        if self.speech_s is not None:
            return "speech"
        return "tool_answer" if self.tool_answer is not None else "silence"


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """What begins a turn and what happens in it.

    expect: `speech` is anything spoken; `activity` is speech whose limits the client marks itself.
    interrupts: whether it has to cut the turn before it short, or must not.
    """

    then: list[Step]
    expect: Kind | Expectation = "speech"
    interrupts: bool | None = None

    def __post_init__(self) -> None:
        for before, step in zip([None, *self.then], self.then, strict=False):
            if step.interrupt is not None and (before is None or before.say is None):
                raise ValueError("interrupt stands directly after the say that it cuts short")

    @property
    def kind(self) -> Kind:
        return self.expect if isinstance(self.expect, str) else self.expect.kind

    @property
    def silence_s(self) -> float | None:
        """How long the user has to say nothing for this turn to begin."""
        if self.kind != "silence":
            return None
        given = None if isinstance(self.expect, str) else self.expect.silence_s
        return SILENCE_S if given is None else given


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole conversation, and what the client's setup has to contain, spelled as on the wire."""

    turns: list[Turn]
    setup: dict[str, Any] = {}


class Prompt(Struct, frozen=True):
    """What makes the model answer.

    text: what was typed. seconds: of speech. answer: of a non-blocking function. interrupting:
    whether it cut the model short.
    """

    kind: Kind
    text: str = ""
    seconds: float = 0.0
    answer: dict[str, Any] | None = None
    interrupting: bool = False


class Script:
    """A scenario together with where its parts stand in a file, if it comes from one.

    Raises ConfigError for a setup that no client could send.
    """

    def __init__(self, scenario: Scenario, places: dict[tuple[Any, ...], Place] | None = None):
        self.scenario = scenario
        try:
            self._setup = normalise(scenario.setup, Setup, "setup")
        except RefusedError as error:
            place = places["setup",] if places else None
            raise ConfigError([Finding("scenario", str(error), place)]) from None
        self._places = places or {}

    @classmethod
    def read(cls, path: str | Path) -> Script:
        """A scenario file. Raises ConfigError with what is wrong, and at which line."""
        scenario, document = read_yaml(path, Scenario)
        places: dict[tuple[Any, ...], Place] = {("setup",): document.key_place("setup")}
        for turn, content in enumerate(scenario.turns):
            places[turn,] = document.place("turns", turn)
            for step in range(len(content.then)):
                places[turn, step] = document.place("turns", turn, "then", step)
        return cls(scenario, places)

    def turn(self, number: int) -> Turn | None:
        """The turn of that number, counted from 0; None after the last."""
        turns = self.scenario.turns
        return turns[number] if number < len(turns) else None

    def check_setup(self, setup: Setup) -> list[Finding]:
        """What the setup lacks."""
        missing = _lacking(to_builtins(setup), to_builtins(self._setup), "setup")
        return [self._finding(("setup",), what) for what in missing]

    def check(self, number: int, prompt: Prompt) -> list[Finding]:
        """How what came differs from what the turn expects."""
        turn = self.turn(number)
        if turn is None:
            return []
        where = (number,)
        spoken = prompt.kind == "activity" and turn.kind == "speech"
        if prompt.kind != turn.kind and not spoken:
            return [self._finding(where, f"expected {turn.kind}, got {_named(prompt)}")]
        findings = []
        expect = turn.expect
        if isinstance(expect, Expectation):
            if expect.text is not None and expect.text.casefold() not in prompt.text.casefold():
                what = f"expected text with {expect.text!r}, got {prompt.text!r}"
                findings.append(self._finding(where, what))
            if expect.speech_s is not None and prompt.seconds < expect.speech_s:
                what = f"expected {expect.speech_s:g} s of speech, got {prompt.seconds:.2f} s"
                findings.append(self._finding(where, what))
            if expect.tool_answer is not None:
                lacking = _lacking(prompt.answer or {}, expect.tool_answer, "the answer")
                findings += [self._finding(where, what) for what in lacking]
        if turn.interrupts not in (None, prompt.interrupting):
            did, wanted = ("did not", "had to") if turn.interrupts else ("did", "must not")
            what = f"this turn {did} interrupt the one before it, and {wanted}"
            findings.append(self._finding(where, what))
        return findings

    def check_answer(self, number: int, call: PendingCall, response: Any) -> list[Finding]:
        """What is wrong with a function's answer, or with there being one."""
        where = (number,)
        if call.cancelled:
            return [self._finding(where, f"{call.name} was answered, not cancelled")]
        lacking = _lacking(response, call.expected or {}, f"the answer of {call.name}")
        return [self._finding(where, what) for what in lacking]

    def left_over(
        self, reached: int, cut_short: Sequence[tuple[int, Sequence[Step]]]
    ) -> list[Finding]:
        """The turns that a session did not come to, and the steps of those that were cut short."""
        findings = []
        for number, steps in cut_short:
            turn = self.turn(number)
            left = [step.kind for step in steps if step.interrupt is None]
            if turn is not None and left:
                first = len(turn.then) - len(steps)
                while turn.then[first].interrupt is not None:  # the script cut itself short there
                    first += 1
                findings.append(self._finding((number, first), f"left over: {', '.join(left)}"))
        for number in range(reached, len(self.scenario.turns)):
            expected = self.scenario.turns[number].kind
            findings.append(self._finding((number,), f"never came: {expected}"))
        return findings

    def _finding(self, where: tuple[Any, ...], message: str) -> Finding:
        place = self._places.get(where)
        if place is None and where and isinstance(where[0], int):
            message = f"turn {where[0] + 1}: {message}"
        return Finding("scenario", message, place)


def _named(prompt: Prompt) -> str:
    return f"{prompt.kind} {prompt.text!r}" if prompt.text else prompt.kind


def _lacking(have: Any, want: Any, path: str) -> list[str]:
    """Where `have` does not contain what `want` has."""
    if isinstance(want, dict) and isinstance(have, dict):
        return [
            problem
            for key, value in want.items()
            for problem in (
                _lacking(have[key], value, f"{path}.{key}")
                if key in have
                else [f"{path} lacks {key!r}"]
            )
        ]
    if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        return [
            problem
            for index, (had, wanted) in enumerate(zip(have, want, strict=True))
            for problem in _lacking(had, wanted, f"{path}[{index}]")
        ]
    return [] if have == want else [f"{path} is {have!r}, expected {want!r}"]
