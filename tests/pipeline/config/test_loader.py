"""Loading configurations: what is right gives a graph, what is wrong gives located findings."""

from pathlib import Path

import pytest

from pipeline import ConfigError, Graph, InboxSettings, Processor, load
from pipeline.config import check, check_file, loads
from pipeline.testing import Given
from processors.audio.resampler import Resampler

CUSTOM = """
from collections.abc import AsyncIterator
from pipeline import AudioFrame, SettingError, Sink, Source

class Tone(Source):
    def __init__(self, hertz: float, rate: int = 16000) -> None:
        if hertz > rate / 2:
            raise SettingError("too high", setting="hertz", hint="at most half the rate")
        self.hertz = hertz
    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield

class Buggy(Sink):
    def __init__(self) -> None:
        raise KeyError("key")
    async def consume(self, frame: AudioFrame) -> None: ...

class Late(Sink):
    def __init__(self, other: "Nowhere") -> None: ...
    async def consume(self, frame: AudioFrame) -> None: ...

class Void(Sink):
    async def consume(self, frame: AudioFrame) -> None: ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "custom.py").write_text(CUSTOM)
    return tmp_path


def graph_of(text: str, folder: Path, **variables: str) -> Graph:
    return loads(text, file="x.yaml", base=folder, variables=variables)


def errors(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        graph_of(text, folder)
    return [str(finding) for finding in caught.value.findings]


GOOD = """
processors:
  tone: {use: "./custom.py:Tone", hertz: "${HERTZ:-440}"}
  to_8k:
    use: resampler
    rate: 8000
    inbox: {ms: 100, policy: drop_oldest}
  void: {use: ./custom.py:Void}
flow:
  - tone -> to_8k -> void
"""


def test_a_configuration_gives_a_graph(folder: Path) -> None:
    graph = graph_of(GOOD, folder, HERTZ="1e3")
    assert [str(edge) for edge in graph.edges] == ["tone -> to_8k", "to_8k -> void"]
    resampler = graph.nodes["to_8k"].processor
    assert isinstance(resampler, Resampler)
    assert resampler.rate == 8000
    assert graph.nodes["to_8k"].inbox == InboxSettings(ms=100, policy="drop_oldest")
    assert vars(graph.nodes["tone"].processor)["hertz"] == 1000.0
    assert str(graph.nodes["to_8k"].place) == "x.yaml:4:3"
    assert str(graph.edges[1].place) == "x.yaml:10:22"


def test_a_file_is_loaded_relative_to_itself(folder: Path) -> None:
    file = folder / "good.yaml"
    file.write_text(GOOD)
    assert list(load(file).nodes) == ["tone", "to_8k", "void"]


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder / "no.yaml")
    assert str(caught.value) == (
        f"error[unreadable] cannot read {folder / 'no.yaml'}: No such file or directory"
    )
    with pytest.raises(ConfigError, match="is a folder; name a file in it"):
        load(folder)


def test_a_file_that_is_not_text(folder: Path) -> None:
    (folder / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"x\.yaml:1:1: .* this is not UTF-8 text"):
        load(folder / "x.yaml")


def test_everything_wrong_with_the_processors_is_found_at_once(folder: Path) -> None:
    text = """\
processors:
  tone: {use: ./custom.py:Tone, hertz: loud, rat: 1}
  high: {use: ./custom.py:Tone, hertz: 9000}
  up:   {use: reampler, rate: 8000}
  gate: {use: vad_gate, inbox: {frames: 0}}
  res:  {use: resampler}
  none: {rate: 1}
  word: text
flow:
  - tone -> up -> void
"""
    assert errors(text, folder) == [
        "x.yaml:2:40: error[wrong-setting] \"tone\": hertz: expected a number, got 'loud'",
        'x.yaml:2:46: error[unknown-setting] "tone": no setting "rat"; did you mean "rate"?',
        'x.yaml:3:40: error[wrong-setting] "high": too high; at most half the rate',
        'x.yaml:4:15: error[unknown-processor] no processor "reampler"; did you mean "resampler"?',
        'x.yaml:5:41: error[wrong-setting] "gate": inbox.frames: '
        "expected a whole number >= 1, got 0",
        'x.yaml:6:3: error[missing-setting] "res": setting "rate" is missing; `pipeline '
        "describe resampler` tells of its settings",
        'x.yaml:7:9: error[missing-use] "none" needs `use:` with the name of a processor; write '
        "{use: resampler, ...}",
        'x.yaml:8:9: error[missing-use] "word" needs `use:` with the name of a processor; write '
        "{use: text}",
        'x.yaml:10:19: error[unknown-node] no processor is named "void"; there are: gate, high, '
        "none, res, tone, up, word",
    ]


def test_mistakes_in_the_flow_are_located(folder: Path) -> None:
    text = """\
