"""The live view, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from pipeline.cli.screen import Picture, draw, draw_overview
from pipeline.observing.control import Overview, SessionState
from pipeline.observing.sampling import NodeState, Sample

NODES = (
    NodeState("mic", "Microphone", 50.0, None, None, 0),
    NodeState("gemini", "LiveApi", 12.34, 3, 0.05, 0),
    NodeState("speaker", "AudioSink", 0.0, 60, 0.95, 7),
)
WORDS = [Text(" user  Hello."), Text("model  Hello! What would you like to talk about?")]


def shown(picture: Picture, width: int = 60, height: int = 12) -> list[str]:
    return [line.plain for line in draw(picture, width, height)]


def test_everything_has_its_place() -> None:
    picture = Picture(
        "talk.yaml", Sample(65.2, NODES, 0.25, 195), WORDS, ["1 turn", "30 audio tokens"]
    )
    assert shown(picture) == [
        "talk.yaml  1:05  ██░░░░░░░░ 25%, 3:15 left",
        "mic         50.0/s",
        "gemini      12.3/s  ░░░░░░░░░░     3",
        "speaker      0.0/s  ██████████    60  7 dropped",
        "─" * 60,
        " user  Hello.",
        "model  Hello! What would you like to talk about?",
        *[""] * 4,
        "1 turn  30 audio tokens",
    ]


def test_without_a_known_length_there_is_no_bar() -> None:
    assert shown(Picture("x", Sample(3661.0, ()), [], []))[0] == "x  1:01:01"
    assert shown(Picture("x", Sample(0.0, (), 0.0), [], []))[0] == "x  0:00  ░░░░░░░░░░ 0%"


def test_a_source_that_knows_how_far_it_is_says_so() -> None:
    source = NodeState("question", "AudioSource", 50.0, None, None, 0, 0.999, 12.9)
    over = source._replace(progress=1.0, left=0.0)
    begun = source._replace(progress=0.0, left=None)
    rows = [shown(Picture("x", Sample(9, (node,)), [], []))[1] for node in (source, over, begun)]
    assert rows == [
        "question     50.0/s  ██████████ 99%, 0:12 left",
        "question     50.0/s  ██████████ input ended",
        "question     50.0/s  ░░░░░░░░░░ 0%",
    ]


def test_the_last_words_are_shown_and_long_ones_go_on_in_the_next_line() -> None:
    words = [Text(f"line {number}") for number in range(50)] + [Text("word " * 10)]
    lines = shown(Picture("x", Sample(0, NODES[:1]), words, ["end"]), 24, 9)
    assert lines[3:] == ["line 47", "line 48", "line 49", *["word word word word word"] * 2, "end"]


def test_of_many_nodes_those_are_shown_at_which_something_waits() -> None:
    nodes = [NodeState(f"n{number}", "X", 1.0, 0, 0.0, 0) for number in range(30)]
    nodes[20] = nodes[20]._replace(waiting=5, fill=0.5)
    nodes[25] = nodes[25]._replace(dropped=2)
    lines = shown(Picture("x", Sample(1, tuple(nodes)), [], []), 60, 12)
    assert [line.split()[0] for line in lines[1:6]] == ["n0", "n20", "n25", "and", "─" * 60]
    assert lines[4] == "and 27 more"


@given(
    width=st.integers(1, 120),
    height=st.integers(1, 60),
    names=st.lists(st.text("abü名.", min_size=1, max_size=40), max_size=30, unique=True),
    words=st.lists(st.text("ab ü名\t", max_size=200), max_size=30),
)
def test_it_fits_every_terminal(
    width: int, height: int, names: list[str], words: list[str]
) -> None:
    nodes = tuple(NodeState(name, "X", 1e6, 5, 0.5, 9) for name in names)
    picture = Picture("talk.yaml", Sample(1, nodes, 0.5), [Text(w) for w in words], ["facts"])
    lines = draw(picture, width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)


@pytest.mark.parametrize(("fill", "style"), [(0.0, "dim"), (0.5, "green"), (0.9, "yellow")])
def test_how_full_an_inbox_is_has_a_colour(fill: float, style: str) -> None:
    node = NodeState("a", "X", 1.0, round(fill * 10), fill, 0)
    row = draw(Picture("x", Sample(1, (node,)), [], []), 60, 10)[1]
    assert style in {str(span.style) for span in row.spans}


def test_of_a_server_each_session_has_a_line_the_longest_first() -> None:
    sessions = [
        SessionState("b2", 5.0, 0, 0, ["0 turns"]),
        SessionState("a1", 65.0, 3, 7, ["2 turns"]),
    ]
    lines = [line.plain for line in draw_overview("talk.yaml", Overview(sessions), 60, 3)]
    assert lines == [
        "2 sessions of talk.yaml",
        "a1     1:05      3 waiting  7 dropped  2 turns",
        "b2     0:05      0 waiting  0 turns",
    ]
    fewer = [line.plain for line in draw_overview("talk.yaml", Overview(sessions), 20, 2)]
    assert fewer == ["2 sessions of talk.…", "and 2 more"]
