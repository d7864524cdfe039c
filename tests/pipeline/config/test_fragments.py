"""Files that are included as if they were processors."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import ConfigError, Graph
from pipeline.config import check, load, loads

SOUND = Path(__file__).parents[3] / "configs/speech/question.wav"

LINE = """\
parameters:
  rate: 8000
  file:
  quality: live
processors:
  mic: {use: audio_source, path: "${file}"}
  to_16k: {use: resampler, rate: 16000, channels: 1}
  to_line: {use: resampler, rate: "${rate}", quality: "${quality}"}
  line: {use: audio_sink, path: "out-${rate}.wav"}
flow:
  - mic -> to_16k -> output
  - input -> to_line -> line
"""

TALK = """\
processors:
  leg: {use: ./parts/line.yaml, file: a.wav}
  gemini: {use: live_api}
flow:
  - leg -> gemini -> leg
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, {"parts/line.yaml": LINE, "talk.yaml": TALK})
    (tmp_path / "a.wav").write_bytes(SOUND.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def edges(graph: Graph) -> list[str]:
    return [str(edge) for edge in graph.edges]


def value(graph: Graph, node: str, name: str) -> Any:
    return vars(graph.nodes[node].processor)[name]


def found(text: str, *, file: str = "talk.yaml", **variables: str) -> list[str]:
    """What the check says."""
    return [str(f) for f in check(text, file=file, base=Path(file).parent, variables=variables)]


def errors(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(text, file="talk.yaml", overrides=overrides)
    return [str(finding) for finding in caught.value.findings]


# --- what is right ---


def test_a_fragment_is_wired_by_its_open_ends() -> None:
    graph = load("talk.yaml")
    assert list(graph.nodes) == ["leg.mic", "leg.to_16k", "leg.to_line", "leg.line", "gemini"]
    assert edges(graph) == [
        "leg.mic -> leg.to_16k",
        "leg.to_line -> leg.line",
        "leg.to_16k -> gemini",
        "gemini -> leg.to_line",
    ]
    assert graph.check() == []
    assert str(graph.nodes["leg.to_line"].place) == "parts/line.yaml:8:3"
    assert [str(edge.place) for edge in graph.edges[1:3]] == [
        "parts/line.yaml:12:25",
        "talk.yaml:5:12",
    ]


def test_parameters_keep_their_types_and_go_into_texts() -> None:
    graph = loads(TALK.replace("a.wav", "a.wav, rate: 24000, quality: best"))
    assert value(graph, "leg.to_line", "rate") == 24000
    assert value(graph, "leg.line", "path") == Path("out-24000.wav")


def test_files_start_where_they_are_written(folder: Path) -> None:
    assert Path(value(load("talk.yaml"), "leg.mic", "path")) == Path("a.wav")
    write(folder, {"parts/line.yaml": LINE.replace("file:\n", "file: here.wav\n")})
    graph = loads(TALK.replace(", file: a.wav", ""), base=folder)
    assert value(graph, "leg.mic", "path") == folder / "parts/here.wav"


def test_fragments_within_fragments(folder: Path) -> None:
    pair = """\
parameters: {source: , rates: [8000]}
processors:
  first: {use: line.yaml, file: "${source}"}
  words: {use: text_source, lines: "${names}"}
flow:
  - first -> output
  - input -> first
""".replace("rates: [8000]", "names: [a, b]")
    write(folder, {"parts/pair.yaml": pair})
    graph = loads(
        TALK.replace("line.yaml, file", "pair.yaml, source").replace(
            "leg -> gemini -> leg", "leg -> gemini -> leg\n  - leg.words -> gemini"
        ),
        base=folder,
        overrides=["leg.first.rate=16000", "leg.first.to_line.quality=best", "leg.names=[c]"],
    )
    assert value(graph, "leg.first.to_line", "rate") == 16000
    assert value(graph, "leg.first.mic", "path") == folder / "a.wav"
    assert value(graph, "leg.words", "lines") == ["c"]
    assert "leg.first.to_16k -> gemini" in edges(graph)
    assert "leg.words -> gemini" in edges(graph)


def test_one_fragment_twice() -> None:
    text = TALK.replace(
        "  gemini", "  other: {use: parts/line.yaml, file: a.wav, rate: 9000}\n  gemini"
    )
    graph = loads(text.replace("-> leg\n", "-> leg\n  - gemini -> other -> gemini\n"))
    assert {"gemini -> other.to_line", "other.to_16k -> gemini"} < set(edges(graph))


def test_a_whole_graph_may_have_parameters() -> None:
    text = (
        "parameters: {words: [hello], name: ${WHO:-Ada}, none: null}\n"
        "processors:\n"
        '  typed: {use: text_source, lines: "${words}", ends_on: "${none}"}\n'
        '  gemini: {use: live_api, modality: text, instruction: "You are ${name}."}\n'
        "flow: [typed -> gemini]\n"
    ).replace("${WHO:-Ada}", '"${WHO:-Ada}"')
    graph = loads(text, variables={"WHO": "Bob"})
    assert value(graph, "typed", "lines") == ["hello"]
    assert value(graph, "gemini", "wishes").instruction == "You are Bob."
    graph = loads(text, variables={}, overrides=["words=[bye]"])
    assert value(graph, "typed", "lines") == ["bye"]


def test_a_parameter_counts_more_than_a_variable_and_a_default_stands_for_nothing() -> None:
    text = (
        "parameters: {HOME: here, none: null}\n"
        "processors:\n"
        '  typed: {use: text_source, lines: ["${HOME}", "${none:-x}", "a ${none}", "$${HOME}"]}\n'
        "  gemini: {use: live_api, modality: text}\n"
        "flow: [typed -> gemini]\n"
    )
    graph = loads(text, variables={"HOME": "there"})
    assert value(graph, "typed", "lines") == ["here", "x", "a ", "${HOME}"]


def test_a_fragment_is_checked_by_itself() -> None:
    assert found(LINE, file="parts/line.yaml") == []
    wrong = LINE.replace("rate: 16000", "rate: 1").replace("-> line\n", "-> lines\n")
    assert found(wrong, file="parts/line.yaml") == [
        'parts/line.yaml:7:34: error[wrong-setting] "to_16k": rate: '
        "expected a whole number >= 4000, got 1",
        'parts/line.yaml:12:25: error[unknown-node] no processor is named "lines"; did you mean '
        '"line"?',
    ]
    cut = LINE.replace("file:\n", f"file: {SOUND}\n").replace("  - input -> to_line -> line\n", "")
    assert found(cut, file="parts/line.yaml") == [
        'parts/line.yaml:8:3: error[unused] "to_line" is not in the flow; add it to a chain or '
        "delete it",
        'parts/line.yaml:9:3: error[unused] "line" is not in the flow; add it to a chain or delete '
        "it",
    ]


# --- what is wrong ---


@pytest.mark.parametrize(
    ("given", "errors_"),
    [
        (
            "rate: fast",
            [
                'talk.yaml:2:52: error[wrong-setting] "leg.to_line": rate: '
                "expected a whole number, got "
                "'fast'",
            ],
        ),
        (
            "rat: 5",
            [
                'talk.yaml:2:46: error[unknown-setting] "leg": no parameter "rat"; did you mean '
                '"rate"?',
            ],
        ),
        (
            "inbox: {ms: 5}",
            [
                'talk.yaml:2:46: error[unknown-setting] "leg": a fragment has no inbox; give one '
                "to a processor in it"
            ],
        ),
        (
            'rate: "${GONE}"',
            [
                "talk.yaml:2:52: error[variable] the variable GONE is not set; set it, or give a "
                "default: ${GONE:-...}"
            ],
        ),
        (
            "rate: [1]",
            [
                "parts/line.yaml:9:33: error[variable] the parameter rate is no text, and cannot "
                "be put into one",
                'talk.yaml:2:52: error[wrong-setting] "leg.to_line": rate: '
                "expected a whole number, got a list",
            ],
        ),
    ],
)
def test_wrong_parameters_are_shown_where_they_are_written(given: str, errors_: list[str]) -> None:
    assert found(TALK.replace("a.wav", f"a.wav, {given}")) == errors_


def test_a_parameter_that_is_missing() -> None:
    assert errors(TALK.replace(", file: a.wav", "")) == [
        'talk.yaml:2:3: error[missing-setting] "leg": parameter "file" is missing'
    ]
    text = (
        "parameters: {who: }\n"
        'processors: {a: {use: text_source, lines: ["${who}"]}, b: {use: live_api}}\n'
        "flow: [a -> b]\n"
    )
    assert errors(text) == [
        'talk.yaml:1:14: error[missing-setting] parameter "who" is missing; give it a value, or '
        "write --set who=VALUE"
    ]
    assert loads(text, overrides=["who=me"])


def test_what_is_wrong_in_it_has_its_place(folder: Path) -> None:
    write(folder, {"parts/line.yaml": LINE.replace("rate: 16000", "rate: 1, rats: 2")})
    assert found(TALK) == [
        'parts/line.yaml:7:34: error[wrong-setting] "leg.to_16k": rate: '
        "expected a whole number >= 4000, "
        "got 1",
        'parts/line.yaml:7:37: error[unknown-setting] "leg.to_16k": no setting "rats"; did you '
        'mean "rate"?',
    ]
    write(folder, {"parts/line.yaml": LINE.replace("processors", "processor")})
    assert found(TALK) == [
        'parts/line.yaml:5:1: error[unknown-key] no key "processor" here; did you mean '
        '"processors"?',
    ]
    write(folder, {"parts/line.yaml": "a: [\n"})
    assert [error.partition("]")[0] for error in found(TALK)] == ["parts/line.yaml:1:4: error[yaml"]


def test_a_machine_that_lacks_something(folder: Path) -> None:
    assert found(TALK.replace("a.wav", "b.wav")) == [
        'talk.yaml:2:39: error[environment] "leg.mic": there is no file b.wav'
    ]


@pytest.mark.parametrize(
    ("flow", "error"),
    [
        (
            "input -> output",
            "parts/x.yaml:4:17: error[open-end] there is nothing between `input` and `output`",
        ),
        ("a -> input", "parts/x.yaml:4:13: error[open-end] `input` is where a fragment begins"),
        ("output -> a", "parts/x.yaml:4:18: error[open-end] `output` is where a fragment ends"),
        (
            "input -> a -> output, input -> a",
            'parts/x.yaml:4:39: error[connected-twice] "input -> a" is there already',
        ),
        (
            "a -> output",
            'talk.yaml:5:13: error[open-end] "x" has no input: no chain in parts/x.yaml begins '
            "with `input`",
        ),
        (
            "input -> a",
            'talk.yaml:5:18: error[open-end] "x" has no output: no chain in parts/x.yaml ends '
            "with `output`",
        ),
    ],
)
def test_open_ends_that_cannot_be(flow: str, error: str, folder: Path) -> None:
    text = f"parameters: {{}}\nprocessors:\n  a: {{use: vad_gate}}\nflow: [{flow}]\n"
    write(folder, {"parts/x.yaml": text})
    talk = (
        "processors:\n  s: {use: audio_source, path: a.wav}\n  x: {use: parts/x.yaml}\n"
        "  g: {use: live_api}\nflow: [s -> x -> g]\n"
    )
    assert error in found(talk)


def test_open_ends_belong_to_fragments() -> None:
    assert errors(LINE) == [
        'talk.yaml:3:3: error[missing-setting] parameter "file" is missing; give it a value, or '
        "write --set file=VALUE",
        "talk.yaml:1:1: error[fragment] this is a fragment: `input` and `output` are for what "
        "includes it; write {use: ./talk.yaml} in another configuration",
    ]
    assert errors(TALK.replace("leg -> gemini", "input -> gemini"))[0] == (
        'talk.yaml:5:5: error[unknown-node] no processor is named "input"; only a fragment, which '
        "has `parameters:`, has `input` and `output`"
    )


def test_a_fragment_that_is_not_in_the_flow() -> None:
    text = TALK.replace("leg -> gemini -> leg", "s -> gemini").replace(
        "  gemini", "  s: {use: text_source, lines: [x]}\n  gemini"
    )
    assert errors(text) == [
        'talk.yaml:2:3: error[unused] "leg" is not in the flow; add it to a chain or delete it'
    ]


def test_a_file_that_is_not_there_or_includes_itself(folder: Path) -> None:
    assert errors(TALK.replace("line.yaml", "lin.yaml"))[0] == (
        'talk.yaml:2:14: error[fragment] "leg": cannot read parts/lin.yaml: No such file or '
        "directory"
    )
    write(
        folder, {"parts/line.yaml": TALK.replace("./parts/line.yaml, file: a.wav", "../talk.yaml")}
    )
    assert (
        'parts/line.yaml:2:14: error[fragment] "leg.leg": talk.yaml includes itself: talk.yaml -> '
        "line.yaml -> talk.yaml"
    ) in errors(TALK)


def test_too_deep(folder: Path) -> None:
    for number in range(10):
        name = f"parts/{number}.yaml"
        write(folder, {name: TALK.replace("./parts/line.yaml, file: a.wav", f"{number + 1}.yaml")})
    assert (
        'parts/7.yaml:2:14: error[fragment] "leg.leg.leg.leg.leg.leg.leg.leg.leg": fragments are '
        "within each other more than 8 deep"
    ) in errors(TALK.replace("line.yaml, file: a.wav", "0.yaml"))


def test_fragments_do_not_multiply_without_end(folder: Path) -> None:
    for number in range(4):
        many = "".join(f"  a{n}: {{use: {number + 1}.yaml}}\n" for n in range(20))
        text = f"parameters: {{}}\nprocessors:\n{many}flow: [a0 -> a1]\n"
        write(folder, {f"parts/{number}.yaml": text})
    (folder / "parts/4.yaml").write_text(LINE)
    assert any(
        "more than 1000 fragments are included" in e for e in found(TALK.replace("line", "0"))
    )


def test_secrets_are_found_where_they_are_written(folder: Path) -> None:
    text = (
        "parameters: {api_key: }\nprocessors:\n"
        '  a: {use: text_source, lines: [x]}\n  g: {use: live_api, setup: {key: "${api_key}"}}\n'
        "flow: [a -> g]\n"
    )
    write(folder, {"parts/line.yaml": text})
    talk = TALK.replace("file: a.wav", "api_key: hush")
    assert found(talk)[0] == (
        'talk.yaml:2:42: error[secret] "leg": api_key is a secret that is written into the file; '
        'put it into an environment variable, and write "${NAME}"'
    )
    assert "hush" not in str(found(talk))


def test_parameters_that_are_none() -> None:
    assert found(LINE.replace(LINE[: LINE.index("processors")], "parameters: 5\n"))[0] == (
        "talk.yaml:1:13: error[config] `parameters:` must be names with their values, or {}"
    )
    assert found(LINE.replace("${quality}", "live")) == [
        'talk.yaml:4:3: warning[unused-parameter] the parameter "quality" is not used; write '
        '"${quality}" where it belongs'
    ]