processors:
  tone: {use: ./custom.py:Tone, hertz: 440}
  void: {use: ./custom.py:Void}
flow:
  - tone -> vod
  - "tone -> void -> "
"""
    assert errors(text, folder) == [
        'x.yaml:5:13: error[unknown-node] no processor is named "vod"; did you mean "void"?',
        "x.yaml:6:21: error[flow-syntax] a processor's name is missing at the end",
    ]


WHOLE = (
    "x.yaml:1:1: error[config] a configuration has `processors:` and `flow:`; `pipeline new` "
    "begins one"
)
NODES = "processors: {{{0}}}\nflow: [a -> b]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [WHOLE]),
        ("# nothing", [WHOLE]),
        ("- a", [WHOLE]),
        ("nodes: {}\nedges: []", [
            "x.yaml:1:1: error[config] a configuration has `processors:` and `flow:`; here is "
            "nodes, edges",
        ]),
        ("processors: {}\nflow: a -> b", [
            "x.yaml:1:13: error[config] `processors:` must be names with their settings; below "
            "it, indented: `name: {use: resampler, ...}`",
            "x.yaml:2:7: error[config] `flow:` must be a list of chains; write it below, behind "
            "a dash: `- a -> b`",
        ]),
        ("processors:\nflow:\n", [
            "x.yaml:1:1: error[config] `processors:` must be names with their settings; below "
            "it, indented: `name: {use: resampler, ...}`",
            "x.yaml:2:1: error[config] `flow:` must be a list of chains; below it, indented: "
            "`- one -> another`",
        ]),
        ("flow:\nprocessors: {a: {use: text_source, lines: [x]}}\nflow: [a -> a]", [
            'x.yaml:3:1: error[duplicate-key] "flow" is there twice; the first one is in line 1; '
            "rename or delete one",
        ]),
        ("processors:\n- a: {use: x}\nflow: [a -> b]", [
            "x.yaml:2:1: error[config] `processors:` must be names with their settings; leave "
            "the dashes out: `name: {use: resampler, ...}`",
        ]),
        ("processors:\na: {use: x}\nb: {use: x}\nflow: [a -> b]", [
            'x.yaml:2:1: error[config] "a" is not below `processors:`; indent the processors by '
            "two spaces",
        ]),
        ("procesors: {a: {}}\nflow: [3]", [
            'x.yaml:1:1: error[unknown-key] no key "procesors" here; did you mean "processors"?',
            "x.yaml:2:8: error[flow-syntax] a chain is text: `a -> b -> c`",
        ]),
        ("procesors: {a: {}}\nflow: [a -> b]", [
            'x.yaml:1:1: error[unknown-key] no key "procesors" here; did you mean "processors"?',
        ]),
        ("processors: {a: {use: text_source, lines: [x]}}\nflows: [a -> b]", [
            'x.yaml:2:1: error[unknown-key] no key "flows" here; did you mean "flow"?',
        ]),
        ("processors: {my text: {use: text_source, lines: [x]}}\nflow: [my text -> b]", [
            'x.yaml:1:14: error[node-name] "my text" is not a name: letters, digits, _ and -, a '
            "letter first; give it another one",
        ]),
        ("processors: {1: {use: text_source, lines: [x]}}\nflow: [1 -> b]", [
            'x.yaml:1:14: error[node-name] "1" is not a name: letters, digits, _ and -, a letter '
            "first; give it another one",
        ]),
        (NODES.format("a: {use: text_source, lines: [x]}, a: {use: text_source, lines: [y]}"), [
            'x.yaml:1:49: error[duplicate-key] "a" is there twice; the first one is in line 1; '
            "rename or delete one",
        ]),
        (NODES.format("a: {type: text_source, lines: [x]}, b: {use: y}"), [
            'x.yaml:1:18: error[missing-use] "a" needs `use:` with the name of a processor; write '
            "`use: text_source` instead of `type: text_source`",
            'x.yaml:1:59: error[unknown-processor] no processor "y"; there are: ',
        ]),
        (NODES.format("a: {use:text_source, lines: [x]}, b: live_api"), [
            'x.yaml:1:18: error[missing-use] "a" needs `use:` with the name of a processor; put '
            "a space behind the colon",
            'x.yaml:1:51: error[missing-use] "b" needs `use:` with the name of a processor; write '
            "{use: live_api}",
        ]),
    ],
)  # fmt: skip
def test_the_shape_of_a_configuration(text: str, expected: list[str], folder: Path) -> None:
    """What only follows from one mistake is not said."""
    cut = [error.partition("there are: ") for error in errors(text, folder)]
    assert [before + between for before, between, _ in cut] == expected


def test_a_wrong_rate_on_an_edge_is_found_by_the_check(folder: Path) -> None:
    text = """\
