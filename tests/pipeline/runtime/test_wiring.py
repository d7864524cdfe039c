"""Wiring alone: what one call of `push` does before anything is awaited."""

from collections.abc import Iterator

import pytest

from pipeline import Frame, Graph, InboxSettings, Report, TextFrame, Transcript, Transform
from pipeline.runtime.wiring import Taps, Wiring
from pipeline.testing import Collect, Given


class Double(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame
        yield frame


@pytest.fixture
def wirings() -> Iterator[list[Wiring]]:
    made: list[Wiring] = []
    yield made
    for wiring in made:
        for station in wiring.stations.values():
            if station.inbox is not None:
                station.inbox.close()


def wire(wirings: list[Wiring], frames: int = 64, taps: Taps | None = None) -> Wiring:
    graph = Graph(
        {"in": Given([]), "one": Double(), "two": Double(), "out": Collect()},
        ["in -> one -> two -> out"],
        inboxes={"out": InboxSettings(frames=frames)},
    )
    wirings.append(Wiring(graph, Report(), [*(taps or {}).items()]))
    return wirings[0]


async def test_a_push_runs_on_to_the_next_inbox_at_once(wirings: list[Wiring]) -> None:
    wiring = wire(wirings)
    wiring.stations["in"].push(TextFrame("a"))
    out = wiring.stations["out"].inbox
    assert out is not None
    assert out.depth == 4
    assert [edge.frames for edge in wiring.report.edges] == [1, 2, 4]
    assert not wiring.blocked


async def test_what_does_not_fit_is_kept_for_later_in_order(wirings: list[Wiring]) -> None:
    wiring = wire(wirings, frames=1)
    wiring.stations["in"].push(TextFrame("a"))
    assert len(wiring.blocked) == 3


async def test_only_tasks_and_inboxes_that_are_needed(wirings: list[Wiring]) -> None:
    stations = wire(wirings).stations
    assert [name for name, station in stations.items() if station.inbox is not None] == ["out"]


async def test_types_that_nobody_takes_reach_taps_only(wirings: list[Wiring]) -> None:
    class Mood(TextFrame, frozen=True):
        pass

    seen: list[str] = []
    wiring = wire(wirings, taps={Mood: lambda name, _: seen.append(name)})
    wiring.stations["in"].push(Mood("a"))
    wiring.stations["in"].push(TextFrame("b"))
    assert seen == ["in"]


async def test_downstream_is_everything_behind_a_node(wirings: list[Wiring]) -> None:
    wiring = wire(wirings)
    stations = wiring.stations
    assert [station.name for station in wiring.downstream(stations["one"])] == ["two", "out"]
    assert wiring.downstream(stations["out"]) == []


async def test_an_inbox_knows_who_feeds_it_past_transforms_too(wirings: list[Wiring]) -> None:
    out = wire(wirings).stations["out"].inbox
    assert out is not None
    assert out.givers == ((TextFrame,), (TextFrame,), (Frame,))  # two, one, in


async def test_a_transcript_passes_transforms_that_do_not_take_it(wirings: list[Wiring]) -> None:
    wiring = wire(wirings)
    wiring.stations["in"].push(Transcript("a", "user"))  # type: ignore[arg-type]
    assert [edge.frames for edge in wiring.report.edges] == [1, 1, 1]
