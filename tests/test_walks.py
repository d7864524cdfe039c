"""Pages marked by `<!-- walk -->`, walked through from top to bottom as their readers do.

A block whose first line is a comment with a file's name is saved as that file. Commands are run, in
virtual time; the `text` block behind them is in what they print, `...` standing for any lines.
"""

import functools
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.main import main
from pipeline.testing import VirtualTimeLoop

ROOT = Path(__file__).parent.parent
WALKS = [p for p in sorted((ROOT / "docs").glob("*.md")) if "\n<!-- walk -->\n" in p.read_text()]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?:(excerpt): )?(add to )?(\w+\.\w+)(?:, .*)?\n")


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"loop_factory": VirtualTimeLoop}
    monkeypatch.setattr(anyio, "run", functools.partial(anyio.run, backend_options=options))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)


def run(line: str) -> str:
    """What a command prints."""
    words = shlex.split(line)
    if words[0] == "pipeline":
        result = CliRunner().invoke(main, words[1:])
        assert result.exit_code == (2 if "error[" in result.output else 0), result.output
        return result.output
    if words[0] == "pytest":
        words = [sys.executable, "-m", "pytest", "-n", "0", "-q", *words[1:]]
    elif words[0] != "cat":
        assert "venv" in line or words[:2] == ["pip", "install"], line
        return ""
    result = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def save(text: str) -> None:
    match = FILE.match(text)
    assert match is not None, f"which file is this? {text[:60]}"
    path = Path(match[3])
    if match[2]:
        whole, added = yaml.safe_load(path.read_text()), yaml.safe_load(text)
        whole["processors"] |= added["processors"]
        whole["flow"] += added["flow"]
        text = yaml.safe_dump(whole, sort_keys=False)
    path.write_text(text)


def check_shown(shown: str, printed: str) -> None:
    """Each line that is shown was printed, one behind the other, but for what `...` leaves out.

    How wide columns are does not matter.
    """
    printed, place = narrow(printed), 0
    for part in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE):
        place = printed.find(narrow(part), place)
        assert place >= 0, f"this was not printed:\n{part}\nbut this:\n{printed}"
        place += len(narrow(part))


def narrow(text: str) -> str:
    return "\n".join(re.sub(" +", " ", line.rstrip()) for line in text.splitlines())


@pytest.mark.parametrize("page", WALKS, ids=lambda page: page.stem)
def test_every_step_leads_where_the_page_says(page: Path) -> None:
    printed = ""
    for kind, text in BLOCK.findall(page.read_text()):
        if kind == "sh":
            printed = "".join(map(run, text.splitlines()))
        elif kind == "text":
            check_shown(text, printed)
        else:
            save(text)
