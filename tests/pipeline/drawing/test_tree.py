"""The drawing for the terminal."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.drawing.sketch import Arrow, Box, Sketch
from pipeline.drawing.tree import draw_tree

TALK = """\
[typed] TextSource
 │ TextFrame
 │ inbox 64 frames, block
 ╰▶ gemini, below

[mic] Microphone
 │ AudioFrame 16 kHz mono
 ▼
(gate) VadGate
 │ AudioFrame 16 kHz mono, SpeechStarted
 │ inbox 64 frames, block
 ▼
[gemini] LiveApi
 ├─╮ ToolCall
 │ │ inbox 64 frames, block
 │ ▼
 │[tools] ToolDispatcher
 │ │ ToolResult
 │ │ inbox 64 frames, block
 │ ╰↺ gemini, above
 │ AudioFrame
 │ inbox latest
 ▼
[speaker] AudioSink

(name) runs in the task of what feeds it
↺ feedback: it closes a cycle
"""

TALK_ASCII = """\
[typed] TextSource
 | TextFrame
 | inbox 64 frames, block
 +> gemini, below

[mic] Microphone
 | AudioFrame 16 kHz mono
 v
(gate) VadGate
 | AudioFrame 16 kHz mono,
 | SpeechStarted
 | inbox 64 frames, block
 v
[gemini] LiveApi
 |-+ ToolCall
 | | inbox 64 frames, block
 | v
 |[tools] ToolDispatcher
 | | ToolResult
 | | inbox 64 frames, block
 | +< gemini, above
 | AudioFrame
 | inbox latest
 v
[speaker] AudioSink

(name) runs in the task of what feeds it
< feedback: it closes a cycle
"""


def test_a_conversation(talk: Sketch) -> None:
    assert draw_tree(talk) == TALK


def test_without_unicode_and_with_little_room(talk: Sketch) -> None:
    drawn = draw_tree(talk, width=32, ascii_only=True)
    assert drawn == TALK_ASCII
    assert drawn.isascii()


NESTED = """\
    [mic] Microphone
     │ AudioFrame
     ▼
┏   leg
┗   (leg.to_16k) Resampler
     ├─╮ AudioFrame
     │ │ inbox latest
     │ ▼
     │[gemini] LiveApi
┏    │leg
┃    │ AudioFrame
┃    ▼
┃ ┏ leg.tail
┃ ┃ (leg.tail.rate) Resampler
┃ ┃  │ AudioFrame
┃ ┃  │ inbox latest
┃ ┃  ▼
┗ ┗ [leg.tail.file] AudioSink

    (name) runs in the task of what feeds it
"""


def test_what_is_in_a_fragment_stands_behind_a_rail(nested: Sketch) -> None:
    assert draw_tree(nested) == NESTED
    plain = draw_tree(nested, ascii_only=True).splitlines()
    assert plain[3:5] == [".   leg", "'   (leg.to_16k) Resampler"]
    assert plain[12:14] == ["! . leg.tail", "! ! (leg.tail.rate) Resampler"]


def test_the_legend_explains_only_what_is_there() -> None:
    boxes = (Box("a", "A", "source", inline=False), Box("b", "B", "sink", inline=False))
    drawn = draw_tree(Sketch(boxes, (Arrow(0, 1, ("TextFrame",), "latest", feedback=False),)))
    assert drawn == "[a] A\n │ TextFrame\n │ inbox latest\n ▼\n[b] B\n\n"


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    """Any graph without a cycle, and some arrows back."""
    count = draw(st.integers(1, 9))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    ends = draw(st.lists(pairs, max_size=20, unique=True))
    boxes = tuple(Box(f"n{n}", "Kind", "transform", n % 2 == 0) for n in range(count))
    return Sketch(boxes, tuple(Arrow(a, b, ("TextFrame",), "", a >= b) for a, b in ends))


@given(sketches())
def test_every_box_is_drawn_once_below_all_that_feed_it(drawn: Sketch) -> None:
    lines = draw_tree(drawn).splitlines()
    at = {}
    for number, box in enumerate(drawn.boxes):
        names = (f"({box.name}) Kind", f"[{box.name}] Kind")
        [at[number]] = [n for n, line in enumerate(lines) if line.endswith(names)]
    for arrow in drawn.arrows:
        assert arrow.feedback or at[arrow.source] < at[arrow.target]
    assert sum(line.endswith("TextFrame") for line in lines) == len(drawn.arrows)
    for line, text in enumerate(lines):
        if text.endswith((", above", ", below")):
            name, where = text.split()[-2:]
            assert (at[int(name.strip("n,"))] <= line) == (where == "above")


def test_a_long_chain_is_no_problem() -> None:
    boxes = tuple(Box(f"n{n}", "Kind", "transform", inline=False) for n in range(3000))
    arrows = tuple(Arrow(n, n + 1, ("TextFrame",), "", feedback=False) for n in range(2999))
    assert draw_tree(Sketch(boxes, arrows)).count("▼") == 2999