processors:
  to_8k:  {use: resampler, rate: 8000}
  tone:   {use: ./custom.py:Tone, hertz: 440}
  gemini: {use: live_api}
  void:   {use: ./custom.py:Void}
flow:
  - tone -> to_8k -> gemini -> void
"""
    assert [str(finding) for finding in graph_of(text, folder).check()] == [
        'x.yaml:7:22: error[format-mismatch] "to_8k -> gemini": to_8k gives audio of 8000 Hz any '
        "channels, gemini takes 16000 Hz mono; put a resampler between them: {use: resampler, "
        "rate: 16000, channels: 1}"
    ]


def test_mistakes_in_a_class_are_findings_too(folder: Path) -> None:
    text = """\
processors:
  buggy: {use: ./custom.py:Buggy}
  late: {use: ./custom.py:Late, other: 3}
flow: [buggy -> late]
"""
    assert errors(text, folder) == [
        "x.yaml:2:3: error[constructor] \"buggy\": its constructor failed: KeyError: 'key'",
        "x.yaml:3:15: error[annotations] \"late\": Late.__init__: its annotations use 'Nowhere', "
        "which its module does not define when it runs; import it outside `if TYPE_CHECKING:`",
    ]


def test_a_file_is_written_by_one_and_read_by_none(folder: Path) -> None:
    text = """\
processors:
  in: {use: audio_source, path: a.wav}
  out: {use: audio_sink, path: FOLDER/a.wav}
  again: {use: audio_sink, path: FOLDER/x/../a.wav}
flow: [in -> out, in -> again]
""".replace("FOLDER", str(folder))
    (folder / "a.wav").write_bytes(b"precious")
    found = [str(finding) for finding in graph_of(text, folder).check()]
    assert found[:2] == [
        f'x.yaml:4:34: error[same-file] "again" and "out" would both write {folder}/a.wav',
        f'x.yaml:3:32: error[same-file] "out" would overwrite {folder}/a.wav, which "in" reads',
    ]
    assert (folder / "a.wav").read_bytes() == b"precious"


def test_standard_input_is_read_by_one_and_standard_output_written_by_one(folder: Path) -> None:
    text = """\
processors:
  typed: {use: text_source, path: "-"}
  sound: {use: audio_source, path: "-", rate: 16000}
  gemini: {use: live_api}
  out: {use: audio_sink, path: "-"}
  more: {use: audio_sink, path: "-", encoding: mulaw}
flow: [typed -> gemini, sound -> gemini -> out, gemini -> more]
"""
    found = [str(finding) for finding in graph_of(text, folder).check()]
    assert found == [
        'x.yaml:6:33: error[same-file] "more" and "out" would both write standard output',
        'x.yaml:3:36: error[same-file] "sound" and "typed" would both read standard input',
    ]


def test_sounds_of_different_rates_do_not_fit_into_one_sink(folder: Path) -> None:
    text = """\
processors:
  tone: {use: ./custom.py:Tone, hertz: 440}
  low: {use: resampler, rate: 8000}
  high: {use: resampler, rate: 16000}
  void: {use: ./custom.py:Void}
