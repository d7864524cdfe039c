"""Which nodes a client's devices take the places of, and what keeps a file from being served."""

from pathlib import Path

import pytest
from serving_bench import BOUND, TALK

from pipeline import ConfigError
from processors.serving.binding import check_config, load_for_client, read_bindings
from processors.serving.client_sources import ClientCamera, ClientKeyboard, ClientMicrophone
from processors.serving.client_speaker import ClientSpeaker
from processors.serving.line import Line

DEVICES = '''
from collections.abc import AsyncIterator
from pipeline import AudioFormat, AudioFrame, SettingError, Sink, Source

class Microphone(Source):
    """A microphone."""

    device = "microphone"

    def __init__(self, rate: int | None = None) -> None:
        self.rate = rate

    def check(self) -> None:
        raise SettingError("there is no microphone")

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        raise SettingError("there is no microphone")

    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield

class Loudspeaker(Sink):
    """A loudspeaker."""

    device = "loudspeaker"

    async def consume(self, frame: AudioFrame) -> None: ...
'''
OWN = """
processors:
  mic: {use: "./devices.py:Microphone", rate: 24000}
  to_16k: {use: resampler, rate: 16000, channels: 1}
  typed: {use: text_source, path: "-"}
  gemini: {use: live_api}
  speaker: {use: "./devices.py:Loudspeaker"}
flow:
  - mic -> to_16k -> gemini -> speaker
  - typed -> gemini
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "devices.py").write_text(DEVICES)
    (tmp_path / "talk.yaml").write_text(OWN)
    return tmp_path / "talk.yaml"


def test_what_speaks_with_a_device_is_bound_by_itself(config: Path) -> None:
    line = Line(48_000)
    graph = load_for_client(config, {}, line, "x")
    kinds = {name: type(node.processor) for name, node in graph.nodes.items()}
    assert (kinds["mic"], kinds["typed"]) == (ClientMicrophone, ClientKeyboard)
    assert kinds["speaker"] is ClientSpeaker
    assert line.devices == {"microphone", "keyboard", "loudspeaker"}
    microphone = graph.nodes["mic"].processor
    assert isinstance(microphone, ClientMicrophone)
    assert (microphone.rate, microphone.channels) == (24_000, 1)
    assert check_config(config, {}) == []  # nobody asks whether this machine has a microphone


def test_the_rate_is_checked_against_the_graph(config: Path) -> None:
    text = OWN.replace("  to_16k: {use: resampler, rate: 16000, channels: 1}\n", "")
    config.write_text(text.replace(" -> to_16k", ""))
    [finding] = check_config(config, {})
    assert "mic gives audio of 24000 Hz mono, gemini takes 16000 Hz mono" in finding.message


def test_other_nodes_are_bound_on_request(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(TALK)
    graph = load_for_client(tmp_path / "talk.yaml", BOUND, Line(16_000), "x")
    assert type(graph.nodes["pictures"].processor) is ClientCamera
    assert type(graph.nodes["mic"].processor) is ClientMicrophone


def test_a_file_that_listens_to_no_device_says_what_could_be_bound(tmp_path: Path) -> None:
    config = tmp_path / "talk.yaml"
    config.write_text(TALK)
    [finding] = [f for f in check_config(config, {}) if f.code == "binding"]
    assert finding.message.endswith(
        "no node of it listens to a device, so a client could say nothing"
    )
    assert finding.hint == (
        "use `microphone` or `camera`, or bind what there is: --bind mic=microphone, "
        "--bind typed=keyboard, --bind pictures=camera, --bind speaker=loudspeaker"
    )


def test_sessions_must_not_write_the_same_files(tmp_path: Path) -> None:
    config = tmp_path / "talk.yaml"
    words = "  words: {use: transcription_sink, path: words.jsonl}\nflow:\n  - gemini -> words"
    text = TALK.replace("flow:", words)
    config.write_text(text)
    [finding] = check_config(config, BOUND)
    assert "every session would write" in finding.message
    assert "words.jsonl" in finding.message
    assert finding.hint == "put ${SESSION:-local} into the path: it is each session's name"
    assert finding.place is not None
    assert finding.place.line == 13
    text = text.replace("path: words.jsonl", 'path: "${SESSION}.jsonl"')
    config.write_text(text)
    assert check_config(config, BOUND) == []


def test_a_binding_that_names_nothing(tmp_path: Path) -> None:
    config = tmp_path / "talk.yaml"
    config.write_text(TALK)
    [finding] = check_config(config, {**BOUND, "mik": "microphone"})
    assert str(finding) == 'error[binding] --bind: no processor is named "mik"; did you mean "mic"?'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mic", "error[binding] cannot read --bind mic; write --bind node=microphone"),
        ("mic=", "error[binding] cannot read --bind mic=; write --bind node=microphone"),
        (
            "a=mikrophone",
            'error[binding] cannot read --bind a=mikrophone; did you mean "microphone"?',
        ),
    ],
)
def test_bindings_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_bindings([text])
    assert [str(finding) for finding in caught.value.findings] == [said]


def test_bindings() -> None:
    assert read_bindings(["a=speaker", "b=microphone"]) == {"a": "loudspeaker", "b": "microphone"}
