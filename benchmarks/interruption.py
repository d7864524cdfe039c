"""From the interruption to the silent sink, whatever is queued, blocked or late.

Measured: wall time from the interruption to the moment the sink learns of it, p50 and p99, and how
much sound of the interrupted turn reaches the sink afterwards. Our sink plays until it is told to
stop. Pipecat's sleeps for the length of each frame, which pipecat cancels, and is told by the
interruption frame that comes through the pipeline; it is lean, on the data route, except for the
backlog, which is sound from a microphone, on the system route, and which it means to keep. A
blocked sender is there a processor that takes 20 ms for each frame, since nothing blocks. In our
case of frames waiting upstream they wait for the very processor that interrupts. Not measured: the
network, the sound device, and what a model sends before it learns that it was interrupted, except
where the producer that goes on stands for that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from statistics import quantiles
from time import perf_counter_ns

import anyio
import numpy as np

from benchmarks import parts
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound
from pipeline import (
    AudioFrame,
    Duplex,
    Graph,
    Inbox,
    InboxSettings,
    Interruption,
    Outbox,
    Sink,
    Source,
    Speaker,
    TextFrame,
    Transform,
)

SAMPLES = np.zeros((480, 1), np.int16)
FRAME_MS = 20
CASES = {
    "5 s of sound queued": {"frames": 250},
    "a blocked sender": {"frames": 250, "room": 4},
    "500 frames of 1 ms work before the sink": {"frames": 500, "slow": True},
    "a producer that goes on at 4 times real time": {"frames": 50, "late": 1},
}
UPSTREAM = "500 frames waiting upstream"

Figures = dict[str, float]


def figures(silent: list[float], stale_frames: int, times: int) -> Figures:
    """From microseconds until the sink knew, and frames that it still got."""
    points = quantiles(silent, n=100, method="inclusive")
    return {"p50": points[49], "p99": points[98], "stale": stale_frames * FRAME_MS / times}


class Words(Source):
    """Some text, and then nothing, without an end."""

    def __init__(self, frames: int) -> None:
        self.count = frames

    async def frames(self) -> AsyncIterator[TextFrame]:
        for _ in range(self.count):
            yield TextFrame("")
        await anyio.sleep_forever()


class Player(Sink):
    """Plays its first frame for ever, until it is told to stop; counts what is stale."""

    def __init__(self) -> None:
        self.silent_at = 0
        self.stale = 0
        self.cut: set[int] = set()

    async def consume(self, frame: AudioFrame) -> None:
        self.stale += frame.turn in self.cut
        await anyio.sleep_forever()

    def interrupted(self, turn: int) -> None:
        self.silent_at = perf_counter_ns()
        self.cut.add(turn)


class Slow(Transform):
    """Works for 1 ms on each frame."""

    async def process(self, frame: AudioFrame) -> AsyncIterator[AudioFrame]:
        await anyio.sleep(0.001)
        yield frame


class Model(Duplex):
    """Sends turn after turn and interrupts each; `late` seconds of each come after that."""

    def __init__(self, player: Player, times: int, frames: int, late: float) -> None:
        self.player, self.times, self.frames, self.late = player, times, frames, late
        self.silent: list[float] = []

    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[AudioFrame | Interruption]) -> None:
        for _ in range(self.times):
            turn = self.context.new_turn()
            async with anyio.create_task_group() as group:
                group.start_soon(self._speak, outbox, turn)
                await anyio.sleep(0.005)
                began = perf_counter_ns()
                await outbox.send(Interruption(turn=turn))
                self.silent.append((self.player.silent_at - began) / 1000)
            for _ in range(int(self.late * 1000 / FRAME_MS)):
                await outbox.send(AudioFrame(SAMPLES, 24_000, Speaker.MODEL, turn=turn))
                await anyio.sleep(FRAME_MS / 1000 / 4)

    async def _speak(self, outbox: Outbox[AudioFrame], turn: int) -> None:
        for _ in range(self.frames):
            await outbox.send(AudioFrame(SAMPLES, 24_000, Speaker.MODEL, turn=turn))


def graph(
    times: int, frames: int, room: int = 600, slow: bool = False, late: float = 0, waiting: int = 0
) -> Figures:
    """One of the cases; waiting: frames in the inbox of the processor that interrupts."""
    player = Player()
    model = Model(player, times, frames, late)
    inboxes = {"player": InboxSettings(frames=room)}
    chain = "words -> model -> player"
    processors = {"words": Words(waiting), "model": model, "player": player}
    if slow:
        processors["slow"] = Slow()
        inboxes = {"slow": InboxSettings(frames=room), "player": InboxSettings(frames=room)}
        chain = "words -> model -> slow -> player"
    if waiting:
        inboxes["model"] = InboxSettings(frames=waiting)
    parts.run(Graph(processors, [chain], inboxes=inboxes))
    if len(player.cut) != times or len(model.silent) != times:
        raise AssertionError(f"{len(player.cut)} of {times} interruptions came")
    return figures(model.silent, player.stale, times)


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    times, peers = rounds.size(200, 50), rounds.size(20, 5)
    subjects = {}
    for name, case in CASES.items():
        lasting = "late" in case
        case = case | ({"late": rounds.size(1.0, 0.2)} if lasting else {})
        settings = case | {"times": times // 10 if lasting else times}
        subjects[name] = Subject("benchmarks.interruption:graph", settings)
        subjects[f"{name}: pipecat"] = Subject(
            "benchmarks.peers.pipecat.interruption:pipeline",
            case | {"times": 2 if lasting else peers},
            needs="pipecat",
            ours=False,
        )
    settings = {"frames": 250, "waiting": 500, "times": times}
    subjects[UPSTREAM] = Subject("benchmarks.interruption:graph", settings)
    section.units = {"p50": "µs", "p99": "µs", "stale": "ms of sound"}
    rounds.alternate(subjects, section)
    for name in (*CASES, UPSTREAM):
        bound(section, "p99", name, at_most=1000)
        bound(section, "stale", name, at_most=0)