flow: [tone -> low -> void, tone -> high -> void]
"""
    [finding] = graph_of(text, folder).check()
    assert (finding.code, str(finding.place)) == ("format-mismatch", "x.yaml:6:45")
    assert "high gives audio of 16000 Hz any channels, void takes 8000 Hz any channels" in str(
        finding
    )


def found(text: str, folder: Path, *, offline: bool = False, **variables: str) -> list[str]:
    findings = check(text, file="x.yaml", base=folder, variables=variables, offline=offline)
    return [str(finding) for finding in findings]


SETTINGS = """\
processors:
  in: {use: audio_source, path: gone.wav}
  three:
    use: resampler
    rate: 16000
    channels: 3
  out:
    use: audio_sink
    path: x.wav
    inbox:
      policy: latest
  words: {use: transcription_sink, path: x.jsonl, inbox: {ms: 5}}
  gemini: {use: live_api, model: gemini-9, voice: Kora}
flow:
  - in -> three -> out
  - three -> gemini -> words
"""


def test_what_a_check_finds_stands_at_the_setting_it_names(folder: Path) -> None:
    (folder / "gone.wav").mkdir()
    text = SETTINGS.replace("inbox: {ms: 5}", "").replace("channels: 3", "channels: 1")
    assert found(text, folder) == [
        f'x.yaml:2:33: error[environment] "in": {folder}/gone.wav is a folder; name a file in it',
        'x.yaml:13:51: error[environment] "gemini": no voice is called "Kora"; did you mean '
        '"Kore"?',
    ]


def test_what_is_wrong_with_an_inbox_stands_at_its_setting(folder: Path) -> None:
    assert 'x.yaml:12:63: error[inbox] "words": a bound in ms is for sound' in "".join(
        found(SETTINGS, folder, offline=True)
    )


def test_a_file_of_its_own_that_is_missing_is_found_at_the_setting(folder: Path) -> None:
    (folder / "reader.py").write_text(
        """
from pathlib import Path
from pipeline import AudioFrame, InputPath, Sink, read_yaml

class Reader(Sink):
    def __init__(self, table: InputPath) -> None:
        self.table = table
    def check(self) -> None:
        read_yaml(self.table, dict[str, int])
    async def consume(self, frame: AudioFrame) -> None: ...
"""
    )
    text = GOOD.replace("./custom.py:Void", "./reader.py:Reader, table: table.yaml")
    assert found(text, folder) == [
        f"x.yaml:8:42: error[unreadable] cannot read {folder}/table.yaml: No such file or directory"
    ]
    (folder / "table.yaml").write_text("a: 1\nb: x\n")
    assert found(text, folder) == [
        f"{folder}/table.yaml:2:4: error[wrong-setting] b: expected a whole number, got 'x'"
    ]


def test_a_name_that_no_file_can_have_is_an_ordinary_finding(folder: Path) -> None:
    text = GOOD.replace("./custom.py:Void", f"audio_sink, path: {'x' * 300}.wav")
    [finding] = found(text, folder)
    assert finding.startswith('x.yaml:8:33: error[environment] "void": cannot use xxx')
    assert finding.endswith("xxx.wav: File name too long")


def test_wrong_text_settings_flow_and_machine_are_found_at_once(folder: Path) -> None:
    text = """\
processors:
  tone: {use: ./custom.py:Tone, hertz: "${HERTZ}", rate: 8000, rat: 1}
  in: {use: audio_source, path: gone.wav}
  void: {use: ./custom.py:Void}
  void: {use: ./custom.py:Void}
flow:
  - tone -> vod
  - in -> ${VOID}
"""
    assert found(text, folder) == [
        "x.yaml:2:40: error[variable] the variable HERTZ is not set; set it, or give a default: "
        "${HERTZ:-...}",
        'x.yaml:2:64: error[unknown-setting] "tone": no setting "rat"; did you mean "rate"?',
        f'x.yaml:3:33: error[environment] "in": there is no file {folder}/gone.wav',
        'x.yaml:5:3: error[duplicate-key] "void" is there twice; the first one is in line 4; '
        "rename or delete one",
        'x.yaml:7:13: error[unknown-node] no processor is named "vod"; did you mean "void"?',
        "x.yaml:8:5: error[variable] the variable VOID is not set; set it, or give a default: "
        "${VOID:-...}",
    ]
    assert [line for line in found(text, folder, offline=True) if "gone.wav" in line] == []


def test_offline_compares_the_formats_that_are_known(folder: Path) -> None:
    text = """\
