"""Which nodes a client's devices take the places of, and what keeps a file from being served."""

from pathlib import Path

import pytest
from serving_bench import BOUND, TALK

from pipeline import ConfigError, Device
from processors.serving.binding import Bindings, Offer, read_bindings
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


def offer(config: Path, bound: Bindings | None = None) -> Offer:
    return Offer(config, bound or {}, config.parent / "files")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "devices.py").write_text(DEVICES)
    (tmp_path / "talk.yaml").write_text(OWN)
    return tmp_path / "talk.yaml"


def test_what_speaks_with_a_device_is_bound_by_itself(config: Path) -> None:
    line = Line(48_000)
    graph = offer(config).graph(line, "x")
    kinds = {name: type(node.processor) for name, node in graph.nodes.items()}
    assert (kinds["mic"], kinds["typed"]) == (ClientMicrophone, ClientKeyboard)
    assert kinds["speaker"] is ClientSpeaker
    assert line.devices == {"microphone", "keyboard", "loudspeaker"}
    microphone = graph.nodes["mic"].processor
    assert isinstance(microphone, ClientMicrophone)
    assert (microphone.rate, microphone.channels) == (24_000, 1)
    assert offer(config).check() == []  # nobody asks whether this machine has a microphone


def test_the_rate_is_checked_against_the_graph(config: Path) -> None:
    text = OWN.replace("  to_16k: {use: resampler, rate: 16000, channels: 1}\n", "")
    config.write_text(text.replace(" -> to_16k", ""))
    [finding] = offer(config).check()
    assert "mic gives audio of 24000 Hz mono, gemini takes 16000 Hz mono" in finding.message


def test_other_nodes_are_bound_on_request(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(TALK)
    graph = offer(tmp_path / "talk.yaml", BOUND).graph(Line(16_000), "x")
    assert type(graph.nodes["pictures"].processor) is ClientCamera
    assert type(graph.nodes["mic"].processor) is ClientMicrophone


def test_a_file_that_listens_to_no_device_says_what_could_be_bound(tmp_path: Path) -> None:
    config = tmp_path / "talk.yaml"
    config.write_text(TALK)
    [finding] = [f for f in offer(config).check() if f.code == "binding"]
    assert finding.message.endswith(
        "no node of it listens to a device, so a client could say nothing"
    )
    assert finding.hint == (
        "use `microphone` or `camera`, or bind what there is: --bind mic=microphone, "
        "--bind typed=keyboard, --bind pictures=camera, --bind speaker=loudspeaker"
    )


WRITES = """
  one: {use: transcription_sink, path: "WHERE/words.jsonl"}
  two: {use: transcription_sink, path: "WHERE/other/words.jsonl"}
  wav: {use: audio_sink, path: runs/model.wav}
flow:
  - gemini -> one
  - gemini -> two
  - gemini -> wav
"""


def test_each_session_writes_into_a_folder_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "talk.yaml"
    text = TALK.replace("flow:\n", WRITES.replace("WHERE", str(tmp_path)))
    config.write_text(text.replace("limit:", "resumption: {file: handle.json}\n    limit:"))
    served = offer(config, BOUND)
    assert served.check() == []
    for session in ("a", "b"):
        graph = served.graph(Line(16_000), session)
        names = {file.relative_to(tmp_path / "files") for file in graph.files_written()}
        assert {str(name) for name in names} == {
            f"{session}/one-words.jsonl",
            f"{session}/two-words.jsonl",
            f"{session}/model.wav",
            f"{session}/handle.json",
        }


@pytest.mark.parametrize(
    ("node", "other", "device"),
    [("mic", "typed", "microphone"), ("speaker", "more", "loudspeaker")],
)
def test_no_two_nodes_share_a_device_of_the_client(
    tmp_path: Path, node: str, other: str, device: Device
) -> None:
    config = tmp_path / "talk.yaml"
    more = "  more: {use: audio_sink, path: more.wav}\nflow:\n  - gemini -> more\n"
    config.write_text(TALK.replace("flow:\n", more))
    [finding] = [
        f
        for f in offer(config, {**BOUND, node: device, other: device}).check()
        if f.code == "binding"
    ]
    assert finding.message == (
        f'"{node}" and "{other}" would share the {device} of a client, who has one'
    )
    assert finding.place is not None


def test_a_binding_that_names_nothing(tmp_path: Path) -> None:
    config = tmp_path / "talk.yaml"
    config.write_text(TALK)
    [finding] = offer(config, {**BOUND, "mik": "microphone"}).check()
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
