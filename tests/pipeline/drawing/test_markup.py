"""Mermaid and DOT. The texts were read by Mermaid and by Graphviz when they were written down."""

from pipeline.drawing.markup import draw_dot, draw_mermaid
from pipeline.drawing.sketch import Arrow, Box, Sketch

MERMAID = """\
flowchart LR
    n0["mic<br>Microphone"]
    n1["typed<br>TextSource"]
    n2(["gate<br>VadGate"]):::inline
    n3["gemini<br>LiveApi"]
    n4["tools<br>ToolDispatcher"]
    n5["speaker<br>AudioSink"]
    n0 -->|"AudioFrame 16 kHz mono"| n2
    n2 -->|"AudioFrame 16 kHz mono,<br>SpeechStarted<br>inbox 64 frames, block"| n3
    n1 -->|"TextFrame<br>inbox 64 frames, block"| n3
    n3 -->|"AudioFrame<br>inbox latest"| n5
    n3 -->|"ToolCall<br>inbox 64 frames, block"| n4
    n4 -.->|"ToolResult<br>inbox 64 frames, block"| n3
    classDef inline stroke-dasharray:4 3
"""

DOT = r"""digraph pipeline {
    rankdir=LR;
    node [shape=box, fontname="sans-serif", fontsize=12];
    edge [fontname="sans-serif", fontsize=10];
    "mic" [label="mic\nMicrophone"];
    "typed" [label="typed\nTextSource"];
    "gate" [label="gate\nVadGate", style="rounded,dashed"];
    "gemini" [label="gemini\nLiveApi"];
    "tools" [label="tools\nToolDispatcher"];
    "speaker" [label="speaker\nAudioSink"];
    "mic" -> "gate" [label="AudioFrame 16 kHz mono"];
    "gate" -> "gemini" [label="AudioFrame 16 kHz mono,\nSpeechStarted\ninbox 64 frames, block"];
    "typed" -> "gemini" [label="TextFrame\ninbox 64 frames, block"];
    "gemini" -> "speaker" [label="AudioFrame\ninbox latest"];
    "gemini" -> "tools" [label="ToolCall\ninbox 64 frames, block"];
    "tools" -> "gemini" [label="ToolResult\ninbox 64 frames, block", BACK];
}
""".replace("BACK", "style=dashed, constraint=false")


def test_mermaid(talk: Sketch) -> None:
    assert draw_mermaid(talk) == MERMAID


def test_dot(talk: Sketch) -> None:
    assert draw_dot(talk) == DOT


def test_names_that_mean_something_to_the_other_program() -> None:
    boxes = (Box("end", 'A"<b>&\\', "source", False), Box("graph", "G", "sink", False))
    drawn = Sketch(boxes, (Arrow(0, 1, ("T",), "", False),))
    assert '    n0["end<br>A#quot;#lt;b>#amp;\\"]' in draw_mermaid(drawn)
    assert '    "end" [label="end\\nA\\"<b>&\\\\"];' in draw_dot(drawn)


def test_a_fragment_is_a_group() -> None:
    boxes = (Box("a.one", "A", "source", False), Box("two", "B", "sink", False))
    drawn = Sketch(boxes, (Arrow(0, 1, ("X",), "", False),))
    assert draw_mermaid(drawn) == (
        'flowchart LR\n    n1["two<br>B"]\n    subgraph g1["a"]\n        n0["a.one<br>A"]\n'
        '    end\n    n0 -->|"X"| n1\n'
    )
    assert (
        '    "two" [label="two\\nB"];\n    subgraph "cluster_a" {\n        label="a";\n'
        '        "a.one" [label="a.one\\nA"];\n    }\n'
    ) in draw_dot(drawn)


def test_a_fragment_within_another_is_a_group_within_a_group(nested: Sketch) -> None:
    assert (
        '    subgraph g1["leg"]\n'
        '        n1(["leg.to_16k<br>Resampler"]):::inline\n'
        '        subgraph g2["leg.tail"]\n'
        '            n2(["leg.tail.rate<br>Resampler"]):::inline\n'
        '            n3["leg.tail.file<br>AudioSink"]\n'
        "        end\n"
        "    end\n"
    ) in draw_mermaid(nested)
    assert (
        '    subgraph "cluster_leg" {\n'
        '        label="leg";\n'
        '        "leg.to_16k" [label="leg.to_16k\\nResampler", style="rounded,dashed"];\n'
        '        subgraph "cluster_leg.tail" {\n'
        '            label="leg.tail";\n'
    ) in draw_dot(nested)