processors:
  in: {use: audio_source, path: gone.wav}
  low: {use: resampler, rate: 8000, channels: 1}
  gemini: {use: live_api, backend: gemini_api, modality: audio}
  void: {use: ./custom.py:Void}
flow: [in -> low -> gemini -> void, in -> gemini]
"""
    [finding] = found(text, folder, offline=True)
    assert finding.startswith('x.yaml:6:21: error[format-mismatch] "low -> gemini"')


def test_what_a_constructor_finds_within_a_setting(folder: Path) -> None:
    (folder / "inner.py").write_text(
        """
from pipeline import AudioFrame, SettingError, Sink

class Inner(Sink):
    def __init__(self, band: dict[str, int]) -> None:
        raise SettingError("too low", setting="band.low")
    async def consume(self, frame: AudioFrame) -> None: ...
"""
    )
    text = GOOD.replace("./custom.py:Void", "./inner.py:Inner, band: {high: 2, low: 1}")
    assert found(text, folder) == ['x.yaml:8:54: error[wrong-setting] "void": too low']
    without = text.replace(", low: 1", "")
    assert found(without, folder) == ['x.yaml:8:39: error[wrong-setting] "void": too low']


SECRET = "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw"


def test_secrets_are_found_and_never_quoted(folder: Path) -> None:
    text = f"""\
# as in "${{KEY}}", not {SECRET}
processors:
  tone: {{use: ./custom.py:Tone, hertz: {SECRET}}}
  low: {{use: resampler, rate: 8000, quality: best, api_key: "s3cr3t"}}
  void: {{use: ./custom.py:Void}}
flow: [tone -> low -> void]
"""
    put = 'put it into an environment variable, and write "${NAME}"'
    key = f"error[secret] an API key of Google is written into the file; {put}"
    assert found(text, folder) == [
        f"x.yaml:1:23: {key}",
        f"x.yaml:3:40: {key}",
        'x.yaml:3:40: error[wrong-setting] "tone": hertz: expected a number, got ***',
        'x.yaml:4:52: error[unknown-setting] "low": no setting "api_key"; there are: channels, '
        "quality, rate",
        'x.yaml:4:61: error[secret] "low": api_key is a secret that is written into the file; '
        f"{put}",
    ]
    assert {finding.partition(":")[0] for finding in errors(text, folder)} == {"x.yaml"}


def test_a_secret_alone_keeps_a_file_from_being_loaded(folder: Path) -> None:
    text = f"# {SECRET}\n{GOOD}"
    assert len(errors(text, folder)) == len(found(text, folder)) == 1
    assert found(f"# {SECRET}\na: [", folder)[0].startswith("x.yaml:1:3: error[secret] ")


def test_a_file_that_is_not_there_is_a_finding_too(folder: Path) -> None:
    [finding] = check_file(folder / "no.yaml")
    assert finding.code == "unreadable"
    assert check_file(Path(__file__).parents[3] / "configs/quickstart.yaml") == []


def test_something_else_runs_in_the_place_of_a_node(folder: Path) -> None:
    asked: list[str] = []

    def replace(name: str, processor: Processor) -> Processor:
        asked.append(name)
        return Given(()) if name == "tone" else processor

    graph = loads(GOOD, base=folder, variables={}, replace=replace)
    assert asked == ["tone", "to_8k", "void"]
    assert isinstance(graph.nodes["tone"].processor, Given)
    assert isinstance(graph.nodes["to_8k"].processor, Resampler)
    (folder / "x.yaml").write_text(GOOD)
    assert isinstance(load(folder / "x.yaml", replace=replace).nodes["tone"].processor, Given)


def test_what_takes_the_place_of_a_node_has_to_fit(folder: Path) -> None:
    with pytest.raises(ConfigError, match="inbox-of-source"):
        loads(GOOD, base=folder, variables={}, replace=lambda name, processor: Given(()))
