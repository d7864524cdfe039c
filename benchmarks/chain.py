"""Ten pass-through processors between a source and a sink, saturated.

Measured: wall time and processor time per frame of 20 ms, 16 kHz, mono, from the first frame until
the last has arrived, counters on, in one process on one core. Pipecat has at most 32 frames in
flight, which is where it is fastest. Every frame's number is looked at in the sink, in all of them.
Not measured: building and starting. "In-line" is what a graph does by default: all of it in one
task. The floors are the same generators nested by hand, and tasks that copy between bare anyio
channels, trying the call that does not wait first."""

from __future__ import annotations

from itertools import pairwise

import anyio
from anyio import WouldBlock

from benchmarks import parts
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound, compare
from benchmarks.parts import RATE, SAMPLES, Count, Measured, Pass, Stopwatch, Tone
from pipeline import AudioFrame

LENGTH = 10
IN_LINE, CHANNELS = "in-line", "a channel at every hop"
CALLS, STREAMS = "nested generators (floor)", "bare anyio channels (floor)"
PEER = "pipecat, lean, system route"


def graph(frames: int, length: int = LENGTH, channels: bool = False) -> Measured:
    """Through the graph."""
    sink = Count()
    tone = Tone(frames)
    parts.run(parts.chain(tone, sink, length, channels=channels))
    assert sink.count == frames
    assert tone.watch is not None
    return tone.watch.per_frame(frames, length + 1)


def nested(frames: int, length: int = LENGTH) -> Measured:
    """The floor in-line: the same generators, nested by hand."""
    count = 0
    passes = [Pass().process for _ in range(length)]

    def send(frame: AudioFrame, position: int) -> None:
        nonlocal count
        if position == length:
            assert frame.pts == count
            count += 1
            return
        for given in passes[position](frame):
            send(given, position + 1)

    watch = Stopwatch()
    for pts in range(frames):
        send(AudioFrame(SAMPLES, RATE, pts=pts), 0)
    assert count == frames
    return watch.per_frame(count, length + 1)


def streams(frames: int, length: int = LENGTH) -> Measured:
    """The floor with channels: tasks that copy between anyio streams, `_nowait` first."""

    async def send(stream, frame) -> None:
        try:
            stream.send_nowait(frame)
        except WouldBlock:
            await stream.send(frame)

    async def receive(stream):
        try:
            return stream.receive_nowait()
        except WouldBlock:
            return await stream.receive()

    async def copy(incoming, outgoing) -> None:
        async with incoming, outgoing:
            try:
                while True:
                    await send(outgoing, await receive(incoming))
            except anyio.EndOfStream:
                return

    async def feed(outgoing) -> None:
        async with outgoing:
            for pts in range(frames):
                await send(outgoing, AudioFrame(SAMPLES, RATE, pts=pts))

    async def timed() -> Measured:
        between = [anyio.create_memory_object_stream[AudioFrame](64) for _ in range(length + 1)]
        count = 0
        watch = Stopwatch()
        async with anyio.create_task_group() as group:
            group.start_soon(feed, between[0][0])
            for here, there in pairwise(between):
                group.start_soon(copy, here[1], there[0])
            async with between[-1][1] as last:
                try:
                    while True:
                        frame = await receive(last)
                        assert frame.pts == count
                        count += 1
                except anyio.EndOfStream:
                    pass
        assert count == frames
        return watch.per_frame(count, length + 1)

    return anyio.run(timed)


def subjects(frames: int) -> dict[str, Subject]:
    """Ours, the floors and the peers."""
    ours, peer = "benchmarks.chain", "benchmarks.peers.pipecat.chain:chain"
    settings = {"frames": frames}
    found = {
        IN_LINE: Subject(f"{ours}:graph", settings),
        CALLS: Subject(f"{ours}:nested", settings, ours=False),
        CHANNELS: Subject(f"{ours}:graph", settings | {"channels": True}),
        STREAMS: Subject(f"{ours}:streams", settings, ours=False),
    }
    for shipped in (False, True):
        for route in ("system", "data"):
            name = f"pipecat, {'as it ships' if shipped else 'lean'}, {route} route"
            chosen = settings | {"route": route, "shipped": shipped}
            found[name] = Subject(peer, chosen, needs="pipecat", ours=False)
    found["genai-processors"] = Subject(
        "benchmarks.peers.genai_processors:chain", settings, needs="genai_processors", ours=False
    )
    return found


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    section.units = {"wall": "µs a frame", "cpu": "µs a frame", "hop": "µs of cpu"}
    rounds.alternate(subjects(rounds.size(20_000, 4_000)), section)
    compare(section, "cpu", IN_LINE, PEER, at_most=1 / 12)
    compare(section, "cpu", CHANNELS, PEER, at_most=1 / 8)
    compare(section, "cpu", IN_LINE, CALLS)
    compare(section, "cpu", CHANNELS, STREAMS, at_most=2)
    bound(section, "hop", CHANNELS, at_most=1.0)
