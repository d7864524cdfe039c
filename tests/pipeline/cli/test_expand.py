"""`pipeline expand`: nothing left unsaid, and no secret said."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline import Graph, load
from pipeline.cli.expand import REDACTED
from pipeline.cli.main import main
from pipeline.settings import read_settings

CONFIGS = Path(__file__).parents[3] / "configs"

OWN = """
from collections.abc import AsyncIterator
from typing import Annotated, Any
from msgspec import Struct
from pipeline import InputPath, OutputPath, Sink, TextFrame

class Login(Struct):
    user: str = "me"
    password: str = ""

class Send(Sink):
    def __init__(
        self,
        url: str = "",
        api_key: str = "",
        login: Login | None = None,
        size: int = 5,
        max_tokens: int = 10,
        headers: dict[str, Any] | None = None,
        keys: list[str] | None = None,
        key_file: InputPath | None = None,
        home: InputPath = "home.txt",
        broken: int = None,
    ) -> None:
        self.url = url
        self.key_file = key_file

    async def consume(self, frame: TextFrame) -> None: ...
"""

TALK = """\
processors:
  zebra: {lines: ["${WORD}", "it costs $$5"], use: text_source}
  send:
    use: ./own.py:Send
    size: "${SIZE:-7}"
    login: {password: "${WORD}"}
    url: "wss://host/?key=${API_KEY}&size=1"
    api_key: "${PLAIN}"
    keys: ["${WORD}"]
    max_tokens: 20
    headers: {Authorization: "Bearer ${WORD}", accept: "${LOOKS}", times: 3}
    key_file: own.py
flow:
  - zebra -> send
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs/own.py").write_text(OWN)
    (tmp_path / "graphs/talk.yaml").write_text(TALK)
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("WORD", "costs ${MORE}"),
        ("API_KEY", "hush-1"),
        ("PLAIN", "hush-2"),
        ("LOOKS", "AIza" + "x" * 35),
    ):
        monkeypatch.setenv(name, value)
    return tmp_path


def expand(path: str | Path) -> Result:
    return CliRunner().invoke(main, ["expand", str(path)])


def comparable(value: Any) -> Any:
    """Files' names, and what is a value; of an object its class."""
    if isinstance(value, str) and Path(value).name == "-":
        return "-"
    is_object = type(value).__eq__ is object.__eq__
    return type(value) if is_object else value


def settings(graph: Graph) -> list[Any]:
    """What the processors of a graph were made with, as far as they keep it."""
    return [
        (node.name, type(node.processor), str(node.inbox), name, comparable(value))
        for node in graph.nodes.values()
        for name in read_settings(type(node.processor))
        for value in [getattr(node.processor, name, None)]
    ]


def test_everything_is_said_in_the_order_of_the_file(folder: Path) -> None:
    result = expand("graphs/talk.yaml")
    assert result.exit_code == 0
    shown = yaml.safe_load(result.stdout)
    assert list(shown) == ["processors", "flow"]
    assert list(shown["processors"]) == ["zebra", "send"]
    zebra, send = shown["processors"].values()
    assert list(zebra) == ["lines", "use", "path", "pause_ms", "ends_on"]
    assert (zebra["path"], zebra["pause_ms"]) == (None, 0)
    assert list(send)[:9] == [
        "use", "size", "login", "url", "api_key", "keys", "max_tokens", "headers", "key_file"
    ]  # fmt: skip
    assert send["use"] == f"{folder}/graphs/own.py:Send"
    assert (send["size"], send["max_tokens"]) == (7, 20)
    assert send["key_file"] == f"{folder}/graphs/own.py"
    assert send["inbox"] == {"frames": 64, "policy": "block"}
    assert "home" not in send  # in another folder it would be another file
    assert "broken" not in send  # its default is none that YAML could give it
    assert shown["flow"] == ["zebra -> send"]


def test_what_looks_like_a_variable_stays_what_it_is() -> None:
    zebra = yaml.safe_load(expand("graphs/talk.yaml").stdout)["processors"]["zebra"]
    assert zebra["lines"] == ["costs $${MORE}", "it costs $$5"]


