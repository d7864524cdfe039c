"""`--set`, put over the settings of a file."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import ConfigError, Graph
from pipeline.config import loads
from pipeline.config.overrides import read_override

TEXT = """\
processors:
  typed: {use: text_source, lines: [one, two]}
  gemini: {use: live_api, modality: text, stall: null, setup: {a: 5}}
  words: {use: transcription_sink, path: words.jsonl}
flow: [typed -> gemini -> words]
"""


def graph(*overrides: str, text: str = TEXT, **variables: str) -> Graph:
    return loads(text, file="x.yaml", variables=variables, overrides=overrides)


def setting(override: str, node: str, name: str) -> Any:
    return vars(graph(override, WORD="from outside").nodes[node].processor)[name]


def errors(*overrides: str, text: str = TEXT) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        graph(*overrides, text=text)
    return [str(finding) for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("true", True),
        ("", None),
        ("null", None),
        ("'5'", "5"),
        ("Say: hello, # you", "Say: hello, # you"),
        (" x ", " x "),
        ("[1, two]", [1, "two"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("a=b", "a=b"),
        ("${WORD} $$", "word $"),
        ("*x", "*x"),
    ],
)
def test_a_value(text: str, value: Any) -> None:
    found = read_override(f"a.b={text}", {"WORD": "word"})
    assert (found.path, found.value) == (("a", "b"), value)


def test_settings_count_instead_of_those_in_the_file() -> None:
    assert setting("gemini.url=wss://host:1/x?y", "gemini", "url") == "wss://host:1/x?y"
    assert setting("gemini.patience_s=3", "gemini", "patience_s") == 3.0
    assert setting("typed.lines=[three]", "typed", "lines") == ["three"]
    assert setting("typed.lines.1=${WORD}", "typed", "lines") == ["one", "from outside"]
    assert setting("gemini.setup.a=6", "gemini", "setup") == {"a": 6}
    assert setting("gemini.stall.then=fail", "gemini", "stall").then == "fail"
    assert str(graph("words.inbox.frames=3").nodes["words"].inbox) == "3, block"
    typed = graph("typed.pause_ms=1", "typed.pause_ms=2").nodes["typed"].processor
    assert vars(typed)["pause_ms"] == 2


def test_what_was_wrong_in_the_file_is_no_more() -> None:
    broken = TEXT.replace("[one, two]", '["${GONE}"]')
    assert errors(text=broken)[0].startswith("x.yaml:2:37: error[variable]")
    assert graph("typed.lines=[x]", text=broken)


def test_files_start_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    text = TEXT.replace("lines: [one, two]", "path: beside.txt")
    found = loads(text, base=tmp_path / "below", overrides=["typed.path=here.txt"])
    assert str(vars(found.nodes["typed"].processor)["path"]) == "here.txt"
    found = loads(text, base=tmp_path / "below")
    assert vars(found.nodes["typed"].processor)["path"] == str(tmp_path / "below/beside.txt")


@pytest.mark.parametrize(
    ("override", "error"),
    [
        (
            "gemni.modality=audio",
            '--set gemni.modality: error[unknown-node] no processor is named "gemni"; '
            'did you mean "gemini"?',
        ),
        (
            "typed.pause=3",
            '--set typed.pause: error[unknown-setting] "typed": no setting "pause"; '
            'did you mean "pause_ms"?',
        ),
        (
            "typed.pause_ms=long",
            '--set typed.pause_ms: error[wrong-setting] "typed": pause_ms: '
            "expected a whole number, "
            "got 'long'",
        ),
        (
            "gemini.vad.silence=3",
            '--set gemini.vad.silence: error[unknown-setting] "gemini": vad: no setting '
            '"silence"; did you mean "silence_ms"?',
        ),
        (
            "typed=5",
            '--set typed: error[override] "typed" is a processor, not a setting; '
            "write --set NODE.SETTING=VALUE",
        ),
        (
            "modality=text",
            '--set modality: error[unknown-setting] no parameter "modality"; did you mean '
            '"gemini.modality"?',
        ),
        (
            "modalities=text",
            '--set modalities: error[unknown-setting] no parameter "modalities"; write --set '
            "NODE.SETTING=VALUE",
        ),
        (
            "typed.lines",
            '--set typed.lines: error[override] there is no "=" with a value behind it; write '
            "--set NODE.SETTING=VALUE",
        ),
        (
            "typed..lines=3",
            '--set typed..lines: error[override] there is no NODE.SETTING before the "="; write '
            "--set NODE.SETTING=VALUE",
        ),
        (
            "typed.lines.2=x",
            "--set typed.lines.2: error[override] lines is a list without an item 2; "
            "it has 2, from 0 on",
        ),
        (
            "gemini.modality.x=y",
            "--set gemini.modality.x: error[override] modality has no settings within it",
        ),
        (
            "typed.lines=[x",
            "--set typed.lines: error[yaml] not valid YAML: there is no `]` for this `[`; "
            "add `]` where it ends",
        ),
        (
            "typed.lines.0=${GONE}",
            "--set typed.lines.0: error[variable] the variable GONE is not set; set it, or give "
            "a default: ${GONE:-...}",
        ),
        (
            "typed.use=txt_source",
            '--set typed.use: error[unknown-processor] no processor "txt_source"; '
            'did you mean "text_source"?',
        ),
    ],
)
def test_what_cannot_be(override: str, error: str) -> None:
    assert errors(override) == [error]


def test_a_secret_is_not_repeated() -> None:
    key = "AIza" + "x" * 35
    assert errors(f"gemini.setup.key={key}") == [
        "--set gemini.setup.key: error[secret] a secret is written on the command line; put it "
        'into an environment variable, and write "${NAME}"'
    ]
    assert errors("gemini.setup.token=hush") == [
        '--set gemini.setup.token: error[secret] "gemini": setup.token is a secret that is '
        'written on the command line; put it into an environment variable, and write "${NAME}"'
    ]


@pytest.mark.parametrize(
    "text", ["", "processors: 5\nflow: []\n", "a: [\n", "processors: {typed: 5}"]
)
def test_a_file_that_is_wrong_anyway(text: str) -> None:
    assert all("--set" not in error for error in errors("typed.lines=[x]", text=text))
