"""Completion, as the shells ask for it."""

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipeline.cli.main import main


def completed(*words: str) -> list[str]:
    """What bash is told for a line that ends with the last word."""
    environment = {
        "_PIPELINE_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("pipeline", *words)),
        "COMP_CWORD": str(len(words)),
    }
    result = CliRunner().invoke(main, [], prog_name="pipeline", env=environment)
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_PIPELINE_COMPLETE={shell}_complete" in result.stdout
    if found := shutil.which(shell):
        check = subprocess.run(
            [found, "-n"], input=result.stdout, text=True, capture_output=True, check=False
        )
        assert (check.returncode, check.stderr) == (0, "")


def test_other_shells_are_refused() -> None:
    result = CliRunner().invoke(main, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in result.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("che",), ["check"]),
        (("describe", "resam"), ["resampler"]),
        (("describe", "./own"), ["./own"]),
        (("explain", "unknown-no"), ["unknown-node"]),
        (("explain", "100"), ["1000", "1006", "1007", "1008"]),
        (("new", "text_source/live_"), ["text_source/live_api"]),
        (("run", "--vi"), ["--view"]),
        (("run", "--view", "l"), ["live", "lines"]),
    ],
)
def test_what_is_completed(words: tuple[str, ...], expected: list[str]) -> None:
    assert set(expected) <= set(completed(*words))
    assert all(word.startswith(words[-1]) for word in completed(*words))


def test_the_shell_asks_the_command_itself() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from pipeline.cli.main import main; main(prog_name='pipeline')"],
        env=os.environ
        | {
            "_PIPELINE_COMPLETE": "bash_complete",
            "COMP_WORDS": "pipeline describe vad",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "plain,vad_gate\n"
