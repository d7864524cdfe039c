import importlib.util
from collections.abc import AsyncIterator

import pytest

from benchmarks import chain, parts
from benchmarks.harness.child import Outcome, call
from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject
from pipeline import AudioFrame, ProcessorFailure

PEERS = pytest.mark.skipif(
    importlib.util.find_spec("pipecat") is None, reason="needs the extra [bench]"
)


def in_this_process(subject: Subject) -> Outcome:
    return call(subject.call, dict(subject.settings))


@pytest.mark.parametrize(
    ("subject", "settings"),
    [
        (chain.graph, {}),
        (chain.graph, {"channels": True, "length": 3}),
        (chain.nested, {}),
        (chain.streams, {"length": 2}),
    ],
)
def test_every_subject_takes_all_frames_through(subject, settings) -> None:
    figures, work = subject(frames=200, **settings)
    assert work == {"frames": 200}
    assert figures["hop"] * (settings.get("length", 10) + 1) == pytest.approx(figures["cpu"])


def test_a_frame_out_of_order_is_noticed() -> None:
    class Twice(parts.Tone):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            async for frame in super().frames():
                yield frame
                yield frame

    with pytest.raises(ProcessorFailure, match="frame 0 came as number 1"):
        parts.run(parts.chain(Twice(2), parts.Count(), 1))


def test_without_the_peers_ours_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    rounds = Rounds(rounds=1, quick=True)
    monkeypatch.setattr(rounds, "size", lambda full, quick: 50)
    monkeypatch.setattr(rounds, "_run", in_this_process)
    section = Section("chain", "", "")
    chain.measure(rounds, section)
    assert {row.subject for row in section.rows if not row.skipped} == {
        chain.IN_LINE,
        chain.CHANNELS,
        chain.CALLS,
        chain.STREAMS,
    }
    assert [goal.value is None for goal in section.goals] == [True, True, False, False, False]


@PEERS
@pytest.mark.slow
def test_the_peers_do_the_same_work() -> None:
    rounds = Rounds(rounds=1, quick=True)
    section = Section("chain", "", "")
    subjects = chain.subjects(50)
    chosen = {name: subjects[name] for name in (chain.IN_LINE, chain.PEER, "genai-processors")}
    rounds.alternate(chosen, section)
    assert section.work == {"frames": 50}
    assert len(section.rows) == 3
