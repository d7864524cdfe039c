"""Files that are no configuration, or want to be too much of one: findings, at once, in little
memory, and never a traceback."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import PipelineError
from pipeline.cli.findings import as_text
from pipeline.config import check_file
from pipeline.config.dotenv import read_env
from pipeline.config.typed import LARGEST_BYTES
from processors.live_api.recording import read_recording
from processors.local_live_api.faults import load_faults
from processors.local_live_api.scenario import Script
from processors.local_live_api.simulation import simulate

GRAPH = """processors:
  q: {{use: tone_source, seconds: {}}}
  s: {{use: audio_sink, path: runs/x.wav}}
flow: [q -> s]
"""
CHAINS = GRAPH.format(1).replace("[q -> s]", "")
LAUGHS = "\n".join(
    ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)
REFUSED = {
    "alias bomb": LAUGHS,
    "alias bomb in a graph": GRAPH.format(1) + LAUGHS,
    "list in itself": "&a [*a]",
    "mapping in itself": "a: &a {b: *a}",
    "merge of itself": "a: &a {<<: *a}",
    "open lists": "[" * 200_000,
    "closed lists": "[" * 100_000 + "]" * 100_000,
    "open mappings": "{a: " * 100_000,
    "steps of indentation": "\n".join(" " * depth + "a:" for depth in range(1500)),
    "dashes": "- " * 100_000 + "a",
    "decimal": GRAPH.format("9" * 100_000),
    "hexadecimal": GRAPH.format("0x" + "f" * 100_000),
    "binary": GRAPH.format("0b" + "1" * 100_000),
    "octal": GRAPH.format("0" + "7" * 100_000),
    "base 60": GRAPH.format("1" + ":59" * 10_000),
    "base 60 with a fraction": GRAPH.format("1" + ":59" * 10_000 + ".5"),
    "digits": GRAPH.format("1." + "9" * 100_000),
    "exponent": GRAPH.format("1e999999999"),
    "no number": GRAPH.format(".nan"),
    "too many values": "a: [" + "1," * 100_000 + "]",
    "too many nodes": "processors: {"
    + "".join(f"k{number}: {{use: tone_source}}, " for number in range(20_000))
    + "}",
    "one key very often": "\n".join("k: 1" for _ in range(5_000)),
    "a chain that goes round": CHAINS + "  - " + " -> ".join(["q"] * 120_000),
    "a word of dashes": "a\n" + "-" * 100_000 + " b: c",
    "chains that nobody knows": CHAINS + '  - "${NOT_SET}"\n' * 9_000,
    "a word without end": GRAPH.format("x" * 1_000_000),
    "a key without end": "x" * 1_000_000 + ": 1",
    "variables": GRAPH.format('"' + "${A:-x}" * 50_000 + '"'),
    "open variables": GRAPH.format('"' + "${A" * 50_000 + '"'),
    "dollars": GRAPH.format("$" * 100_000),
    "null characters": "\0" * 1000,
    "a null character": GRAPH.format('"\\0"'),
    "tabs": "\tprocessors:\n\t\ta: 1",
    "byte order marks": "a: \ufeff\ufeff",
    "UTF-16": "processors: {}".encode("utf-16"),
    "half a character": b"a: \xe5\x90",
    "a surrogate": b"a: \xed\xa0\x80",
    "code": "!!python/object/apply:os.system [echo]",
    "documents": "---\n" * 10_000,
    "another YAML": "%YAML 9.9\n---\na: 1",
    "too large": "#" * (LARGEST_BYTES + 1),
    "nothing": "",
    "a number": "7",
    "a word": "parameters",
    "a list of lists": "[[parameters]]",
}
MOST_CPU_S = 5.0
"""For one file; most take milliseconds, but a machine may be slow."""
MEASURED = """
import sys
from pathlib import Path
from pipeline.cli.main import main
try:
    main(["check", "--offline", *sys.argv[1:]])
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    print("RSS", next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""
MIB = 2**20


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_at_once_with_findings_that_fit_on_a_page(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "bad.yaml", REFUSED[name])
    began = time.process_time()
    findings = check_file(path)
    text = as_text(findings)
    assert time.process_time() - began < MOST_CPU_S
    assert findings
    assert len(text) < 100_000
    assert "failed: " not in text


def test_the_command_refuses_all_of_them_in_little_memory(tmp_path: Path) -> None:
    if sys.platform != "linux":  # elsewhere, what the parent had before counts, too
        pytest.skip("reads the peak of memory as Linux tells it")
    paths = [written(tmp_path / f"{n}.yaml", text) for n, text in enumerate(REFUSED.values())]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 2, done.stderr[-500:]
    assert int(done.stdout.rpartition("RSS ")[2]) * 1024 < 400 * MIB


def test_a_device_without_end_is_no_configuration() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("needs /dev/zero")
    (finding,) = check_file("/dev/zero")
    assert "larger than 4 MiB" in finding.message


# --- files of other kinds ---

KEYS = st.sampled_from(
    [
        *("turns", "faults", "setup", "expect", "then", "say", "call", "close", "do", "at_s"),
        *("chance", "code", "reason", "for_s", "delay_ms", "seed", "event", "at", "connection"),
        *("url", "message", "raw", "by", "args", "answer"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            KEYS,
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
GOOD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "scenario": (
        Script.read,
        "setup: {model: x}\nturns:\n- expect: {text: hello}\n  then: [{call: {name: f, args: {a: "
        "1}}}, {say: Yes.}, {interrupt: 100}, {wait_ms: 5}, {go_away: 1}, {close: {code: 1011}}]\n",
    ),
    "faults": (
        load_faults,
        "seed: 7\nfaults:\n- {do: cut, at_s: 1}\n- {do: close, code: 1011, reason: x, chance: 0.5}"
        "\n- {do: delay, delay_ms: 5, every: 2, times: 3, connections: [1]}\n",
    ),
    "recording": (
        read_recording,
        '{"event":"open","at":0.0,"connection":1,"url":"ws://x/","backend":"vertex"}\n'
        '{"event":"client","at":0.1,"connection":1,"message":{"setup":{"model":"x"}}}\n'
        '{"event":"server","at":0.2,"connection":1,"raw":"AAAA"}\n'
        '{"event":"close","at":0.3,"connection":1,"code":1000,"by":"client"}\n',
    ),
    "environment": (read_env, "A=b # c\nexport B=\"x\\n\" # d\nC='raw'\n\nD=\n"),
}
once = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(kind: str, path: Path) -> None:
    try:
        GOOD[kind][0](path)
    except PipelineError as error:
        assert str(error)


@pytest.mark.parametrize("kind", GOOD)
@given(value=JSON)
@once
def test_any_value_is_taken_or_refused(kind: str, value: Any, tmp_path: Path) -> None:
    read(kind, written(tmp_path / "file", json.dumps(value)))


@pytest.mark.parametrize("kind", GOOD)
@given(data=st.binary(max_size=200))
@once
def test_any_bytes_are_taken_or_refused(kind: str, data: bytes, tmp_path: Path) -> None:
    read(kind, written(tmp_path / "file", data))


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_taken_or_refused(kind: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    good = GOOD[kind][1].encode()
    read(kind, written(tmp_path / "good", good))
    for _ in range(40):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.choice(b"\0\xff\n\t\"'{}[]:,-0919eE.x#")
                case 1:
                    del data[at : at + chance.randint(1, 9)]
                case _:
                    data[at:at] = data[at : at + chance.randint(1, 30)]
        read(kind, written(tmp_path / "file", bytes(data)))


@pytest.mark.parametrize("kind", ["scenario", "faults", "environment"])
def test_bombs_are_refused_wherever_yaml_is_read(kind: str, tmp_path: Path) -> None:
    for text in REFUSED.values():
        began = time.process_time()
        read(kind, written(tmp_path / "file", text))
        assert time.process_time() - began < MOST_CPU_S


def test_spaces_in_an_environment_file_cost_no_more_than_letters(tmp_path: Path) -> None:
    path = written(tmp_path / ".env", "A=x" + " " * 1_000_000 + "y")
    began = time.process_time()
    assert len(read_env(path)["A"]) == 1_000_002
    assert time.process_time() - began < MOST_CPU_S


def test_the_command_says_which_file_it_cannot_play(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("scenario", "faults", "replay"):
        path = written(tmp_path / option, "[" * 100_000)
        given: dict[str, Any] = {"scenario": None, "faults": None, "replay": None}
        status = simulate(
            port=0, backend=None, tls=False, phrases=(), switches=(), **given | {option: str(path)}
        )
        assert status == 2
        assert str(path) in capsys.readouterr().err
