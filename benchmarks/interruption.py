"""From the interruption to the silent sink, whatever is queued.

Measured: wall time from the call of `outbox.send(Interruption)` to the sink's `interrupted` hook,
and to the return of the call, when every inbox is empty; 200 interruptions for each case. Checked:
not one frame of an interrupted turn reaches the sink afterwards. Not measured: the network.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from statistics import median, quantiles
from time import perf_counter_ns

import anyio
import numpy as np

from pipeline import (
    AudioFrame,
    Duplex,
    Graph,
    Inbox,
    InboxSettings,
    Interruption,
    Outbox,
    Run,
    Sink,
    Source,
    Speaker,
    TextFrame,
)

TIMES = 200
SAMPLES = np.zeros((480, 1), np.int16)


class Never(Source):
    """Keeps the graph alive."""

    async def frames(self) -> AsyncIterator[TextFrame]:
        await anyio.sleep_forever()
        yield TextFrame("")


class Player(Sink):
    """Plays for ever, until it is told to stop."""

    def __init__(self) -> None:
        self.silent_at = 0
        self.cut: set[int] = set()

    async def consume(self, frame: AudioFrame) -> None:
        assert frame.turn not in self.cut, "a stale frame"
        await anyio.sleep_forever()

    def interrupted(self, turn: int) -> None:
        self.silent_at = perf_counter_ns()
        self.cut.add(turn)


class Model(Duplex):
    """Sends turn after turn and interrupts each."""

    def __init__(self, player: Player, frames: int, late: int) -> None:
        self.player, self.frames, self.late = player, frames, late
        self.silent: list[float] = []
        self.empty: list[float] = []

    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[AudioFrame | Interruption]) -> None:
        for _ in range(TIMES):
            turn = self.context.new_turn()
            async with anyio.create_task_group() as group:
                group.start_soon(self._speak, outbox, turn)
                await anyio.wait_all_tasks_blocked()
                began = perf_counter_ns()
                await outbox.send(Interruption(turn=turn))
                self.empty.append((perf_counter_ns() - began) / 1000)
                self.silent.append((self.player.silent_at - began) / 1000)
            for _ in range(self.late):
                await outbox.send(AudioFrame(SAMPLES, 24_000, Speaker.MODEL, turn=turn))

    async def _speak(self, outbox: Outbox[AudioFrame], turn: int) -> None:
        for _ in range(self.frames):
            await outbox.send(AudioFrame(SAMPLES, 24_000, Speaker.MODEL, turn=turn))


def case(frames: int, inbox: InboxSettings, late: int = 0) -> Model:
    """Run one case to its end."""
    player = Player()
    model = Model(player, frames, late)
    graph = Graph(
        {"never": Never(), "model": model, "player": player},
        ["never -> model -> player"],
        inboxes={"player": inbox},
    )

    async def execute() -> None:
        await Run(graph).execute()

    anyio.run(execute)
    assert len(player.cut) == TIMES
    return model


def main() -> None:
    """Print the table."""
    cases = {
        "5 s of sound queued": case(250, InboxSettings(ms=10_000)),
        "a blocked sender": case(250, InboxSettings(frames=4)),
        "100 late frames of the old turn": case(50, InboxSettings(ms=10_000), late=100),
    }
    print("\nInterruption: sink silent, median and p99; all inboxes empty, median")
    for name, model in cases.items():
        p99 = quantiles(model.silent, n=100)[98]
        print(
            f"  {name:32} {median(model.silent):7.1f} us, {p99:7.1f} us; "
            f"{median(model.empty):7.1f} us"
        )
