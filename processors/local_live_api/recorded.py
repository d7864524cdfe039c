"""What a recording has of one connection: what its client has done, and what the service did then.

A client is known by its acts, by its answers to calls, and by what it streams between one act and
the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from processors.live_api.recording import Closed, Line, Received, Sent
from processors.local_live_api.acts import Act, Media, acts_of


@dataclass
class Expected:
    """An act of the client's. The frame that holds it, and others, stands at the line."""

    act: Act
    line: int


@dataclass
class Stretch:
    """What is streamed between two acts, from which line on."""

    line: int = 0
    media: Media = field(default_factory=Media)

    def joined(self, other: Stretch) -> Stretch:
        return Stretch(self.line or other.line, self.media.plus(other.media))


class Step(NamedTuple):
    """What the server does, once the client has come so far.

    pause: seconds since the event before it. answers: so many of them have come before it;
    acts: so many others; media: so much of the stretch that follows these. gap: the longest pause
    of the client's since the step before.
    """

    event: Received | Closed
    line: int
    pause: float
    answers: int
    acts: int
    media: Media
    gap: float


@dataclass
class Part:
    """One connection of a recording. The stretch of an index comes before the act of that index."""

    line: int
    last_line: int
    acts: list[Expected] = field(default_factory=list)
    answers: list[Expected] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=lambda: [Stretch()])
    steps: list[Step] = field(default_factory=list)


def part_of(lines: Sequence[Line]) -> Part:
    """What the events of one connection amount to."""
    part = Part(lines[0].number, lines[-1].number)
    before, gap = lines[0].event.at, 0.0
    for number, event in lines:
        pause = max(0.0, event.at - before)
        before = event.at
        match event:
            case Sent():
                gap = max(gap, pause)
                data = event.raw if event.message is None else msgspec.json.encode(event.message)
                for item in acts_of(data or b""):
                    if isinstance(item, Media):
                        part.stretches[-1] = part.stretches[-1].joined(Stretch(number, item))
                    elif item.kind == "answer":
                        part.answers.append(Expected(item, number))
                    else:
                        part.acts.append(Expected(item, number))
                        part.stretches.append(Stretch())
            case Received() | Closed(by="server" | "nobody"):
                counts = len(part.answers), len(part.acts), part.stretches[-1].media
                part.steps.append(Step(event, number, pause, *counts, gap))
                gap = 0.0
    return part


def handles_of(lines: Sequence[Line]) -> Iterator[str]:
    """The handles that the service has given out."""
    for _, event in lines:
        if isinstance(event, Received) and event.message is not None:
            update = event.message.get("sessionResumptionUpdate")
            if isinstance(update, dict):
                yield str(update.get("newHandle", ""))