def test_secrets_are_not_shown_and_named() -> None:
    result = expand("graphs/talk.yaml")
    send = yaml.safe_load(result.stdout)["processors"]["send"]
    assert send["login"] == {"password": REDACTED, "user": "me"}
    assert send["url"] == f"wss://host/?key={REDACTED}&size=1"
    assert send["api_key"] == REDACTED
    assert send["keys"] == [REDACTED]
    assert send["headers"] == {"Authorization": REDACTED, "accept": REDACTED, "times": 3}
    assert "hush" not in result.output
    assert "AIza" not in result.output
    assert result.stderr == (
        "redacted: send.login.password, send.url, send.api_key, send.keys.0, "
        "send.headers.Authorization, send.headers.accept\n"
    )


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_means_the_same_when_expanded(path: Path) -> None:
    result = expand(path)
    assert (result.exit_code, result.stderr) == (0, "")
    Path("expanded.yaml").write_text(result.stdout)
    before, after = load(path.resolve()), load("expanded.yaml")
    assert settings(after) == settings(before)
    assert list(map(str, after.edges)) == list(map(str, before.edges))
    assert expand("expanded.yaml").stdout == result.stdout


def test_inboxes_as_they_are(folder: Path) -> None:
    inboxes = ["{ms: 200, policy: drop_oldest}", "{policy: latest}", '{frames: "${N:-8}"}', "{}"]
    found = []
    for inbox in inboxes:
        Path("one.yaml").write_text(
            "processors:\n"
            f"  sound: {{use: audio_source, path: {CONFIGS}/speech/question.wav}}\n"
            f"  file: {{use: audio_sink, path: a.wav, inbox: {inbox}}}\n"
            "flow: [sound -> file]\n"
        )
        found.append(yaml.safe_load(expand("one.yaml").stdout)["processors"]["file"]["inbox"])
    assert found == [
        {"ms": 200, "policy": "drop_oldest"},
        {"policy": "latest"},
        {"frames": 8, "policy": "block"},
        {"frames": 64, "policy": "block"},
    ]


def test_standard_input_stays_standard_input() -> None:
    typed = yaml.safe_load(expand(CONFIGS / "chat.yaml").stdout)["processors"]["typed"]
    assert typed["path"] == "-"


# --- what is wrong ---


def test_a_file_that_is_not_there() -> None:
    result = expand("gone.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == ("error[unreadable] cannot read gone.yaml: No such file or directory\n")


def test_a_configuration_that_is_wrong() -> None:
    Path("wrong.yaml").write_text(
        "processors:\n  a: {use: txt_source}\n  b: {use: resampler}\nflow: [a -> b]\n"
    )
    result = expand("wrong.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        'wrong.yaml:2:12: error[unknown-processor] no processor "txt_source"; '
        'did you mean "text_source"?\n'
        "      a: {use: txt_source}\n"
        "               ^\n"
        'wrong.yaml:3:3: error[missing-setting] "b": setting "rate" is missing; `pipeline describe '
        "resampler` tells of its settings\n"
        "      b: {use: resampler}\n"
        "      ^\n"
    )


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_KEY")
    result = expand("graphs/talk.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "graphs/talk.yaml:7:10: error[variable] the variable API_KEY is not set; set it, or give "
        "a default: ${API_KEY:-...}\n"
        '        url: "wss://host/?key=${API_KEY}&size=1"\n'
        "             ^\n"
    )


def test_fragments_are_spelled_out() -> None:
    result = expand(CONFIGS / "fragments.yaml")
    shown = yaml.safe_load(result.stdout)
    assert list(shown) == ["processors", "flow"]
    assert list(shown["processors"])[:2] == ["caller.person", "caller.line"]
    assert shown["processors"]["said.convert"]["rate"] == 24000
    assert shown["processors"]["caller.person"]["path"] == str(CONFIGS / "speech/question.wav")
    assert "gemini -> said.convert" in shown["flow"]
