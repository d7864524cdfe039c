"""Configurations from chains: they can be loaded, and pass the check once their files are there."""

import shutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta

from pipeline import AudioFrame, ConfigError, Sink, TextFrame, Transform, registry
from pipeline.config import loads
from pipeline.draft import draft
from pipeline.registry import GROUP

CONFIGS = Path(__file__).parents[2] / "configs"

TALK = """\
processors:
  # Plays a sound file into the graph: WAV, FLAC, Ogg, MP3 and whatever else soundfile reads; or
  # what comes in at standard input.
  audio_source:
    use: audio_source
    # TODO: the file; `-` is standard input, with a WAV header in front, or without one if `rate` is
    # given.
    path: input.wav
  # Resamples as a stream: every chunking of a signal gives the same samples.
  resampler:
    use: resampler
    rate: 16000     # output sample rate in Hz.
    # output channels; left out, as many as come in. Many become one by their average.
    channels: 1
  # Passes audio while someone speaks, and says when speech begins and ends.
  vad_gate:
    use: vad_gate
  # A conversation with the Gemini Live API: audio, pictures and text in; audio, text, transcripts
  # and tool calls out, over as many connections as it takes.
  live_api:
    use: live_api
  # Writes a sound file on the run's clock: a pause in media time is silence in the file.
  audio_sink:
    use: audio_sink
    path: runs/audio_sink.wav  # the file, replaced if it exists, or `-` for standard output.

flow:
  - audio_source -> resampler -> vad_gate -> live_api -> audio_sink
"""


def flow(*chains: str) -> list[str]:
    text = draft(chains).text
    loads(text)
    return [line.removeprefix("  - ") for line in text.partition("flow:\n")[2].splitlines()]


