import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from pipeline import ConfigError, Duplex, Graph, Inbox, Outbox, Processor, Sink, Source, TextFrame
from pipeline import Transform as TransformRole


class In(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        yield TextFrame("")


class Plain(TransformRole):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame


class Echo(Duplex):
    async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[TextFrame]) -> None: ...


class Out(Sink):
    async def consume(self, frame: TextFrame) -> None: ...


KINDS = {"i": In, "p": Plain, "e": Echo, "o": Out}


def build(*flow: str) -> Graph:
    """Names begin with the letter of their kind."""
    names = dict.fromkeys(name for chain in flow for name in chain.split() if name[0] in KINDS)
    processors: dict[str, Processor] = {name: KINDS[name[0]]() for name in names}
    return Graph(processors, flow)


def feedback(*flow: str) -> list[str]:
    return sorted(str(edge) for edge in build(*flow).edges if edge.feedback)


def test_a_graph_without_cycles_has_no_feedback() -> None:
    assert feedback("i -> p1 -> o", "i -> p2 -> o", "p1 -> e -> o2") == []


def test_the_edge_back_to_where_a_cycle_is_entered_is_feedback() -> None:
    assert feedback("i -> e1 -> e2 -> e3 -> e1", "e3 -> o") == ["e3 -> e1"]
    assert feedback("i -> p1 -> e1 -> p1", "e1 -> o") == ["e1 -> p1"]
    assert feedback("i -> e1 -> e1", "e1 -> o") == ["e1 -> e1"]


def test_a_cycle_within_a_cycle() -> None:
    assert feedback("i -> e1 -> e2 -> e3 -> e2", "e3 -> e1", "e3 -> o") == [
        "e3 -> e1",
        "e3 -> e2",
    ]


def test_two_cycles_one_behind_the_other() -> None:
    assert feedback("i -> e1 <-> e2", "e1 -> p -> e3 <-> e4", "e3 -> o") == [
        "e2 -> e1",
        "e4 -> e3",
    ]


def test_the_order_holds_whatever_is_fed_back() -> None:
    graph = build("i -> e1 -> e2 -> e3 -> e2", "e3 -> e1", "e3 -> o")
    assert [node.name for node in graph.order] == ["i", "e1", "e2", "e3", "o"]


@pytest.mark.parametrize("chain", ["i -> p1 -> p2 -> p3 -> p1", "i -> p1 -> p1"])
def test_a_cycle_of_plain_transforms_could_block(chain: str) -> None:
    with pytest.raises(ConfigError, match=r"error\[cycle\]"):
        build(chain, "p1 -> o")


def test_cycles_may_stand_in_a_long_row() -> None:
    """Each arrow back is found for itself, and in little time however many there are."""
    names = [f"e{number}" for number in range(600)]
    pairs = [f"{name} <-> {other}" for name, other in itertools.pairwise(names)]
    graph = build("i -> e0", *pairs, f"{names[-1]} -> o")
    assert [node.name for node in graph.order] == ["i", *names, "o"]
    assert sum(edge.feedback for edge in graph.edges) == len(pairs)


@pytest.mark.parametrize("kind", ["p", "e"])
def test_a_graph_may_be_long(kind: str) -> None:
    """Longer than Python's stack is deep, and written from its end."""
    names = ["i", *(f"{kind}{number}" for number in range(2000)), "o"]
    processors = {name: KINDS[name[0]]() for name in reversed(names)}
    graph = Graph(processors, " -> ".join(names))
    assert [node.name for node in graph.order] == names
    assert graph.check() == []
