"""Faults on request: how the local Live API misbehaves, and when.

    seed: 7
    faults:
      - {do: cut, after_received: 40, connections: [1]}
      - {do: close, code: 1011, reason: Internal error encountered., at_s: 12}
      - {do: silence, for_s: 5, at_s: 3}
      - {do: late_pongs, delay_ms: 9000}
      - {do: duplicate, chance: 0.01}
      - {do: truncate, after_sent: 10}

Each fault says when it strikes, by at most one of these:

    at_s            so many seconds after the connection was opened
    after_received  when so many messages of the client have come
    after_sent      when so many messages have been sent, not counting what faults add
    chance          with this probability at each message that is sent
    every           at every second, third, ... message that is sent

and without any of them: at the opening, or, where it is one of those that change messages, at
every message. `times` is how often at most: by default once, and without limit where every
message is an occasion. `connections` are those concerned, numbered from 1 as the server takes
them; by default all. What changes messages and is due at a time or a count waits for the next.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from pipeline import read_yaml
from processors.local_live_api.fault_kinds import (
    AnyFault,
    AtOnce,
    Change,
    Close,
    Cut,
    Delay,
    Duplicate,
    EmptyFrames,
    Fault,
    LateAudio,
    LatePongs,
    Malform,
    PhantomInterrupted,
    RefuseResumes,
    Silence,
    SlowReads,
    Truncate,
)

INTERRUPTED = b'{\n  "serverContent": {\n    "interrupted": true\n  }\n}\n'
UNKNOWN = "simulatedUnknownField"


class Faults:
    """The faults of one server, whose connections it numbers.

    seed: of everything that happens by chance.
    """

    def __init__(self, faults: Sequence[AnyFault] = (), *, seed: int = 0) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._connections = 0
        self._refusals: Counter[int] = Counter()

    def plan(self) -> FaultPlan:
        """What goes wrong on the next connection."""
        self._connections += 1
        return FaultPlan(
            self._faults,
            seed=self._seed,
            connection=self._connections,
            refusals=self._refusals,
        )


class FaultFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of faults holds."""

    faults: list[AnyFault]
    seed: int = 0


def load_faults(path: str | Path) -> Faults:
    """Faults from a YAML file, for one server. Raises ConfigError: what is wrong, and where."""
    file, _ = read_yaml(path, FaultFile)
    return Faults(file.faults, seed=file.seed)


class Send(Struct, frozen=True):
    """Send this message."""

    data: bytes


class Wait(Struct, frozen=True):
    """Wait so many seconds before what comes next."""

    seconds: float


Action = Send | Wait | Cut | Close | Silence | SlowReads | LatePongs
"""What a connection has to do, in order."""


class FaultPlan:
    """What goes wrong on one connection: told what happens, it says what to do.

    Equal faults, seeds, connections and events give equal answers. Each fault has random numbers
    of its own, so that adding one at the end leaves the others as they were.

    connection: its number on the server, from 1.
    refusals: how often each fault of the list has refused a resume; shared by a server's plans.
    """

    def __init__(
        self,
        faults: Sequence[AnyFault],
        *,
        seed: int = 0,
        connection: int = 1,
        refusals: Counter[int] | None = None,
    ) -> None:
        concerned = [pair for pair in enumerate(faults) if pair[1].concerns(connection)]
        self._refusals: Counter[int] = Counter() if refusals is None else refusals
        self._refusing = [(i, f) for i, f in concerned if isinstance(f, RefuseResumes)]
        triggers = [
            _Trigger(fault, Random(f"{seed}/{connection}/{index}"))
            for index, fault in concerned
            if isinstance(fault, Fault)
        ]
        self._at_once = [t for t in triggers if isinstance(t.fault, AtOnce)]
        self._changes = [t for t in triggers if isinstance(t.fault, Change)]
        self._passed = _Passed()
        late = [t.fault.frames for t in triggers if isinstance(t.fault, LateAudio)]
        self._audio: deque[bytes] = deque(maxlen=max(late, default=0))

        self.moments = sorted({t.fault.at_s for t in triggers if t.fault.at_s is not None})
        """When `reached` is to be called, in seconds since the connection was opened."""

    def reached(self, at_s: float) -> list[Action]:
        """So many seconds have passed since the connection was opened; 0 is the opening."""
        self._passed.seconds = max(self._passed.seconds, at_s)
        return self._striking()

    def received(self) -> list[Action]:
        """A message of the client has come."""
        self._passed.received += 1
        return self._striking()

    def sending(self, data: bytes) -> list[Action]:
        """This message is about to be sent: what to do instead of sending it."""
        actions: list[Action] = [Send(data)]
        interrupted = self._listen(data)
        for trigger in self._changes:
            occasion = interrupted or not isinstance(trigger.fault, LateAudio)
            if occasion and trigger.strikes(self._passed, at_message=True):
                actions = _changed(actions, trigger.fault, list(self._audio))
        self._passed.sent += 1
        return actions + self._striking(at_message=True)

    def refuses_resume(self) -> tuple[int, str] | None:
        """A setup with a handle has come: the code and reason to close with, or None."""
        for index, fault in self._refusing:
            if self._refusals[index] < fault.times:
                self._refusals[index] += 1
                return fault.code, fault.reason
        return None

    def _striking(self, *, at_message: bool = False) -> list[Action]:
        actions: list[Action] = []
        for trigger in self._at_once:
            if trigger.strikes(self._passed, at_message=at_message):
                actions += _happening(trigger.fault)
        return actions

    def _listen(self, data: bytes) -> bool:
        """Keep audio for later; whether the message says `interrupted`."""
        if not self._audio.maxlen:
            return False
        content = msgspec.json.decode(data).get("serverContent", {})
        if any("inlineData" in part for part in content.get("modelTurn", {}).get("parts", ())):
            self._audio.append(data)
        return bool(content.get("interrupted"))