def errors(*chains: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        draft(chains)
    return [str(finding) for finding in caught.value.findings]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With every file that a draft may name."""
    shutil.copy(CONFIGS / "speech/question.wav", tmp_path / "input.wav")
    shutil.copy(next((CONFIGS / "images").glob("*.png")), tmp_path / "input.png")
    shutil.copy(CONFIGS / "quickstart/weather.py", tmp_path / "functions.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_conversation() -> None:
    assert draft(["audio_source/resampler,vad_gate/live_api/audio_sink"]) == (TALK, ())


@pytest.mark.parametrize(
    "chain",
    [
        "audio_source/resampler,vad_gate/live_api/audio_sink",
        "audio_source/live_api,tool_dispatcher/audio_sink,audio_sink,transcription_sink",
        "image_source,text_source/live_api/transcription_sink",
        "audio_source/resampler/audio_sink",
        "audio_source -> vad_gate -> live_api <-> tool_dispatcher",
    ],
)
def test_with_its_files_there_it_passes_the_check(chain: str, folder: Path) -> None:
    assert loads(draft([chain]).text).check() == []


# --- stages ---


def test_transforms_stand_in_a_row_whatever_is_between_them() -> None:
    row = "audio_source -> vad_gate -> resampler -> audio_sink"
    assert flow("audio_source/vad_gate,resampler/audio_sink") == [row]
    assert flow(" audio_source / vad_gate / resampler , audio_sink") == [row]


def test_sources_and_sinks_stand_side_by_side() -> None:
    assert flow("image_source,text_source/live_api/transcription_sink,transcription_sink") == [
        "image_source -> live_api -> transcription_sink",
        "text_source -> live_api",
        "live_api -> transcription_sink_2",
    ]


def test_a_sink_in_the_middle_hears_what_goes_by() -> None:
    assert flow("audio_source/audio_sink/resampler/audio_sink") == [
        "audio_source -> audio_sink",
        "audio_source -> resampler -> audio_sink_2",
    ]


def test_two_duplex_processors_of_a_stage_answer_each_other() -> None:
    assert flow("text_source/live_api,tool_dispatcher/transcription_sink") == [
        "text_source -> live_api -> transcription_sink",
        "live_api <-> tool_dispatcher",
    ]


# --- arrows ---


def test_several_chains_share_their_nodes() -> None:
    assert flow(
        "text_source -> live_api -> audio_sink",
        "live_api -> audio_sink_2",
        "live_api<->tool_dispatcher",
    ) == [
        "text_source -> live_api -> audio_sink",
        "live_api -> audio_sink_2",
        "live_api <-> tool_dispatcher",
    ]


# --- formats ---


def test_a_resampler_is_put_where_the_format_is_not_known_to_be_right() -> None:
    made = draft(["audio_source/vad_gate/live_api"])
    assert made.notes == ("to_16k is added: live_api takes 16000 Hz mono",)
    assert "  - audio_source -> vad_gate -> to_16k -> live_api\n" in made.text
    graph = loads(made.text)
    assert list(graph.nodes) == ["audio_source", "vad_gate", "to_16k", "live_api"]


def test_no_resampler_is_put_where_no_sound_flows_or_the_format_is_known(folder: Path) -> None:
    assert draft(["text_source/live_api"]).notes == ()
    assert draft(["audio_source/resampler/vad_gate/live_api"]).notes == ()


def test_one_resampler_does_for_all_that_is_fed_by_the_same() -> None:
    assert flow("audio_source -> live_api", "audio_source -> live_api_2") == [
        "audio_source -> to_16k -> live_api",
        "to_16k -> live_api_2",
    ]


def test_a_resampler_that_nobody_asks_for_anything_keeps_a_usual_rate() -> None:
    assert "    rate: 16000" in draft(["audio_source/resampler/audio_sink"]).text


# --- what is wrong ---


def test_a_processor_that_is_not_there() -> None:
    assert errors("audio_src/live_api/audio_sinc") == [
        'error[unknown-processor] no processor "audio_src"; did you mean "audio_source"?',
        'error[unknown-processor] no processor "audio_sinc"; did you mean "audio_sink"?',
    ]


@pytest.mark.parametrize("chain", ["", "audio_source//audio_sink", "audio_source/,audio_sink", "/"])
def test_a_stage_without_a_processor(chain: str) -> None:
    assert errors(chain) == [
        f"error[flow-syntax] a processor is missing in {chain!r}; write source/transform/sink"
    ]


def test_arrows_that_cannot_be_read() -> None:
    assert errors("audio_source ->") == [
        "error[flow-syntax] a processor's name is missing at the end"
    ]


def test_stages_beside_other_chains() -> None:
    assert errors("audio_source/audio_sink", "audio_source -> audio_sink") == [
        "error[flow-syntax] 'audio_source/audio_sink' has no arrows: of several chains, each needs "
        "them"
    ]


def test_a_graph_that_cannot_be() -> None:
    assert errors("live_api/audio_sink") == [
        'error[no-input] nothing flows into "live_api"',
        'error[unreachable] no source leads to "audio_sink"',
    ]
    assert errors("text_source/audio_sink") == [
        'error[type-mismatch] "text_source -> audio_sink" can carry nothing: text_source gives '
        "TextFrame, audio_sink takes AudioFrame and TurnStarted"
    ]


# --- processors of others ---


class Demanding(Transform):
    """Wants much.

    one, other: what only its author knows.
    """

    def __init__(self, one: str, other: str = "") -> None:
        if not one.startswith("sesame") or not other:
            raise ValueError("no")

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame


class Priced(Sink):
    """Costs $5."""

    def __init__(
        self, price: Annotated[str, Meta(examples=["${5: #}"])], name: str, api_key: str
    ) -> None:
        self.given = price, name, api_key

    async def consume(self, frame: TextFrame | AudioFrame) -> None: ...


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = dict(registry.installed())
    for kind in (Demanding, Priced):
        name = kind.__name__.lower()
        monkeypatch.setattr(f"pipeline.draft.{name}", kind, raising=False)
        found[name] = EntryPoint(name, f"pipeline.draft:{name}", GROUP)
    monkeypatch.setattr("pipeline.registry.installed", lambda: found)
    monkeypatch.setattr("pipeline.draft.installed", lambda: found)


@pytest.mark.usefixtures("others")
def test_settings_that_cannot_be_guessed_are_left_to_be_filled_in() -> None:
    made = draft(["text_source/demanding/priced"])
    assert made.notes == (
        "demanding: its settings cannot be guessed; fill in what is marked TODO",
        "priced: set the variable API_KEY",
    )
    assert (
        "  # Wants much.\n"
        "  demanding:\n"
        "    use: demanding\n"
        "    # TODO one:     # what only its author knows.\n"
    ) in made.text
    with pytest.raises(ConfigError, match='setting "one" is missing'):
        loads(made.text)


@pytest.mark.usefixtures("others")
def test_values_of_text_are_to_be_filled_in_and_secrets_come_from_variables() -> None:
    text, notes = draft(["text_source/priced"])
    assert (
        "    price: '$${5: #}'    # TODO: price\n"
        "    name: hello          # TODO: name\n"
        "    api_key: ${API_KEY}\n"
    ) in text
    assert notes == ("priced: set the variable API_KEY",)
    sink = loads(text, variables={"API_KEY": "AIza"}).nodes["priced"].processor
    assert isinstance(sink, Priced)
    assert sink.given == ("${5: #}", "hello", "AIza")


@pytest.mark.usefixtures("others")
def test_without_a_resampler_none_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {n: entry for n, entry in registry.installed().items() if n != "resampler"}
    monkeypatch.setattr("pipeline.draft.installed", lambda: found)
    assert draft(["audio_source/live_api"]).notes == ()


def test_one_processor_is_no_chain() -> None:
    with pytest.raises(ConfigError) as caught:
        draft(["text_source"])
    assert str(caught.value) == (
        "error[flow-syntax] text_source alone is no graph; a chain has more: "
        "text_source/live_api/transcription_sink"
    )
