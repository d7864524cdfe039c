"""How the cost grows: with chain length, fan-out, sessions, and nodes in the YAML.

Measured: processor time, at evenly spaced sizes, each the median of the rounds, with the straight
line through them, its R², and how much steeper the upper half is than the lower. Chain and fan-out
are saturated; in a fan-out every sink takes every frame. Sessions are in real time, as in
"sessions". The YAML is a chain of processors with two settings each, loaded and then checked as
`pipeline check` does it without its start. All frames are counted. Not measured: what happens
beyond the sizes shown.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from benchmarks import parts
from benchmarks.harness.curves import grow
from benchmarks.harness.results import Chart, Section
from benchmarks.harness.rounds import ROOT, Rounds, Subject
from benchmarks.parts import Count, Measured, Processor, Tone
from benchmarks.sessions import FRAME_S, graphs
from pipeline import Graph, load

IN_LINE, CHANNELS = "in-line", "a channel at every hop"
PEER = "pipecat, lean"


def fan_out(frames: int, sinks: int) -> Measured:
    """One source, many sinks."""
    tone, ends = Tone(frames), {f"sink{number}": Count() for number in range(sinks)}
    processors: dict[str, Processor] = {"source": tone, **ends}
    parts.run(Graph(processors, [f"source -> {name}" for name in ends]))
    if any(sink.count != frames for sink in ends.values()):
        raise AssertionError("a sink lacks frames")
    assert tone.watch is not None
    return tone.watch.per_frame(frames, sinks)


def real_time(sessions: int, seconds: float) -> Measured:
    """The share of a core that sessions take, in percent."""
    figures, _ = graphs(sessions, seconds)
    return {"core": figures["cpu a frame"] * sessions / FRAME_S / 1e4}, {}


def yaml(nodes: int, times: int) -> Measured:
    """Load and check a file of so many nodes; milliseconds."""
    sound = ROOT / "configs" / "speech" / "question.wav"
    lines = ["processors:", "  sound:", "    use: audio_source", f"    path: {sound}"]
    names = [f"node{number}" for number in range(nodes - 2)]
    for name in names:
        lines += [f"  {name}:", "    use: resampler", "    rate: 16000", "    channels: 1"]
    lines += ["  end:", "    use: audio_sink", "    path: end.wav", "flow:"]
    lines += [f"  - {here} -> {there}" for here, there in pairwise(["sound", *names, "end"])]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "many.yaml"
        file.write_text("\n".join(lines) + "\n")
        loading = checking = 0.0
        for number in range(times + 1):
            began = process_time()
            graph = load(file)
            loaded = process_time()
            findings = graph.check()
            if number:  # the first one imports
                loading += loaded - began
                checking += process_time() - loaded
    if len(graph.nodes) != nodes or findings:
        raise AssertionError(f"{len(graph.nodes)} nodes, {findings}")
    return {"load": loading / times * 1e3, "check": checking / times * 1e3}, {}


def _of(call: str, settings: dict, key: str, **more: str) -> Callable[[int], Subject]:
    return lambda size: Subject(call, settings | {key: size}, **more)


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    here, frames = "benchmarks.scaling", {"frames": rounds.size(10_000, 1_000)}
    chains = {
        IN_LINE: _of("benchmarks.chain:graph", frames, "length"),
        CHANNELS: _of("benchmarks.chain:graph", frames | {"channels": True}, "length"),
        PEER: _of("benchmarks.peers.pipecat.chain:chain", frames, "length", needs="pipecat"),
    }
    lengths = rounds.size([1, 10, 20, 30, 40, 50], [1, 20, 40])
    chart = Chart("Chain length", "processors", "µs of cpu a frame", [])
    grow(rounds, chart, section, chains, lengths, "cpu", straight=[IN_LINE, CHANNELS])

    chart = Chart("Fan-out", "sinks", "µs of cpu a frame", [])
    fans = {"every sink": _of(f"{here}:fan_out", frames, "sinks")}
    grow(rounds, chart, section, fans, lengths, "cpu", straight=["every sink"])

    chart = Chart("Sessions in real time", "sessions", "% of a core", [])
    settings = {"seconds": rounds.size(3.0, 1.0)}
    sessions = {"ours": _of(f"{here}:real_time", settings, "sessions")}
    sizes = rounds.size([20, 60, 100, 140, 180, 220], [10, 30, 50])
    grow(rounds, chart, section, sessions, sizes, "core", straight=["ours"])

    times = {"times": rounds.size(5, 1)}
    nodes = rounds.size([10, 200, 400, 600, 800, 1000], [10, 200, 400])
    for column in ("load", "check"):
        chart = Chart(f"YAML, {column}", "nodes", "ms of cpu", [])
        files = {column: _of(f"{here}:yaml", times, "nodes")}
        grow(rounds, chart, section, files, nodes, column, straight=[column])