class _Passed(Struct):
    """How far a connection has come."""

    seconds: float = 0.0
    received: int = 0
    sent: int = 0


class _Trigger:
    """Says at each occasion whether a fault strikes."""

    def __init__(self, fault: Fault, random: Random) -> None:
        self.fault = fault
        self._random = random
        self._occasions = 0
        at_opening = isinstance(fault, AtOnce) and fault.chance is None and fault.every is None
        self._once_due = fault.is_timed or at_opening
        self._left = fault.times or (1 if self._once_due else math.inf)

    def strikes(self, passed: _Passed, *, at_message: bool) -> bool:
        if not self._left or not (at_message or self._once_due):
            return False
        strikes = self._is_due(passed) if self._once_due else self._is_hit()
        self._left -= strikes
        return strikes

    def _is_due(self, passed: _Passed) -> bool:
        fault = self.fault
        return (
            passed.seconds >= (fault.at_s or 0.0)
            and passed.received >= (fault.after_received or 0)
            and passed.sent >= (fault.after_sent or 0)
        )

    def _is_hit(self) -> bool:
        self._occasions += 1
        if self.fault.chance is not None:
            return self._random.random() < self.fault.chance
        return self._occasions % (self.fault.every or 1) == 0


def _happening(fault: Fault) -> list[Action]:
    match fault:
        case EmptyFrames():
            return [Send(b""), Send(b"{}")]
        case PhantomInterrupted():
            return [Send(INTERRUPTED)]
        case Cut() | Close() | Silence() | SlowReads() | LatePongs():
            return [fault]
    raise TypeError(f"{fault} is not one that happens at once")


def _changed(actions: list[Action], fault: Fault, audio: list[bytes]) -> list[Action]:
    match fault:
        case Duplicate():
            return actions + [action for action in actions if isinstance(action, Send)]
        case Delay(delay_ms=delay_ms):
            return [Wait(delay_ms / 1000), *actions]
        case LateAudio(frames=frames):
            return [*actions, *(Send(data) for data in audio[-frames:])]
    return [Send(_spoilt(a.data, fault)) if isinstance(a, Send) else a for a in actions]


def _spoilt(data: bytes, fault: Fault) -> bytes:
    match fault:
        case Truncate():
            return data[: len(data) // 2]
        case Malform(into="not_utf8"):
            return b"\xff" + data
        case Malform(into="not_json"):
            return b"not JSON: " + data
    try:
        message = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:  # another fault has been here
        return data
    if isinstance(fault, Malform):
        return _encoded(dict.fromkeys(message, 0), like=data)
    if isinstance(content := message.get("serverContent"), dict):
        content["turnCompleteReason"] = "SIMULATED_UNKNOWN_REASON"
    for value in [message, *message.values()]:
        if isinstance(value, dict):
            value[UNKNOWN] = {"list": [1, "two", None]}
    return _encoded(message, like=data)


def _encoded(message: dict[str, Any], *, like: bytes) -> bytes:
    """With line breaks where the server makes them."""
    data = msgspec.json.encode(message)
    return msgspec.json.format(data, indent=2) + b"\n" if like.endswith(b"\n") else data
